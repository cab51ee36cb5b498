#include "ingest/simulated_distributions.h"

#include <bit>
#include <utility>

namespace depthcast::ingest {
namespace {

// log2(value) in units of 2^-24, value below 2^32: whole part from the highest bit, fraction by repeated squaring.
std::uint64_t binary_logarithm(std::uint32_t value) {
  const auto whole = static_cast<unsigned>(std::bit_width(value)) - 1;
  std::uint64_t mantissa = std::uint64_t{value} << (31 - whole);  // 2^31 … 2^32 - 1
  std::uint64_t result = whole;
  for (int bit = 0; bit < 24; ++bit) {
    mantissa = (mantissa * mantissa) >> 31;
    result <<= 1;
    if (mantissa >> 32 != 0) {
      mantissa >>= 1;
      result |= 1;
    }
  }
  return result;
}

}  // namespace

ExponentialTable::ExponentialTable() {
  constexpr std::uint64_t natural_logarithm_of_2 = 2'977'044'471;  // in units of 2^-32
  std::array<std::uint64_t, points> raw;                           // -ln((2i + 1) / 2,048) in units of 2^-24
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < points; ++i) {
    const std::uint64_t negative_log2 = (std::uint64_t{11} << 24) - binary_logarithm(2 * i + 1);
    raw[i] = (negative_log2 * natural_logarithm_of_2) >> 32;
    sum += raw[i];
  }
  // The mean of the straight lines, which the scale makes exactly one.
  const std::uint64_t mean = (sum - (raw.front() + raw.back()) / 2) / (points - 1);
  for (std::uint32_t i = 0; i < points; ++i) values_[i] = static_cast<std::uint32_t>((raw[i] << 16) / mean);
}

ClassTable::ClassTable(std::span<const ValueClass> classes) {
  std::size_t position = 0;
  for (std::size_t i = 0; i < classes.size() && i < classes_max; ++i) {
    classes_[i] = classes[i];
    for (std::uint32_t n = 0; n < classes[i].weight && position < lookup_.size(); ++n) {
      lookup_[position++] = static_cast<std::uint8_t>(i);
    }
  }
  while (position < lookup_.size()) lookup_[position++] = 0;
}

AliasTable::AliasTable(std::span<const std::uint32_t> weights) : columns_(weights.size()) {
  std::uint64_t total = 0;
  for (const std::uint32_t weight : weights) total += weight;
  // A column holds `total`; a weight fills weight x count of it. The small columns are topped up from the large ones.
  std::vector<std::uint64_t> filled(weights.size());
  std::vector<std::uint32_t> small;
  std::vector<std::uint32_t> large;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    filled[i] = std::uint64_t{weights[i]} * weights.size();
    (filled[i] < total ? small : large).push_back(i);
    columns_[i] = {UINT32_MAX, i};
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t needy = small.back();
    const std::uint32_t donor = large.back();
    small.pop_back();
    // filled < total < 2^43, so the quotient is taken in two halves that both fit 64 bits.
    const std::uint64_t upper = (filled[needy] << 16) / total;
    const std::uint64_t lower = (((filled[needy] << 16) % total) << 16) / total;
    columns_[needy] = {static_cast<std::uint32_t>((upper << 16) | lower), donor};
    filled[donor] -= total - filled[needy];
    if (filled[donor] < total) {
      large.pop_back();
      small.push_back(donor);
    }
  }
}

std::vector<std::uint32_t> activity_weights(std::uint32_t symbols, std::uint32_t even_percent,
                                            SimulatedRandom& random) {
  constexpr std::uint64_t first_weight = std::uint64_t{1} << 26;
  std::uint64_t total = 0;
  for (std::uint32_t rank = 0; rank < symbols; ++rank) total += first_weight / (rank + 1);
  std::vector<std::uint32_t> weights(symbols);
  for (std::uint32_t rank = 0; rank < symbols; ++rank) {
    const std::uint64_t zipf = first_weight / (rank + 1);
    weights[rank] = static_cast<std::uint32_t>((zipf * (100 - even_percent) + total / symbols * even_percent) / 100);
  }
  for (std::uint32_t i = symbols - 1; i > 0; --i) std::swap(weights[i], weights[scaled(random.next(), i + 1)]);
  return weights;
}

// Weights in 1/1,024, from the first second of a real Nasdaq day, with the share of odd lots raised (see the document).
const std::array<ValueClass, 11> size_classes = {{
    {154, 1, 99, 1},
    {563, 100, 1, 0},
    {20, 101, 199, 1},
    {92, 200, 1, 0},
    {41, 300, 1, 0},
    {31, 400, 1, 0},
    {56, 500, 1, 0},
    {27, 600, 4, 100},
    {20, 1'000, 1, 0},
    {16, 1'100, 40, 100},
    {4, 5'100, 50, 100},
}};

// 470 adds of the LOBSTER sample of AAPL, which shows ten levels only; 6 % are put farther off (see the document).
const std::array<ValueClass, 11> distance_classes = {{
    {147, -1, 1, 0},
    {178, -3, 2, 1},
    {46, -27, 24, 1},
    {126, 0, 1, 0},
    {147, 1, 1, 0},
    {103, 2, 1, 0},
    {62, 3, 1, 0},
    {44, 4, 6, 1},
    {70, 10, 10, 1},
    {36, 20, 30, 1},
    {65, 50, 140, 1},
}};

}  // namespace depthcast::ingest

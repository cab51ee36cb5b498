// Tables that turn random bits into waiting times, sizes, distances and symbols. All are computed with integers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ingest/simulated_random.h"

namespace depthcast::ingest {

// An exponential variable of mean 1, in units of 2^-16: the inverse distribution at 1,024 points and lines between.
class ExponentialTable {
 public:
  ExponentialTable();

  std::uint64_t sample(std::uint64_t bits) const {
    const std::uint32_t position = scaled(bits, (points - 1) << 12);
    const std::uint64_t upper = values_[position >> 12];
    const std::uint64_t lower = values_[(position >> 12) + 1];
    return upper - (((upper - lower) * (position & 0xfff)) >> 12);
  }

  // A variable of the given mean. Means above 2^44 count as 2^44 (five hours of nanoseconds).
  std::uint64_t sample(std::uint64_t bits, std::uint64_t mean) const {
    constexpr std::uint64_t mean_max = std::uint64_t{1} << 44;
    return ((mean < mean_max ? mean : mean_max) * sample(bits)) >> 16;
  }

 private:
  static constexpr std::uint32_t points = 1'024;
  std::array<std::uint32_t, points> values_;
};

// One of `count` values low, low + step, …, drawn with a probability of weight / 1,024.
struct ValueClass {
  std::uint32_t weight;
  std::int32_t low;
  std::uint32_t count;
  std::int32_t step;
};

class ClassTable {
 public:
  explicit ClassTable(std::span<const ValueClass> classes);  // weights add up to 1,024

  std::int32_t sample(std::uint64_t bits) const {
    const ValueClass& chosen = classes_[lookup_[bits & 1'023]];
    return chosen.low + chosen.step * static_cast<std::int32_t>(scaled(bits, chosen.count));
  }

 private:
  static constexpr std::size_t classes_max = 16;
  std::array<ValueClass, classes_max> classes_{};
  std::array<std::uint8_t, 1'024> lookup_;
};

// Walker's alias method in Vose's form (M. Vose, IEEE Transactions on Software Engineering 17(9), 1991): O(1) per draw.
class AliasTable {
 public:
  // At most 2^16 weights, each below 2^27, their sum not 0.
  explicit AliasTable(std::span<const std::uint32_t> weights);

  std::uint32_t sample(std::uint64_t bits) const {
    const std::uint32_t column = scaled(bits, static_cast<std::uint32_t>(columns_.size()));
    const Column& chosen = columns_[column];
    return static_cast<std::uint32_t>(bits) <= chosen.own_limit ? column : chosen.alias;
  }

 private:
  struct Column {
    std::uint32_t own_limit;
    std::uint32_t alias;
  };
  std::vector<Column> columns_;
};

// How active each of `symbols` is: Zipf's law over a seeded order of the symbols, `even_percent` of it levelled out.
std::vector<std::uint32_t> activity_weights(std::uint32_t symbols, std::uint32_t even_percent, SimulatedRandom& random);

// Shares of an order; ticks behind the best price of its side (negative: before it).
extern const std::array<ValueClass, 11> size_classes;
extern const std::array<ValueClass, 11> distance_classes;

}  // namespace depthcast::ingest

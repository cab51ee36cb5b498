#include "ingest/simulated_symbols.h"

#include "ingest/simulated_book.h"

namespace depthcast::ingest {
namespace {

constexpr std::uint32_t name_count = 26 * 26 * 26 * 26;
constexpr std::uint32_t name_stride = 7'919;  // prime, hence coprime with name_count: the names of all indexes differ
static_assert(symbols_max <= name_count && name_stride % 2 != 0 && name_stride % 13 != 0);

// First prices in cents, by weight in 1/1,024: quantiles of the order prices in the first second of a real Nasdaq day.
constexpr std::array<ValueClass, 9> price_classes = {{
    {51, 600, 700, 1},
    {51, 1'300, 400, 1},
    {154, 1'700, 500, 1},
    {256, 2'200, 1'400, 1},
    {256, 3'600, 2'200, 1},
    {154, 5'800, 7'400, 1},
    {51, 13'200, 7'000, 1},
    {41, 20'200, 5'600, 1},
    {10, 25'800, 34'200, 1},
}};

constexpr std::int32_t cents_per_spread_tick = 2'600;  // AAPL of the LOBSTER sample: 586 dollars, a spread of 22 ticks

}  // namespace

std::array<char, 8> symbol_name(std::uint32_t index) {
  std::array<char, 8> name;
  name.fill(' ');
  std::uint32_t number = (index * name_stride + 54'321) % name_count;
  for (std::size_t letter = 4; letter-- > 0; number /= 26) name[letter] = static_cast<char>('A' + number % 26);
  return name;
}

std::vector<SimulatedSymbol> make_symbols(std::uint32_t count, SimulatedRandom& random) {
  const ClassTable prices(price_classes);
  constexpr std::uint16_t middle_tick = (fair_tick_min + fair_tick_max + 1) / 2;
  std::vector<SimulatedSymbol> symbols(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::int32_t cents = prices.sample(random.next());  // at least 600, so that tick 0 lies above nothing
    symbols[i].name = symbol_name(i);
    symbols[i].tick_zero_cents = static_cast<std::uint32_t>(cents) - middle_tick;
    symbols[i].fair_tick = middle_tick;
    symbols[i].spread_ticks = static_cast<std::uint16_t>(1 + cents / cents_per_spread_tick);
    symbols[i].recent.fill(no_slot);
  }
  return symbols;
}

}  // namespace depthcast::ingest

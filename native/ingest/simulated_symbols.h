// The instruments of the simulated exchange: names, price bands and the fair value that their orders gather around.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ingest/simulated_distributions.h"
#include "ingest/simulated_random.h"

namespace depthcast::ingest {

constexpr std::uint32_t symbols_max = 10'000;
constexpr std::uint32_t price_units_per_tick = 100;  // a tick is one cent, a price unit 1/10,000 of a dollar

// The fair value walks between these ticks and is turned back at both.
constexpr std::uint16_t fair_tick_min = 256;
constexpr std::uint16_t fair_tick_max = 767;

struct alignas(64) SimulatedSymbol {
  std::array<char, 8> name;
  std::uint32_t tick_zero_cents;  // price of tick 0
  std::uint16_t fair_tick;
  std::uint16_t spread_ticks;  // the spread that participants ask for, by price
  bool halted = false;
  std::uint8_t recent_count = 0;        // adds near the best price so far, modulo the size of `recent`
  std::array<std::uint32_t, 8> recent;  // slots of the latest of them: what participants most likely cancel or replace

  std::uint32_t price(std::uint32_t tick) const { return (tick_zero_cents + tick) * price_units_per_tick; }
};
static_assert(sizeof(SimulatedSymbol) == 64);

// A name of four letters for index 0 … symbols_max - 1, padded with spaces; no two alike, none depending on the seed.
std::array<char, 8> symbol_name(std::uint32_t index);

std::vector<SimulatedSymbol> make_symbols(std::uint32_t count, SimulatedRandom& random);

}  // namespace depthcast::ingest

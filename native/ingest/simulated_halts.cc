#include "ingest/simulated_halts.h"

namespace depthcast::ingest {
namespace {

// In events of the whole exchange. A real halt lasts minutes; here it must be over within a short run.
constexpr std::uint64_t events_halted = 2'000;
constexpr std::uint64_t events_per_imbalance = 100;
constexpr std::uint32_t imbalances_per_halt = 5;
constexpr std::uint32_t cross_orders_max = 8;
constexpr char halt_cross = 'H';

}  // namespace

SimulatedHalts::SimulatedHalts(SimulatedMarket& market, std::uint32_t halts_per_million)
    : market_(market), events_between_halts_(halts_per_million == 0 ? 0 : 1'000'000 / halts_per_million) {
  wait_for_next_halt();
}

void SimulatedHalts::wait_for_next_halt() {
  phase_ = Phase::trading;
  events_to_wait_ = UINT64_MAX;
  if (events_between_halts_ != 0)
    events_to_wait_ = 1 + exponential_.sample(market_.random.next(), events_between_halts_);
}

std::uint8_t* SimulatedHalts::step(std::uint8_t* out) {
  switch (phase_) {
    case Phase::trading: return halt(out);
    case Phase::halted: return quote(out);
    case Phase::quoting:
      if (imbalances_left_ > 0) return publish_imbalance(out);
      start_cross();
      return cross(out);
    case Phase::crossing: return cross(out);
    case Phase::crossed: break;
  }
  market_.symbols[symbol_].halted = false;
  wait_for_next_halt();
  return simulated_itch::trading_action(out, market_.stamp(symbol_), market_.symbols[symbol_].name, 'T', "    ");
}

std::uint8_t* SimulatedHalts::halt(std::uint8_t* out) {
  symbol_ = market_.draw_symbol();
  market_.symbols[symbol_].halted = true;
  phase_ = Phase::halted;
  events_to_wait_ = events_halted;
  return simulated_itch::trading_action(out, market_.stamp(symbol_), market_.symbols[symbol_].name, 'H',
                                        "T1  ");  // news pending
}

std::uint8_t* SimulatedHalts::quote(std::uint8_t* out) {
  phase_ = Phase::quoting;
  events_to_wait_ = events_per_imbalance;
  imbalances_left_ = imbalances_per_halt;
  return simulated_itch::trading_action(out, market_.stamp(symbol_), market_.symbols[symbol_].name, 'Q',
                                        "T3  ");  // resumption times
}

std::uint8_t* SimulatedHalts::publish_imbalance(std::uint8_t* out) {
  --imbalances_left_;
  events_to_wait_ = events_per_imbalance;
  const std::uint64_t bits = market_.random.next();
  const SimulatedSymbol& symbol = market_.symbols[symbol_];
  simulated_itch::Imbalance auction{100 * std::uint64_t{bit_field(bits, 0, 8)},
                                    100 * std::uint64_t{bit_field(bits, 8, 6)}, 'N', symbol.price(symbol.fair_tick),
                                    halt_cross};
  if (auction.imbalance_shares != 0) auction.direction = bit_field(bits, 16, 1) == 0 ? 'B' : 'S';
  return simulated_itch::imbalance(out, market_.stamp(symbol_), symbol.name, auction);
}

// The interest collected for the cross, which no message shows, meets the first orders of the best level of one side.
void SimulatedHalts::start_cross() {
  const std::uint64_t bits = market_.random.next();
  const SimulatedLadder& ladder = market_.books.ladder(symbol_);
  cross_side_ = bit_field(bits, 0, 1) == 0 ? SimulatedSide::buy : SimulatedSide::sell;
  if (!ladder.has(cross_side_)) cross_side_ = opposite(cross_side_);
  cross_tick_ = ladder.has(cross_side_) ? ladder.best(cross_side_) : 0;
  cross_orders_left_ = cross_tick_ == 0 ? 0 : 1 + scaled(bits, cross_orders_max);
  cross_quantity_ = 0;
  phase_ = Phase::crossing;
}

std::uint8_t* SimulatedHalts::cross(std::uint8_t* out) {
  const SimulatedLadder& ladder = market_.books.ladder(symbol_);
  const std::uint32_t price = cross_tick_ == 0 ? 0 : market_.symbols[symbol_].price(cross_tick_);
  if (cross_orders_left_ > 0 && ladder.best(cross_side_) == cross_tick_) {
    --cross_orders_left_;
    const std::uint32_t slot = market_.books.front(symbol_, cross_side_);
    const std::uint32_t quantity = market_.books.order(slot).quantity;
    cross_quantity_ += quantity;
    return market_.execute_at(out, slot, quantity, price, /*printable=*/false);  // the cross message prints the volume
  }
  phase_ = Phase::crossed;
  events_to_wait_ = 1;  // trading resumes with the next event
  return market_.print_cross(out, symbol_, cross_quantity_, price, halt_cross);
}

}  // namespace depthcast::ingest

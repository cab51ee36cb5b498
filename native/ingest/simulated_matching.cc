#include "ingest/simulated_matching.h"

#include <algorithm>

namespace depthcast::ingest {
namespace {

constexpr std::uint32_t executions_max = 64;     // of one order; what is left then is cancelled
constexpr std::uint32_t improved_per_1024 = 20;  // executions inside the spread, of the first ones of an order

}  // namespace

void SimulatedMatching::enter(const Order& order) {
  order_ = order;
  reference_ = market_.take_reference();
  executions_ = 0;
  next_ = Next::execution;
}

bool SimulatedMatching::meets_order() const {
  const SimulatedLadder& ladder = market_.books.ladder(order_.symbol);
  return order_.side == SimulatedSide::buy ? ladder.best_offer <= order_.limit_tick
                                           : ladder.best_bid >= order_.limit_tick;
}

// One execution, against the first order of the best level; then decides what comes next.
std::uint8_t* SimulatedMatching::execute(std::uint8_t* out) {
  const SimulatedLadder& ladder = market_.books.ladder(order_.symbol);
  const std::uint32_t slot = market_.books.front(order_.symbol, opposite(order_.side));
  const SimulatedOrder& resting = market_.books.order(slot);
  const std::uint32_t quantity = std::min(order_.quantity, resting.quantity);
  const std::uint32_t inside = static_cast<std::uint32_t>(ladder.best_offer - ladder.best_bid) - 1;  // whole ticks
  const bool may_improve = executions_ == 0 && inside > 0 && ladder.has(order_.side);
  const std::uint64_t bits = may_improve ? market_.random.next() : UINT64_MAX;
  if (may_improve && bit_field(bits, 0, 10) < improved_per_1024) {
    const std::uint32_t better = 1 + scaled(bits, inside);
    const std::uint32_t tick = order_.side == SimulatedSide::buy ? resting.tick - better : resting.tick + better;
    out = market_.execute_at(out, slot, quantity, market_.symbols[order_.symbol].price(tick), /*printable=*/true);
  } else {
    out = market_.execute(out, slot, quantity);
  }
  order_.quantity -= quantity;
  ++executions_;
  next_ = Next::nothing;
  if (order_.quantity == 0 || executions_ == executions_max) return out;
  if (meets_order()) {
    next_ = Next::execution;
  } else if (order_.rests && !market_.books.full()) {
    next_ = Next::remainder;
  }
  return out;
}

std::uint8_t* SimulatedMatching::rest(std::uint8_t* out) {
  next_ = Next::nothing;
  out = market_.add(out, order_.symbol, order_.side, order_.limit_tick, order_.quantity, reference_);
  market_.remember_newest(order_.symbol);
  return out;
}

}  // namespace depthcast::ingest

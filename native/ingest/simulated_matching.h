// Price-time matching: a marketable order meets the resting orders of the other side, best price first, oldest first.
#pragma once

#include <cstdint>

#include "ingest/simulated_market.h"

namespace depthcast::ingest {

// One thread, one order at a time; every step is one message, all with one timestamp.
class SimulatedMatching {
 public:
  struct Order {
    std::uint32_t symbol;
    SimulatedSide side;
    std::uint16_t limit_tick;
    std::uint32_t quantity;
    bool rests;  // a limit order: what is left of it joins the book; else it is cancelled
  };

  explicit SimulatedMatching(SimulatedMarket& market) : market_(market) {}

  // Takes an order that meets at least one resting order, and the next order reference for it.
  void enter(const Order& order);
  bool goes_on() const { return next_ != Next::nothing; }
  std::uint8_t* step(std::uint8_t* out) { return next_ == Next::execution ? execute(out) : rest(out); }

 private:
  enum class Next : std::uint8_t { nothing, execution, remainder };

  bool meets_order() const;
  std::uint8_t* execute(std::uint8_t* out);
  std::uint8_t* rest(std::uint8_t* out);

  SimulatedMarket& market_;
  Next next_ = Next::nothing;
  Order order_{};
  std::uint64_t reference_ = 0;
  std::uint32_t executions_ = 0;
};

}  // namespace depthcast::ingest

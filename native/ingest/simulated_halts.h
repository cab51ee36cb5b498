// Trading halts, one symbol at a time: halt, quotation period with imbalance messages, cross, resumption.
#pragma once

#include <cstdint>

#include "ingest/simulated_distributions.h"
#include "ingest/simulated_market.h"

namespace depthcast::ingest {

class SimulatedHalts {
 public:
  SimulatedHalts(SimulatedMarket& market, std::uint32_t halts_per_million);

  // Whether this event is one of a halt, whose first message step() then writes; to be called once per event.
  bool due() { return --events_to_wait_ == 0; }
  // Whether the event goes on: step() writes its next message.
  bool goes_on() const { return phase_ == Phase::crossing; }
  std::uint8_t* step(std::uint8_t* out);

 private:
  enum class Phase : std::uint8_t { trading, halted, quoting, crossing, crossed };

  std::uint8_t* halt(std::uint8_t* out);
  std::uint8_t* quote(std::uint8_t* out);
  std::uint8_t* publish_imbalance(std::uint8_t* out);
  void start_cross();
  std::uint8_t* cross(std::uint8_t* out);
  void wait_for_next_halt();

  SimulatedMarket& market_;
  ExponentialTable exponential_;
  std::uint64_t events_between_halts_;  // mean; 0: no halts
  std::uint64_t events_to_wait_ = 0;
  Phase phase_ = Phase::trading;
  std::uint32_t symbol_ = 0;
  std::uint32_t imbalances_left_ = 0;
  SimulatedSide cross_side_ = SimulatedSide::buy;  // of the resting orders that are executed
  std::uint16_t cross_tick_ = 0;                   // 0: nothing to execute
  std::uint32_t cross_orders_left_ = 0;
  std::uint64_t cross_quantity_ = 0;
};

}  // namespace depthcast::ingest

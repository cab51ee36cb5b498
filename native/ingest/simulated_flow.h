// The participants of the simulated exchange: who enters, cancels or replaces which order when.
#pragma once

#include <array>
#include <cstdint>

#include "ingest/simulated_distributions.h"
#include "ingest/simulated_halts.h"
#include "ingest/simulated_market.h"
#include "ingest/simulated_matching.h"

namespace depthcast::ingest {

// One thread. An event is one decision; most are one message, some go on for several, all at one time.
class SimulatedFlow {
 public:
  SimulatedFlow(SimulatedMarket& market, const SimulatedExchangeOptions& options);

  // Writes the next message, at most SimulatedExchange::message_size_max bytes; `messages` were emitted before it.
  std::uint8_t* step(std::uint8_t* out, std::uint64_t messages);

 private:
  struct Placement {
    std::uint16_t tick;
    bool near;  // to the best price, hence soon cancelled or replaced
  };

  std::uint8_t* start_event(std::uint8_t* out);
  std::uint8_t* start_add(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* start_delete(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* start_cancel(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* start_replace(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* start_marketable(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* start_hidden_trade(std::uint8_t* out, std::uint32_t symbol);
  std::uint8_t* add_one(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side, std::uint64_t bits);

  std::uint32_t next_symbol(std::uint64_t bits);
  std::uint32_t choose_symbol(std::uint64_t bits);
  std::uint32_t choose_order(std::uint32_t symbol);
  std::uint32_t choose_any_order();
  Placement place(std::uint32_t symbol, SimulatedSide side, std::uint64_t bits) const;
  std::uint32_t middle_price(std::uint32_t symbol) const;
  void move_fair_value(SimulatedSymbol& symbol, std::uint64_t bits);
  std::uint32_t add_limit() const;

  SimulatedMarket& market_;
  SimulatedMatching matching_;
  SimulatedHalts halts_;
  ClassTable sizes_;
  ClassTable distances_;

  // Upper limits, within 2^16, of the decisions' shares; adds and deletes lie above replace_limit_.
  std::uint32_t marketable_limit_;
  std::uint32_t hidden_limit_;
  std::uint32_t cancel_limit_;
  std::uint32_t replace_limit_;
  std::uint32_t attributed_limit_;  // within 2^16 adds
  std::uint32_t quote_pair_limit_;
  std::int64_t target_orders_;
  std::int64_t feedback_;  // change of the share of adds per missing order, in units of 2^-48

  bool pair_due_ = false;  // the second add of a quote pair
  std::uint32_t pair_symbol_ = 0;
  SimulatedSide pair_side_ = SimulatedSide::buy;
  bool attributed_ = false;                  // the adds of this event
  std::array<std::uint16_t, 64> history_{};  // symbols of the latest events
  std::uint32_t history_count_ = 0;

  // Chosen ahead of their use, so that their memory is in the cache by then.
  std::array<std::uint32_t, 2> coming_symbols_{};
  std::array<std::uint32_t, 2> coming_slots_{};
};

}  // namespace depthcast::ingest

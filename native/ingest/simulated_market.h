// What the simulated exchange does with orders: each function changes the books and writes the message that says so.
#pragma once

#include <cstdint>
#include <vector>

#include "ingest/simulated_book.h"
#include "ingest/simulated_clock.h"
#include "ingest/simulated_exchange.h"
#include "ingest/simulated_itch.h"
#include "ingest/simulated_random.h"
#include "ingest/simulated_symbols.h"

namespace depthcast::ingest {

// Shared by the participants' flow and the halts; one thread. Functions return the end of the message they wrote.
class SimulatedMarket {
 public:
  explicit SimulatedMarket(const SimulatedExchangeOptions& options);

  std::uint32_t draw_symbol() { return activity.sample(random.next()); }
  std::uint64_t take_reference() { return next_reference_++; }
  simulated_itch::Stamp stamp(std::uint32_t symbol) const {
    return {static_cast<std::uint16_t>(symbol + 1), clock.now_ns()};
  }

  // Rests an order under `reference`. `participant_bits` choose the participant of an attributed order.
  std::uint8_t* add(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side, std::uint16_t tick,
                    std::uint32_t quantity, std::uint64_t reference);
  std::uint8_t* add_attributed(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side, std::uint16_t tick,
                               std::uint32_t quantity, std::uint64_t reference, std::uint32_t participant_bits);
  std::uint8_t* remove(std::uint8_t* out, std::uint32_t slot);
  std::uint8_t* cancel(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity);
  std::uint8_t* replace(std::uint8_t* out, std::uint32_t slot, std::uint16_t tick, std::uint32_t quantity);
  std::uint8_t* execute(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity);
  std::uint8_t* execute_at(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity, std::uint32_t price,
                           bool printable);
  std::uint8_t* trade_hidden(std::uint8_t* out, std::uint32_t symbol, std::uint32_t quantity, std::uint32_t price);
  std::uint8_t* print_cross(std::uint8_t* out, std::uint32_t symbol, std::uint64_t quantity, std::uint32_t price,
                            char cross);

  // Makes the order that add, add_attributed or replace put into the books last one of the recent orders of `symbol`.
  void remember_newest(std::uint32_t symbol) {
    SimulatedSymbol& instrument = symbols[symbol];
    instrument.recent[instrument.recent_count++ % instrument.recent.size()] = newest_slot_;
  }

  SimulatedRandom random;
  SimulatedClock clock;
  std::vector<SimulatedSymbol> symbols;
  SimulatedBooks books;
  AliasTable activity;

 private:
  std::uint64_t next_reference_ = 1;
  std::uint64_t next_match_ = 1;
  std::uint32_t newest_slot_ = no_slot;
};

}  // namespace depthcast::ingest

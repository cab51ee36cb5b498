// All books, or one, copied out at the end of one event.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "book/replica.h"

namespace depthcast::run {

struct ExportedInstrument {
  std::uint32_t instrument;
  std::string symbol;  // empty where no definition is known
  std::int8_t price_exponent;
  std::int8_t quantity_exponent;
  std::uint32_t source_code;
  std::uint32_t lot_size;
  book::InstrumentState state;
  TradingStatus status;
  std::uint64_t digest;
  std::uint32_t instrument_sequence;
  std::uint32_t live_orders;
  std::uint32_t bid_levels;
  std::uint32_t ask_levels;
};

struct BookExport {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
  std::uint64_t digest = 0;
  bool whole = false;
  std::vector<ExportedInstrument> instruments;
  // Levels of all instruments one after the other, bids best first, then asks best first.
  std::vector<std::int64_t> level_price;
  std::vector<std::uint64_t> level_quantity;
  std::vector<std::uint32_t> level_orders;
  // Their orders in queue order.
  std::vector<std::uint64_t> order_id;
  std::vector<std::uint64_t> order_quantity;
};

// `instrument` 0: all that have been seen. Threads: the replica's. Allocates.
BookExport export_books(const book::Replica& replica, std::uint32_t instrument, bool orders);

}  // namespace depthcast::run

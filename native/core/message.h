// The messages of a channel as every part of the native code passes them on.
// Same layout as the wire structs of schemas/depthcast.fbs (encode/wire_layout.h asserts it); little-endian only.
#pragma once

#include <bit>
#include <cstdint>

namespace depthcast {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian and is read in place");

enum class Kind : std::uint8_t {
  none = 0,
  add = 1,
  modify = 2,
  delete_order = 3,
  execute = 4,
  clear = 5,
  status = 6,
  reference = 7,
  trade = 16,
  cross = 17,
  trade_break = 18,
  auction = 19,
  price_discovery = 20,
  retail_interest = 21,
  definition = 32,
};

constexpr bool is_book_kind(Kind kind) { return kind >= Kind::add && kind <= Kind::reference; }
constexpr bool is_trade_kind(Kind kind) { return kind >= Kind::trade && kind <= Kind::retail_interest; }

enum class Side : std::uint8_t { none = 0, bid = 1, ask = 2 };

// Trading status of an instrument; its term enters the digest unless it is `unknown`.
enum class TradingStatus : std::uint8_t {
  unknown = 0,
  trading = 1,
  halted = 2,
  paused = 3,
  quotation_only = 4,
  delisted = 5
};

namespace flags {
constexpr std::uint16_t end_of_event = 1U << 0;
constexpr std::uint16_t book_affecting = 1U << 1;
constexpr std::uint16_t priority_kept = 1U << 2;  // modify: the order keeps its place in the queue
constexpr std::uint16_t detail = 1U << 3;         // one entry of `details` belongs to this message
constexpr std::uint16_t non_printable = 1U << 4;  // execute: not part of the tape (the cross is printed instead)
constexpr std::uint16_t at_price = 1U << 5;       // execute: price differs from the order's price
}  // namespace flags

struct BookMessage {
  std::uint64_t order_id;
  std::int64_t price;
  std::uint64_t quantity;
  std::uint32_t time_offset;
  std::uint32_t instrument;
  std::uint32_t instrument_sequence;
  Kind kind;
  Side side;
  std::uint16_t flags;
};
static_assert(sizeof(BookMessage) == 40 && alignof(BookMessage) == 8);

struct TradeMessage {
  std::uint64_t trade_id;
  std::uint64_t quantity;
  std::uint64_t quantity_2;
  std::int64_t price;
  std::int64_t price_2;
  std::int64_t price_3;
  std::int64_t price_4;
  std::int64_t price_5;
  std::uint32_t time_offset;
  std::uint32_t instrument;
  std::uint32_t instrument_sequence;
  Kind kind;
  Side side;
  std::uint16_t flags;
  std::uint32_t code;
  std::uint32_t reserved;
};
static_assert(sizeof(TradeMessage) == 88 && alignof(TradeMessage) == 8);

// One live order of a snapshot.
struct SnapshotOrderData {
  std::uint64_t order_id;
  std::int64_t price;
  std::uint64_t quantity;
  std::uint64_t priority;
  Side side;
  std::uint8_t reserved_1;
  std::uint16_t reserved_2;
  std::uint32_t reserved_3;
};
static_assert(sizeof(SnapshotOrderData) == 40 && alignof(SnapshotOrderData) == 8);

// Instrument 0 is the channel itself (system events); a channel's first instrument is 1.
constexpr std::uint32_t channel_instrument = 0;

}  // namespace depthcast

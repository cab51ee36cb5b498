// What a source adapter hands to the publisher thread: one cell per event, two where an event needs an extension.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/message.h"

namespace depthcast::ingest {

enum class InputKind : std::uint8_t {
  none = 0,
  add,           // order_id, side, price, quantity, instrument; detail: attribution where detail_set
  execute,       // order_id, quantity; detail: match number; price where at_price
  cancel,        // order_id, quantity taken away; the order keeps its priority
  delete_order,  // order_id
  replace,       // order_id, new_order_id, price, quantity: loses priority, keeps side and instrument
  status,        // quantity: TradingStatus; detail: the source's reason
  reference,     // side: ReferenceKind; order_id, price, quantity: its three values
  trade,         // extension follows; any TradeMessage kind in `trade_kind`
  definition,    // extension follows
  clear,         // every order of the instrument goes; of instrument 0: every order
  delist,        // every order of the instrument goes, and it takes no more until it is defined anew
  limits,        // price: the lowest that an order may have from now on; detail: the highest (signed); both 0: any
};

constexpr const char* name_of(InputKind kind) {
  constexpr const char* names[] = {"none",      "add",   "execute",    "cancel", "delete", "replace", "status",
                                   "reference", "trade", "definition", "clear",  "delist", "limits"};
  const auto index = static_cast<std::size_t>(kind);
  return index < sizeof names / sizeof *names ? names[index] : "unknown";
}

// What a reference message tells; its three values are listed in docs/protocol.md, "Reference messages".
enum class ReferenceKind : std::uint8_t {
  system_event = 1,
  short_sale_restriction = 2,
  market_participant = 3,
  circuit_breaker_levels = 4,
  circuit_breaker_breach = 5,
  ipo_quoting_period = 6,
  price_band = 7,
  operational_halt = 8,
  event_end = 9,       // of an event whose last input was refused; none of the source's
  contradiction = 10,  // an input event that fits no book and was passed on; see docs/ingest.md, "Validation"
};

struct InputEvent {
  std::uint64_t position;  // of the source's message, from 1; events of one message share it
  std::int64_t time_ns;
  std::uint64_t order_id;
  std::uint64_t detail;  // also: the new order id of a replace
  std::int64_t price;
  std::uint64_t quantity;
  std::uint32_t source_code;  // the source's own number of the instrument; 0: the channel
  InputKind kind;
  Side side;
  Kind trade_kind;
  std::uint8_t bits;
};
static_assert(sizeof(InputEvent) == 56);

constexpr std::uint8_t input_detail_set = 1U << 0;
constexpr std::uint8_t input_non_printable = 1U << 1;
constexpr std::uint8_t input_at_price = 1U << 2;
constexpr std::uint8_t input_goes_on = 1U
                                       << 3;  // the next input belongs to the same event (never in definition, limits)

struct DefinitionData {
  char symbol[16];  // filled up with zeros
  std::uint8_t attributes[20];
  std::uint8_t attribute_count;
  std::int8_t price_exponent;
  std::int8_t quantity_exponent;
  std::uint8_t reserved;
  std::uint32_t lot_size;
  std::uint32_t price_increment;  // prices are multiples of it; 0: of any
  std::int64_t price_low;         // and lie from low to high; both 0: anywhere, or as told before
  std::int64_t price_high;

  bool operator==(const DefinitionData&) const = default;
};
static_assert(sizeof(DefinitionData) == 64);
// Whether an order may have that price, by either.
constexpr bool on_tick(const DefinitionData& definition, std::int64_t price) {
  return definition.price_increment == 0 || price % static_cast<std::int64_t>(definition.price_increment) == 0;
}
constexpr bool in_range(const DefinitionData& definition, std::int64_t price) {
  const bool ranged = definition.price_low != 0 || definition.price_high != 0;
  return !ranged || (price >= definition.price_low && price <= definition.price_high);
}

struct TradeData {
  std::uint64_t quantity_2;
  std::int64_t price_2;
  std::int64_t price_3;
  std::int64_t price_4;
  std::int64_t price_5;
  std::uint32_t code;
  std::uint32_t reserved;
};

// One cache line of the input ring. An event of kind trade or definition takes the next cell too.
struct alignas(64) InputCell {
  union {
    InputEvent event;
    DefinitionData definition;
    TradeData trade;
  };
};
static_assert(sizeof(InputCell) == 64);

constexpr std::uint32_t cells_of(InputKind kind) {
  return kind == InputKind::trade || kind == InputKind::definition ? 2 : 1;
}

}  // namespace depthcast::ingest

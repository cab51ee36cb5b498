// depthcast: the events that a matching engine tells a distributor. Header-only, C++20, nothing of the engine's needed.
// Prices and quantities are whole numbers, scaled by the exponents of the instrument's definition.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace depthcast::engine {

enum class EventKind : std::uint8_t {
  none = 0,
  add = 1,
  execute = 2,
  reduce = 3,
  remove = 4,
  replace = 5,
  status = 6,
  trade = 7,
  cross = 8,
  auction = 9,
  trade_break = 10,
  definition = 11,
  system = 12,
  delist = 13,
  clear = 14,
  limits = 15,
  reference = 16,
  price_discovery = 17,
  retail_interest = 18,
  fields = 19,  // no event of its own: the rest of the one before it
};
constexpr std::uint8_t event_kinds = 20;

enum class Side : std::uint8_t { none = 0, buy = 1, sell = 2 };

enum class Status : std::uint8_t { unknown = 0, trading = 1, halted = 2, paused = 3, quotation_only = 4, delisted = 5 };

// Event::flags.
constexpr std::uint8_t has_detail = 1U << 0;
constexpr std::uint8_t not_printable = 1U << 1;  // execute: reported by a cross instead
constexpr std::uint8_t at_price = 1U << 2;       // execute: at `price`, not at the order's
constexpr std::uint8_t goes_on = 1U << 3;        // the next event belongs to it: readers apply all of them at once
constexpr std::uint8_t has_fields = 1U << 4;     // trades and auctions: the next slot, of kind fields, is part of it

// What a reference event tells; its three values are listed in docs/protocol.md, "Reference messages".
enum class Reference : std::uint8_t {
  system_event = 1,
  short_sale_restriction = 2,
  market_participant = 3,
  circuit_breaker_levels = 4,
  circuit_breaker_breach = 5,
  ipo_quoting_period = 6,
  price_band = 7,
  operational_halt = 8,
};

constexpr std::uint32_t instruments_max = 65'536;
// Times lie below (the year 2116), so that no difference between two of them overflows.
constexpr std::int64_t event_time_max = std::int64_t{1} << 62;

// One slot of the ring. Made by the functions below; what a field means depends on the kind.
struct alignas(64) Event {
  std::uint64_t number = 0;  // the engine's, from 1 without holes; 0: the next one
  std::int64_t time_ns = 0;  // of the event, CLOCK_REALTIME; 0 to event_time_max - 1
  std::uint64_t order_id = 0;
  std::uint64_t detail = 0;
  std::int64_t price = 0;
  std::uint64_t quantity = 0;
  std::uint32_t instrument = 0;  // the engine's own number, 1 to 65,535; 0: the channel
  EventKind kind = EventKind::none;
  Side side = Side::none;
  std::uint8_t flags = 0;
  std::uint8_t reserved = 0;
  std::uint64_t extra = 0;

  // The same with a number of the engine's own, which makes it exactly-once.
  constexpr Event numbered(std::uint64_t own_number) const {
    Event event = *this;
    event.number = own_number;
    return event;
  }
  // The same order with what the engine wants to tell of its owner.
  constexpr Event attributed(std::uint64_t owner) const {
    Event event = *this;
    event.detail = owner;
    event.flags |= has_detail;
    return event;
  }
  // The same, as part of an event that goes on with the next.
  constexpr Event and_more() const {
    Event event = *this;
    event.flags |= goes_on;
    return event;
  }
};
static_assert(sizeof(Event) == 64);

// A new order joins the end of its price's queue. Its id is new in its instrument's channel.
constexpr Event add(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id, Side side,
                    std::int64_t price, std::uint64_t quantity) {
  return {0, time_ns, order_id, 0, price, quantity, instrument, EventKind::add, side, 0, 0, 0};
}

// `quantity` of an order was executed at its price. `match_id`: the engine's number of the trade.
constexpr Event execute(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id, std::uint64_t quantity,
                        std::uint64_t match_id) {
  return {0, time_ns, order_id, match_id, 0, quantity, instrument, EventKind::execute, Side::none, has_detail, 0, 0};
}

// The same at another price than the order's. Not `printable`: a cross reports the volume.
constexpr Event execute_at(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id,
                           std::uint64_t quantity, std::uint64_t match_id, std::int64_t price, bool printable = true) {
  const auto flags = static_cast<std::uint8_t>(has_detail | at_price | (printable ? 0 : not_printable));
  return {0, time_ns, order_id, match_id, price, quantity, instrument, EventKind::execute, Side::none, flags, 0, 0};
}

// `quantity` of an order was cancelled; the rest keeps its place.
constexpr Event reduce(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id, std::uint64_t quantity) {
  return {0, time_ns, order_id, 0, 0, quantity, instrument, EventKind::reduce, Side::none, 0, 0, 0};
}

// An order is gone.
constexpr Event remove(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id) {
  return {0, time_ns, order_id, 0, 0, 0, instrument, EventKind::remove, Side::none, 0, 0, 0};
}

// An order gave way to another on its side, which joins the end of its queue under a new id.
constexpr Event replace(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t order_id,
                        std::uint64_t new_order_id, std::int64_t price, std::uint64_t quantity) {
  return {0, time_ns, order_id, new_order_id, price, quantity, instrument, EventKind::replace, Side::none, 0, 0, 0};
}

// An instrument's trading status. `reason`: a code of the engine's.
constexpr Event status(std::int64_t time_ns, std::uint32_t instrument, Status value, std::uint64_t reason = 0) {
  return {0,          time_ns,           0,          reason,     0, static_cast<std::uint64_t>(value),
          instrument, EventKind::status, Side::none, has_detail, 0, 0};
}

// A trade without a displayed order: no book changes. `side`: of the resting party, where it is told.
constexpr Event trade(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t trade_id, Side side,
                      std::int64_t price, std::uint64_t quantity) {
  return {0, time_ns, trade_id, 0, price, quantity, instrument, EventKind::trade, side, 0, 0, 0};
}

// An auction's result. `type`: the auction's code, such as 'O' or 'C'.
constexpr Event cross(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t trade_id, std::int64_t price,
                      std::uint64_t quantity, char type) {
  return {0,          time_ns,          trade_id,   0, price, quantity,
          instrument, EventKind::cross, Side::none, 0, 0,     static_cast<std::uint8_t>(type)};
}

// Before an auction: its indicative price, what is paired there, and what is left over on `imbalance_side`.
constexpr Event auction(std::int64_t time_ns, std::uint32_t instrument, std::int64_t price, std::uint64_t paired,
                        std::uint64_t imbalance, Side imbalance_side, char type) {
  const char direction = imbalance_side == Side::buy ? 'B' : imbalance_side == Side::sell ? 'S' : 'N';
  return {0,
          time_ns,
          imbalance,
          0,
          price,
          paired,
          instrument,
          EventKind::auction,
          Side::none,
          0,
          0,
          static_cast<std::uint64_t>(static_cast<std::uint8_t>(direction)) |
              static_cast<std::uint64_t>(static_cast<std::uint8_t>(type)) << 8};
}

// What a trade or an auction has beyond one slot; which of them count for which kind: docs/protocol.md, "Trade
// messages". `quantity_2` is not an auction's: its own event has it.
struct TradeFields {
  std::uint64_t quantity_2 = 0;
  std::int64_t price_2 = 0;
  std::int64_t price_3 = 0;
  std::int64_t price_4 = 0;
  std::int64_t price_5 = 0;
};

// The event with its fields: two slots, two numbers, one event, for Publisher::stage or try_push as a whole.
constexpr std::array<Event, 2> with_fields(const Event& event, const TradeFields& fields) {
  std::array<Event, 2> both{event,
                            {0, event.time_ns, fields.quantity_2, static_cast<std::uint64_t>(fields.price_3),
                             fields.price_2, static_cast<std::uint64_t>(fields.price_4), event.instrument,
                             EventKind::fields, Side::none, 0, 0, static_cast<std::uint64_t>(fields.price_5)}};
  both[0].flags |= has_fields;
  return both;
}

// As auction(), whose price is the reference price here, with the near and the far price and the code of the
// imbalance's variation.
constexpr std::array<Event, 2> auction_prices(const Event& auction_event, std::int64_t near_price,
                                              std::int64_t far_price, char variation = ' ') {
  Event event = auction_event;
  event.extra |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(variation)) << 16;
  return with_fields(event, {0, near_price, far_price, 0, 0});
}

// Before an auction that finds a first price: where it would be now and at which time, and in which bounds it must be.
// `eligibility`: the engine's own.
struct Discovery {
  std::int64_t near_price = 0;
  std::uint64_t near_time = 0;
  std::int64_t price_min = 0;
  std::int64_t price_max = 0;
  std::int64_t collar_low = 0;
  std::int64_t collar_high = 0;
  std::uint32_t eligibility = 0;
};
constexpr std::array<Event, 2> price_discovery(std::int64_t time_ns, std::uint32_t instrument, const Discovery& told) {
  return with_fields({0, time_ns, 0, 0, told.near_price, 0, instrument, EventKind::price_discovery, Side::none, 0, 0,
                      told.eligibility},
                     {told.near_time, told.price_min, told.price_max, told.collar_low, told.collar_high});
}

// Retail orders wait on that side. `interest`: the engine's code.
constexpr Event retail_interest(std::int64_t time_ns, std::uint32_t instrument, char interest) {
  return {0,          time_ns, 0,          0,
          0,          0,       instrument, EventKind::retail_interest,
          Side::none, 0,       0,          static_cast<std::uint8_t>(interest)};
}

// Anything that readers are told and no book holds: short sale restrictions, price bands, circuit breakers …
constexpr Event reference(std::int64_t time_ns, std::uint32_t instrument, Reference what, std::uint64_t value_1 = 0,
                          std::int64_t value_2 = 0, std::uint64_t value_3 = 0) {
  return {0, time_ns, value_1, 0, value_2, value_3, instrument, EventKind::reference, static_cast<Side>(what), 0, 0, 0};
}

// A trade was broken.
constexpr Event trade_break(std::int64_t time_ns, std::uint32_t instrument, std::uint64_t trade_id) {
  return {0, time_ns, trade_id, 0, 0, 0, instrument, EventKind::trade_break, Side::none, 0, 0, 0};
}

struct Definition {
  std::string_view symbol;         // 1 to 16 printable characters without spaces; the rest is left out
  std::int8_t price_exponent = 0;  // a price of 1 is 10^price_exponent
  std::int8_t quantity_exponent = 0;
  std::uint32_t lot_size = 1;
  std::int64_t tick = 0;  // prices are multiples of it; 0: of any. At most 2^32 - 1
};

// An instrument, before its first event, and again where something about it changes. Price limits that were told before
// hold on.
inline Event define(std::int64_t time_ns, std::uint32_t instrument, const Definition& definition) {
  Event event{0,          time_ns, 0, 0, definition.tick, definition.lot_size, instrument, EventKind::definition,
              Side::none, 0,       0, 0};
  char symbol[16] = {};
  std::copy_n(definition.symbol.begin(), std::min(definition.symbol.size(), sizeof symbol), symbol);
  std::memcpy(&event.order_id, symbol, 8);
  std::memcpy(&event.detail, symbol + 8, 8);
  event.extra = static_cast<std::uint64_t>(static_cast<std::uint8_t>(definition.price_exponent)) |
                static_cast<std::uint64_t>(static_cast<std::uint8_t>(definition.quantity_exponent)) << 8;
  return event;
}

// From which price to which orders may stand from now on, both included; 0 and 0: anywhere. Orders that stand stay.
constexpr Event limits(std::int64_t time_ns, std::uint32_t instrument, std::int64_t price_low,
                       std::int64_t price_high) {
  return {0,          time_ns, 0,          static_cast<std::uint64_t>(price_high),
          price_low,  0,       instrument, EventKind::limits,
          Side::none, 0,       0,          0};
}

// An instrument takes no more orders until it is defined again; those that it has are gone.
constexpr Event delist(std::int64_t time_ns, std::uint32_t instrument) {
  return {0, time_ns, 0, 0, 0, 0, instrument, EventKind::delist, Side::none, 0, 0, 0};
}

// Every order of an instrument is gone; of instrument 0: every order.
constexpr Event clear(std::int64_t time_ns, std::uint32_t instrument) {
  return {0, time_ns, 0, 0, 0, 0, instrument, EventKind::clear, Side::none, 0, 0, 0};
}

// Of the whole channel: 'O' start of messages, 'S' start of system hours, 'Q' start of market hours, 'M' end of market
// hours, 'E' end of system hours, 'C' end of messages.
constexpr Event system(std::int64_t time_ns, char code) {
  return {0, time_ns, 0, 0, 0, static_cast<std::uint8_t>(code), 0, EventKind::system, Side::none, 0, 0, 0};
}

// Of a definition: one to 16 printable characters without spaces, then zeros. (Other bytes would not come back from the
// journal, or steer a terminal.)
constexpr bool has_symbol(const Event& event) {
  bool ended = false;
  for (unsigned at = 0; at < 16; ++at) {
    const std::uint64_t letter = (at < 8 ? event.order_id : event.detail) >> (at % 8 * 8) & 0xffU;
    if (letter == 0 ? at == 0 : ended || letter <= ' ' || letter >= 0x7f) return false;
    ended = letter == 0;
  }
  return true;
}

// What well_formed() asks of kinds that are not sent all day.
constexpr bool rare_well_formed(const Event& event) {
  switch (event.kind) {
    case EventKind::definition:
      return has_symbol(event) && event.quantity <= 0xffff'ffffU && event.price >= 0 && event.price <= 0xffff'ffffLL;
    case EventKind::limits: return event.price <= static_cast<std::int64_t>(event.detail);
    case EventKind::status: return event.quantity <= static_cast<std::uint64_t>(Status::delisted);
    default:
      return event.side >= static_cast<Side>(Reference::system_event) &&
             event.side <= static_cast<Side>(Reference::operational_halt);
  }
}

// Whether an event has what its kind needs. (Whether it fits the books, the distributor finds out.)
constexpr bool well_formed(const Event& event) {
  constexpr auto kinds = [](auto... of) { return (0U | ... | (1U << static_cast<unsigned>(of))); };
  constexpr unsigned known = (1U << event_kinds) - 2;
  constexpr unsigned fielded = kinds(EventKind::trade, EventKind::cross, EventKind::auction, EventKind::trade_break,
                                     EventKind::price_discovery, EventKind::retail_interest);
  constexpr unsigned alone = kinds(EventKind::definition, EventKind::limits);  // events of their own
  constexpr unsigned sized = kinds(EventKind::add, EventKind::execute, EventKind::reduce, EventKind::replace,
                                   EventKind::trade, EventKind::cross, EventKind::definition);
  constexpr unsigned sided = kinds(EventKind::add);
  constexpr unsigned of_channel = kinds(EventKind::system);
  constexpr unsigned rare = kinds(EventKind::definition, EventKind::limits, EventKind::status, EventKind::reference);
  constexpr unsigned of_either = kinds(EventKind::clear, EventKind::reference);
  if (event.kind >= EventKind{event_kinds}) return false;
  const unsigned kind = 1U << static_cast<unsigned>(event.kind);
  if ((kind & rare) != 0 && !rare_well_formed(event)) return false;
  const bool channel = event.instrument == 0;
  const unsigned known_flags = has_detail | not_printable | at_price | ((kind & alone) == 0 ? goes_on : 0) |
                               ((kind & fielded) != 0 ? has_fields : 0);
  return (kind & known) != 0 && event.time_ns >= 0 && event.time_ns < event_time_max &&
         ((kind & sized) == 0 || event.quantity != 0) && ((kind & sided) == 0 || event.side != Side::none) &&
         (event.side <= Side::sell || event.kind == EventKind::reference) &&
         ((kind & of_either) != 0 || ((kind & of_channel) != 0) == channel) && event.instrument < instruments_max &&
         (event.flags & ~known_flags) == 0;
}

}  // namespace depthcast::engine

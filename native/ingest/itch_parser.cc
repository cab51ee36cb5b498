#include "ingest/itch_parser.h"

#include <array>
#include <bit>
#include <cstring>

namespace depthcast::ingest {
namespace {

constexpr std::array<std::uint8_t, 256> make_lengths() {
  std::array<std::uint8_t, 256> lengths{};
  constexpr struct {
    char type;
    std::uint8_t length;
  } known[] = {{'S', 12}, {'R', 39}, {'H', 25}, {'Y', 20}, {'L', 26}, {'V', 35}, {'W', 12}, {'K', 28},
               {'J', 35}, {'h', 21}, {'A', 36}, {'F', 40}, {'E', 31}, {'C', 36}, {'X', 23}, {'D', 19},
               {'U', 35}, {'P', 44}, {'Q', 40}, {'B', 19}, {'I', 50}, {'N', 20}, {'O', 48}};
  for (const auto& entry : known) lengths[static_cast<std::uint8_t>(entry.type)] = entry.length;
  return lengths;
}
constexpr auto lengths = make_lengths();

constexpr std::int8_t itch_price_exponent = -4;

// Big-endian fields of one message whose length has been checked.
class Fields {
 public:
  explicit Fields(const std::uint8_t* bytes) : bytes_(bytes) {}
  std::uint8_t u8(std::size_t offset) const { return bytes_[offset]; }
  std::uint32_t u16(std::size_t offset) const { return load<std::uint16_t>(offset); }
  std::uint32_t u32(std::size_t offset) const { return load<std::uint32_t>(offset); }
  std::uint64_t u64(std::size_t offset) const { return load<std::uint64_t>(offset); }
  std::int64_t time() const { return static_cast<std::int64_t>((static_cast<std::uint64_t>(u16(5)) << 32) | u32(7)); }
  // Characters as they stand, first one lowest: 4 make a u32, 8 a u64.
  std::uint64_t text(std::size_t offset, std::size_t count) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_ + offset, count);
    return value;
  }
  const std::uint8_t* at(std::size_t offset) const { return bytes_ + offset; }

 private:
  template <typename T>
  T load(std::size_t offset) const {
    T value = 0;
    std::memcpy(&value, bytes_ + offset, sizeof value);
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  }
  const std::uint8_t* bytes_;
};

constexpr std::array<Side, 256> make_sides() {
  std::array<Side, 256> sides{};
  sides.fill(Side::none);
  sides['B'] = Side::bid;
  sides['S'] = Side::ask;
  return sides;
}
constexpr auto sides = make_sides();

Side side_of(std::uint8_t indicator) { return sides[indicator]; }

TradingStatus status_of(std::uint8_t state) {
  switch (state) {
    case 'T': return TradingStatus::trading;
    case 'H': return TradingStatus::halted;
    case 'P': return TradingStatus::paused;
    case 'Q': return TradingStatus::quotation_only;
    default: return TradingStatus::unknown;
  }
}

void set_symbol(DefinitionData& definition, const std::uint8_t* stock) {
  std::size_t length = 8;
  while (length > 0 && stock[length - 1] == ' ') --length;
  std::memcpy(definition.symbol, stock, length);
}

// Where a message of that type names its stock; 0 for those that do not.
constexpr std::array<std::uint8_t, 256> make_stock_offsets() {
  std::array<std::uint8_t, 256> offsets{};
  for (const char type : {'H', 'Y', 'K', 'J', 'h', 'N', 'O'}) offsets[static_cast<std::uint8_t>(type)] = 11;
  offsets['L'] = 15;
  offsets['Q'] = 19;
  for (const char type : {'A', 'F', 'P'}) offsets[static_cast<std::uint8_t>(type)] = 24;
  offsets['I'] = 28;
  return offsets;
}
constexpr auto stock_offsets = make_stock_offsets();

void parse_directory(const Fields& fields, InputEvent& event, DefinitionData& definition) {
  event.kind = InputKind::definition;
  definition = {};
  set_symbol(definition, fields.at(11));
  std::memcpy(definition.attributes, fields.at(19), sizeof definition.attributes);
  definition.attribute_count = sizeof definition.attributes;
  definition.price_exponent = itch_price_exponent;
  definition.lot_size = fields.u32(21);
}

void parse_reference(const Fields& fields, std::uint8_t type, InputEvent& event) {
  const auto tell = [&](ReferenceKind kind, std::uint64_t first, std::int64_t price, std::uint64_t third) {
    event.kind = InputKind::reference;
    event.side = static_cast<Side>(kind);
    event.order_id = first;
    event.price = price;
    event.quantity = third;
  };
  const auto price = [&](std::size_t offset) { return static_cast<std::int64_t>(fields.u32(offset)); };
  switch (type) {
    case 'S': tell(ReferenceKind::system_event, 0, 0, fields.u8(11)); break;
    case 'Y': tell(ReferenceKind::short_sale_restriction, 0, 0, fields.u8(19)); break;
    case 'L': tell(ReferenceKind::market_participant, fields.text(11, 4), 0, fields.text(23, 3)); break;
    case 'V':
      tell(ReferenceKind::circuit_breaker_levels, fields.u64(11), static_cast<std::int64_t>(fields.u64(19)),
           fields.u64(27));
      break;
    case 'W': tell(ReferenceKind::circuit_breaker_breach, 0, 0, fields.u8(11)); break;
    case 'K': tell(ReferenceKind::ipo_quoting_period, fields.u32(19), price(24), fields.u8(23)); break;
    case 'J':
      tell(ReferenceKind::price_band, fields.u32(27), price(19), fields.u32(23));
      event.detail = fields.u32(31);
      event.bits = input_detail_set;
      break;
    default: tell(ReferenceKind::operational_halt, 0, 0, fields.text(19, 2)); break;  // h
  }
}

void parse_trade(const Fields& fields, std::uint8_t type, InputEvent& event, TradeData& data) {
  const auto price = [&](std::size_t offset) { return static_cast<std::int64_t>(fields.u32(offset)); };
  event.kind = InputKind::trade;
  data = {};
  switch (type) {
    case 'P':
      event.trade_kind = Kind::trade;
      event.order_id = fields.u64(36);
      event.side = side_of(fields.u8(19));
      event.quantity = fields.u32(20);
      event.price = price(32);
      break;
    case 'Q':
      event.trade_kind = Kind::cross;
      event.order_id = fields.u64(31);
      event.quantity = fields.u64(11);
      event.price = price(27);
      data.code = fields.u8(39);
      break;
    case 'B':
      event.trade_kind = Kind::trade_break;
      event.order_id = fields.u64(11);
      break;
    case 'I':
      event.trade_kind = Kind::auction;
      event.quantity = fields.u64(11);
      data.quantity_2 = fields.u64(19);
      event.price = price(44);
      data.price_2 = price(40);
      data.price_3 = price(36);
      // Imbalance direction, cross type, price variation indicator.
      data.code = static_cast<std::uint32_t>(fields.u8(27)) | static_cast<std::uint32_t>(fields.text(48, 2) << 8);
      break;
    case 'N':
      event.trade_kind = Kind::retail_interest;
      data.code = fields.u8(19);
      break;
    default:  // O
      event.trade_kind = Kind::price_discovery;
      data.code = fields.u8(19);
      data.quantity_2 = fields.u64(32);
      event.price = price(28);
      data.price_2 = price(20);
      data.price_3 = price(24);
      data.price_4 = price(40);
      data.price_5 = price(44);
      break;
  }
}

// Where the messages about orders keep what, so that all of them are read by the same steps: which type comes next
// cannot be predicted, and a mispredicted jump costs more than the whole reading. A mask of 0 stands for a field that
// the type does not have (its offset is then any that the message has).
struct OrderLayout {
  InputKind kind = InputKind::none;  // none: a message of another sort
  std::uint8_t bits = 0;
  std::uint8_t side = 0;
  std::uint8_t quantity = 0;
  std::uint8_t price = 0;
  std::uint8_t detail = 0;
  bool more = false;  // F, C: something else is to be read
  std::uint8_t side_mask = 0;
  std::uint32_t quantity_mask = 0;
  std::uint32_t price_mask = 0;
  std::uint64_t detail_mask = 0;
};

constexpr std::array<OrderLayout, 256> make_order_layouts() {
  std::array<OrderLayout, 256> layouts{};
  const auto at = [&](char type) -> OrderLayout& { return layouts[static_cast<std::uint8_t>(type)]; };
  const auto quantity = [](OrderLayout& layout, std::uint8_t offset) {
    layout.quantity = offset;
    layout.quantity_mask = 0xffffffffU;
  };
  const auto price = [](OrderLayout& layout, std::uint8_t offset) {
    layout.price = offset;
    layout.price_mask = 0xffffffffU;
  };
  const auto detail = [](OrderLayout& layout, std::uint8_t offset) {
    layout.detail = offset;
    layout.detail_mask = ~std::uint64_t{0};
  };
  for (const char type : {'A', 'F'}) {
    at(type).kind = InputKind::add;
    at(type).side = 19;
    at(type).side_mask = 0xff;
    quantity(at(type), 20);
    price(at(type), 32);
  }
  for (const char type : {'E', 'C'}) {
    at(type).kind = InputKind::execute;
    at(type).bits = input_detail_set;
    quantity(at(type), 19);
    detail(at(type), 23);
  }
  at('X').kind = InputKind::cancel;
  quantity(at('X'), 19);
  at('D').kind = InputKind::delete_order;
  at('U').kind = InputKind::replace;
  detail(at('U'), 19);
  quantity(at('U'), 27);
  price(at('U'), 31);
  at('F').bits = input_detail_set;
  at('F').more = true;
  at('C').bits |= input_at_price;
  price(at('C'), 32);
  at('C').more = true;
  return layouts;
}
constexpr auto order_layouts = make_order_layouts();

void parse_order(const Fields& fields, std::uint8_t type, const OrderLayout& layout, InputEvent& event) {
  event.order_id = fields.u64(11);
  event.detail = fields.u64(layout.detail) & layout.detail_mask;
  event.price = fields.u32(layout.price) & layout.price_mask;
  event.quantity = fields.u32(layout.quantity) & layout.quantity_mask;
  event.kind = layout.kind;
  event.side = side_of(fields.u8(layout.side) & layout.side_mask);
  event.trade_kind = Kind::none;
  event.bits = layout.bits;
  if (layout.more) [[unlikely]] {
    if (type == 'F') {
      event.detail = fields.text(36, 4);
    } else if (fields.u8(31) == 'N') {
      event.bits |= input_non_printable;
    }
  }
}

}  // namespace

std::size_t itch_length(std::uint8_t type) { return lengths[type]; }

bool ItchParser::define(std::uint32_t locate) {
  std::uint64_t& word = defined_[locate / 64];
  const std::uint64_t bit = std::uint64_t{1} << (locate % 64);
  const bool fresh = (word & bit) == 0;
  word |= bit;
  return fresh;
}

std::size_t ItchParser::parse(std::span<const std::uint8_t> message, std::uint64_t position,
                              std::span<InputCell, cells_max> out, ItchFault& fault) {
  fault = ItchFault::none;
  if (message.empty()) {
    fault = ItchFault::empty;
    return 0;
  }
  const std::uint8_t type = message[0];
  if (lengths[type] == 0 || lengths[type] != message.size()) {
    fault = lengths[type] == 0 ? ItchFault::unknown_type : ItchFault::wrong_length;
    return 0;
  }
  const Fields fields(message.data());
  const std::uint32_t locate = fields.u16(1);
  const std::int64_t time_ns = midnight_ns_ + fields.time();
  std::size_t cells = 0;
  if (!is_defined(locate)) [[unlikely]] {
    const std::size_t stock = stock_offsets[type];
    if (stock != 0 && define(locate)) {
      out[0].event = {position, time_ns, 0, 0, 0, 0, locate, InputKind::definition, Side::none, Kind::none, 0};
      out[1].definition = {};
      set_symbol(out[1].definition, fields.at(stock));
      out[1].definition.price_exponent = itch_price_exponent;
      cells = 2;
    }
  }
  InputEvent& event = out[cells].event;
  event.position = position;
  event.time_ns = time_ns;
  event.source_code = locate;
  if (const OrderLayout& layout = order_layouts[type]; layout.kind != InputKind::none) [[likely]] {
    parse_order(fields, type, layout, event);
    return cells + 1;
  }
  event = {position, time_ns, 0, 0, 0, 0, locate, InputKind::none, Side::none, Kind::none, 0};
  switch (type) {
    case 'R':
      define(locate);
      parse_directory(fields, event, out[cells + 1].definition);
      break;
    case 'H':
      event.kind = InputKind::status;
      event.quantity = static_cast<std::uint64_t>(status_of(fields.u8(19)));
      event.detail = fields.text(21, 4);
      event.bits = input_detail_set;
      break;
    case 'S':
    case 'Y':
    case 'L':
    case 'V':
    case 'W':
    case 'K':
    case 'J':
    case 'h': parse_reference(fields, type, event); break;
    case 'P':
    case 'Q':
    case 'B':
    case 'I':
    case 'N':
    default: parse_trade(fields, type, event, out[cells + 1].trade); break;  // O; lengths knows no other type
  }
  return cells + cells_of(event.kind);
}

}  // namespace depthcast::ingest

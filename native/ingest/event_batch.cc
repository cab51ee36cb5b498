#include "ingest/event_batch.h"

#include <algorithm>
#include <cstring>

namespace depthcast::ingest {
namespace {

static_assert(sizeof(frames::Event) == 48 && sizeof(frames::TradeFields) == 48 && sizeof(frames::Definition) == 48);

constexpr std::uint8_t known_bits = input_detail_set | input_non_printable | input_at_price | input_goes_on;

template <typename Struct>
std::span<const Struct> span_of(const flatbuffers::Vector<const Struct*>* from) {
  if (from == nullptr) return {};
  return {reinterpret_cast<const Struct*>(from->Data()), from->size()};
}

bool side_fits(const frames::Event& event) {
  switch (static_cast<InputKind>(event.kind())) {
    case InputKind::add: return event.side() == 1 || event.side() == 2;
    case InputKind::reference:
      return event.side() >= static_cast<std::uint8_t>(ReferenceKind::system_event) &&
             event.side() <= static_cast<std::uint8_t>(ReferenceKind::operational_halt);
    default: return event.side() <= 2;
  }
}

BatchFault check(const frames::Event& event) {
  if (event.kind() < static_cast<std::uint8_t>(InputKind::add) ||
      event.kind() > static_cast<std::uint8_t>(InputKind::limits)) {
    return BatchFault::unknown_kind;
  }
  if (!side_fits(event)) return BatchFault::wrong_side;
  const bool is_trade = event.kind() == static_cast<std::uint8_t>(InputKind::trade);
  if (is_trade ? !is_trade_kind(static_cast<Kind>(event.trade_kind())) : event.trade_kind() != 0) {
    return BatchFault::wrong_trade_kind;
  }
  const bool goes_on = (event.bits() & input_goes_on) != 0;
  const auto kind = static_cast<InputKind>(event.kind());
  const bool alone = kind == InputKind::definition || kind == InputKind::limits;
  if ((event.bits() & ~known_bits) != 0 || (goes_on && alone)) return BatchFault::unknown_bits;
  if (kind == InputKind::limits && event.price() > static_cast<std::int64_t>(event.detail())) {
    return BatchFault::wrong_range;
  }
  if (kind == InputKind::status && event.quantity() > static_cast<std::uint64_t>(TradingStatus::delisted)) {
    return BatchFault::wrong_status;
  }
  if (event.time() < 0 || event.time() >= event_time_max) return BatchFault::wrong_time;
  return BatchFault::none;
}

void copy_symbol(const frames::Definition& from, char (&to)[16]) {
  const std::uint64_t words[2] = {from.symbol_1(), from.symbol_2()};
  static_assert(sizeof words == sizeof to);
  std::memcpy(to, words, sizeof words);
}

// One to 16 printable characters without spaces, then zeros.
bool symbol_fits(const frames::Definition& definition) {
  char symbol[16];
  copy_symbol(definition, symbol);
  char* const last = std::end(symbol);
  char* const end = std::find(symbol, last, '\0');
  return end != symbol && std::all_of(symbol, end, [](char letter) { return letter > ' ' && letter < 0x7f; }) &&
         std::all_of(end, last, [](char letter) { return letter == 0; });
}

BatchFault check(const frames::Definition& definition) {
  if (!symbol_fits(definition)) return BatchFault::wrong_symbol;
  return definition.price_low() > definition.price_high() ? BatchFault::wrong_range : BatchFault::none;
}

}  // namespace

const char* describe(BatchFault fault) {
  switch (fault) {
    case BatchFault::none: return "";
    case BatchFault::empty: return "a batch has at least one event";
    case BatchFault::too_many_events: return "a batch has at most batch_events_max events";
    case BatchFault::wrong_number: return "events count from 1";
    case BatchFault::unknown_kind: return "its kind is unknown";
    case BatchFault::wrong_side: return "its side does not fit its kind";
    case BatchFault::wrong_trade_kind: return "its trade kind is not one, or it is no trade";
    case BatchFault::unknown_bits: return "it has bits that are unknown";
    case BatchFault::open_end: return "it goes on, but the batch ends";
    case BatchFault::wrong_time: return "its time is below 0 or beyond 2^62 - 1 ns";
    case BatchFault::wrong_symbol: return "its symbol is not 1 to 16 printable characters, then zeros";
    case BatchFault::wrong_range: return "its lowest price is above its highest";
    case BatchFault::wrong_status: return "its trading status is none of 0 to 5";
    case BatchFault::wrong_fields: return "the batch has not one entry of `trades` or `definitions` for each of them";
  }
  return "";
}

BatchFault EventBatch::read(const frames::Batch& from, std::size_t events_max, EventBatch& out, std::uint64_t& at) {
  out = {};
  at = 0;
  out.first_ = from.first();
  out.events_ = span_of(from.events());
  out.trades_ = span_of(from.trades());
  out.definitions_ = span_of(from.definitions());
  if (out.events_.empty()) return BatchFault::empty;
  if (out.events_.size() > events_max) return BatchFault::too_many_events;
  if (out.first_ == 0 || out.first_ + out.events_.size() < out.first_) return BatchFault::wrong_number;
  std::size_t trades = 0;
  std::size_t definitions = 0;
  for (std::size_t index = 0; index < out.events_.size(); ++index) {
    const frames::Event& event = out.events_[index];
    BatchFault fault = check(event);
    trades += event.kind() == static_cast<std::uint8_t>(InputKind::trade) ? 1 : 0;
    if (event.kind() == static_cast<std::uint8_t>(InputKind::definition)) {
      if (fault == BatchFault::none && definitions < out.definitions_.size()) {
        fault = check(out.definitions_[definitions]);
      }
      ++definitions;
    }
    if (fault != BatchFault::none) {
      at = out.first_ + index;
      return fault;
    }
  }
  if ((out.events_.back().bits() & input_goes_on) != 0) {
    at = out.first_ + out.events_.size() - 1;
    return BatchFault::open_end;
  }
  const bool fields_fit = trades == out.trades_.size() && definitions == out.definitions_.size();
  return fields_fit ? BatchFault::none : BatchFault::wrong_fields;
}

void EventBatch::pass() {
  const auto kind = static_cast<InputKind>(events_[index_].kind());
  trade_ += kind == InputKind::trade ? 1 : 0;
  definition_ += kind == InputKind::definition ? 1 : 0;
  ++index_;
}

void EventBatch::skip_to(std::uint64_t number) {
  while (!done() && next_number() < number) pass();
}

void EventBatch::take(InputCell& event, InputCell* extension) {
  const frames::Event& from = events_[index_];
  const auto kind = static_cast<InputKind>(from.kind());
  event.event = {next_number(),
                 from.time(),
                 from.order_id(),
                 from.detail(),
                 from.price(),
                 from.quantity(),
                 from.instrument(),
                 kind,
                 static_cast<Side>(from.side()),
                 static_cast<Kind>(from.trade_kind()),
                 from.bits()};
  if (kind == InputKind::trade) {
    const frames::TradeFields& fields = trades_[trade_];
    extension->trade = {
        fields.quantity_2(), fields.price_2(), fields.price_3(), fields.price_4(), fields.price_5(), fields.code(), 0};
  } else if (kind == InputKind::definition) {
    const frames::Definition& fields = definitions_[definition_];
    DefinitionData& to = extension->definition;
    to = {};
    copy_symbol(fields, to.symbol);
    to.price_exponent = fields.price_exponent();
    to.quantity_exponent = fields.quantity_exponent();
    to.lot_size = fields.lot_size();
    to.price_increment = fields.price_increment();
    to.price_low = fields.price_low();
    to.price_high = fields.price_high();
  }
  pass();
}

}  // namespace depthcast::ingest

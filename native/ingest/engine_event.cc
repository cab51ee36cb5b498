#include "ingest/engine_event.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace depthcast::ingest {
namespace {

using engine::EventKind;

static_assert(static_cast<int>(engine::Side::buy) == static_cast<int>(Side::bid) &&
              static_cast<int>(engine::Side::sell) == static_cast<int>(Side::ask));
static_assert(static_cast<int>(engine::Status::quotation_only) == static_cast<int>(TradingStatus::quotation_only));
static_assert(engine::has_detail == input_detail_set && engine::not_printable == input_non_printable &&
              engine::at_price == input_at_price && engine::goes_on == input_goes_on);

struct Meaning {
  InputKind kind = InputKind::none;
  Kind trade_kind = Kind::none;
};

constexpr std::array<Meaning, engine::event_kinds> make_meanings() {
  std::array<Meaning, engine::event_kinds> meanings{};
  const auto at = [&](EventKind kind) -> Meaning& { return meanings[static_cast<std::size_t>(kind)]; };
  at(EventKind::add) = {InputKind::add};
  at(EventKind::execute) = {InputKind::execute};
  at(EventKind::reduce) = {InputKind::cancel};
  at(EventKind::remove) = {InputKind::delete_order};
  at(EventKind::replace) = {InputKind::replace};
  at(EventKind::status) = {InputKind::status};
  at(EventKind::trade) = {InputKind::trade, Kind::trade};
  at(EventKind::cross) = {InputKind::trade, Kind::cross};
  at(EventKind::auction) = {InputKind::trade, Kind::auction};
  at(EventKind::trade_break) = {InputKind::trade, Kind::trade_break};
  at(EventKind::definition) = {InputKind::definition};
  at(EventKind::system) = {InputKind::reference};
  at(EventKind::delist) = {InputKind::delist};
  at(EventKind::clear) = {InputKind::clear};
  at(EventKind::limits) = {InputKind::limits};
  at(EventKind::reference) = {InputKind::reference};
  at(EventKind::price_discovery) = {InputKind::trade, Kind::price_discovery};
  at(EventKind::retail_interest) = {InputKind::trade, Kind::retail_interest};
  return meanings;
}
constexpr auto meanings = make_meanings();

void set_definition(const engine::Event& event, DefinitionData& definition) {
  definition = {};
  std::memcpy(definition.symbol, &event.order_id, 8);
  std::memcpy(definition.symbol + 8, &event.detail, 8);
  definition.price_exponent = static_cast<std::int8_t>(event.extra);
  definition.quantity_exponent = static_cast<std::int8_t>(event.extra >> 8);
  definition.lot_size = static_cast<std::uint32_t>(event.quantity);
  definition.price_increment = static_cast<std::uint32_t>(event.price);
}

void set_trade(const engine::Event& event, const engine::Event* fields, InputEvent& input, TradeData& trade) {
  trade = {};
  trade.code = static_cast<std::uint32_t>(event.extra);
  if (fields != nullptr) {
    input.position = fields->number;
    trade.quantity_2 = fields->order_id;
    trade.price_2 = fields->price;
    trade.price_3 = static_cast<std::int64_t>(fields->detail);
    trade.price_4 = static_cast<std::int64_t>(fields->quantity);
    trade.price_5 = static_cast<std::int64_t>(fields->extra);
  }
  if (event.kind != EventKind::auction) return;
  input.order_id = 0;
  trade.quantity_2 = event.order_id;
}

// An event that says it has fields comes with them; fields come with nothing else.
bool can_be_taken(const engine::Event& event, const engine::Event* fields) {
  return engine::well_formed(event) && event.kind != EventKind::fields &&
         ((event.flags & engine::has_fields) != 0) == (fields != nullptr);
}

}  // namespace

std::size_t to_cells(const engine::Event& event, std::span<InputCell, engine_cells_max> out,
                     const engine::Event* fields) {
  if (!can_be_taken(event, fields)) [[unlikely]] {
    // Whatever else is wrong with it, its time must not be.
    const std::int64_t time_ns = std::clamp<std::int64_t>(event.time_ns, 0, engine::event_time_max - 1);
    out[0].event = {event.number, time_ns, 0, 0, 0, 0, 0, InputKind::none, Side::none, Kind::none, 0};
    return 1;
  }
  const Meaning meaning = meanings[static_cast<std::size_t>(event.kind)];
  InputEvent& input = out[0].event;
  input = {event.number,
           event.time_ns,
           event.order_id,
           event.detail,
           event.price,
           event.quantity,
           event.instrument,
           meaning.kind,
           static_cast<Side>(event.side),
           meaning.trade_kind,
           static_cast<std::uint8_t>(event.flags & ~engine::has_fields)};
  if (meaning.kind == InputKind::definition) [[unlikely]] {
    input.bits = 0;
    set_definition(event, out[1].definition);
  } else if (meaning.kind == InputKind::trade) {
    set_trade(event, fields, input, out[1].trade);
  } else if (event.kind == EventKind::system) {
    input.side = static_cast<Side>(ReferenceKind::system_event);
  }
  return cells_of(meaning.kind);
}

}  // namespace depthcast::ingest

#include "book/sequencer.h"

#include <cstring>
#include <stdexcept>

namespace depthcast::book {

using ingest::InputEvent;
using ingest::InputKind;

namespace {

// Quantities are unsigned; what a source would write for a negative one is beyond all that there can be.
bool is_negative(std::uint64_t quantity) { return static_cast<std::int64_t>(quantity) < 0; }

}  // namespace

void ValidationPolicy::pass_on(ApplyResult reason) {
  switch (reason) {
    case ApplyResult::unknown_order:
    case ApplyResult::duplicate_order:
    case ApplyResult::over_execution:
    case ApplyResult::invalid_quantity:
    case ApplyResult::invalid_side:
    case ApplyResult::wrong_instrument:
    case ApplyResult::unknown_instrument:
    case ApplyResult::off_tick:
    case ApplyResult::price_out_of_range:
    case ApplyResult::delisted: passed_ |= 1U << static_cast<unsigned>(reason); return;
    default: throw std::invalid_argument(std::string(name_of(reason)) + " cannot be passed on");
  }
}

Sequencer::Sequencer(Book& book, MessageSink& sink, std::uint64_t first_sequence, const ValidationPolicy& policy)
    : book_(book),
      sink_(sink),
      next_sequence_(first_sequence),
      by_source_code_(source_codes_max, no_instrument),
      records_(std::size_t{book.limits().instruments_max} + 1),
      policy_(policy) {
  by_source_code_[0] = channel_instrument;
}

Sequencer::Sequencer(Book& book, MessageSink& sink, const SequencerState& state, const ValidationPolicy& policy)
    : Sequencer(book, sink, state.next_sequence, policy) {
  if (state.records.size() > records_.size()) throw std::invalid_argument("more instruments than the limit");
  position_ = state.position;
  time_ns_ = state.time_ns;
  open_messages_ = state.open_messages;
  for (std::uint32_t instrument = 1; instrument < state.records.size(); ++instrument) {
    const InstrumentRecord& record = state.records[instrument];
    if (record.source_code >= source_codes_max) throw std::invalid_argument("a source code beyond the limit");
    set_record(instrument, record);
    by_source_code_[record.source_code] = instrument;
    instrument_count_ = instrument;
  }
}

std::uint32_t Sequencer::instrument_of(std::uint32_t source_code) const {
  return source_code < source_codes_max ? by_source_code_[source_code] : no_instrument;
}

Stamp Sequencer::take_number(const InputEvent& event) {
  ++open_messages_;
  return {next_sequence_++, event.time_ns, event.position};
}

std::uint32_t Sequencer::take_instrument_number(std::uint32_t instrument) {
  const std::uint32_t number = book_.instrument_sequence(instrument) + 1;
  book_.set_instrument_sequence(instrument, number);
  return number;
}

void Sequencer::apply(const InputEvent& event, const ingest::InputCell* extension, const Hint& hint) {
  ++counters_.events;
  position_ = event.position;
  time_ns_ = event.time_ns;
  take(event, extension, hint);
  // Its last input was refused, and left no message to say that it ends.
  if (open_messages_ != 0 && (event.bits & ingest::input_goes_on) == 0) [[unlikely]]
    end_open_event(event);
}

void Sequencer::take(const InputEvent& event, const ingest::InputCell* extension, const Hint& hint) {
  switch (event.kind) {
    case InputKind::execute: return execute(event, hint);
    case InputKind::cancel: return cancel(event, hint);
    case InputKind::delete_order: return delete_order(event, hint);
    case InputKind::replace: return replace(event, hint);
    case InputKind::definition: return define(event, extension->definition);
    default: break;
  }
  const std::uint32_t instrument = instrument_of(event.source_code);
  if (instrument == no_instrument) {
    ++counters_.instruments_refused;
    return refuse(ApplyResult::unknown_instrument, event);
  }
  switch (event.kind) {
    case InputKind::add: return add(event, instrument, hint);
    case InputKind::status: return status(event, instrument);
    case InputKind::reference: return reference(event, instrument);
    case InputKind::trade: return trade(event, extension->trade, instrument);
    case InputKind::clear: return clear(event, instrument);
    case InputKind::delist: return delist(event, instrument);
    case InputKind::limits: return limits(event, instrument);
    default: return refuse(ApplyResult::unknown_kind, event);
  }
}

bool Sequencer::tolerates(ApplyResult reason, const InputEvent& event) {
  const bool passed = policy_.passes(reason);
  ++(passed ? counters_.passed : counters_.refused)[static_cast<std::size_t>(reason)];
  sink_.on_refused({event.position, event.time_ns, event.order_id, event.price, event.quantity, event.source_code,
                    reason, event.kind, passed});
  return passed;
}

void Sequencer::refuse(ApplyResult reason, const InputEvent& event) {
  if (!tolerates(reason, event)) return;
  const std::uint32_t instrument = instrument_of(event.source_code);
  BookMessage message{event.order_id,
                      event.price,
                      event.quantity,
                      0,
                      instrument == no_instrument ? channel_instrument : instrument,
                      0,
                      Kind::reference,
                      static_cast<Side>(ingest::ReferenceKind::contradiction),
                      flags::detail};
  const auto detail = static_cast<std::uint64_t>(reason) | static_cast<std::uint64_t>(event.kind) << 8;
  emit(ApplyResult::not_book_affecting, message, event, detail);
}

bool Sequencer::may_stand(const InputEvent& event, std::uint32_t instrument) {
  if (book_.instrument(instrument).status == TradingStatus::delisted && !tolerates(ApplyResult::delisted, event)) {
    return false;
  }
  return !grids_ || fits_definition(event, records_[instrument].definition);
}

bool Sequencer::fits_definition(const InputEvent& event, const ingest::DefinitionData& definition) {
  if (!on_tick(definition, event.price) && !tolerates(ApplyResult::off_tick, event)) return false;
  return in_range(definition, event.price) || tolerates(ApplyResult::price_out_of_range, event);
}

void Sequencer::set_record(std::uint32_t instrument, const InstrumentRecord& record) {
  records_[instrument] = record;
  const ingest::DefinitionData& definition = record.definition;
  grids_ = grids_ || definition.price_increment != 0 || definition.price_low != 0 || definition.price_high != 0;
}

void Sequencer::define(const InputEvent& event, const ingest::DefinitionData& told) {
  std::uint32_t instrument = instrument_of(event.source_code);
  const bool fresh = instrument == no_instrument;
  if (event.source_code == 0 || event.source_code >= source_codes_max ||
      (fresh && instrument_count_ == book_.limits().instruments_max)) {
    ++counters_.instruments_refused;
    static_cast<void>(tolerates(ApplyResult::instrument_limit, event));
    return;
  }
  const bool listed = fresh || book_.instrument(instrument).status != TradingStatus::delisted;
  ingest::DefinitionData definition = told;
  if (!fresh && told.price_low == 0 && told.price_high == 0) {
    definition.price_low = records_[instrument].definition.price_low;
    definition.price_high = records_[instrument].definition.price_high;
  }
  if (fresh) {
    instrument = ++instrument_count_;
    by_source_code_[event.source_code] = instrument;
  } else if (listed && records_[instrument].definition == definition) {
    ++counters_.definitions_repeated;
    return;
  }
  tell_definition(event, instrument, {event.source_code, definition});
  if (listed) return;
  BookMessage again{
      0, 0, 0, 0, instrument, 0, Kind::status, Side::none, flags::book_affecting};  // unknown, as at first
  emit(book_.apply(again, next_sequence_), again, event, 0);
}

void Sequencer::tell_definition(const InputEvent& event, std::uint32_t instrument, const InstrumentRecord& record) {
  if (open_messages_ != 0) end_open_event(event);  // a definition is an event of its own
  set_record(instrument, record);
  const Stamp stamp = take_number(event);
  sink_.on_definition(instrument, take_instrument_number(instrument), record.source_code, record.definition, stamp);
  finish(event, true);
}

void Sequencer::limits(const InputEvent& event, std::uint32_t instrument) {
  if (instrument == channel_instrument) return refuse(ApplyResult::unknown_instrument, event);
  InstrumentRecord record = records_[instrument];
  record.definition.price_low = event.price;
  record.definition.price_high = static_cast<std::int64_t>(event.detail);
  if (record.definition == records_[instrument].definition) {
    ++counters_.definitions_repeated;
    return;
  }
  tell_definition(event, instrument, record);
}

void Sequencer::end_open_event(const InputEvent& event) {
  BookMessage message{0,
                      0,
                      0,
                      0,
                      channel_instrument,
                      0,
                      Kind::reference,
                      static_cast<Side>(ingest::ReferenceKind::event_end),
                      flags::end_of_event};
  message.instrument_sequence = take_instrument_number(message.instrument);
  sink_.on_book(message, take_number(event), 0);
  finish(event, true);
}

void Sequencer::clear(const InputEvent& event, std::uint32_t instrument) {
  BookMessage message{0, 0, 0, 0, instrument, 0, Kind::clear, Side::none, flags::book_affecting};
  emit(book_.apply(message, next_sequence_), message, event, 0);
}

// One event of two messages: the book is emptied, and its status says that it stays so.
void Sequencer::delist(const InputEvent& event, std::uint32_t instrument) {
  if (instrument == channel_instrument) return refuse(ApplyResult::unknown_instrument, event);
  BookMessage removal{0, 0, 0, 0, instrument, 0, Kind::clear, Side::none, flags::book_affecting};
  book_.apply(removal, next_sequence_);
  removal.instrument_sequence = take_instrument_number(instrument);
  sink_.on_book(removal, take_number(event), 0);
  BookMessage status{0,
                     0,
                     static_cast<std::uint64_t>(TradingStatus::delisted),
                     0,
                     instrument,
                     0,
                     Kind::status,
                     Side::none,
                     flags::book_affecting};
  if ((event.bits & ingest::input_detail_set) != 0) status.flags |= flags::detail;
  emit(book_.apply(status, next_sequence_), status, event, event.detail);
}

// Side, price and quantity of a live order are told with every message about it, so that a reader who keeps
// levels only can follow.
BookMessage Sequencer::message_for(Kind kind, std::uint32_t slot) const {
  const Order& order = book_.order(slot);
  const Level& level = book_.level_of(order);
  return {order.id, level.price, order.quantity, 0, level.instrument(), 0, kind, level.side(), flags::book_affecting};
}

// Numbers and hands on a message that ends its input, if the book has taken it.
ApplyResult Sequencer::emit(ApplyResult result, BookMessage& message, const InputEvent& event, std::uint64_t detail) {
  if (result > ApplyResult::not_book_affecting) {
    refuse(result, event);
    return result;
  }
  const bool ended = ends(event);
  if (ended) message.flags |= flags::end_of_event;
  message.instrument_sequence = take_instrument_number(message.instrument);
  sink_.on_book(message, take_number(event), detail);
  finish(event, ended);
  return ApplyResult::applied;
}

// Adds and events about live orders are told apart once, without a branch, and then have passes of their own: which
// kind comes next cannot be predicted, and a branch on it in each step would cost more than the step.
void Sequencer::fetch_ahead(Group& group) const {
  std::uint32_t adds[group_max];
  std::uint32_t others[group_max];
  std::size_t add_count = 0;
  std::size_t other_count = 0;
  for (std::uint32_t index = 0; index < group.count; ++index) {
    const InputEvent& event = *group.events[index];
    if (event.kind < InputKind::add || event.kind > InputKind::replace) continue;
    const std::uint32_t instrument = instrument_of(event.source_code);
    if (instrument == no_instrument) continue;
    group.hints[index].instrument = instrument;
    book_.prefetch_instrument(instrument);
    book_.prefetch_table(event.order_id);
    if (event.kind == InputKind::replace) book_.prefetch_table(event.detail);
    adds[add_count] = index;
    others[other_count] = index;
    const std::size_t is_add = event.kind == InputKind::add ? 1 : 0;
    add_count += is_add;
    other_count += 1 - is_add;
  }
  for (std::size_t at = 0; at < other_count; ++at) {
    Hint& hint = group.hints[others[at]];
    hint.slot = book_.guess(group.events[others[at]]->order_id);
    if (hint.slot != no_index) book_.prefetch_order(hint.slot);
  }
  for (std::size_t at = 0; at < add_count; ++at) {
    const InputEvent& event = *group.events[adds[at]];
    const std::uint32_t instrument = group.hints[adds[at]].instrument;
    book_.prefetch_side(instrument, event.side);
    book_.prefetch_level_table(instrument, event.side, event.price);
  }
  for (std::size_t at = 0; at < other_count; ++at) {
    if (const std::uint32_t slot = group.hints[others[at]].slot; slot != no_index) book_.prefetch_level(slot);
  }
  for (std::size_t at = 0; at < add_count; ++at) {
    Hint& hint = group.hints[adds[at]];
    const InputEvent& event = *group.events[adds[at]];
    hint.level = book_.guess_level(hint.instrument, event.side, event.price);
    book_.prefetch_level_itself(hint.level);
  }
  for (std::size_t at = 0; at < other_count; ++at) {
    if (const std::uint32_t slot = group.hints[others[at]].slot; slot != no_index) book_.prefetch_side_of(slot);
  }
  for (std::size_t at = 0; at < add_count; ++at) {
    book_.prefetch_tail(group.hints[adds[at]].level);
  }
}

void Sequencer::add(const InputEvent& event, std::uint32_t instrument, const Hint& hint) {
  BookMessage message{event.order_id, event.price, event.quantity,       0, instrument, 0,
                      Kind::add,      event.side,  flags::book_affecting};
  if ((event.bits & ingest::input_detail_set) != 0) message.flags |= flags::detail;
  if (is_negative(event.quantity)) return refuse(ApplyResult::invalid_quantity, event);
  if (!may_stand(event, instrument)) return;
  const ApplyResult added = book_.add(message, next_sequence_, hint.level);
  if (added == ApplyResult::duplicate_order) [[unlikely]]
    return add_again(message, event);
  emit(added, message, event, event.detail);
}

// The id is live: the source's later word counts where the policy passes that on. One event of two messages.
void Sequencer::add_again(BookMessage& message, const InputEvent& event) {
  const std::uint32_t slot = book_.find(event.order_id);
  BookMessage removal = message_for(Kind::delete_order, slot);
  const bool sound = (event.side == Side::bid || event.side == Side::ask) && event.quantity != 0 &&
                     message.instrument == removal.instrument;
  if (!sound || !policy_.passes(ApplyResult::duplicate_order)) return refuse(ApplyResult::duplicate_order, event);
  static_cast<void>(tolerates(ApplyResult::duplicate_order, event));
  take_place_of(slot, removal, message, event, event.detail);
}

// The live order that the event is about, or no_index after having counted why not.
std::uint32_t Sequencer::order_of(const InputEvent& event, const Hint& hint) {
  const std::uint32_t slot = book_.holds(hint.slot, event.order_id) ? hint.slot : book_.find(event.order_id);
  if (slot == no_index) {
    refuse(ApplyResult::unknown_order, event);
    return no_index;
  }
  if (book_.level_of(book_.order(slot)).instrument() != instrument_of(event.source_code)) {
    refuse(ApplyResult::wrong_instrument, event);
    return no_index;
  }
  return slot;
}

void Sequencer::execute(const InputEvent& event, const Hint& hint) {
  const std::uint32_t slot = order_of(event, hint);
  if (slot == no_index) return;
  if (is_negative(event.quantity)) return refuse(ApplyResult::invalid_quantity, event);
  BookMessage message = message_for(Kind::execute, slot);
  const std::uint64_t held = message.quantity;
  message.quantity = event.quantity;
  if (event.quantity > held) [[unlikely]] {
    if (!tolerates(ApplyResult::over_execution, event)) return;
    message.quantity = held;
  }
  if ((event.bits & ingest::input_at_price) != 0) {
    message.price = event.price;
    message.flags |= flags::at_price;
  }
  if ((event.bits & ingest::input_non_printable) != 0) message.flags |= flags::non_printable;
  if ((event.bits & ingest::input_detail_set) != 0) message.flags |= flags::detail;
  emit(book_.apply_to(slot, message, next_sequence_), message, event, event.detail);
}

void Sequencer::cancel(const InputEvent& event, const Hint& hint) {
  const std::uint32_t slot = order_of(event, hint);
  if (slot == no_index) return;
  const std::uint64_t held = book_.order(slot).quantity;
  if (event.quantity == 0 || is_negative(event.quantity)) return refuse(ApplyResult::invalid_quantity, event);
  if (event.quantity > held && !tolerates(ApplyResult::over_execution, event)) return;
  const bool all = event.quantity >= held;
  BookMessage message = message_for(all ? Kind::delete_order : Kind::modify, slot);
  if (!all) {
    message.quantity = held - event.quantity;
    message.flags |= flags::priority_kept;
  }
  emit(book_.apply_to(slot, message, next_sequence_), message, event, 0);
}

void Sequencer::delete_order(const InputEvent& event, const Hint& hint) {
  const std::uint32_t slot = order_of(event, hint);
  if (slot == no_index) return;
  BookMessage message = message_for(Kind::delete_order, slot);
  emit(book_.apply_to(slot, message, next_sequence_), message, event, 0);
}

// One event of two messages. Refused whole where the new order cannot stand (its id must be new); only a full pool of
// levels shows so late that the old order has gone already.
void Sequencer::replace(const InputEvent& event, const Hint& hint) {
  const std::uint32_t slot = order_of(event, hint);
  if (slot == no_index) return;
  const std::uint64_t new_order_id = event.detail;
  if (event.quantity == 0 || is_negative(event.quantity)) return refuse(ApplyResult::invalid_quantity, event);
  if (book_.find(new_order_id) != no_index) return refuse(ApplyResult::duplicate_order, event);
  BookMessage removal = message_for(Kind::delete_order, slot);
  if (!may_stand(event, removal.instrument)) return;
  BookMessage addition{new_order_id, event.price,  event.quantity,       0, removal.instrument, 0,
                       Kind::add,    removal.side, flags::book_affecting};
  take_place_of(slot, removal, addition, event, 0);
}

// The order in `slot` goes first, since the new one may need its place; both are told when it is known whether the new
// one fits.
void Sequencer::take_place_of(std::uint32_t slot, BookMessage& removal, BookMessage& addition, const InputEvent& event,
                              std::uint64_t detail) {
  book_.apply_to(slot, removal, next_sequence_);
  const ApplyResult added = book_.add(addition, next_sequence_ + 1);
  const bool ended = added != ApplyResult::applied && ends(event);
  if (ended) removal.flags |= flags::end_of_event;
  if (added != ApplyResult::applied) {
    refuse(added, event);
    ++counters_.adds_lost;
  }
  removal.instrument_sequence = take_instrument_number(removal.instrument);
  sink_.on_book(removal, take_number(event), 0);
  if (added != ApplyResult::applied) return finish(event, ended);
  emit(added, addition, event, detail);
}

void Sequencer::status(const InputEvent& event, std::uint32_t instrument) {
  // Said as a status it means the same: no order stays in an instrument that is gone.
  if (event.quantity == static_cast<std::uint64_t>(TradingStatus::delisted) && instrument != channel_instrument) {
    return delist(event, instrument);
  }
  const bool delisted =
      instrument != channel_instrument && book_.instrument(instrument).status == TradingStatus::delisted;
  if (delisted && !tolerates(ApplyResult::delisted, event)) return;
  BookMessage message{0,
                      0,
                      event.quantity,
                      0,
                      instrument,
                      0,
                      Kind::status,
                      Side::none,
                      static_cast<std::uint16_t>(flags::book_affecting | flags::detail)};
  emit(book_.apply(message, next_sequence_), message, event, event.detail);
}

void Sequencer::reference(const InputEvent& event, std::uint32_t instrument) {
  BookMessage message{event.order_id, event.price, event.quantity, 0, instrument, 0, Kind::reference, event.side, 0};
  if ((event.bits & ingest::input_detail_set) != 0) message.flags |= flags::detail;
  emit(book_.apply(message, next_sequence_), message, event, event.detail);
}

void Sequencer::trade(const InputEvent& event, const ingest::TradeData& data, std::uint32_t instrument) {
  TradeMessage message{};
  message.trade_id = event.order_id;
  message.quantity = event.quantity;
  message.quantity_2 = data.quantity_2;
  message.price = event.price;
  message.price_2 = data.price_2;
  message.price_3 = data.price_3;
  message.price_4 = data.price_4;
  message.price_5 = data.price_5;
  message.instrument = instrument;
  message.instrument_sequence = take_instrument_number(instrument);
  message.kind = event.trade_kind;
  message.side = event.side;
  const bool ended = ends(event);
  message.flags = ended ? flags::end_of_event : std::uint16_t{0};
  message.code = data.code;
  sink_.on_trade(message, take_number(event));
  finish(event, ended);
}

}  // namespace depthcast::book

#include "book/replica.h"

#include <algorithm>
#include <utility>

namespace depthcast::book {

Replica::Replica(const BookLimits& limits, UpdateSink* sink)
    : book_(limits),
      sink_(sink),
      definitions_(std::size_t{limits.instruments_max} + 1),
      trust_(std::size_t{limits.instruments_max} + 1),
      past_(past_max) {
  waiting_.reserve(waiting_max);
}

InstrumentState Replica::state(std::uint32_t instrument) const {
  const Trust& trust = trust_[instrument];
  if (trust.stale) return InstrumentState::stale;
  return std::max(trust.confirmed_epoch, whole_epoch_) < hole_epoch_ ? InstrumentState::unconfirmed
                                                                     : InstrumentState::live;
}

void Replica::set_stale(std::uint32_t instrument, bool stale) {
  Trust& trust = trust_[instrument];
  if (trust.stale == stale) return;
  trust.stale = stale;
  if (stale) {
    ++stale_count_;
  } else {
    --stale_count_;
  }
}

void Replica::follow(std::uint32_t instrument, std::uint32_t instrument_sequence) {
  instrument_last_ = std::max(instrument_last_, instrument);
  const std::uint32_t expected = book_.instrument_sequence(instrument) + 1;
  book_.set_instrument_sequence(instrument, instrument_sequence);
  if (instrument_sequence == expected) {
    trust_[instrument].confirmed_epoch = hole_epoch_;
    return;
  }
  ++counters_.instrument_gaps;
  // The channel itself has no book that could be wrong.
  if (instrument != channel_instrument) set_stale(instrument, true);
}

void Replica::refuse(std::uint32_t instrument, ApplyResult reason) {
  ++counters_.refused[static_cast<std::size_t>(reason)];
  if (in_range(instrument) && instrument != channel_instrument) set_stale(instrument, true);
}

void Replica::advance(const MessageContext& context, std::uint16_t message_flags) {
  ++counters_.messages;
  sequence_ = context.sequence;
  position_ = context.position;
  if (ends_event(message_flags)) end_event(context);
}

void Replica::end_event(const MessageContext& context) {
  ++counters_.events;
  book_.end_event(context.sequence, context.time_ns);
  event_sequence_ = context.sequence;
  event_time_ns_ = context.time_ns;
  past_[context.sequence % past_max] = {context.sequence, book_.digest()};
  if (waiting_.empty() || waiting_.front().sequence > context.sequence) return;
  std::erase_if(waiting_, [&](const PastDigest& waiting) {
    if (waiting.sequence == context.sequence) {
      check_channel_digest(waiting.sequence, waiting.digest, book_.digest());
    } else if (waiting.sequence < context.sequence) {
      ++counters_.digests_unchecked;
    }
    return waiting.sequence <= context.sequence;
  });
}

void Replica::on_book(const BookMessage& message, const MessageContext& context, std::uint64_t detail) {
  if (in_range(message.instrument)) follow(message.instrument, message.instrument_sequence);
  const ApplyResult result = book_.apply(message, context.sequence);
  if (result == ApplyResult::unknown_kind && (message.flags & flags::book_affecting) == 0) {
    ++counters_.unknown_kinds;
  } else if (result != ApplyResult::applied && result != ApplyResult::not_book_affecting) {
    refuse(message.instrument, result);
  }
  advance(context, message.flags);
  if (sink_ == nullptr) return;
  Update update{};
  update.sequence = context.sequence;
  update.position = context.position;
  update.time_ns = context.time_ns;
  update.order_id = message.order_id;
  update.price = message.price;
  update.quantity = message.quantity;
  update.detail = detail;
  update.instrument = message.instrument;
  update.instrument_sequence = message.instrument_sequence;
  update.flags = message.flags;
  update.kind = message.kind;
  update.side = message.side;
  deliver(update);
}

void Replica::on_trade(const TradeMessage& message, const MessageContext& context) {
  if (in_range(message.instrument)) follow(message.instrument, message.instrument_sequence);
  if (!is_trade_kind(message.kind)) {
    if ((message.flags & flags::book_affecting) == 0) {
      ++counters_.unknown_kinds;
    } else {
      refuse(message.instrument, ApplyResult::unknown_kind);
    }
  }
  advance(context, message.flags);
  if (sink_ == nullptr) return;
  Update update{};
  update.sequence = context.sequence;
  update.position = context.position;
  update.time_ns = context.time_ns;
  update.order_id = message.trade_id;
  update.price = message.price;
  update.quantity = message.quantity;
  update.quantity_2 = message.quantity_2;
  update.price_2 = message.price_2;
  update.price_3 = message.price_3;
  update.price_4 = message.price_4;
  update.price_5 = message.price_5;
  update.instrument = message.instrument;
  update.instrument_sequence = message.instrument_sequence;
  update.code = message.code;
  update.flags = message.flags;
  update.kind = message.kind;
  update.side = message.side;
  deliver(update);
}

void show_best_prices(const Book& book, Update& update) {
  const auto level_of = [&](Side side) -> Level {
    const std::uint32_t best = book.best_level(update.instrument, side);
    return best == no_index ? Level{} : book.level(best);
  };
  const Level bid = level_of(Side::bid);
  const Level ask = level_of(Side::ask);
  update.bid_price = bid.price;
  update.bid_quantity = bid.quantity;
  update.ask_price = ask.price;
  update.ask_quantity = ask.quantity;
}

void Replica::deliver(Update& update) {
  show_best_prices(book_, update);
  update.digest = book_.digest();
  sink_->on_update(update);
}

void Replica::learn_definition(std::uint32_t instrument, DefinitionRecord&& record) {
  if (!in_range(instrument) || instrument == channel_instrument) {
    ++counters_.definitions_refused;
    return;
  }
  instrument_last_ = std::max(instrument_last_, instrument);
  record.defined = true;
  if (definitions_[instrument] == record) return;
  definitions_[instrument] = std::move(record);
  ++definitions_version_;
}

void Replica::on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, DefinitionRecord&& record,
                            const MessageContext& context) {
  if (in_range(instrument)) follow(instrument, instrument_sequence);
  learn_definition(instrument, std::move(record));
  advance(context, flags::end_of_event);
  if (sink_ == nullptr) return;
  Update update{};
  update.sequence = context.sequence;
  update.position = context.position;
  update.time_ns = context.time_ns;
  update.instrument = instrument;
  update.instrument_sequence = instrument_sequence;
  update.flags = flags::end_of_event;
  update.kind = Kind::definition;
  deliver(update);
}

void Replica::on_missing(std::uint64_t last) {
  ++hole_epoch_;
  missing_last_ = std::max(missing_last_, last);
}

void Replica::on_digest(std::uint64_t sequence, std::uint64_t channel_digest) {
  if (sequence <= digest_checked_ && digest_checked_ != 0) return;  // the other line's copy
  digest_checked_ = sequence;
  if (sequence == sequence_ && sequence_ == event_sequence_) {
    return check_channel_digest(sequence, channel_digest, book_.digest());
  }
  if (sequence > sequence_) {
    if (waiting_.size() == waiting_max) {
      waiting_.erase(waiting_.begin());
      ++counters_.digests_unchecked;
    }
    waiting_.push_back({sequence, channel_digest});
    return;
  }
  const PastDigest& past = past_[sequence % past_max];
  if (sequence != 0 && past.sequence == sequence) return check_channel_digest(sequence, channel_digest, past.digest);
  ++counters_.digests_unchecked;
}

void Replica::check_channel_digest(std::uint64_t sequence, std::uint64_t theirs, std::uint64_t ours) {
  ++counters_.digests_checked;
  if (theirs == ours) {
    proved_ = true;
    // Equal sums: every book was right at that number, whatever was missed before.
    if (sequence == sequence_ && sequence >= missing_last_ && !whole()) {
      whole_epoch_ = hole_epoch_;
      for (std::uint32_t instrument = 1; instrument <= instrument_last_; ++instrument) set_stale(instrument, false);
    }
    return;
  }
  // After a hole a difference is to be expected, and the states say so already.
  if (!whole()) return;
  ++counters_.digests_mismatched;
  on_missing(sequence);
}

void Replica::on_instrument_digest(std::uint64_t sequence, std::uint32_t instrument, std::uint32_t instrument_sequence,
                                   std::uint64_t digest) {
  if (!in_range(instrument) || instrument == channel_instrument) return;
  // Comparable where neither side has changed the instrument in between, and no hole is open before that number.
  if (sequence > sequence_ || book_.instrument_sequence(instrument) != instrument_sequence) return;
  ++counters_.digests_checked;
  if (book_.instrument(instrument).digest == digest) {
    if (sequence < missing_last_) return;
    trust_[instrument].confirmed_epoch = hole_epoch_;
    set_stale(instrument, false);
    return;
  }
  if (state(instrument) == InstrumentState::live) ++counters_.digests_mismatched;
  set_stale(instrument, true);
}

void Replica::reset() {
  book_.reset();
  std::fill(trust_.begin(), trust_.end(), Trust{});
  std::fill(past_.begin(), past_.end(), PastDigest{});
  waiting_.clear();
  digest_checked_ = 0;
  for (DefinitionRecord& record : definitions_) record = {};
  ++definitions_version_;
  instrument_last_ = 0;
  sequence_ = 0;
  position_ = 0;
  event_sequence_ = 0;
  event_time_ns_ = 0;
  proved_ = false;
  hole_epoch_ = 0;
  whole_epoch_ = 0;
  stale_count_ = 0;
  missing_last_ = 0;
}

const char* name_of(SnapshotRefusal refusal) {
  constexpr const char* names[snapshot_refusals] = {
      "none",        "unknown_instrument", "invalid_order",     "duplicate_order",
      "order_limit", "level_limit",        "quantity_overflow", "digest_differs"};
  return names[static_cast<std::size_t>(refusal)];
}

void Replica::begin_snapshot(const SnapshotHead& head) {
  head_ = head;
  refusal_ = SnapshotRefusal::none;
  book_.clear_all();
}

SnapshotRefusal Replica::load_order(std::uint32_t instrument, const SnapshotOrderData& order) {
  if (order.priority > head_.sequence) return SnapshotRefusal::invalid_order;
  const BookMessage message{order.order_id, order.price, order.quantity, 0, instrument, 0, Kind::add, order.side, 0};
  switch (book_.add(message, order.priority)) {
    case ApplyResult::applied: break;
    case ApplyResult::duplicate_order: return SnapshotRefusal::duplicate_order;
    case ApplyResult::order_limit: return SnapshotRefusal::order_limit;
    case ApplyResult::level_limit: return SnapshotRefusal::level_limit;
    case ApplyResult::quantity_overflow: return SnapshotRefusal::quantity_overflow;
    default: return SnapshotRefusal::invalid_order;
  }
  const Order& placed = book_.order(book_.find(order.order_id));
  const bool in_order = placed.previous == no_index || book_.order(placed.previous).priority < placed.priority;
  return in_order ? SnapshotRefusal::none : SnapshotRefusal::invalid_order;
}

bool Replica::load_instrument(std::uint32_t instrument, std::uint32_t instrument_sequence, TradingStatus status,
                              std::span<const SnapshotOrderData> orders) {
  if (refusal_ != SnapshotRefusal::none) return false;
  const bool is_channel = instrument == channel_instrument;
  if (!in_range(instrument) || (is_channel && !orders.empty())) {
    refusal_ = SnapshotRefusal::unknown_instrument;
    return false;
  }
  instrument_last_ = std::max(instrument_last_, instrument);
  book_.set_instrument_sequence(instrument, instrument_sequence);
  if (!is_channel) book_.set_status(instrument, status);
  constexpr std::size_t ahead = 16;
  for (std::size_t index = 0; index < orders.size() && refusal_ == SnapshotRefusal::none; ++index) {
    if (index + ahead < orders.size()) book_.prefetch_table(orders[index + ahead].order_id);
    refusal_ = load_order(instrument, orders[index]);
  }
  return refusal_ == SnapshotRefusal::none;
}

SnapshotRefusal Replica::finish_snapshot() {
  if (refusal_ == SnapshotRefusal::none) {
    ++counters_.digests_checked;
    if (book_.digest() != head_.channel_digest) refusal_ = SnapshotRefusal::digest_differs;
  }
  const bool loaded = refusal_ == SnapshotRefusal::none;
  if (!loaded) book_.clear_all();
  // What was told of later numbers is still to be compared.
  std::fill(past_.begin(), past_.end(), PastDigest{});
  std::erase_if(waiting_, [&](const PastDigest& waiting) { return waiting.sequence <= head_.sequence; });
  digest_checked_ = waiting_.empty() ? head_.sequence : waiting_.back().sequence;
  sequence_ = event_sequence_ = head_.sequence;
  position_ = head_.position;
  event_time_ns_ = head_.time_ns;
  book_.end_event(sequence_, event_time_ns_);
  past_[sequence_ % past_max] = {sequence_, book_.digest()};
  missing_last_ = 0;
  std::fill(trust_.begin(), trust_.end(), Trust{});
  stale_count_ = 0;
  whole_epoch_ = hole_epoch_;
  proved_ = loaded;
  if (!loaded) {
    on_missing(head_.sequence);
    for (std::uint32_t instrument = 1; instrument <= instrument_last_; ++instrument) set_stale(instrument, true);
  }
  if (sink_ != nullptr) sink_->on_snapshot(sequence_);
  return refusal_;
}

}  // namespace depthcast::book

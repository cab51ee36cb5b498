#include "book/book.h"

#include <limits>
#include <stdexcept>
#include <string>

namespace depthcast::book {
namespace {

BookLimits checked(BookLimits limits) {
  const auto refuse = [](const char* name, std::uint64_t value, const char* expected) {
    throw std::invalid_argument(std::string(name) + " is " + std::to_string(value) + ", expected " + expected);
  };
  // 2^30: the order table then has 2^31 entries, and its 32-bit hash still tells them apart.
  constexpr std::uint32_t pool_max = 1U << 30;
  if (limits.orders_max == 0 || limits.orders_max > pool_max) refuse("orders_max", limits.orders_max, "1 to 2^30");
  if (limits.levels_max == 0) limits.levels_max = limits.orders_max;
  if (limits.levels_max > pool_max) refuse("levels_max", limits.levels_max, "at most 2^30");
  if (limits.instruments_max == 0 || limits.instruments_max > (1U << 20)) {
    refuse("instruments_max", limits.instruments_max, "1 to 2^20");
  }
  if (limits.depth_levels > depth_levels_max) refuse("depth_levels", limits.depth_levels, "at most 64");
  return limits;
}

}  // namespace

const char* name_of(ApplyResult result) {
  constexpr const char* names[apply_results] = {
      "applied",          "not_book_affecting", "unknown_order",     "duplicate_order", "over_execution",
      "invalid_quantity", "invalid_side",       "wrong_instrument",  "wrong_price",     "unknown_instrument",
      "order_limit",      "level_limit",        "quantity_overflow", "unknown_kind"};
  return names[static_cast<std::size_t>(result)];
}

Book::Book(const BookLimits& limits)
    : limits_(checked(limits)),
      orders_(limits_.orders_max, limits_.prefault),
      levels_(limits_.levels_max, limits_.prefault),
      instruments_(std::size_t{limits_.instruments_max} + 1),
      table_(limits_.orders_max, limits_.prefault),
      prices_(limits_.levels_max, 2 * std::size_t{limits_.instruments_max}, limits_.prefault),
      views_(limits_.instruments_max, limits_.depth_levels, limits_.prefault),
      dirty_(std::size_t{limits_.instruments_max} + 1) {}

std::size_t Book::bytes() const {
  return orders_.bytes() + levels_.bytes() + instruments_.size() * sizeof(Instrument) + table_.bytes() +
         prices_.bytes() + views_.bytes() + dirty_.size() * sizeof(std::uint32_t);
}

std::uint32_t Book::find_level(std::uint32_t instrument, Side side, std::int64_t price) const {
  if (instrument > limits_.instruments_max) return no_index;
  return prices_.find(instruments_[instrument].side(side), rank_of(side, price));
}

std::uint32_t Book::best_level(std::uint32_t instrument, Side side) const {
  if (instrument > limits_.instruments_max) return no_index;
  const PriceIndex::Cursor cursor = prices_.first(instruments_[instrument].side(side));
  return cursor.leaf == no_index ? no_index : prices_.level_at(cursor);
}

ApplyResult Book::apply(const BookMessage& message, std::uint64_t sequence) {
  // Instrument 0 is the channel: it has no book of its own.
  if (message.instrument > limits_.instruments_max) return ApplyResult::unknown_instrument;
  switch (message.kind) {
    case Kind::add: return add(message, sequence);
    case Kind::modify:
    case Kind::delete_order:
    case Kind::execute: {
      std::uint32_t slot = no_index;
      const ApplyResult found = find_for(message, slot);
      return found == ApplyResult::applied ? apply_to(slot, message, sequence) : found;
    }
    case Kind::clear: return clear(message);
    case Kind::status: return set_status(message);
    case Kind::reference: return ApplyResult::not_book_affecting;
    default: return ApplyResult::unknown_kind;
  }
}

ApplyResult Book::apply_to(std::uint32_t slot, const BookMessage& message, std::uint64_t sequence) {
  switch (message.kind) {
    case Kind::modify: return modify(slot, message, sequence);
    case Kind::execute: return execute(slot, message);
    default: remove_order(slot); return ApplyResult::applied;
  }
}

[[gnu::always_inline]] inline ApplyResult Book::check_add(std::uint32_t instrument, Side side, std::int64_t price,
                                                          std::uint64_t quantity, std::uint32_t level) const {
  static_cast<void>(price);
  if (instrument == channel_instrument || instrument > limits_.instruments_max) return ApplyResult::unknown_instrument;
  if (side != Side::bid && side != Side::ask) return ApplyResult::invalid_side;
  if (quantity == 0) return ApplyResult::invalid_quantity;
  if (level == no_index) {
    if (live_levels_ == limits_.levels_max) return ApplyResult::level_limit;
  } else if (levels_[level].quantity > std::numeric_limits<std::uint64_t>::max() - quantity) {
    return ApplyResult::quantity_overflow;
  }
  return ApplyResult::applied;
}

ApplyResult Book::check(const BookMessage& message) const {
  std::uint32_t slot = no_index;
  if (message.instrument > limits_.instruments_max) return ApplyResult::unknown_instrument;
  switch (message.kind) {
    case Kind::add: {
      if (live_orders_ == limits_.orders_max) return ApplyResult::order_limit;
      if (find(message.order_id) != no_index) return ApplyResult::duplicate_order;
      const bool on_side = message.side == Side::bid || message.side == Side::ask;
      const std::uint32_t level = on_side ? find_level(message.instrument, message.side, message.price) : no_index;
      return check_add(message.instrument, message.side, message.price, message.quantity, level);
    }
    case Kind::modify: {
      const ApplyResult found = find_for(message, slot);
      return found == ApplyResult::applied ? check_modify(message, slot) : found;
    }
    case Kind::delete_order: return find_for(message, slot);
    case Kind::execute: {
      const ApplyResult found = find_for(message, slot);
      if (found != ApplyResult::applied) return found;
      if (message.quantity == 0) return ApplyResult::invalid_quantity;
      return message.quantity > orders_[slot].quantity ? ApplyResult::over_execution : ApplyResult::applied;
    }
    case Kind::clear: return ApplyResult::applied;
    case Kind::status:
      return message.instrument == channel_instrument ? ApplyResult::not_book_affecting : ApplyResult::applied;
    case Kind::reference: return ApplyResult::not_book_affecting;
    default: return ApplyResult::unknown_kind;
  }
}

ApplyResult Book::find_for(const BookMessage& message, std::uint32_t& slot) const {
  slot = find(message.order_id);
  if (slot == no_index) return ApplyResult::unknown_order;
  const Level& level = levels_[orders_[slot].level];
  if (level.instrument() != message.instrument || level.side() != message.side) return ApplyResult::wrong_instrument;
  return ApplyResult::applied;
}

// Inlined by hand, as are the next two: what is called for every message, from a few places.
[[gnu::always_inline]] inline void Book::touch(std::uint32_t level) {
  const Level& touched = levels_[level];
  mark_dirty(touched.instrument());
  if (touch_count_ < touches_max) {
    touches_[touch_count_++] = {touched.instrument(), touched.side(), touched.price, level};
  } else {
    instruments_[touched.instrument()].rebuild = true;
  }
}

// Puts the order at the end of its level's queue; `level` is no_index where the level is new.
[[gnu::always_inline]] inline void Book::place_order(std::uint32_t instrument, Side side, std::int64_t price,
                                                     std::uint32_t level, std::uint32_t slot, std::uint64_t quantity,
                                                     std::uint64_t priority) {
  Instrument& owner = instruments_[instrument];
  if (level == no_index) {
    level = level_free_;
    if (level != no_index) {
      level_free_ = levels_[level].head;
    } else {
      level = level_fresh_++;
    }
    ++live_levels_;
    levels_[level] = {price, 0, 0, no_index, no_index, instrument << 1 | (side == Side::ask ? 1U : 0U)};
    prices_.insert(owner.side(side), rank_of(side, price), level);
  }
  Level& target = levels_[level];
  Order& order = orders_[slot];
  order.quantity = quantity;
  order.priority = priority;
  order.level = level;
  order.previous = target.tail;
  order.next = no_index;
  if (target.tail == no_index) {
    target.head = slot;
  } else {
    orders_[target.tail].next = slot;
  }
  target.tail = slot;
  target.quantity += quantity;
  ++target.orders;
  change_digest(owner, 0, term_of(order, target));
  touch(level);
}

// Takes the order out of its level, and the level away when that was its last order.
[[gnu::always_inline]] inline void Book::unlink_order(std::uint32_t slot) {
  Order& order = orders_[slot];
  const std::uint32_t index = order.level;
  Level& level = levels_[index];
  Instrument& owner = instruments_[level.instrument()];
  change_digest(owner, term_of(order, level), 0);
  touch(index);
  level.quantity -= order.quantity;
  if (--level.orders == 0) {
    prices_.remove(owner.side(level.side()), rank_of(level.side(), level.price));
    level.head = level_free_;
    level_free_ = index;
    --live_levels_;
    return;
  }
  (order.previous == no_index ? level.head : orders_[order.previous].next) = order.next;
  (order.next == no_index ? level.tail : orders_[order.next].previous) = order.previous;
}

[[gnu::always_inline]] inline bool Book::is_level(std::uint32_t index, const BookMessage& message) const {
  if (index >= level_fresh_) return false;
  const Level& level = levels_[index];
  return level.orders != 0 && level.price == message.price && level.instrument() == message.instrument &&
         level.side() == message.side;
}

ApplyResult Book::add(const BookMessage& message, std::uint64_t sequence, std::uint32_t level_hint) {
  if (live_orders_ == limits_.orders_max) return ApplyResult::order_limit;
  const std::size_t place =
      table_.place_for(message.order_id, [&](std::uint32_t slot) { return orders_[slot].id == message.order_id; });
  if (place == OrderTable::no_place) return ApplyResult::duplicate_order;
  const bool on_side = message.side == Side::bid || message.side == Side::ask;
  std::uint32_t level = no_index;
  if (is_level(level_hint, message)) {
    level = level_hint;
  } else if (on_side) {
    level = find_level(message.instrument, message.side, message.price);
  }
  const ApplyResult result = check_add(message.instrument, message.side, message.price, message.quantity, level);
  if (result != ApplyResult::applied) return result;

  std::uint32_t slot = order_free_;
  if (slot != no_index) {
    order_free_ = orders_[slot].next;
  } else {
    slot = order_fresh_++;
  }
  orders_[slot].id = message.order_id;
  table_.insert_at(place, message.order_id, slot);
  ++live_orders_;
  ++instruments_[message.instrument].live_orders;
  place_order(message.instrument, message.side, message.price, level, slot, message.quantity, sequence);
  return ApplyResult::applied;
}

void Book::change_quantity(std::uint32_t slot, std::uint64_t quantity) {
  Order& order = orders_[slot];
  Level& level = levels_[order.level];
  const std::uint64_t identity = digest::order_identity(level.instrument(), level.side(), level.price, order.id);
  const std::uint64_t before = digest::order_term(identity, order.quantity, order.priority);
  level.quantity = level.quantity - order.quantity + quantity;
  order.quantity = quantity;
  change_digest(instruments_[level.instrument()], before, digest::order_term(identity, quantity, order.priority));
  touch(order.level);
}

ApplyResult Book::check_modify(const BookMessage& message, std::uint32_t slot) const {
  const Order& order = orders_[slot];
  const Level& level = levels_[order.level];
  if (message.quantity == 0) return ApplyResult::invalid_quantity;
  if ((message.flags & flags::priority_kept) != 0) {
    if (message.price != level.price) return ApplyResult::wrong_price;
    const std::uint64_t others = level.quantity - order.quantity;
    const bool fits = others <= std::numeric_limits<std::uint64_t>::max() - message.quantity;
    return fits ? ApplyResult::applied : ApplyResult::quantity_overflow;
  }
  const std::uint32_t target = find_level(message.instrument, message.side, message.price);
  if (target == no_index) {
    // Its own level goes with it when it is the only order there.
    return live_levels_ == limits_.levels_max && level.orders > 1 ? ApplyResult::level_limit : ApplyResult::applied;
  }
  const std::uint64_t others = levels_[target].quantity - (target == order.level ? order.quantity : 0);
  const bool fits = others <= std::numeric_limits<std::uint64_t>::max() - message.quantity;
  return fits ? ApplyResult::applied : ApplyResult::quantity_overflow;
}

ApplyResult Book::modify(std::uint32_t slot, const BookMessage& message, std::uint64_t sequence) {
  if (const ApplyResult allowed = check_modify(message, slot); allowed != ApplyResult::applied) return allowed;
  if ((message.flags & flags::priority_kept) != 0) {
    change_quantity(slot, message.quantity);
    return ApplyResult::applied;
  }
  unlink_order(slot);
  const std::uint32_t level = find_level(message.instrument, message.side, message.price);
  place_order(message.instrument, message.side, message.price, level, slot, message.quantity, sequence);
  return ApplyResult::applied;
}

void Book::remove_order(std::uint32_t slot) {
  Order& order = orders_[slot];
  const std::uint32_t instrument = levels_[order.level].instrument();
  unlink_order(slot);
  table_.remove(order.id, slot);
  order.quantity = 0;  // tells holds() that nobody stands here
  order.next = order_free_;
  order_free_ = slot;
  --live_orders_;
  --instruments_[instrument].live_orders;
}

ApplyResult Book::execute(std::uint32_t slot, const BookMessage& message) {
  const std::uint64_t held = orders_[slot].quantity;
  if (message.quantity == 0) return ApplyResult::invalid_quantity;
  if (message.quantity > held) return ApplyResult::over_execution;
  if (message.quantity == held) {
    remove_order(slot);
  } else {
    change_quantity(slot, held - message.quantity);
  }
  return ApplyResult::applied;
}

ApplyResult Book::set_status(const BookMessage& message) {
  if (message.instrument == channel_instrument) return ApplyResult::not_book_affecting;
  set_status(message.instrument, static_cast<TradingStatus>(message.quantity & 0xffU));
  return ApplyResult::applied;
}

void Book::set_status(std::uint32_t instrument, TradingStatus status) {
  Instrument& owner = instruments_[instrument];
  change_digest(owner, digest::status_term(instrument, owner.status), digest::status_term(instrument, status));
  owner.status = status;
  mark_dirty(instrument);
}

ApplyResult Book::clear(const BookMessage& message) {
  if (message.instrument != channel_instrument) {
    clear_instrument(message.instrument);
    return ApplyResult::applied;
  }
  for (std::uint32_t instrument = 1; instrument <= limits_.instruments_max; ++instrument) {
    if (instruments_[instrument].live_orders != 0) clear_instrument(instrument);
  }
  return ApplyResult::applied;
}

void Book::clear_instrument(std::uint32_t instrument) {
  Instrument& owner = instruments_[instrument];
  for (const Side side : {Side::bid, Side::ask}) {
    while (owner.side(side).levels != 0) remove_order(levels_[best_level(instrument, side)].head);
  }
  mark_dirty(instrument);
  owner.rebuild = true;
}

// All orders at once, where taking them out one by one would cost more.
void Book::forget_orders() {
  for (std::uint32_t index = 1; index <= limits_.instruments_max; ++index) {
    Instrument& instrument = instruments_[index];
    if (instrument.live_orders == 0) continue;
    change_digest(instrument, instrument.digest, digest::status_term(index, instrument.status));
    instrument.sides[0] = {};
    instrument.sides[1] = {};
    instrument.live_orders = 0;
    mark_dirty(index);
  }
  table_.clear();
  prices_.clear();
  order_free_ = no_index;
  order_fresh_ = 0;
  level_free_ = no_index;
  level_fresh_ = 0;
  live_levels_ = 0;
  live_orders_ = 0;
  // The levels that were touched are gone.
  for (std::size_t index = 0; index < dirty_count_; ++index) instruments_[dirty_[index]].rebuild = true;
  touch_count_ = 0;
}

void Book::clear_all() {
  // Clearing the table means writing all of it: 16 bytes for each order that there may be.
  if (live_orders_ > limits_.orders_max / 16) forget_orders();
  for (std::uint32_t index = 0; index <= limits_.instruments_max; ++index) {
    Instrument& instrument = instruments_[index];
    instrument.instrument_sequence = 0;
    if (index == channel_instrument) continue;
    if (instrument.live_orders != 0) clear_instrument(index);
    if (instrument.status != TradingStatus::unknown) set_status(index, TradingStatus::unknown);
  }
}

void Book::reset() {
  for (std::uint32_t index = 1; index <= limits_.instruments_max; ++index) {
    if (instruments_[index].instrument_sequence != 0) mark_dirty(index);
  }
  clear_all();
  end_event(0, 0);
}

std::uint32_t Book::level_of_touch(const Touch& touch, const SideIndex& side) const {
  const Level& level = levels_[touch.level];
  const bool same = level.orders != 0 && level.price == touch.price && level.instrument() == touch.instrument &&
                    level.side() == touch.side;
  if (same) return touch.level;
  // Only a later message of the same event can have made the level again, in another place.
  return touch_count_ == 1 ? no_index : prices_.find(side, rank_of(touch.side, touch.price));
}

// The touched level as it stands now, at the end of the event, goes into the window. The order in which touches are
// replayed does not matter: each brings the final state, and a gap is refilled from the final order of levels.
void Book::publish_touch(const Touch& touch) {
  Instrument& owner = instruments_[touch.instrument];
  if (owner.rebuild) return;
  const SideIndex& side = owner.side(touch.side);
  const std::uint32_t found = level_of_touch(touch, side);
  if (found != no_index) {
    const Level& level = levels_[found];
    const DepthLevel shown{level.price, level.quantity, level.orders};
    views_.update(touch.instrument, touch.side, shown);
  } else if (views_.update(touch.instrument, touch.side, {touch.price, 0, 0})) {
    refill_view(touch.instrument, touch.side);
  }
}

// A full window has lost a level: the next worse one, if there is one, comes in.
void Book::refill_view(std::uint32_t instrument, Side side) {
  const SideIndex& index = instruments_[instrument].side(side);
  const std::uint32_t held = views_.count(instrument, side);
  const PriceIndex::Cursor next =
      held == 0 ? prices_.first(index) : prices_.after(index, rank_of(side, views_.worst_price(instrument, side)));
  if (next.leaf == no_index) return;
  const Level& level = levels_[prices_.level_at(next)];
  views_.append(instrument, side, {level.price, level.quantity, level.orders});
}

void Book::rebuild_view(std::uint32_t instrument) {
  for (const Side side : {Side::bid, Side::ask}) {
    views_.clear_side(instrument, side);
    PriceIndex::Cursor cursor = prices_.first(instruments_[instrument].side(side));
    for (std::uint32_t rank = 0; rank < views_.levels() && cursor.leaf != no_index; ++rank) {
      const Level& level = levels_[prices_.level_at(cursor)];
      views_.append(instrument, side, {level.price, level.quantity, level.orders});
      prices_.advance(cursor);
    }
  }
}

// Most events are one message that touched one level: nothing can have taken that level's place since.
void Book::end_single_event(std::uint64_t sequence, std::int64_t event_time_ns) {
  const Touch& touch = touches_[0];
  Instrument& owner = instruments_[touch.instrument];
  const Level& level = levels_[touch.level];
  views_.open(touch.instrument);
  if (views_.update(touch.instrument, touch.side, {touch.price, level.quantity, level.orders})) {
    refill_view(touch.instrument, touch.side);
  }
  views_.set_header(touch.instrument, sequence, event_time_ns, owner.instrument_sequence, owner.status);
  views_.close(touch.instrument);
  owner.dirty = false;
  dirty_count_ = 0;
  touch_count_ = 0;
}

void Book::end_event(std::uint64_t sequence, std::int64_t event_time_ns) {
  const bool views = views_.levels() != 0;
  if (views && touch_count_ == 1 && dirty_count_ == 1 && !instruments_[dirty_[0]].rebuild) {
    return end_single_event(sequence, event_time_ns);
  }
  if (views) {
    for (std::size_t index = 0; index < dirty_count_; ++index) views_.open(dirty_[index]);
    for (std::size_t index = 0; index < touch_count_; ++index) publish_touch(touches_[index]);
  }
  for (std::size_t index = 0; index < dirty_count_; ++index) {
    Instrument& instrument = instruments_[dirty_[index]];
    if (views) {
      if (instrument.rebuild) rebuild_view(dirty_[index]);
      views_.set_header(dirty_[index], sequence, event_time_ns, instrument.instrument_sequence, instrument.status);
      views_.close(dirty_[index]);
    }
    instrument.dirty = false;
    instrument.rebuild = false;
  }
  dirty_count_ = 0;
  touch_count_ = 0;
}

void Book::end_snapshot(std::uint64_t sequence, std::int64_t event_time_ns) {
  for (std::size_t index = 0; index < dirty_count_; ++index) {
    Instrument& instrument = instruments_[dirty_[index]];
    instrument.dirty = false;
    instrument.rebuild = false;
    if (views_.levels() == 0) continue;
    views_.open(dirty_[index]);
    rebuild_view(dirty_[index]);
    views_.set_header(dirty_[index], sequence, event_time_ns, instrument.instrument_sequence, instrument.status);
    views_.close(dirty_[index]);
  }
  dirty_count_ = 0;
  touch_count_ = 0;
}

}  // namespace depthcast::book

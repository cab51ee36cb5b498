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
      "applied",           "not_book_affecting", "unknown_order", "duplicate_order",
      "over_execution",    "invalid_quantity",   "invalid_side",  "wrong_instrument",
      "wrong_price",       "unknown_instrument", "order_limit",   "level_limit",
      "quantity_overflow", "unknown_kind",       "off_tick",      "price_out_of_range",
      "delisted",          "instrument_limit"};
  return names[static_cast<std::size_t>(result)];
}

ApplyResult apply_result_of(const std::string& name) {
  for (std::size_t result = 0; result < apply_results; ++result) {
    if (name == name_of(static_cast<ApplyResult>(result))) return static_cast<ApplyResult>(result);
  }
  throw std::invalid_argument("no reason is called " + name);
}

Book::Book(const BookLimits& limits)
    : limits_(checked(limits)),
      orders_(limits_.orders_max, limits_.prefault),
      levels_(limits_.levels_max, limits_.prefault),
      instruments_(std::size_t{limits_.instruments_max} + 1),
      table_(limits_.orders_max, limits_.prefault),
      level_table_(limits_.levels_max, limits_.prefault),
      prices_(limits_.levels_max, 2 * std::size_t{limits_.instruments_max}, limits_.prefault),
      views_(limits_.instruments_max, limits_.depth_levels, limits_.prefault),
      changes_(views_.levels() == 0 ? 0 : std::size_t{limits_.instruments_max} + 1) {}

std::size_t Book::bytes() const {
  return orders_.bytes() + levels_.bytes() + instruments_.size() * sizeof(Instrument) + table_.bytes() +
         level_table_.bytes() + prices_.bytes() + views_.bytes() + changes_.bytes();
}

std::size_t Book::bytes_in_use() const {
  return live_orders_ * sizeof(Order) + live_levels_ * sizeof(Level) + prices_.nodes_used() * sizeof(PriceIndex::Node) +
         table_.bytes() + level_table_.bytes() + instruments_.size() * sizeof(Instrument) + views_.bytes() +
         changes_.bytes();
}

std::uint32_t Book::find_level(std::uint32_t instrument, Side side, std::int64_t price) const {
  const std::uint32_t place = place_of(instrument, side);
  return level_table_.find(level_key(place, price), [&](std::uint32_t index) {
    return levels_[index].price == price && levels_[index].place == place;
  });
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

// Inlined by hand, as is the next: what is called for every message, from a few places.
// Puts the order at the end of its level's queue; `level` is no_index where the level is new.
[[gnu::always_inline]] inline void Book::place_order(std::uint32_t instrument, Side side, std::int64_t price,
                                                     std::uint32_t level, std::uint32_t slot, std::uint64_t quantity,
                                                     std::uint64_t priority) {
  Instrument& owner = instruments_[instrument];
  const std::int64_t rank = rank_of(side, price);
  std::int64_t last = rank;
  if (level == no_index) {
    last = rank_worst;
    level = level_free_;
    if (level != no_index) {
      level_free_ = levels_[level].head;
    } else {
      level = level_fresh_++;
    }
    ++live_levels_;
    const std::uint32_t place = place_of(instrument, side);
    levels_[level] = {price, 0, 0, no_index, no_index, place};
    level_table_.insert(level_key(place, price), level);
    prices_.insert(owner.side(side), rank, level);
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
  touch(target, rank, last);
}

// Takes the order out of its level, and the level away when that was its last order.
[[gnu::always_inline]] inline void Book::unlink_order(std::uint32_t slot) {
  Order& order = orders_[slot];
  const std::uint32_t index = order.level;
  Level& level = levels_[index];
  Instrument& owner = instruments_[level.instrument()];
  change_digest(owner, term_of(order, level), 0);
  level.quantity -= order.quantity;
  const std::int64_t rank = rank_of(level.side(), level.price);
  if (--level.orders == 0) {
    touch(level, rank, rank_worst);
    prices_.remove(owner.side(level.side()), rank);
    level_table_.remove(level_key(level.place, level.price), index);
    level.head = level_free_;
    level_free_ = index;
    --live_levels_;
    return;
  }
  touch(level, rank, rank);
  (order.previous == no_index ? level.head : orders_[order.previous].next) = order.next;
  (order.next == no_index ? level.tail : orders_[order.next].previous) = order.previous;
}

[[gnu::always_inline]] inline bool Book::is_level(std::uint32_t index, const BookMessage& message) const {
  if (index >= level_fresh_) return false;
  const Level& level = levels_[index];
  return level.orders != 0 && level.price == message.price && level.place == place_of(message.instrument, message.side);
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
  const std::int64_t rank = rank_of(level.side(), level.price);
  touch(level, rank, rank);
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
  if (views_.levels() != 0) change_of(instrument);
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
  if (views_.levels() != 0) change_of(instrument).touch_all();
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
    if (views_.levels() != 0) change_of(index).touch_all();
  }
  table_.clear();
  level_table_.clear();
  prices_.clear();
  order_free_ = no_index;
  order_fresh_ = 0;
  level_free_ = no_index;
  level_fresh_ = 0;
  live_levels_ = 0;
  live_orders_ = 0;
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
    if (instruments_[index].instrument_sequence != 0 && views_.levels() != 0) change_of(index);
  }
  clear_all();
  end_event(0, 0);
}

// The levels of one side that the view has to show anew: from the first touched on, as far as the window and what was
// touched reach. Calls `take(place, level)` for each.
template <typename Take>
[[gnu::always_inline]] inline void Book::changed_levels(const ViewChange& change, std::size_t side, Take take) const {
  const std::int64_t last = change.last[side];
  if (change.first[side] > last) return;
  std::uint32_t place = 0;
  PriceIndex::Cursor cursor =
      prices_.at_least(instruments_[change.instrument].sides[side], change.first[side], views_.levels(), place);
  for (; place < views_.levels() && cursor.leaf != no_index; ++place, prices_.advance(cursor)) {
    if (prices_.rank_at(cursor) > last) return;
    take(place, prices_.level_at(cursor));
  }
}

void Book::prefetch_change(const ViewChange& change) const {
  views_.prefetch(change.instrument);
  for (const std::size_t side : {0U, 1U}) {
    changed_levels(change, side, [&](std::uint32_t, std::uint32_t level) { prefetch_line(&levels_[level]); });
  }
}

void Book::publish_view(const ViewChange& change) {
  Instrument& owner = instruments_[change.instrument];
  views_.open(change.instrument);
  for (const std::size_t side : {0U, 1U}) {
    changed_levels(change, side, [&](std::uint32_t place, std::uint32_t index) {
      const Level& level = levels_[index];
      views_.put(change.instrument, side == 1 ? Side::ask : Side::bid, place,
                 {level.price, level.quantity, level.orders});
    });
  }
  views_.set_counts(change.instrument, std::min(owner.sides[0].levels, views_.levels()),
                    std::min(owner.sides[1].levels, views_.levels()));
  views_.set_header(change.instrument, change.sequence, change.event_time_ns, change.instrument_sequence,
                    change.status);
  views_.close(change.instrument);
  owner.change = no_index;
}

void Book::publish_views() {
  const std::span<ViewChange> changes = changes_.all();
  // Two steps ahead of each, about one access to memory apart: where its levels stand, then the levels.
  constexpr std::size_t ahead = 6;
  const bool fetch = !fits_cache();
  for (std::size_t step = fetch ? 0 : 2 * ahead; step < changes.size() + 2 * ahead; ++step) {
    if (fetch && step < changes.size()) {
      for (const std::size_t side : {0U, 1U}) prices_.prefetch(instruments_[changes[step].instrument].sides[side]);
    }
    if (fetch && step >= ahead && step - ahead < changes.size()) prefetch_change(changes[step - ahead]);
    if (step >= 2 * ahead) publish_view(changes[step - 2 * ahead]);
  }
  changes_.clear();
}

}  // namespace depthcast::book

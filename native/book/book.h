// Every L3 book of one channel: each order, queue order within each level, totals, digests, depth views.
// Sized at start: no allocation while running, every step bounded. Publisher and clients run this same code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "book/depth_view.h"
#include "book/order_table.h"
#include "book/price_index.h"
#include "book/view_changes.h"
#include "core/digest.h"
#include "core/memory.h"
#include "core/message.h"

namespace depthcast::book {

struct BookLimits {
  std::uint32_t orders_max = 1U << 20;     // live orders, over all instruments
  std::uint32_t levels_max = 0;            // live levels, over all instruments; 0: as many as orders
  std::uint32_t instruments_max = 16'384;  // instruments are numbered 1 … instruments_max
  std::uint32_t depth_levels = 10;         // levels of each side that any thread can read; 0 … depth_levels_max
  bool prefault = false;                   // touch all memory at start, so that no page fault comes later
};

enum class ApplyResult : std::uint8_t {
  applied = 0,
  not_book_affecting,  // status and reference data of the channel: nothing to change
  unknown_order,
  duplicate_order,
  over_execution,
  invalid_quantity,
  invalid_side,
  wrong_instrument,  // the order belongs to another instrument or side
  wrong_price,       // priority cannot be kept while the price changes
  unknown_instrument,
  order_limit,
  level_limit,
  quantity_overflow,
  unknown_kind,
  // What a publisher's input is refused for besides; no book says these.
  off_tick,
  price_out_of_range,
  delisted,
  instrument_limit,
};
constexpr std::size_t apply_results = 18;
constexpr std::size_t refusals_from =
    static_cast<std::size_t>(ApplyResult::unknown_order);  // what comes before is none
const char* name_of(ApplyResult result);
// Throws std::invalid_argument for a name that none has.
ApplyResult apply_result_of(const std::string& name);

struct Order {
  std::uint64_t id;
  std::uint64_t quantity;
  std::uint64_t priority;  // sequence number that gave the order its place
  std::uint32_t previous;  // towards the head of the queue
  std::uint32_t next;
  std::uint32_t level;
  std::uint32_t reserved;
};
static_assert(sizeof(Order) == 40);

struct Level {
  std::int64_t price;
  std::uint64_t quantity;
  std::uint32_t orders;
  std::uint32_t head;
  std::uint32_t tail;
  std::uint32_t place;  // instrument << 1 | ask

  std::uint32_t instrument() const { return place >> 1; }
  Side side() const { return (place & 1U) != 0 ? Side::ask : Side::bid; }
};
static_assert(sizeof(Level) == 32);

struct alignas(cache_line) Instrument {
  std::uint64_t digest = 0;
  SideIndex sides[2];  // bids, asks
  std::uint32_t live_orders = 0;
  std::uint32_t instrument_sequence = 0;
  std::uint32_t change = no_index;  // what its depth view does not show yet, in the book's ViewChanges
  TradingStatus status = TradingStatus::unknown;

  SideIndex& side(Side side) { return sides[side == Side::ask ? 1 : 0]; }
  const SideIndex& side(Side side) const { return sides[side == Side::ask ? 1 : 0]; }
};
static_assert(sizeof(Instrument) == cache_line);

// Threads: one writer; views() may be read by any thread. Everything else belongs to the writer's thread.
class Book {
 public:
  // Throws std::invalid_argument (names the limit) or std::bad_alloc.
  explicit Book(const BookLimits& limits);

  // Applies one message, whole or not at all. `sequence` is its number: the priority of an order that takes a new
  // place. Does not publish: call end_event after the event's last message.
  ApplyResult apply(const BookMessage& message, std::uint64_t sequence);
  // The same for an add; the message's instrument must be within the limit.
  // `level_hint` may name the level that it will probably join.
  ApplyResult add(const BookMessage& message, std::uint64_t sequence, std::uint32_t level_hint = no_index);
  // The same for a message about the live order in pool slot `slot`, which the caller has found; the message must name
  // that order, its instrument and its side.
  ApplyResult apply_to(std::uint32_t slot, const BookMessage& message, std::uint64_t sequence);
  // What apply would say, without changing anything.
  ApplyResult check(const BookMessage& message) const;
  // After an event's last message: what it changed can be published, and is by the next publish_views().
  void close_event(std::uint64_t sequence, std::int64_t event_time_ns) {
    changes_.close_event(sequence, event_time_ns, [this](ViewChange& change) {
      const Instrument& owner = instruments_[change.instrument];
      change.instrument_sequence = owner.instrument_sequence;
      change.status = owner.status;
    });
  }
  // Publishes the depth view of every instrument that changed, as its last event left it. Between events only.
  void publish_views();
  // Both, for one event.
  void end_event(std::uint64_t sequence, std::int64_t event_time_ns) {
    close_event(sequence, event_time_ns);
    publish_views();
  }
  // Takes every order and every status away, in all instruments; instrument sequences start again.
  void reset();
  // The same, but nothing is published yet: for a snapshot, which puts its own orders in with add() and set_status()
  // and then calls end_event().
  void clear_all();
  void set_status(std::uint32_t instrument, TradingStatus status);
  // Pool slot of a live order, or no_index.
  std::uint32_t find(std::uint64_t order_id) const {
    return table_.find(order_id, [&](std::uint32_t slot) { return orders_[slot].id == order_id; });
  }
  // Whether that live order stands in that slot; any slot may be asked for.
  bool holds(std::uint32_t slot, std::uint64_t order_id) const {
    return slot < order_fresh_ && orders_[slot].id == order_id && orders_[slot].quantity != 0;
  }
  const Order& order(std::uint32_t slot) const { return orders_[slot]; }
  const Level& level(std::uint32_t index) const { return levels_[index]; }
  const Level& level_of(const Order& order) const { return levels_[order.level]; }
  const Instrument& instrument(std::uint32_t index) const { return instruments_[index]; }
  const PriceIndex& prices() const { return prices_; }
  // The live level of that price, or no_index.
  std::uint32_t find_level(std::uint32_t instrument, Side side, std::int64_t price) const;
  std::uint32_t best_level(std::uint32_t instrument, Side side) const;

  // The number that the next message of the instrument carries is one more.
  std::uint32_t instrument_sequence(std::uint32_t instrument) const {
    return instruments_[instrument].instrument_sequence;
  }
  void set_instrument_sequence(std::uint32_t instrument, std::uint32_t sequence) {
    instruments_[instrument].instrument_sequence = sequence;
  }

  std::uint64_t digest() const { return digest_; }
  std::uint64_t live_orders() const { return live_orders_; }
  const BookLimits& limits() const { return limits_; }
  DepthViews& views() { return views_; }
  const DepthViews& views() const { return views_; }

  // So few orders that all that is touched for them stays in the core's own cache: fetching ahead would cost more than
  // it saves.
  bool fits_cache() const { return live_orders_ <= 6'000; }
  // Steps that fetch into the cache what a later apply() will touch. Each reads what the one before has fetched, so
  // some messages should lie between them.
  void prefetch_table(std::uint64_t order_id) const { table_.prefetch(order_id); }
  void prefetch_instrument(std::uint32_t instrument) const { prefetch_line_to_write(&instruments_[instrument]); }
  // The pool slot that the order probably has, or no_index.
  std::uint32_t guess(std::uint64_t order_id) const { return table_.guess(order_id); }
  // Half of the orders lie across two cache lines.
  void prefetch_order(std::uint32_t slot) const {
    prefetch_line_to_write(&orders_[slot].id);
    prefetch_line_to_write(&orders_[slot].level);
  }
  // The level of an order and its neighbours in the queue.
  void prefetch_level(std::uint32_t slot) const {
    const Order& order = orders_[slot];
    prefetch_line_to_write(&levels_[order.level]);
    if (order.previous != no_index) prefetch_line_to_write(&orders_[order.previous].next);
    if (order.next != no_index) prefetch_line_to_write(&orders_[order.next].previous);
  }
  // The level that an add will join, then the last order there. For no_index another level is taken: a needless
  // prefetch is cheaper than a branch that cannot be predicted.
  void prefetch_level_itself(std::uint32_t level) const {
    prefetch_line_to_write(&levels_[std::min(level, limits_.levels_max - 1)]);
  }
  void prefetch_tail(std::uint32_t level) const {
    const std::uint32_t tail = levels_[std::min(level, limits_.levels_max - 1)].tail;
    prefetch_line_to_write(&orders_[std::min(tail, limits_.orders_max - 1)].next);
  }
  // Finding the level of a price takes the table of levels, and nothing of the index; see guess().
  void prefetch_level_table(std::uint32_t instrument, Side side, std::int64_t price) const {
    level_table_.prefetch(level_key(place_of(instrument, side), price));
  }
  std::uint32_t guess_level(std::uint32_t instrument, Side side, std::int64_t price) const {
    return level_table_.guess(level_key(place_of(instrument, side), price));
  }
  void prefetch_side(std::uint32_t instrument, Side side) const {
    prices_.prefetch(instruments_[instrument].side(side));
  }
  void prefetch_side_of(std::uint32_t slot) const {
    const Level& level = levels_[orders_[slot].level];
    prefetch_side(level.instrument(), level.side());
  }
  // The same for a message as it comes over the wire, where side and price are told: stages 0 … 2 in turn.
  static constexpr int prefetch_stages = 3;
  void prefetch(const BookMessage& message, int stage, std::uint32_t& slot) const {
    if (message.kind > Kind::execute || message.instrument > limits_.instruments_max) return;
    if (stage == 0) {
      prefetch_table(message.order_id);
      prefetch_instrument(message.instrument);
      if (message.kind == Kind::add) prefetch_level_table(message.instrument, message.side, message.price);
    } else if (stage == 1) {
      slot = message.kind == Kind::add ? no_index : guess(message.order_id);
      if (slot != no_index) prefetch_order(slot);
      prefetch_side(message.instrument, message.side);
    } else if (slot != no_index) {
      prefetch_level(slot);
    }
  }
  // Memory that is set aside, and that of it which live orders, their levels and the tables take.
  std::size_t bytes() const;
  std::size_t bytes_in_use() const;
  std::size_t live_levels() const { return live_levels_; }

 private:
  static constexpr std::uint32_t place_of(std::uint32_t instrument, Side side) {
    return instrument << 1 | std::uint32_t{side == Side::ask};
  }
  // Unique among the prices of one place. The multiplication spreads prices that are all multiples of a tick.
  static constexpr std::uint64_t level_key(std::uint32_t place, std::int64_t price) {
    const std::uint64_t spread = static_cast<std::uint64_t>(price) * 0x9e3779b97f4a7c15ULL;
    return spread ^ spread >> 29 ^ std::uint64_t{place} << 40;
  }

  ApplyResult check_add(std::uint32_t instrument, Side side, std::int64_t price, std::uint64_t quantity,
                        std::uint32_t level) const;
  // Whether the live level `index` is that of the message; any index may be asked for.
  bool is_level(std::uint32_t index, const BookMessage& message) const;
  ApplyResult modify(std::uint32_t slot, const BookMessage& message, std::uint64_t sequence);
  void remove_order(std::uint32_t slot);
  ApplyResult execute(std::uint32_t slot, const BookMessage& message);
  ApplyResult clear(const BookMessage& message);
  ApplyResult set_status(const BookMessage& message);
  ApplyResult find_for(const BookMessage& message, std::uint32_t& slot) const;
  ApplyResult check_modify(const BookMessage& message, std::uint32_t slot) const;

  void place_order(std::uint32_t instrument, Side side, std::int64_t price, std::uint32_t level, std::uint32_t slot,
                   std::uint64_t quantity, std::uint64_t priority);
  void unlink_order(std::uint32_t slot);
  void change_quantity(std::uint32_t slot, std::uint64_t quantity);
  void clear_instrument(std::uint32_t instrument);
  void forget_orders();
  void change_digest(Instrument& instrument, std::uint64_t minus, std::uint64_t plus) {
    instrument.digest += plus - minus;
    digest_ += plus - minus;
  }
  std::uint64_t term_of(const Order& order, const Level& level) const {
    return digest::order_term(digest::order_identity(level.instrument(), level.side(), level.price, order.id),
                              order.quantity, order.priority);
  }
  // What the view of that instrument will have to show; valid until the next message.
  ViewChange& change_of(std::uint32_t instrument) { return changes_.of(instrument, instruments_[instrument].change); }
  // `last`: the worst rank that the view has to show anew; see ViewChange.
  void touch(const Level& level, std::int64_t rank, std::int64_t last) {
    if (views_.levels() == 0) return;
    change_of(level.instrument()).touch(level.place & 1U, rank, last);
  }
  template <typename Take>
  void changed_levels(const ViewChange& change, std::size_t side, Take take) const;
  void prefetch_change(const ViewChange& change) const;
  void publish_view(const ViewChange& change);

  BookLimits limits_;
  FixedArray<Order> orders_;
  FixedArray<Level> levels_;
  std::vector<Instrument> instruments_;
  OrderTable table_;
  OrderTable level_table_;  // by level_key()
  PriceIndex prices_;
  DepthViews views_;

  std::uint32_t order_free_ = no_index;
  std::uint32_t order_fresh_ = 0;
  std::uint32_t level_free_ = no_index;
  std::uint32_t level_fresh_ = 0;
  std::uint32_t live_levels_ = 0;
  std::uint64_t live_orders_ = 0;
  std::uint64_t digest_ = 0;

  ViewChanges changes_;
};

}  // namespace depthcast::book

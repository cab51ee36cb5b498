#include "test/model_book.h"

#include <algorithm>

namespace depthcast::test {

using book::ApplyResult;

namespace {

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  value ^= value >> 33;
  return value;
}

std::uint64_t order_term(std::uint64_t order_id, const ModelOrder& order) {
  const std::uint64_t side = order.side == Side::bid ? 1 : 2;
  const std::uint64_t identity =
      mix((std::uint64_t{order.instrument} * 4 + side) * 0x6a09e667f3bcc909ULL +
          static_cast<std::uint64_t>(order.price) * 0xbb67ae8584caa73bULL + order_id * 0x3c6ef372fe94f82bULL);
  return mix(identity + order.quantity * 0xa54ff53a5f1d36f1ULL + order.priority * 0x510e527fade682d1ULL);
}

std::uint64_t status_term(std::uint32_t instrument, TradingStatus status) {
  if (status == TradingStatus::unknown) return 0;
  return mix(std::uint64_t{instrument} * 0x9b05688c2b3e6c1fULL +
             static_cast<std::uint64_t>(status) * 0x1f83d9abfb41bd6bULL);
}

}  // namespace

ModelBook::ModelBook(const book::BookLimits& limits) : limits_(limits) {
  if (limits_.levels_max == 0) limits_.levels_max = limits_.orders_max;
  books_.resize(std::size_t{limits.instruments_max} + 1);
}

std::uint64_t ModelBook::total(const ModelQueue& queue) const {
  std::uint64_t sum = 0;
  for (const std::uint64_t order_id : queue) sum += orders_.at(order_id).quantity;
  return sum;
}

std::uint64_t ModelBook::digest(std::uint32_t instrument) const {
  std::uint64_t sum = status_term(instrument, books_[instrument].status);
  for (const ModelLevels& levels : books_[instrument].levels) {
    for (const auto& [price, queue] : levels) {
      for (const std::uint64_t order_id : queue) sum += order_term(order_id, orders_.at(order_id));
    }
  }
  return sum;
}

std::size_t ModelBook::live_levels() const {
  std::size_t count = 0;
  for (const OneBook& one : books_) count += one.levels[0].size() + one.levels[1].size();
  return count;
}

// Would the level's total fit 64 bits with `quantity` more and without what the order `without` has there?
bool ModelBook::fits(std::uint32_t instrument, Side side, std::int64_t price, std::uint64_t quantity,
                     std::uint64_t without) const {
  const ModelLevels& levels_here = levels(instrument, side);
  const auto level = levels_here.find(price);
  if (level == levels_here.end()) return true;
  std::uint64_t room = ~quantity;
  for (const std::uint64_t order_id : level->second) {
    if (order_id == without) continue;
    const std::uint64_t held = orders_.at(order_id).quantity;
    if (held > room) return false;
    room -= held;
  }
  return true;
}

// What several faults of one message are called is the order of these checks; docs/protocol.md does not care.
ApplyResult ModelBook::apply(const BookMessage& message, std::uint64_t sequence) {
  if (message.instrument > limits_.instruments_max) return ApplyResult::unknown_instrument;
  OneBook& one = books_[message.instrument];
  ApplyResult result = ApplyResult::applied;
  switch (message.kind) {
    case Kind::add: result = add(message, sequence); break;
    case Kind::modify: result = modify(message, sequence); break;
    case Kind::delete_order:
      result = known(message);
      if (result == ApplyResult::applied) take_out(message.order_id);
      break;
    case Kind::execute: result = execute(message); break;
    case Kind::clear:
      if (message.instrument != channel_instrument) {
        clear(message.instrument);
        break;
      }
      for (std::uint32_t instrument = 1; instrument <= limits_.instruments_max; ++instrument) {
        if (!levels(instrument, Side::bid).empty() || !levels(instrument, Side::ask).empty()) clear(instrument);
      }
      return result;
    case Kind::status:
      if (message.instrument == channel_instrument) return ApplyResult::not_book_affecting;
      one.status = static_cast<TradingStatus>(message.quantity & 0xff);
      break;
    case Kind::reference: return ApplyResult::not_book_affecting;
    default: return ApplyResult::unknown_kind;
  }
  if (result == ApplyResult::applied) one.changed = true;
  return result;
}

ApplyResult ModelBook::known(const BookMessage& message) const {
  const auto order = orders_.find(message.order_id);
  if (order == orders_.end()) return ApplyResult::unknown_order;
  const bool same = order->second.instrument == message.instrument && order->second.side == message.side;
  return same ? ApplyResult::applied : ApplyResult::wrong_instrument;
}

ApplyResult ModelBook::add(const BookMessage& message, std::uint64_t sequence) {
  if (orders_.size() == limits_.orders_max) return ApplyResult::order_limit;
  if (orders_.contains(message.order_id)) return ApplyResult::duplicate_order;
  if (message.instrument == channel_instrument) return ApplyResult::unknown_instrument;
  if (message.side != Side::bid && message.side != Side::ask) return ApplyResult::invalid_side;
  if (message.quantity == 0) return ApplyResult::invalid_quantity;
  ModelLevels& levels = levels_of(message.instrument, message.side);
  if (!levels.contains(message.price) && live_levels() == limits_.levels_max) return ApplyResult::level_limit;
  if (!fits(message.instrument, message.side, message.price, message.quantity, message.order_id)) {
    return ApplyResult::quantity_overflow;
  }
  levels[message.price].push_back(message.order_id);
  orders_[message.order_id] = {message.instrument, message.side, message.price, message.quantity, sequence};
  return ApplyResult::applied;
}

ApplyResult ModelBook::modify(const BookMessage& message, std::uint64_t sequence) {
  if (const ApplyResult found = known(message); found != ApplyResult::applied) return found;
  if (message.quantity == 0) return ApplyResult::invalid_quantity;
  ModelOrder& order = orders_.at(message.order_id);
  const bool kept = (message.flags & flags::priority_kept) != 0;
  if (kept && message.price != order.price) return ApplyResult::wrong_price;
  ModelLevels& levels = levels_of(order.instrument, order.side);
  const bool level_is_new = !levels.contains(message.price);
  const bool own_level_goes = levels.at(order.price).size() == 1;
  if (level_is_new && !own_level_goes && live_levels() == limits_.levels_max) return ApplyResult::level_limit;
  if (!fits(order.instrument, order.side, message.price, message.quantity, message.order_id)) {
    return ApplyResult::quantity_overflow;
  }
  if (kept) {
    order.quantity = message.quantity;
    return ApplyResult::applied;
  }
  const ModelOrder changed{order.instrument, order.side, message.price, message.quantity, sequence};
  take_out(message.order_id);
  levels[message.price].push_back(message.order_id);
  orders_[message.order_id] = changed;
  return ApplyResult::applied;
}

ApplyResult ModelBook::execute(const BookMessage& message) {
  if (const ApplyResult found = known(message); found != ApplyResult::applied) return found;
  ModelOrder& order = orders_.at(message.order_id);
  if (message.quantity == 0) return ApplyResult::invalid_quantity;
  if (message.quantity > order.quantity) return ApplyResult::over_execution;
  order.quantity -= message.quantity;
  if (order.quantity == 0) take_out(message.order_id);
  return ApplyResult::applied;
}

void ModelBook::take_out(std::uint64_t order_id) {
  const ModelOrder order = orders_.at(order_id);
  ModelLevels& levels = levels_of(order.instrument, order.side);
  ModelQueue& queue = levels.at(order.price);
  queue.remove(order_id);
  if (queue.empty()) levels.erase(order.price);
  orders_.erase(order_id);
}

void ModelBook::clear(std::uint32_t instrument) {
  std::erase_if(orders_, [&](const auto& entry) { return entry.second.instrument == instrument; });
  for (ModelLevels& levels : books_[instrument].levels) levels.clear();
  books_[instrument].changed = true;
}

void ModelBook::end_event(std::uint64_t sequence, std::int64_t event_time_ns) {
  for (OneBook& one : books_) {
    if (!one.changed) continue;
    one.changed = false;
    one.published.sequence = sequence;
    one.published.event_time_ns = event_time_ns;
    one.published.instrument_sequence = one.instrument_sequence;
    one.published.status = one.status;
    for (std::size_t side = 0; side < 2; ++side) {
      std::vector<book::DepthLevel>& levels = one.published.levels[side];
      levels.clear();
      for (const auto& [price, queue] : one.levels[side]) {
        if (levels.size() == limits_.depth_levels) break;
        levels.push_back({price, total(queue), queue.size()});
      }
    }
  }
}

namespace {

// Walks both sides of one instrument.
class Comparison {
 public:
  Comparison(const book::Book& book, const ModelBook& model, std::uint32_t instrument)
      : book_(book), model_(model), instrument_(instrument) {}

  std::string run() {
    if (book_.instrument(instrument_).digest != model_.digest(instrument_)) return said("digest");
    if (book_.instrument(instrument_).status != model_.status(instrument_)) return said("status");
    std::string fault = side(Side::bid);
    if (fault.empty()) fault = side(Side::ask);
    if (fault.empty() && orders_ != book_.instrument(instrument_).live_orders) return said("live orders");
    return fault;
  }

 private:
  std::string said(const char* what) const { return "instrument " + std::to_string(instrument_) + ": " + what; }
  std::string said(const char* what, std::int64_t price) const {
    return said(what) + " at price " + std::to_string(price);
  }

  std::string side(Side side) {
    const ModelLevels& levels = model_.levels(instrument_, side);
    const book::SideIndex& index = book_.instrument(instrument_).side(side);
    if (index.levels != levels.size()) return said("count of levels");
    const std::uint32_t best = book_.best_level(instrument_, side);
    if ((best == book::no_index) != levels.empty()) return said("best level");
    if (!levels.empty() && book_.level(best).price != levels.begin()->first) return said("price of the best level");
    auto cursor = book_.prices().first(index);
    for (const auto& [price, queue] : levels) {
      if (cursor.leaf == book::no_index) return said("missing level", price);
      const std::uint32_t found = book_.prices().level_at(cursor);
      if (book_.find_level(instrument_, side, price) != found) return said("level cannot be found", price);
      if (std::string fault = level(book_.level(found), side, price, queue); !fault.empty()) return fault;
      book_.prices().advance(cursor);
    }
    return cursor.leaf == book::no_index ? std::string() : said("a level too many");
  }

  std::string level(const book::Level& level, Side side, std::int64_t price, const ModelQueue& queue) {
    if (level.price != price || level.instrument() != instrument_ || level.side() != side) return said("level", price);
    if (level.orders != queue.size()) return said("count of orders", price);
    std::uint64_t total = 0;
    std::uint32_t slot = level.head;
    std::uint32_t previous = book::no_index;
    for (const std::uint64_t order_id : queue) {
      if (slot == book::no_index) return said("queue too short", price);
      const book::Order& order = book_.order(slot);
      const ModelOrder& expected = model_.orders().at(order_id);
      if (order.id != order_id) return said("queue order", price);
      if (order.quantity != expected.quantity) return said("quantity of an order", price);
      if (order.priority != expected.priority) return said("priority of an order", price);
      if (order.previous != previous) return said("link back", price);
      if (&book_.level_of(order) != &level) return said("level of an order", price);
      if (book_.find(order_id) != slot) return said("order by id", price);
      total += order.quantity;
      previous = slot;
      slot = order.next;
      ++orders_;
    }
    if (slot != book::no_index) return said("queue too long", price);
    if (level.tail != previous) return said("tail", price);
    if (level.quantity != total) return said("total", price);
    return {};
  }

  const book::Book& book_;
  const ModelBook& model_;
  std::uint32_t instrument_;
  std::uint64_t orders_ = 0;
};

}  // namespace

std::string difference(const book::Book& book, const ModelBook& model, std::uint32_t instrument) {
  return Comparison(book, model, instrument).run();
}

std::string difference(const book::Book& book, const ModelBook& model) {
  std::uint64_t digest = 0;
  for (std::uint32_t instrument = 1; instrument <= model.limits().instruments_max; ++instrument) {
    if (std::string fault = difference(book, model, instrument); !fault.empty()) return fault;
    digest += model.digest(instrument);
  }
  if (book.digest() != digest) return "digest of the channel";
  if (book.live_orders() != model.orders().size()) return "live orders of the channel";
  return {};
}

std::string view_difference(const book::Book& book, const ModelBook& model, std::uint32_t instrument) {
  const ModelDepth& expected = model.published(instrument);
  const std::string who = "view of instrument " + std::to_string(instrument) + ": ";
  book::Depth depth;
  if (book.views().read(instrument, book::depth_levels_max, depth) != book::DepthRead::ok)
    return who + "cannot be read";
  if (depth.sequence != expected.sequence) return who + "sequence";
  if (depth.event_time_ns != expected.event_time_ns) return who + "event time";
  if (depth.instrument_sequence != expected.instrument_sequence) return who + "instrument sequence";
  if (depth.status != expected.status) return who + "status";
  for (std::size_t side = 0; side < 2; ++side) {
    if (depth.counts[side] != expected.levels[side].size()) return who + "count of levels";
    for (std::size_t rank = 0; rank < expected.levels[side].size(); ++rank) {
      const book::DepthLevel& seen = depth.levels[side][rank];
      const book::DepthLevel& level = expected.levels[side][rank];
      if (seen.price != level.price || seen.quantity != level.quantity || seen.orders != level.orders) {
        return who + "level " + std::to_string(rank);
      }
    }
  }
  return {};
}

}  // namespace depthcast::test

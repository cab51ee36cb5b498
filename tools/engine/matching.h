// What participants do, from a seed, and what the engine makes of it: the same events in the same order in every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <depthcast/event.h>

#include "book.h"

namespace example {

namespace engine = depthcast::engine;

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t count) {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return (mixed ^ (mixed >> 31)) % count;
  }

 private:
  std::uint64_t state_;
};

class Matching {
 public:
  Matching(std::uint64_t seed, std::uint32_t instruments, std::size_t live_orders)
      : random_(seed), books_(instruments), middles_(instruments + 1, 100'000), live_target_(live_orders) {}

  const Books& books() const { return books_; }
  // Messages that a distributor makes of all events so far: one each, two of a replace.
  std::uint64_t messages() const { return messages_; }

  // The definitions: the first events of a stream.
  void open(std::int64_t now_ns, std::vector<engine::Event>& out) {
    put(out, engine::system(now_ns, 'O'));
    for (std::uint32_t instrument = 1; instrument < middles_.size(); ++instrument) {
      const std::string symbol = "EX" + std::to_string(instrument);
      put(out, engine::define(now_ns, instrument, {symbol, -2, 0, 1, 1}));
      put(out, engine::status(now_ns, instrument, engine::Status::trading));
    }
  }

  // One decision of one participant, and all that follows from it: one event, however many messages.
  void step(std::int64_t now_ns, std::vector<engine::Event>& out) {
    const std::uint64_t choice = random_.below(100);
    const std::size_t live = books_.live();
    if (live < 10 || choice < (live < live_target_ ? 55U : 40U)) {
      enter(now_ns, out);
    } else if (choice < 80) {
      const std::uint64_t id = any_order();
      put(out, engine::remove(now_ns, books_.find(id)->instrument, id));
      books_.remove(id);
    } else if (choice < 88) {
      reduce(now_ns, out);
    } else {
      replace(now_ns, out);
    }
  }

 private:
  void put(std::vector<engine::Event>& out, const engine::Event& event) {
    messages_ += event.kind == engine::EventKind::replace ? 2 : 1;
    out.push_back(event);
  }
  std::uint64_t any_order() { return books_.id_at(random_.below(books_.live())); }
  std::int64_t limit(std::uint32_t instrument, Side side) {
    std::int64_t& middle = middles_[instrument];
    middle = std::max<std::int64_t>(1'000, middle + static_cast<std::int64_t>(random_.below(3)) - 1);
    const auto distance = static_cast<std::int64_t>(random_.below(40)) - 4;  // some meet the other side
    return side == Side::buy ? middle - distance : middle + distance;
  }

  void enter(std::int64_t now_ns, std::vector<engine::Event>& out) {
    const auto instrument = static_cast<std::uint32_t>(1 + random_.below(middles_.size() - 1));
    const Side side = random_.below(2) == 0 ? Side::buy : Side::sell;
    match(now_ns, {++id_, instrument, side, limit(instrument, side), 1 + random_.below(500), 0}, out);
  }

  // Executes what the order meets, and rests what is left of it.
  void match(std::int64_t now_ns, Order order, std::vector<engine::Event>& out) {
    const std::size_t first = out.size();
    while (order.quantity > 0) {
      Order* resting = books_.opposite(order.instrument, order.side, order.price);
      if (resting == nullptr) break;
      const std::uint64_t quantity = std::min(resting->quantity, order.quantity);
      put(out, engine::execute(now_ns, order.instrument, resting->id, quantity, ++match_));
      order.quantity -= quantity;
      resting->quantity -= quantity;
      if (resting->quantity == 0) books_.remove(resting->id);
    }
    if (order.quantity > 0) {
      books_.add(order);
      put(out, engine::add(now_ns, order.instrument, order.id, order.side, order.price, order.quantity));
    }
    for (std::size_t index = first; index + 1 < out.size(); ++index) out[index] = out[index].and_more();
  }

  void reduce(std::int64_t now_ns, std::vector<engine::Event>& out) {
    Order& order = *books_.find(any_order());
    if (order.quantity < 2) return;
    const std::uint64_t quantity = 1 + random_.below(order.quantity - 1);
    order.quantity -= quantity;
    put(out, engine::reduce(now_ns, order.instrument, order.id, quantity));
  }

  void replace(std::int64_t now_ns, std::vector<engine::Event>& out) {
    Order order = *books_.find(any_order());
    const std::uint64_t old_id = order.id;
    order.id = ++id_;
    order.price = limit(order.instrument, order.side);
    order.quantity = 1 + random_.below(500);
    books_.remove(old_id);
    if (books_.opposite(order.instrument, order.side, order.price) == nullptr) {
      put(out, engine::replace(now_ns, order.instrument, old_id, order.id, order.price, order.quantity));
      books_.add(order);
    } else {
      put(out, engine::remove(now_ns, order.instrument, old_id));
      match(now_ns, order, out);
    }
  }

  Random random_;
  Books books_;
  std::vector<std::int64_t> middles_;
  std::size_t live_target_;
  std::uint64_t id_ = 0;
  std::uint64_t match_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace example

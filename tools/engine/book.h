// The books of the example engine: price-time priority, one instrument each. Plain and small rather than fast.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include <depthcast/event.h>

namespace example {

using depthcast::engine::Side;

struct Order {
  std::uint64_t id;
  std::uint32_t instrument;
  Side side;
  std::int64_t price;
  std::uint64_t quantity;
  std::size_t place;  // in Books::ids
};

using Queue = std::list<Order>;

class Books {
 public:
  explicit Books(std::uint32_t instruments) : books_(instruments + 1) {}

  Order* find(std::uint64_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &*found->second;
  }
  void add(const Order& order) {
    Queue& queue = side_of(order)[key_of(order)];
    queue.push_back(order);
    queue.back().place = ids_.size();
    ids_.push_back(order.id);
    by_id_[order.id] = std::prev(queue.end());
  }
  void remove(std::uint64_t id) {
    const Queue::iterator at = by_id_.at(id);
    auto& side = side_of(*at);
    const std::size_t place = at->place;
    ids_[place] = ids_.back();
    by_id_.at(ids_[place])->place = place;
    ids_.pop_back();
    const auto level = side.find(key_of(*at));
    by_id_.erase(id);
    level->second.erase(at);
    if (level->second.empty()) side.erase(level);
  }
  // The order that an incoming one at this limit meets first; null where it meets none.
  Order* opposite(std::uint32_t instrument, Side side, std::int64_t limit) {
    auto& other = side == Side::buy ? books_[instrument].asks : books_[instrument].bids;
    if (other.empty()) return nullptr;
    Order& best = other.begin()->second.front();
    const bool meets = side == Side::buy ? best.price <= limit : best.price >= limit;
    return meets ? &best : nullptr;
  }
  std::size_t live() const { return ids_.size(); }
  std::uint64_t id_at(std::size_t place) const { return ids_[place]; }

  // FNV-1a over every order: instrument, side, price, id, quantity; bids before asks, best price first, in queue order.
  std::uint64_t hash() const {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    const auto take = [&](std::uint64_t word) {
      for (int byte = 0; byte < 8; ++byte) hash = (hash ^ (word >> (8 * byte) & 0xff)) * 0x100000001b3ULL;
    };
    for (std::uint32_t instrument = 1; instrument < books_.size(); ++instrument) {
      for (const auto* side : {&books_[instrument].bids, &books_[instrument].asks}) {
        for (const auto& [key, queue] : *side) {
          for (const Order& order : queue) {
            take(instrument);
            take(static_cast<std::uint64_t>(order.side));
            take(static_cast<std::uint64_t>(order.price));
            take(order.id);
            take(order.quantity);
          }
        }
      }
    }
    return hash;
  }

  // Calls `each(side, price, quantity, orders)` for the best levels of an instrument.
  template <typename Each>
  void top(std::uint32_t instrument, int levels, Each each) const {
    for (const auto* side : {&books_[instrument].bids, &books_[instrument].asks}) {
      int left = levels;
      for (auto level = side->begin(); level != side->end() && left > 0; ++level, --left) {
        std::uint64_t quantity = 0;
        for (const Order& order : level->second) quantity += order.quantity;
        const Order& first = level->second.front();
        each(first.side, first.price, quantity, level->second.size());
      }
    }
  }

 private:
  using Levels = std::map<std::int64_t, Queue>;  // by price, bids by its negative: best first
  struct Book {
    Levels bids;
    Levels asks;
  };
  Levels& side_of(const Order& order) {
    return order.side == Side::buy ? books_[order.instrument].bids : books_[order.instrument].asks;
  }
  static std::int64_t key_of(const Order& order) { return order.side == Side::buy ? -order.price : order.price; }

  std::vector<Book> books_;
  std::unordered_map<std::uint64_t, Queue::iterator> by_id_;
  std::vector<std::uint64_t> ids_;
};

}  // namespace example

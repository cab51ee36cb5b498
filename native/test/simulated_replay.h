// Replays the simulated exchange's bytes through books of maps and lists that are obviously right, and requires of
// every message that it fits them, as docs/simulated-exchange.md promises. Shares no code with the simulator.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ingest/simulated_exchange.h"
#include "test/simulated_day.h"
#include "test/test_runner.h"

namespace depthcast::test {

class SimulatedReplay {
 public:
  explicit SimulatedReplay(const ingest::SimulatedExchangeOptions& options)
      : seed_(options.seed), day_(options), books_(std::size_t{options.symbols} + 1) {}

  // Whole messages, each behind its length. The first that breaks a promise ends the test.
  void read(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      REQUIRE(bytes.size() > 2);
      const std::size_t length = std::size_t{bytes[0]} << 8 | bytes[1];
      REQUIRE(length > 0 && bytes.size() >= 2 + length);
      const SimulatedMessage message(bytes.subspan(2, length), messages_, seed_);
      day_.check(message);
      apply(message);
      message.expect(!books_[message.locate()].locked_or_crossed(), "best bid below best offer");
      ++counts_[static_cast<std::uint8_t>(message.type())];
      ++messages_;
      bytes = bytes.subspan(2 + length);
    }
  }

  std::uint64_t messages() const { return messages_; }
  std::uint64_t count(char type) const { return counts_[static_cast<std::uint8_t>(type)]; }
  std::uint64_t live_orders() const { return orders_.size(); }
  std::uint64_t last_time_ns() const { return day_.last_time_ns(); }

 private:
  // Order references of one price, oldest first.
  using Queue = std::list<std::uint64_t>;

  struct Order {
    std::uint64_t locate;
    bool buy;
    std::uint64_t price;
    std::uint64_t shares;
    Queue::iterator place;
  };

  struct BestFirst {
    bool buy;
    bool operator()(std::uint64_t left, std::uint64_t right) const { return buy ? left > right : left < right; }
  };
  using Levels = std::map<std::uint64_t, Queue, BestFirst>;

  struct Book {
    Levels bids = Levels(BestFirst{true});
    Levels offers = Levels(BestFirst{false});

    Levels& side(bool buy) { return buy ? bids : offers; }
    bool has_both() const { return !bids.empty() && !offers.empty(); }
    std::uint64_t best_bid() const { return bids.begin()->first; }
    std::uint64_t best_offer() const { return offers.begin()->first; }
    bool locked_or_crossed() const { return has_both() && best_bid() >= best_offer(); }
  };

  void apply(const SimulatedMessage& message) {
    switch (message.type()) {
      case 'A':
      case 'F': enter(message); break;
      case 'U': replace(message); break;
      case 'D': {
        Order& order = live_order(message);
        reduce(message, order, order.shares);
        break;
      }
      case 'X': cancel(message); break;
      case 'E': execute(message, live_order(message)); break;
      case 'C': execute_at_price(message); break;
      case 'P': trade(message); break;
      case 'Q': take_match(message, message.number(31, 8)); break;
      default:
        message.expect(std::string_view("SRHI").find(message.type()) != std::string_view::npos, "the types of the day");
    }
  }

  void enter(const SimulatedMessage& message) {
    const char side = message.letter(19);
    message.expect(side == 'B' || side == 'S', "a side");
    add(message, message.number(11, 8), side == 'B', message.number(32, 4), message.number(20, 4));
  }

  void replace(const SimulatedMessage& message) {
    Order& order = live_order(message);
    const bool buy = order.buy;
    reduce(message, order, order.shares);
    add(message, message.number(19, 8), buy, message.number(31, 4), message.number(27, 4));
  }

  void cancel(const SimulatedMessage& message) {
    Order& order = live_order(message);
    message.expect(message.number(19, 4) < order.shares, "a partial cancel leaves something");
    reduce(message, order, message.number(19, 4));
  }

  // References that increase are never repeated.
  void add(const SimulatedMessage& message, std::uint64_t reference, bool buy, std::uint64_t price,
           std::uint64_t shares) {
    message.expect(reference > last_reference_, "order references increase");
    message.expect(price > 0 && price % 100 == 0 && shares > 0, "whole cents, and shares");
    last_reference_ = reference;
    Queue& queue = books_[message.locate()].side(buy)[price];
    orders_.emplace(reference, Order{message.locate(), buy, price, shares, queue.insert(queue.end(), reference)});
  }

  Order& live_order(const SimulatedMessage& message) {
    const auto found = orders_.find(message.number(11, 8));
    message.expect(found != orders_.end() && found->second.locate == message.locate(), "a live order of the symbol");
    return found->second;
  }

  void reduce(const SimulatedMessage& message, Order& order, std::uint64_t shares) {
    message.expect(shares > 0 && shares <= order.shares, "no more than is left");
    order.shares -= shares;
    if (order.shares > 0) return;
    Levels& levels = books_[order.locate].side(order.buy);
    const auto level = levels.find(order.price);
    const std::uint64_t reference = *order.place;
    level->second.erase(order.place);
    if (level->second.empty()) levels.erase(level);
    orders_.erase(reference);
  }

  void take_match(const SimulatedMessage& message, std::uint64_t match) {
    message.expect(match > last_match_, "match numbers increase");
    last_match_ = match;
  }

  void execute(const SimulatedMessage& message, Order& order) {
    auto& [best_price, queue] = *books_[order.locate].side(order.buy).begin();
    message.expect(best_price == order.price && queue.begin() == order.place, "the head of the best queue executes");
    take_match(message, message.number(23, 8));
    reduce(message, order, message.number(19, 4));
  }

  // Not printable in a cross, else at a better price than the order's, between the best prices.
  void execute_at_price(const SimulatedMessage& message) {
    Order& order = live_order(message);
    const Book& book = books_[order.locate];
    const std::uint64_t price = message.number(32, 4);
    if (message.letter(31) == 'N') {
      message.expect(price == order.price, "a cross at the price of its orders");
    } else {
      message.expect(message.letter(31) == 'Y', "printable or not");
      message.expect(book.has_both() && book.best_bid() < price && price < book.best_offer(), "a better price");
    }
    execute(message, order);
  }

  void trade(const SimulatedMessage& message) {
    const Book& book = books_[message.locate()];
    const std::uint64_t price = message.number(32, 4);
    message.expect(message.number(11, 8) == 0 && message.number(20, 4) > 0, "a trade of no displayed order");
    message.expect(book.bids.empty() || book.best_bid() <= price, "a trade not below the best bid");
    message.expect(book.offers.empty() || price <= book.best_offer(), "a trade not above the best offer");
    take_match(message, message.number(36, 8));
  }

  std::uint64_t seed_;
  SimulatedDay day_;
  std::vector<Book> books_;  // by locate
  std::unordered_map<std::uint64_t, Order> orders_;
  std::array<std::uint64_t, 256> counts_{};  // by type
  std::uint64_t messages_ = 0;
  std::uint64_t last_reference_ = 0;
  std::uint64_t last_match_ = 0;
};

inline std::uint64_t messages_min(std::uint64_t symbols) { return 2 * symbols + 6; }

inline ingest::SimulatedExchangeOptions simulated_options(std::uint32_t symbols, std::uint64_t live_orders,
                                                          std::uint64_t messages, std::uint64_t seed) {
  ingest::SimulatedExchangeOptions options;
  options.symbols = symbols;
  options.live_orders = live_orders;
  options.messages = std::max(messages, messages_min(symbols));
  options.seed = seed;
  return options;
}

// Replays a whole flow, which must end by itself where `options` say.
inline SimulatedReplay replay(const ingest::SimulatedExchangeOptions& options) {
  ingest::SimulatedExchange exchange(options);
  SimulatedReplay replayed(options);
  std::vector<std::uint8_t> buffer(65'536);
  while (const std::size_t size = exchange.next(buffer)) {
    replayed.read({buffer.data(), size});
    REQUIRE_EQUAL(exchange.messages_emitted(), replayed.messages());
    REQUIRE_EQUAL(exchange.live_orders(), replayed.live_orders());
  }
  REQUIRE_EQUAL(replayed.messages(), options.messages);
  return replayed;
}

}  // namespace depthcast::test

// A publisher's books and the numbered messages that made them, given to
// replicas with holes, late digests and so on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "book/replica.h"
#include "test/random.h"

namespace depthcast::test {

struct FeedMessage {
  enum class Payload : std::uint8_t { book, trade, definition };
  Payload payload = Payload::book;
  BookMessage book{};
  TradeMessage trade{};
  std::uint32_t instrument = 0;
  std::uint32_t instrument_sequence = 0;
  book::DefinitionRecord definition;
  book::MessageContext context{};
  std::uint64_t detail = 0;
};

inline book::DefinitionRecord definition_of(const std::string& symbol, std::uint32_t lot_size = 100) {
  book::DefinitionRecord record;
  record.symbol = symbol;
  record.price_exponent = -4;
  record.source_code = lot_size + 7;
  record.lot_size = lot_size;
  record.attributes = {1, 2, 3};
  return record;
}

// Numbers count from 1; positions are twice the number, times ten times the
// number.
class ReplicaFeed {
 public:
  explicit ReplicaFeed(const book::BookLimits& limits)
      : writer_(limits), instrument_sequences_(limits.instruments_max + 2), digests_(1, {0, true}), states_(1) {
    states_[0].resize(limits.instruments_max + 2);
  }

  // A message at the end of an event, or within one; each returns its number.
  std::uint64_t book(BookMessage message, bool ends_event = true, std::uint64_t detail = 0) {
    message.instrument_sequence = ++instrument_sequences_[message.instrument];
    if (ends_event) message.flags |= flags::end_of_event;
    FeedMessage one;
    one.book = message;
    one.detail = detail;
    result_ = writer_.apply(message, messages_.size() + 1);
    return finish(std::move(one), ends_event);
  }
  std::uint64_t trade(std::uint32_t instrument, Kind kind, std::uint64_t trade_id, bool ends_event = true,
                      std::uint16_t more_flags = 0) {
    FeedMessage one;
    one.payload = FeedMessage::Payload::trade;
    one.trade = {trade_id, 2,         3,          4,  5, 6, 7, 8, 0, instrument, ++instrument_sequences_[instrument],
                 kind,     Side::bid, more_flags, 77, 0};
    if (ends_event) one.trade.flags |= flags::end_of_event;
    return finish(std::move(one), ends_event);
  }
  std::uint64_t define(std::uint32_t instrument, const book::DefinitionRecord& definition) {
    FeedMessage one;
    one.payload = FeedMessage::Payload::definition;
    one.instrument = instrument;
    one.instrument_sequence = ++instrument_sequences_[instrument];
    one.definition = definition;
    return finish(std::move(one), true);
  }

  void give(book::Replica& replica, std::uint64_t sequence) const {
    const FeedMessage& one = message(sequence);
    switch (one.payload) {
      case FeedMessage::Payload::book: return replica.on_book(one.book, one.context, one.detail);
      case FeedMessage::Payload::trade: return replica.on_trade(one.trade, one.context);
      default:
        return replica.on_definition(one.instrument, one.instrument_sequence, book::DefinitionRecord(one.definition),
                                     one.context);
    }
  }
  void give(book::Replica& replica, std::uint64_t first, std::uint64_t last) const {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) give(replica, sequence);
  }
  void give_all(book::Replica& replica) const { give(replica, replica.sequence() + 1, last()); }
  // What heartbeats tell: the state after that message.
  void tell_digest(book::Replica& replica, std::uint64_t sequence, std::uint64_t error = 0) const {
    replica.on_digest(sequence, digest(sequence) + error);
  }
  void tell_instrument(book::Replica& replica, std::uint64_t sequence, std::uint32_t instrument,
                       std::uint64_t error = 0) const {
    const State& state = states_[sequence][instrument];
    replica.on_instrument_digest(sequence, instrument, state.instrument_sequence, state.digest + error);
  }

  std::uint64_t last() const { return messages_.size(); }
  const FeedMessage& message(std::uint64_t sequence) const { return messages_[sequence - 1]; }
  std::uint64_t digest(std::uint64_t sequence) const { return digests_[sequence].digest; }
  bool ends_event(std::uint64_t sequence) const { return digests_[sequence].ends_event; }
  std::uint64_t digest(std::uint64_t sequence, std::uint32_t instrument) const {
    return states_[sequence][instrument].digest;
  }
  const book::Book& writer() const { return writer_; }
  // What the book said to the last book message.
  book::ApplyResult result() const { return result_; }

 private:
  struct State {
    std::uint64_t digest = 0;
    std::uint32_t instrument_sequence = 0;
  };
  struct Digest {
    std::uint64_t digest;
    bool ends_event;
  };

  std::uint64_t finish(FeedMessage&& one, bool ends_event) {
    const std::uint64_t sequence = messages_.size() + 1;
    one.context = {sequence, 2 * sequence, static_cast<std::int64_t>(10 * sequence)};
    messages_.push_back(std::move(one));
    if (ends_event) writer_.end_event(sequence, static_cast<std::int64_t>(10 * sequence));
    digests_.push_back({writer_.digest(), ends_event});
    std::vector<State> states(instrument_sequences_.size());
    for (std::uint32_t index = 0; index <= writer_.limits().instruments_max; ++index) {
      states[index] = {writer_.instrument(index).digest, instrument_sequences_[index]};
    }
    states_.push_back(std::move(states));
    return sequence;
  }

  book::Book writer_;
  std::vector<std::uint32_t> instrument_sequences_;  // one more than the writer knows: an instrument
                                                     // out of range
  std::vector<FeedMessage> messages_;
  std::vector<Digest> digests_;             // after each message, from 0
  std::vector<std::vector<State>> states_;  // of each instrument after each message, from 0
  book::ApplyResult result_ = book::ApplyResult::applied;
};

// A random feed of every kind of message that a publisher sends, refused by
// nobody.
class RandomFeed {
 public:
  RandomFeed(ReplicaFeed& feed, std::uint64_t seed) : feed_(feed), random_(seed) {}

  // Whole events until so many messages have been made.
  void run(std::uint64_t messages) {
    while (feed_.last() < messages) step(random_.chance(2, 3) || feed_.last() + 1 == messages);
    if (!feed_.ends_event(feed_.last())) step(true);
  }

 private:
  struct Live {
    std::uint64_t order_id;
    std::uint32_t instrument;
    Side side;
    std::int64_t price;
    std::uint64_t quantity;
  };

  void step(bool ends_event) {
    const std::uint32_t instrument = static_cast<std::uint32_t>(random_.between(1, instruments()));
    const std::uint64_t roll = random_.below(100);
    if (roll < 6) return quiet(roll, instrument, ends_event);
    if (roll < 9) {
      feed_.book(status_of(instrument), ends_event);
    } else if (roll == 9) {
      std::erase_if(live_, [&](const Live& order) { return order.instrument == instrument; });
      feed_.book({0, 0, 0, 0, instrument, 0, Kind::clear, Side::none, flags::book_affecting}, ends_event);
    } else if (live_.empty() || (roll < 50 && live_.size() < feed_.writer().limits().orders_max)) {
      add(instrument, ends_event);
    } else {
      change(roll, ends_event);
    }
  }
  // Messages that change no book.
  void quiet(std::uint64_t roll, std::uint32_t instrument, bool ends_event) {
    if (roll < 3) {
      feed_.trade(instrument, roll == 0 ? Kind::auction : Kind::trade, ++trade_id_, ends_event);
    } else if (roll == 3) {
      feed_.book({1, 2, 3, 0, random_.chance(1, 2) ? 0 : instrument, 0, Kind::reference, Side::bid, 0}, ends_event);
    } else if (roll == 4) {
      feed_.book({9, 9, 9, 0, instrument, 0, static_cast<Kind>(40), Side::none, 0},
                 ends_event);  // a later version's
    } else {
      feed_.define(instrument,
                   definition_of("S" + std::to_string(instrument), static_cast<std::uint32_t>(random_.between(1, 3))));
    }
  }
  void add(std::uint32_t instrument, bool ends_event) {
    const Live order{++order_id_, instrument, random_.chance(1, 2) ? Side::bid : Side::ask, price(),
                     random_.between(1, 9)};
    live_.push_back(order);
    const bool detailed = random_.chance(1, 10);
    const auto bits = static_cast<std::uint16_t>(flags::book_affecting | (detailed ? flags::detail : 0));
    feed_.book({order.order_id, order.price, order.quantity, 0, instrument, 0, Kind::add, order.side, bits}, ends_event,
               detailed ? random_.next() : 0);
  }
  void change(std::uint64_t roll, bool ends_event) {
    Live& order = random_.pick(live_);
    BookMessage message{order.order_id, order.price, order.quantity,       0, order.instrument, 0,
                        Kind::modify,   order.side,  flags::book_affecting};
    if (roll < 60) {
      message.quantity = order.quantity = random_.between(1, 9);
      message.flags |= flags::priority_kept;
    } else if (roll < 70) {
      message.quantity = order.quantity = random_.between(1, 9);
      message.price = order.price = price();
    } else if (roll < 85 && order.quantity > 1) {
      message.kind = Kind::execute;
      message.quantity = random_.between(1, order.quantity - 1);
      order.quantity -= message.quantity;
    } else {
      message.kind = roll < 92 ? Kind::execute : Kind::delete_order;
      order = live_.back();
      live_.pop_back();
    }
    feed_.book(message, ends_event);
  }
  BookMessage status_of(std::uint32_t instrument) {
    return {0, 0, random_.below(5), 0, instrument, 0, Kind::status, Side::none, flags::book_affecting};
  }
  std::int64_t price() { return static_cast<std::int64_t>(random_.between(95, 105)); }
  std::uint64_t instruments() const { return feed_.writer().limits().instruments_max; }

  ReplicaFeed& feed_;
  Random random_;
  std::vector<Live> live_;
  std::uint64_t order_id_ = 1'000;
  std::uint64_t trade_id_ = 0;
};

// Keeps what a replica hands on.
class UpdateCollector final : public book::UpdateSink {
 public:
  void on_update(const book::Update& update) override { updates.push_back(update); }
  std::vector<book::Update> updates;
};

inline std::uint64_t refused(const book::Replica& replica, book::ApplyResult reason) {
  return replica.counters().refused[static_cast<std::size_t>(reason)];
}

}  // namespace depthcast::test

// A channel in one process: a source, a publisher and its subscribers over loopback; and what they must agree with.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "book/replica.h"
#include "book/sequencer.h"
#include "ingest/itch_parser.h"
#include "ingest/simulated_exchange.h"
#include "run/itch_source.h"
#include "run/publisher.h"
#include "run/subscriber.h"
#include "test/io_lines.h"
#include "test/run_itch_bytes.h"

namespace depthcast::test {

constexpr std::int64_t midnight_ns = 1'700'000'000'000'000'000;

inline ingest::SimulatedExchangeOptions small_flow(std::uint64_t seed, std::uint64_t messages) {
  ingest::SimulatedExchangeOptions options;
  options.seed = seed;
  options.symbols = 20;
  options.messages = messages;
  options.live_orders = 800;
  return options;
}

inline book::BookLimits channel_limits() {
  book::BookLimits limits;
  limits.orders_max = 8'192;
  limits.instruments_max = 64;
  limits.depth_levels = 5;
  return limits;
}

// Two fresh lines with packets of different sizes.
inline run::PublisherOptions publisher_options(io::WaitStrategy wait = io::WaitStrategy::park) {
  run::PublisherOptions options;
  options.lines.resize(2);
  options.lines[0].address = fresh_line();
  options.lines[1].address = fresh_line();
  options.datagram_bytes = {1'400, 8'952};
  options.limits = channel_limits();
  options.wait = wait;
  options.heartbeat_ns = 5'000'000;
  options.definitions_ns = 20'000'000;
  options.digest_messages = 500;
  return options;
}

inline run::SubscriberOptions subscriber_options(const run::PublisherOptions& publisher) {
  run::SubscriberOptions options;
  options.channel = publisher.channel;
  for (std::size_t line = 0; line < publisher.lines.size(); ++line) {
    io::ReceiverOptions receiver;
    receiver.address = publisher.lines[line].address;
    options.lines[line] = receiver;
  }
  options.limits = publisher.limits;
  options.wait = publisher.wait;
  // Two busy cores: a thread may not run for longer than a hole waits elsewhere.
  options.arbiter.gap_wait_ns = 1'000'000'000;
  options.silence_ns = 20'000'000'000;
  return options;
}

inline std::unique_ptr<run::SourceThread> itch(run::Publisher& publisher, std::unique_ptr<run::ByteSource> bytes,
                                               const run::Pacing& pacing = {}) {
  return std::make_unique<run::SourceThread>(publisher,
                                             std::make_unique<run::ItchSource>(std::move(bytes), pacing, midnight_ns));
}

inline std::unique_ptr<run::SourceThread> simulated(run::Publisher& publisher,
                                                    const ingest::SimulatedExchangeOptions& flow, double rate = 0) {
  return itch(publisher, run::make_simulated_source(flow), run::Pacing{0, rate});
}

inline std::uint64_t figure(const run::Subscriber& subscriber, run::SubscriberCounter name) {
  return subscriber.counters().get(name);
}
inline std::uint64_t figure(const run::Publisher& publisher, run::PublisherCounter name) {
  return publisher.counters().get(name);
}

// Asks until it holds, at most 60 s.
template <typename Condition>
bool wait_until(Condition condition) {
  const auto start = std::chrono::steady_clock::now();
  while (!condition()) {
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(60)) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

// All events of a subscriber since the start, in order.
class Listener {
 public:
  explicit Listener(run::Subscriber& subscriber) : subscriber_(subscriber) {}

  void look() {
    for (run::FeedEvent& event : subscriber_.take_events()) events_.push_back(std::move(event));
  }
  template <typename Event>
  std::vector<Event> all() {
    look();
    std::vector<Event> found;
    for (const run::FeedEvent& event : events_) {
      if (const auto* one = std::get_if<Event>(&event.news)) found.push_back(*one);
    }
    return found;
  }
  template <typename Event>
  bool wait_for(std::size_t count = 1) {
    return wait_until([&] { return all<Event>().size() >= count; });
  }
  run::BookExport books(std::uint32_t id = 1) {
    subscriber_.request_export(id, 0, true);
    run::BookExport books;
    wait_until([&] {
      for (run::ExportEvent& event : all<run::ExportEvent>()) {
        if (event.id != id) continue;
        books = std::move(event.books);
        return true;
      }
      return false;
    });
    return books;
  }

 private:
  run::Subscriber& subscriber_;
  std::vector<run::FeedEvent> events_;
};

// What a source's messages make, without threads, packets or sockets: parser, sequencer, replica.
class ReferenceChannel final : public book::MessageSink {
 public:
  explicit ReferenceChannel(book::UpdateSink* sink = nullptr, const book::BookLimits& limits = channel_limits())
      : writer(limits), sequencer(writer, *this), replica(limits, sink) {}

  // All of it, or up to so many messages more; returns the messages taken.
  std::uint64_t take(run::ByteSource& source, std::uint64_t most = ~std::uint64_t{0}) {
    const std::atomic<bool> running{false};
    run::ItchFraming framing(source);
    std::span<const std::uint8_t> message;
    std::uint64_t taken = 0;
    for (; taken < most && framing.next(message, running) == run::ItchFraming::Next::message; ++taken) {
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count = parser_.parse(message, ++position_, cells_, fault);
      for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells_[cell].event.kind)) {
        sequencer.apply(cells_[cell].event, &cells_[cell + 1]);
      }
    }
    return taken;
  }
  std::uint64_t take(const ingest::SimulatedExchangeOptions& flow, std::uint64_t most = ~std::uint64_t{0}) {
    return take(*run::make_simulated_source(flow), most);
  }

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    replica.on_book(message, {stamp.sequence, stamp.position, stamp.time_ns}, detail);
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    replica.on_trade(message, {stamp.sequence, stamp.position, stamp.time_ns});
  }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override {
    book::DefinitionRecord record;
    record.symbol.assign(definition.symbol, strnlen(definition.symbol, sizeof definition.symbol));
    record.price_exponent = definition.price_exponent;
    record.quantity_exponent = definition.quantity_exponent;
    record.source_code = source_code;
    record.lot_size = definition.lot_size;
    record.attributes.assign(definition.attributes, definition.attributes + definition.attribute_count);
    replica.on_definition(instrument, instrument_sequence, std::move(record),
                          {stamp.sequence, stamp.position, stamp.time_ns});
  }
  // Number of the last message.
  std::uint64_t last() const { return sequencer.next_sequence() - 1; }

  book::Book writer;
  book::Sequencer sequencer;
  book::Replica replica;

 private:
  ingest::ItchParser parser_{midnight_ns};
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells_{};
  std::uint64_t position_ = 0;
};

// True where nothing is missing. Small receive buffers and busy cores lose what both lines bring: that is noted and no
// fault, but only where the system grants less than was asked for, and nothing may be made up then.
bool lossless(const run::Subscriber& subscriber, Listener& listener);

// Everything but session and position; empty when it is equal.
std::string difference(const run::BookExport& actual, const run::BookExport& expected);
inline std::string difference(const run::BookExport& actual, const ReferenceChannel& expected) {
  return difference(actual, run::export_books(expected.replica, 0, true));
}

}  // namespace depthcast::test

// What a channel hands out besides equal books: its ring, its updates, exports at positions, definitions, wake-ups.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/broadcast_ring.h"
#include "encode/packet_reader.h"
#include "io/shared_memory.h"
#include "test/book_replica_feed.h"
#include "test/run_channel.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Publisher;
using run::PublisherCounter;
using run::PublisherOptions;
using run::Subscriber;
using run::SubscriberCounter;
using run::SubscriberOptions;

using Packets = std::vector<Bytes>;

io::ReceiverOptions receiver_options(const io::LineAddress& address) {
  io::ReceiverOptions options;
  options.address = address;
  return options;
}

// Reads a publisher's ring as another process would, and line A beside it, on a thread of its own.
class Tap {
 public:
  Tap(const std::string& ring_path, const io::LineAddress& address)
      : memory_(io::SharedMemory::open(ring_path)),
        reader_(memory_.data(), memory_.bytes()),
        receiver_(receiver_options(address)) {
    thread_ = std::thread([this] { run(); });
  }
  void join() { thread_.join(); }

  Packets ring;
  Packets line;
  std::uint64_t faults = 0;  // records whose header tells another number than their packet
  std::uint64_t lapped() const { return reader_.lapped_count(); }
  std::uint64_t drops() const { return receiver_.kernel_drops(); }
  const RingHeader& header() const { return reader_.header(); }

 private:
  void run() {
    Bytes out(reader_.header().capacity / 8);
    RingRecord record{};
    const auto start = std::chrono::steady_clock::now();
    auto last = start;
    for (bool ended = false; !ended || line.size() < ring.size();) {
      const RingPoll poll = reader_.poll(out, record);
      if (poll == RingPoll::record) keep(out, record);
      ended = ended || poll == RingPoll::writer_ended;
      const std::size_t received = receiver_.receive(
          [&](std::span<const std::uint8_t> datagram) { line.emplace_back(datagram.begin(), datagram.end()); });
      if (received != 0) last = std::chrono::steady_clock::now();
      if (poll != RingPoll::record && received == 0) std::this_thread::yield();
      if (ended && std::chrono::steady_clock::now() - last > std::chrono::seconds(2))
        return;  // the kernel dropped some
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(60)) return;
    }
  }
  void keep(const Bytes& out, const RingRecord& record) {
    ring.emplace_back(out.begin(), out.begin() + record.length);
    encode::PacketView view;
    const bool right = encode::read_packet(ring.back(), view) == encode::PacketStatus::ok &&
                       view.first_sequence == record.first_sequence && view.count == record.count;
    if (!right) ++faults;
  }

  io::SharedMemory memory_;
  BroadcastReader reader_;
  io::UdpReceiver receiver_;
  std::thread thread_;
};

TEST(ringOfAPublisherHoldsThePacketsOfLineAByteForByte) {
  const ScratchFolder folder("/dev/shm");
  PublisherOptions options = publisher_options();
  options.ring_path = folder / "ring";
  options.channel = 7;
  options.session = 99;
  Publisher publisher(options, {});
  Tap tap(options.ring_path, options.lines[0].address);
  CHECK_EQUAL(tap.header().channel, 7U);
  CHECK_EQUAL(tap.header().session, 99U);
  CHECK_EQUAL(tap.header().writer_pid, static_cast<std::uint32_t>(getpid()));
  CHECK_EQUAL(tap.header().capacity, options.ring_bytes);
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.start();
  const auto flow = small_flow(seed(), work(40'000));
  const auto source = simulated(publisher, flow, 200'000);
  source->start();
  source->join();
  publisher.join();
  tap.join();
  CHECK_EQUAL(tap.lapped(), 0U);
  CHECK_EQUAL(tap.faults, 0U);
  CHECK_EQUAL(tap.ring.size(), figure(publisher, PublisherCounter::packets));
  REQUIRE(tap.line.size() == tap.ring.size() || tap.drops() > 0);
  // Where the kernel dropped some, the others still stand in the ring in this order.
  std::size_t at = 0;
  for (const Bytes& packet : tap.line) {
    while (at < tap.ring.size() && tap.ring[at] != packet) ++at;
    if (at++ == tap.ring.size()) fail_and_stop(__FILE__, __LINE__, "a packet of line A is not in the ring");
  }
  CHECK(tap.drops() > 0 || at == tap.ring.size());
  // And they are what the subscriber has: the same digest at the same end.
  encode::PacketView last;
  REQUIRE(encode::read_packet(tap.ring.back(), last) == encode::PacketStatus::ok);
  REQUIRE(last.heartbeat != nullptr && last.heartbeat->end_of_session());
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  if (lossless(subscriber, listener)) CHECK_EQUAL(last.heartbeat->digest(), listener.books().digest);
  note(std::to_string(tap.ring.size()) + " packets, " + std::to_string(tap.drops()) + " dropped");
}

TEST(ringOfAPublisherIsGoneWithItAndItsNameIsFree) {
  const ScratchFolder folder("/dev/shm");
  PublisherOptions options = publisher_options();
  options.ring_path = folder / "ring";
  for (int cycle = 0; cycle < 5; ++cycle) {
    Publisher publisher(options, {});
    CHECK_THROWS(Publisher(options, {}), std::system_error, "File exists");  // one publisher at a time
    const io::SharedMemory memory = io::SharedMemory::open(options.ring_path);
    const BroadcastReader reader(memory.data(), memory.bytes());
    publisher.start();
    publisher.end_input();
    publisher.join();
    CHECK_EQUAL(reader.header().state.load(), static_cast<std::uint32_t>(WriterState::ended));
  }
  CHECK_THROWS(io::SharedMemory::open(options.ring_path), std::system_error, "No such file");
}

TEST(publisherSaysThatItLivesAndWhatItDefines) {
  const ScratchFolder folder("/dev/shm");
  PublisherOptions options = publisher_options();
  options.ring_path = folder / "ring";
  Publisher publisher(options, {});
  const io::SharedMemory memory = io::SharedMemory::open(options.ring_path);
  const BroadcastReader reader(memory.data(), memory.bytes());
  const std::uint64_t before = reader.writer_heartbeat_ns();
  publisher.start();
  const auto source = simulated(publisher, small_flow(seed(), 0), 10'000);
  source->start();
  REQUIRE(wait_until([&] { return reader.writer_heartbeat_ns() > before; }));
  const std::uint64_t first = reader.writer_heartbeat_ns();
  REQUIRE(wait_until([&] { return reader.writer_heartbeat_ns() > first; }));
  REQUIRE(wait_until([&] { return figure(publisher, PublisherCounter::instruments) == 20; }));
  source->stop();
  source->join();
  publisher.join();
  std::uint32_t instruments = 0;
  run::PublishedDefinition definition{};
  while (publisher.take_definition(definition)) CHECK_EQUAL(definition.instrument, ++instruments);
  CHECK_EQUAL(instruments, 20U);
}

// Takes events and then the updates that came before them, as the addon does.
class Consumer {
 public:
  explicit Consumer(Subscriber& subscriber) : listener(subscriber), subscriber_(subscriber) {}

  void look() {
    listener.look();
    for (const run::KnownDefinition& known : subscriber_.definitions()) known_[known.instrument] = true;
    auto& ring = subscriber_.delivery()->ring();
    const std::size_t due = subscriber_.updates_due();
    for (std::size_t index = 0; index < due; ++index) {
      const book::Update& update = ring.at_head(index);
      if (update.instrument != channel_instrument && !known_[update.instrument]) ++unnamed;
      updates.push_back(update);
    }
    ring.release(due);
    subscriber_.updates_taken(due);
  }

  Listener listener;
  std::vector<book::Update> updates;
  std::uint64_t unnamed = 0;  // updates of instruments that nobody had defined by then

 private:
  Subscriber& subscriber_;
  std::map<std::uint32_t, bool> known_;
};

void check_updates(const PublisherOptions& options, SubscriberOptions subscribing, std::chrono::microseconds pause,
                   bool all) {
  Publisher publisher(options, {});
  std::atomic<std::uint64_t> wakes{0};
  Subscriber subscriber(subscribing, [&] { ++wakes; });
  Consumer consumer(subscriber);
  subscriber.start();
  publisher.start();
  const auto flow = small_flow(seed(), work(30'000));
  const auto source = simulated(publisher, flow, 150'000);
  source->start();
  REQUIRE(wait_until([&] {
    consumer.look();
    std::this_thread::sleep_for(pause);
    return !consumer.listener.all<run::EndOfSessionEvent>().empty();
  }));
  const run::BookExport books = consumer.listener.books();
  if (!lossless(subscriber, consumer.listener)) return;
  subscriber.stop();
  consumer.look();
  UpdateCollector expected;
  ReferenceChannel reference(&expected);
  reference.take(flow);
  std::uint64_t last = 0;
  bool within = false;
  for (const book::Update& update : consumer.updates) {
    REQUIRE(all || within ? update.sequence == last + 1 : update.sequence > last);
    last = update.sequence;
    book::Update right = expected.updates.at(last - 1);
    if ((update.flags & flags::end_of_event) == 0) {
      // Delivered with the best prices at the end of the event; the reference shows those after the message.
      right.bid_price = update.bid_price;
      right.bid_quantity = update.bid_quantity;
      right.ask_price = update.ask_price;
      right.ask_quantity = update.ask_quantity;
    }
    REQUIRE(std::memcmp(&update, &right, sizeof right) == 0);
    within = (update.flags & flags::end_of_event) == 0;
  }
  CHECK(!within);
  CHECK_EQUAL(consumer.unnamed, 0U);
  std::uint64_t told = 0;
  for (const run::OverrunEvent& event : consumer.listener.all<run::OverrunEvent>()) told += event.lost;
  CHECK_EQUAL(told, figure(subscriber, SubscriberCounter::updates_lost));
  CHECK_EQUAL(consumer.updates.size(), figure(subscriber, SubscriberCounter::updates_delivered));
  CHECK_EQUAL(consumer.updates.size() + told, reference.last());
  CHECK_EQUAL(told == 0, all);
  CHECK_EQUAL(wakes.load(), 1U);  // nobody has asked for another one
  CHECK_EQUAL(difference(books, reference), "");
  note(std::to_string(consumer.updates.size()) + " updates, " + std::to_string(told) + " lost");
}

TEST(subscriberDeliversEveryUpdateInOrderWhereThereIsRoom) {
  const PublisherOptions options = publisher_options();
  SubscriberOptions subscribing = subscriber_options(options);
  subscribing.delivery_capacity = 65'536;
  check_updates(options, subscribing, std::chrono::microseconds(0), true);
}

TEST(subscriberTellsHowManyUpdatesASlowConsumerHasLost) {
  const PublisherOptions options = publisher_options();
  SubscriberOptions subscribing = subscriber_options(options);
  subscribing.delivery_capacity = 64;
  check_updates(options, subscribing, std::chrono::microseconds(2'000), false);
}

TEST(subscriberExportsItsBooksAtThePositionsAskedFor) {
  const PublisherOptions options = publisher_options();
  const std::uint64_t messages = work(20'000);
  SubscriberOptions subscribing = subscriber_options(options);
  Random random(seed());
  std::vector<std::uint64_t>& positions = subscribing.export_positions;
  positions = {1, 2, 27, messages - 1, messages};
  while (positions.size() < 30) positions.push_back(random.between(28, messages - 2));
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  subscribing.export_orders = true;
  Publisher publisher(options, {});
  Subscriber subscriber(subscribing, {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.start();
  const auto flow = small_flow(seed(), messages);
  const auto source = simulated(publisher, flow, 100'000);
  source->start();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  const auto exports = listener.all<run::ExportEvent>();
  REQUIRE_EQUAL(exports.size(), positions.size());
  if (!lossless(subscriber, listener)) return;
  const auto bytes = run::make_simulated_source(flow);
  ReferenceChannel reference;
  std::uint64_t taken = 0;
  Bytes all;
  Bytes piece(4'096);
  std::string error;
  const std::atomic<bool> running{false};
  while (const std::size_t count = bytes->read(piece, running, error)) {
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count));
  }
  PieceSource stream(all, 1);  // nothing is read ahead: each take() goes on where the last one ended
  for (std::size_t index = 0; index < positions.size(); ++index) {
    taken += reference.take(stream, positions[index] - taken);
    CHECK_EQUAL(taken, positions[index]);
    CHECK_EQUAL(exports[index].id, 0U);
    CHECK_EQUAL(exports[index].books.position, positions[index]);
    CHECK_EQUAL(exports[index].books.session, options.session);
    CHECK_EQUAL(difference(exports[index].books, reference), "");
  }
}

TEST(subscriberExportsOneInstrumentOrLevelsAlone) {
  const PublisherOptions options = publisher_options();
  Publisher publisher(options, {});
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.start();
  const auto flow = small_flow(seed(), 5'000);
  const auto source = simulated(publisher, flow, 200'000);
  source->start();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  if (!lossless(subscriber, listener)) return;
  ReferenceChannel reference;
  reference.take(flow);
  std::uint32_t id = 10;
  for (const std::uint32_t instrument : {0U, 1U, 20U, 21U, 64U, 65U, 0xffffffffU}) {
    for (const bool orders : {true, false}) {
      subscriber.request_export(++id, instrument, orders);
      REQUIRE(listener.wait_for<run::ExportEvent>(id - 10));
      const run::ExportEvent event = listener.all<run::ExportEvent>().back();
      CHECK_EQUAL(event.id, id);
      CHECK_EQUAL(difference(event.books, run::export_books(reference.replica, instrument, orders)), "");
      CHECK_EQUAL(event.books.instruments.size(), instrument == 0 ? 20U : instrument <= 20 ? 1U : 0U);
      CHECK_EQUAL(event.books.order_id.empty(), !orders || event.books.instruments.empty());
    }
  }
}

// Who comes late misses the beginning, says so, and still learns the names.
TEST(subscriberThatComesLateLearnsTheDefinitionsAndKnowsWhatItMisses) {
  const PublisherOptions options = publisher_options();
  Publisher publisher(options, {});
  publisher.start();
  const auto source = simulated(publisher, small_flow(seed(), 0), 20'000);
  source->start();
  REQUIRE(wait_until([&] { return figure(publisher, PublisherCounter::sequence) > 1'000; }));
  SubscriberOptions subscribing = subscriber_options(options);
  subscribing.arbiter.gap_wait_ns = 10'000'000;
  Subscriber subscriber(subscribing, {});
  Listener listener(subscriber);
  subscriber.start();
  REQUIRE(listener.wait_for<run::MissingEvent>());
  REQUIRE(wait_until([&] { return subscriber.definitions().size() == 20; }));
  source->stop();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  const auto missing = listener.all<run::MissingEvent>();
  CHECK_EQUAL(missing[0].range.first, 1U);
  CHECK(missing[0].range.last > 1'000);
  CHECK_EQUAL(subscriber.missing().size(), missing.size());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::missing_ranges), missing.size());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digests_mismatched), 0U);
  const run::BookExport books = listener.books();
  CHECK(!books.whole);
  for (const run::ExportedInstrument& one : books.instruments) {
    CHECK(one.state != book::InstrumentState::live);
  }
  ReferenceChannel reference;
  reference.take(small_flow(seed(), 0), 100);  // the preamble
  for (const run::KnownDefinition& known : subscriber.definitions()) {
    CHECK(known.record == reference.replica.definition(known.instrument));
  }
}

TEST(subscriberWakesItsConsumerOnceUntilThatLooks) {
  const PublisherOptions options = publisher_options();
  Publisher publisher(options, {});
  std::atomic<int> wakes{0};
  Subscriber subscriber(subscriber_options(options), [&] { ++wakes; });
  subscriber.start();
  publisher.start();
  REQUIRE(wait_until([&] { return wakes == 1; }));  // the session
  subscriber.rearm_wake();
  static_cast<void>(subscriber.take_events());
  subscriber.request_export(1, 0, false);
  REQUIRE(wait_until([&] { return wakes == 2; }));
  publisher.end_input();
  publisher.join();
  subscriber.request_export(2, 0, false);
  std::vector<run::FeedEvent> events;
  REQUIRE(wait_until([&] {
    for (run::FeedEvent& event : subscriber.take_events()) {
      const bool is_state = std::holds_alternative<run::StateEvent>(event.news);
      if (!is_state) events.push_back(std::move(event));
    }
    return events.size() == 3;  // two exports and the end
  }));
  CHECK_EQUAL(wakes.load(), 2);
}

}  // namespace
}  // namespace depthcast::test

// Publisher and subscribers in one process over loopback: what comes out is what went in.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "book/audit.h"
#include "run/latency_histogram.h"
#include "test/itch_messages.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using io::WaitStrategy;
using run::Publisher;
using run::PublisherCounter;
using run::PublisherOptions;
using run::Subscriber;
using run::SubscriberCounter;
using run::SubscriberOptions;

// The whole way, until the subscriber has heard of the end; everything compared that can be.
void deliver_everything(const PublisherOptions& options, std::uint64_t messages, double rate) {
  const auto flow = small_flow(seed(), messages);
  std::atomic<int> ends{0};
  Publisher publisher(options, [&] { ++ends; });
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.start();
  const auto source = simulated(publisher, flow, rate);
  source->start();
  source->join();
  publisher.join();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  CHECK_EQUAL(ends.load(), 1);
  CHECK(source->end().reason == run::SourceEndReason::end);
  CHECK_EQUAL(source->end().position, messages);

  ReferenceChannel reference;
  CHECK_EQUAL(reference.take(flow), messages);
  CHECK_EQUAL(book::audit(reference.writer).fault, "");
  const auto ended = listener.all<run::EndOfSessionEvent>();
  CHECK_EQUAL(ended.size(), 1U);
  CHECK_EQUAL(ended[0].session, options.session);
  CHECK_EQUAL(ended[0].sequence, reference.last());
  CHECK_EQUAL(ended[0].position, messages);
  CHECK_EQUAL(listener.all<run::SessionEvent>().size(), 1U);
  CHECK_EQUAL(listener.all<run::DigestMismatchEvent>().size(), 0U);
  const run::BookExport books = listener.books();
  if (!lossless(subscriber, listener)) {
    if (books.whole) CHECK_EQUAL(books.digest, reference.writer.digest());
    return;
  }
  CHECK_EQUAL(difference(books, reference), "");
  CHECK(books.whole);
  CHECK_EQUAL(books.session, options.session);
  CHECK_EQUAL(books.position, reference.replica.position());

  CHECK_EQUAL(figure(publisher, PublisherCounter::input_position), messages);
  CHECK_EQUAL(figure(publisher, PublisherCounter::input_waiting), 0U);
  CHECK_EQUAL(figure(publisher, PublisherCounter::sequence), reference.last());
  CHECK_EQUAL(figure(publisher, PublisherCounter::digest), reference.writer.digest());
  CHECK_EQUAL(figure(publisher, PublisherCounter::live_orders), reference.writer.live_orders());
  CHECK_EQUAL(figure(publisher, PublisherCounter::datagrams_failed_a), 0U);
  CHECK_EQUAL(figure(publisher, PublisherCounter::datagrams_failed_b), 0U);
  CHECK_EQUAL(figure(publisher, PublisherCounter::datagrams_a), figure(publisher, PublisherCounter::packets));

  subscriber.stop();
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::messages), reference.last());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::sequence), reference.last());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digest), reference.writer.digest());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::whole), 1U);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::missing_messages), 0U);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::instrument_gaps), 0U);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digests_mismatched), 0U);
  // Every digest is compared, save those for which a thread that was not run came too late.
  CHECK(figure(subscriber, SubscriberCounter::digests_checked) > messages / options.digest_messages / 2);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::foreign_channel), 0U);
  const std::uint64_t first =
      figure(subscriber, SubscriberCounter::first_a) + figure(subscriber, SubscriberCounter::first_b);
  std::uint64_t latencies = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
    latencies += subscriber.latency().count(bucket);
  }
  CHECK(latencies <= first && latencies > 0);
  note(std::to_string(reference.last()) + " messages, " + std::to_string(figure(publisher, PublisherCounter::packets)) +
       " packets, " + std::to_string(figure(subscriber, SubscriberCounter::digests_checked)) + " digests, dropped " +
       std::to_string(figure(subscriber, SubscriberCounter::kernel_drops_a)) + " + " +
       std::to_string(figure(subscriber, SubscriberCounter::kernel_drops_b)));
}

TEST(channelDeliversEqualBooksWhenItsThreadsPark) {
  deliver_everything(publisher_options(WaitStrategy::park), work(60'000), 150'000);
}

TEST(channelDeliversEqualBooksWhenItsThreadsYield) {
  deliver_everything(publisher_options(WaitStrategy::yield), work(30'000), 100'000);
}

TEST(channelDeliversEqualBooksWhenItsThreadsSpin) {
  deliver_everything(publisher_options(WaitStrategy::spin), work(10'000), 50'000);
}

TEST(channelDeliversEqualBooksAtFullSpeed) { deliver_everything(publisher_options(), work(30'000), 0); }

TEST(channelDeliversEqualBooksWhateverTheSizesOfItsPackets) {
  for (const auto& [line_a, line_b] : {std::pair{512, 1'400}, {8'952, 512}, {1'400, 1'400}}) {
    PublisherOptions options = publisher_options();
    options.datagram_bytes = {static_cast<std::size_t>(line_a), static_cast<std::size_t>(line_b)};
    deliver_everything(options, work(20'000), 150'000);
  }
}

// Full batches, each event two packets: more than a line can keep for one flush.
TEST(channelDeliversEqualBooksWithADigestAfterEveryEvent) {
  PublisherOptions options = publisher_options();
  options.digest_messages = 1;
  options.ring_bytes = std::size_t{1} << 20;
  const auto flow = small_flow(seed(), 2'000);
  Publisher publisher(options, {});
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  const auto source = simulated(publisher, flow);
  source->start();
  source->join();
  publisher.start();
  publisher.join();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  ReferenceChannel reference;
  reference.take(flow);
  CHECK(figure(publisher, PublisherCounter::batch_events_max) > 400);
  CHECK(figure(publisher, PublisherCounter::heartbeats) > 900);
  if (!lossless(subscriber, listener)) return;
  CHECK_EQUAL(difference(listener.books(), reference), "");
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::packet_first),
              figure(publisher, PublisherCounter::datagrams_a) + figure(publisher, PublisherCounter::datagrams_b));
}

// Without the heartbeats of time there are those of the messages.
TEST(channelSendsItsDigestAfterSoManyMessages) {
  PublisherOptions options = publisher_options();
  options.heartbeat_ns = 60'000'000'000;
  options.digest_messages = 50;
  deliver_everything(options, work(20'000), 150'000);
}

TEST(channelDeliversEqualBooksOverOneLine) {
  PublisherOptions options = publisher_options();
  options.lines.resize(1);
  options.datagram_bytes.resize(1);
  deliver_everything(options, work(20'000), 150'000);
}

TEST(channelDeliversEqualBooksWithoutOffloads) {
  PublisherOptions options = publisher_options();
  options.lines[0].segmentation = false;
  options.lines[1].segmentation = false;
  deliver_everything(options, work(20'000), 150'000);
}

// One line is enough: the other's receiver gets nothing at all.
TEST(subscriberOfEitherLineAloneMissesNothing) {
  const PublisherOptions options = publisher_options();
  const auto flow = small_flow(seed(), work(20'000));
  Publisher publisher(options, {});
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (std::size_t line = 0; line < 2; ++line) {
    SubscriberOptions one = subscriber_options(options);
    one.lines[1 - line].reset();
    subscribers.push_back(std::make_unique<Subscriber>(one, std::function<void()>{}));
    subscribers.back()->start();
  }
  publisher.start();
  const auto source = simulated(publisher, flow, 150'000);
  source->start();
  source->join();
  ReferenceChannel reference;
  reference.take(flow);
  for (const auto& subscriber : subscribers) {
    Listener listener(*subscriber);
    REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
    if (lossless(*subscriber, listener)) CHECK_EQUAL(difference(listener.books(), reference), "");
  }
}

TEST(publisherWhoseInputEndedBeforeItStartedEndsItsSession) {
  const PublisherOptions options = publisher_options();
  int ends = 0;
  Publisher publisher(options, [&] { ++ends; });
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.end_input();
  publisher.end_input();
  publisher.start();
  publisher.join();
  CHECK_EQUAL(ends, 1);
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  const auto ended = listener.all<run::EndOfSessionEvent>();
  CHECK_EQUAL(ended[0].sequence, 0U);
  CHECK_EQUAL(ended[0].position, 0U);
  const run::BookExport books = listener.books();
  CHECK(books.whole && books.instruments.empty());
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digests_mismatched), 0U);
  publisher.join();
}

TEST(publisherPublishesWhatWasPutInBeforeItStarted) {
  const PublisherOptions options = publisher_options();
  Publisher publisher(options, {});
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  const auto flow = small_flow(seed(), 2'000);
  const auto source = simulated(publisher, flow);
  source->start();
  source->join();  // the input ring has room for all of it
  publisher.start();
  publisher.join();
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  ReferenceChannel reference;
  reference.take(flow);
  if (lossless(subscriber, listener)) CHECK_EQUAL(difference(listener.books(), reference), "");
}

// Endless input, everything as fast as it goes; whatever is closed first, nothing hangs and nothing lies.
TEST(channelStopsInTheMiddleAtFullSpeed) {
  for (int round = 0; round < 6; ++round) {
    const PublisherOptions options = publisher_options(round % 2 == 0 ? WaitStrategy::park : WaitStrategy::yield);
    auto publisher = std::make_unique<Publisher>(options, std::function<void()>{});
    auto subscriber = std::make_unique<Subscriber>(subscriber_options(options), std::function<void()>{});
    Listener listener(*subscriber);
    subscriber->start();
    publisher->start();
    const auto flow = small_flow(seed(), 0);
    auto source = simulated(*publisher, flow);
    source->start();
    REQUIRE(wait_until([&] { return figure(*subscriber, SubscriberCounter::messages) > 2'000; }));
    if (round >= 4) {
      subscriber.reset();  // in the middle of it
      source->stop();
      source.reset();
      publisher.reset();
      continue;
    }
    source->stop();
    source->join();
    CHECK(source->end().reason == run::SourceEndReason::stopped);
    publisher->join();
    CHECK_EQUAL(figure(*publisher, PublisherCounter::input_position), source->end().position);
    REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
    CHECK_EQUAL(figure(*subscriber, SubscriberCounter::digests_mismatched), 0U);
    if (!lossless(*subscriber, listener)) continue;
    ReferenceChannel reference;
    reference.take(flow, source->end().position);
    CHECK_EQUAL(difference(listener.books(), reference), "");
  }
}

// One subscriber follows one publisher after the other; their sockets, rings and threads come and go.
TEST(subscriberFollowsManySessionsOneAfterTheOther) {
  PublisherOptions options = publisher_options();
  const SubscriberOptions subscribing = subscriber_options(options);
  Subscriber subscriber(subscribing, {});
  Listener listener(subscriber);
  subscriber.start();
  for (std::uint64_t session = 1; session <= 5; ++session) {
    options.session = session * 10;
    const auto flow = small_flow(seed() + session, 2'000);
    Publisher publisher(options, {});
    publisher.start();
    const auto source = simulated(publisher, flow, 100'000);
    source->start();
    source->join();
    publisher.join();
    REQUIRE(listener.wait_for<run::EndOfSessionEvent>(session));
    ReferenceChannel reference;
    reference.take(flow);
    const run::BookExport books = listener.books(static_cast<std::uint32_t>(session));
    if (lossless(subscriber, listener)) CHECK_EQUAL(difference(books, reference), "");
    CHECK_EQUAL(listener.all<run::SessionEvent>().back().session, session * 10);
    CHECK(subscriber.definitions().size() == 20 || !lossless(subscriber, listener));
  }
  CHECK_EQUAL(listener.all<run::SessionEvent>().size(), 5U);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::sessions), 5U);
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digests_mismatched), 0U);
}

TEST(publishersAndSubscribersOpenAndCloseManyTimes) {
  const PublisherOptions options = publisher_options();
  for (int cycle = 0; cycle < 20; ++cycle) {
    Publisher publisher(options, {});
    Subscriber subscriber(subscriber_options(options), {});
    if (cycle % 4 == 0) continue;  // never started
    subscriber.start();
    if (cycle % 4 == 1) continue;  // the subscriber alone
    publisher.start();
    const auto source = simulated(publisher, small_flow(1, 0));
    if (cycle % 4 == 2) continue;  // the source not started
    source->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(cycle / 4));
  }
}

TEST(publisherEndsItsSessionWhereItsSourceBreaks) {
  const PublisherOptions options = publisher_options();
  Bytes stream;
  append_message(stream, itch_directory(5, 1'000, "AAPL    ").bytes());
  append_message(stream, itch_add(5, 2'000, 1, 'B', 100, 10'000).bytes());
  const std::size_t good = stream.size();
  stream.push_back(0);
  stream.push_back(36);
  stream.push_back('A');
  Publisher publisher(options, {});
  Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  publisher.start();
  const auto source = itch(publisher, std::make_unique<PieceSource>(stream, 7));
  source->start();
  source->join();
  CHECK(source->end().reason == run::SourceEndReason::fault);
  CHECK_EQUAL(source->end().position, 2U);
  CHECK_EQUAL(source->end().fault.offset, good);
  CHECK_EQUAL(source->end().fault.expected, "a message of 36 bytes, but the file ends after 1 of them");
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  const run::BookExport books = listener.books();
  CHECK_EQUAL(books.sequence, 2U);
  REQUIRE_EQUAL(books.instruments.size(), 1U);
  CHECK_EQUAL(books.instruments[0].symbol, "AAPL");
  CHECK_EQUAL(books.instruments[0].live_orders, 1U);
  publisher.join();
}

TEST(sourceIsPacedByItsRateAndByItsTimes) {
  Bytes stream;
  for (std::uint64_t order = 1; order <= 11; ++order) {
    append_message(stream, itch_add(5, order * 20'000'000, order, 'B', 100, 10'000).bytes());
  }
  // 10 distances: of 5 ms by rate, of 20 ms by time at double speed.
  for (const auto& [pacing, milliseconds] : {std::pair{run::Pacing{0, 200}, 50}, {run::Pacing{2, 0}, 100}}) {
    Publisher publisher(publisher_options(), {});
    publisher.start();
    const auto source = itch(publisher, std::make_unique<PieceSource>(stream), pacing);
    const auto start = std::chrono::steady_clock::now();
    source->start();
    source->join();
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= std::chrono::milliseconds(milliseconds));
    CHECK(took < std::chrono::milliseconds(milliseconds + 5'000));
    publisher.join();
    CHECK_EQUAL(figure(publisher, PublisherCounter::sequence), 12U);  // and the definition
  }
}

TEST(sourceThatWaitsForItsTimeStopsAtOnce) {
  Bytes stream;
  for (std::uint64_t order = 1; order <= 3; ++order) {
    append_message(stream, itch_add(5, order * 3'600'000'000'000, order, 'B', 100, 10'000).bytes());
  }
  Publisher publisher(publisher_options(), {});
  publisher.start();
  const auto source = itch(publisher, std::make_unique<PieceSource>(stream), {1, 0});
  source->start();
  // What came before the wait has been published, not kept back.
  REQUIRE(wait_until([&] { return figure(publisher, PublisherCounter::sequence) == 2; }));
  const auto start = std::chrono::steady_clock::now();
  source->stop();
  source->join();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  CHECK(source->end().reason == run::SourceEndReason::stopped);
  CHECK_EQUAL(source->end().position, 1U);
}

TEST(publisherAndSubscriberRefuseWhatCannotWork) {
  const auto publish = [](const PublisherOptions& options) { Publisher(options, {}); };
  PublisherOptions options = publisher_options();
  options.lines.clear();
  options.datagram_bytes.clear();
  CHECK_THROWS(publish(options), std::invalid_argument, "one or two lines");
  options = publisher_options();
  options.datagram_bytes.pop_back();
  CHECK_THROWS(publish(options), std::invalid_argument, "one or two lines");
  options = publisher_options();
  options.ring_bytes = 65'536;
  CHECK_THROWS(publish(options), std::invalid_argument, "ring bytes are 65536, expected at least 1 MiB");
  options.ring_bytes = (std::size_t{1} << 20) + 4'096;
  CHECK_THROWS(publish(options), std::invalid_argument, "power of two");
  options = publisher_options();
  options.datagram_bytes[1] = 1'001;
  CHECK_THROWS(publish(options), std::invalid_argument, "1001");
  options = publisher_options();
  options.limits.orders_max = 0;
  CHECK_THROWS(publish(options), std::invalid_argument, "orders_max");
  options = publisher_options();
  options.ring_path = "/dev/shm/depthcast-no-such-folder/ring";
  CHECK_THROWS(publish(options), std::system_error, options.ring_path);
  options = publisher_options();
  options.lines[1].address.interface_address = "192.0.2.200";
  CHECK_THROWS(publish(options), std::system_error, "192.0.2.200");

  SubscriberOptions subscribing = subscriber_options(publisher_options());
  subscribing.lines[0].reset();
  subscribing.lines[1].reset();
  const auto subscribe = [&] { Subscriber(subscribing, {}); };
  CHECK_THROWS(subscribe(), std::invalid_argument, "at least one line");
}

}  // namespace
}  // namespace depthcast::test

// A subscriber and packets made by hand: whatever a line may bring.
#include "run/subscriber.h"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/packets.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Subscriber;
using run::SubscriberCounter;
using run::SubscriberOptions;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Identity {
  std::uint64_t session = 1;
  std::uint32_t channel = 1;
};

// Messages first … last of the feed as one datagram.
Datagram packet(const ReplicaFeed& feed, std::uint64_t first, std::uint64_t last, const Identity& of = {}) {
  PacketCollector collector;
  encode::PacketWriter writer({of.channel, of.session, 8'952}, collector);
  for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
    const FeedMessage& one = feed.message(sequence);
    writer.on_book(one.book, {sequence, one.context.time_ns, one.context.position}, one.detail);
  }
  writer.flush();
  REQUIRE_EQUAL(collector.packets.size(), 1U);
  return collector.packets[0].bytes;
}

enum class End : std::uint8_t { no, yes };

// What the publisher tells after message `sequence` and so many positions more that made none; `error` makes it lie.
Datagram heartbeat(const ReplicaFeed& feed, std::uint64_t sequence, End end = End::no, const Identity& of = {},
                   std::uint64_t error = 0, std::uint64_t idle_positions = 0) {
  PacketCollector collector;
  encode::PacketWriter writer({of.channel, of.session, 1'400}, collector);
  writer.heartbeat({sequence + 1,
                    2 * sequence + idle_positions,
                    static_cast<std::int64_t>(10 * sequence),
                    feed.digest(sequence) + error,
                    sequence != 0,
                    end == End::yes,
                    77,
                    {}});
  return collector.packets[0].bytes;
}

// A subscriber of two lines and what sends on them.
class Bench {
 public:
  explicit Bench(std::int64_t gap_wait_ns = 20'000'000'000, void (*change)(SubscriberOptions&) = nullptr)
      : options(make_options(gap_wait_ns, change)), subscriber(options, {}), listener(subscriber) {
    for (std::size_t line = 0; line < 2; ++line) {
      io::SenderOptions sender;
      sender.address = options.lines[line]->address;
      senders_.push_back(std::make_unique<io::UdpSender>(sender));
    }
    subscriber.start();
  }
  // Sends and waits until it has been taken.
  void send(const Datagram& datagram, std::size_t line = 0) {
    senders_[line]->add(datagram.data(), datagram.size());
    senders_[line]->flush();
    const auto name = line == 0 ? SubscriberCounter::datagrams_a : SubscriberCounter::datagrams_b;
    ++sent_[line];
    REQUIRE(wait_until([&] { return counter(name) == sent_[line]; }));
  }
  std::uint64_t counter(SubscriberCounter name) const { return figure(subscriber, name); }
  void expect(SubscriberCounter name, std::uint64_t value, int line) const {
    if (wait_until([&] { return counter(name) == value; })) return;
    fail(__FILE__, line, "counter is " + std::to_string(counter(name)) + ", expected " + std::to_string(value));
  }
  std::string missing() {
    std::string text;
    for (const run::MissingEvent& event : listener.all<run::MissingEvent>()) {
      text += std::to_string(event.range.first) + '-' + std::to_string(event.range.last) + ' ';
    }
    return text;
  }
  std::string updates() {
    std::string text;
    auto& ring = subscriber.delivery()->ring();
    const std::size_t ready = ring.available_now();
    for (std::size_t index = 0; index < ready; ++index) {
      const book::Update& update = ring.at_head(index);
      text += std::to_string(update.sequence) + ((update.flags & flags::end_of_event) != 0 ? ". " : " ");
    }
    ring.release(ready);
    return text;
  }

  SubscriberOptions options;
  Subscriber subscriber;
  Listener listener;

 private:
  static SubscriberOptions make_options(std::int64_t gap_wait_ns, void (*change)(SubscriberOptions&)) {
    SubscriberOptions options = subscriber_options(publisher_options());
    options.arbiter.gap_wait_ns = gap_wait_ns;
    options.delivery_capacity = 4'096;
    if (change != nullptr) change(options);
    return options;
  }

  std::vector<std::unique_ptr<io::UdpSender>> senders_;
  std::uint64_t sent_[2] = {0, 0};
};

// `count` orders of instruments 1 to 3, each an event.
struct OrderFeed : ReplicaFeed {
  explicit OrderFeed(std::uint64_t count) : ReplicaFeed(channel_limits()) {
    for (std::uint64_t order = 1; order <= count; ++order) {
      book(add(order, static_cast<std::uint32_t>(order % 3 + 1), Side::bid, static_cast<std::int64_t>(order), 10));
    }
  }
};

SubscriberCounter status_counter(encode::PacketStatus status) {
  return static_cast<SubscriberCounter>(static_cast<std::size_t>(SubscriberCounter::packet_first) +
                                        static_cast<std::size_t>(status));
}

TEST(subscriberDropsAndCountsWhatIsNoPacketOfItsFeed) {
  Bench bench;
  const OrderFeed feed(10);
  bench.send(packet(feed, 1, 3));
  const Datagram good = packet(feed, 4, 6);
  const auto broken = [&](std::size_t offset, bool repaired) {
    Datagram bytes = good;
    bytes[offset] ^= 0x40;
    if (repaired) repair(bytes);
    return bytes;
  };
  bench.send(Datagram(good.begin(), good.begin() + 15));
  bench.send(broken(0, false));
  bench.send(broken(4, true));
  bench.send(broken(9, false));
  bench.send(broken(12, false));
  bench.send(broken(100, false));
  bench.send(broken(16, true));  // the root's offset
  bench.send(packet(feed, 4, 6, {1, 2}));
  bench.send(packet(feed, 4, 6, {2, 1}));
  bench.send(packet(feed, 4, 6, {0, 1}));
  using encode::PacketStatus;
  bench.expect(status_counter(PacketStatus::too_short), 1, __LINE__);
  bench.expect(status_counter(PacketStatus::wrong_magic), 1, __LINE__);
  bench.expect(status_counter(PacketStatus::wrong_version), 1, __LINE__);
  bench.expect(status_counter(PacketStatus::wrong_length), 1, __LINE__);
  bench.expect(status_counter(PacketStatus::wrong_crc), 2, __LINE__);
  bench.expect(status_counter(PacketStatus::malformed), 1, __LINE__);
  bench.expect(SubscriberCounter::foreign_channel, 1, __LINE__);
  bench.expect(SubscriberCounter::foreign_session, 2, __LINE__);
  bench.expect(SubscriberCounter::sequence, 3, __LINE__);
  bench.send(good);
  bench.expect(SubscriberCounter::sequence, 6, __LINE__);
  CHECK_EQUAL(bench.listener.books().digest, feed.digest(6));
}

TEST(subscriberFillsAHoleOfOneLineFromTheOther) {
  Bench bench;
  const OrderFeed feed(30);
  bench.send(packet(feed, 1, 5), 0);
  bench.send(packet(feed, 11, 20), 0);
  bench.send(packet(feed, 21, 25), 0);
  bench.expect(SubscriberCounter::parked, 2, __LINE__);
  bench.expect(SubscriberCounter::sequence, 5, __LINE__);
  bench.send(packet(feed, 4, 8), 1);
  bench.expect(SubscriberCounter::sequence, 8, __LINE__);
  bench.send(packet(feed, 9, 12), 1);
  bench.expect(SubscriberCounter::sequence, 25, __LINE__);
  bench.send(packet(feed, 13, 24), 1);
  bench.send(packet(feed, 25, 30), 1);
  bench.send(packet(feed, 26, 30), 0);
  bench.send(heartbeat(feed, 30, End::yes), 1);
  REQUIRE(bench.listener.wait_for<run::EndOfSessionEvent>());
  const run::BookExport books = bench.listener.books();
  CHECK(books.whole);
  CHECK_EQUAL(books.digest, feed.digest(30));
  CHECK_EQUAL(bench.missing(), "");
  CHECK_EQUAL(bench.counter(SubscriberCounter::messages), 30U);
  bench.expect(SubscriberCounter::first_a, 3, __LINE__);
  bench.expect(SubscriberCounter::first_b, 3, __LINE__);
  bench.expect(SubscriberCounter::duplicates_a, 1, __LINE__);
  bench.expect(SubscriberCounter::duplicates_b, 1, __LINE__);
  bench.expect(SubscriberCounter::parked, 0, __LINE__);
  bench.expect(SubscriberCounter::digests_checked, 1, __LINE__);
}

// A parked thread wakes up for the hole, not only for the next packet.
TEST(subscriberNamesAHoleWhenItsTimeIsOver) {
  for (const auto wait : {io::WaitStrategy::park, io::WaitStrategy::yield}) {
    Bench bench(
        30'000'000, wait == io::WaitStrategy::park
                        ? [](SubscriberOptions& options) { options.wait = io::WaitStrategy::park; }
                        : [](SubscriberOptions& options) { options.wait = io::WaitStrategy::yield; });
    const OrderFeed feed(30);
    bench.send(packet(feed, 1, 5));
    const auto start = steady_clock::now();
    bench.send(packet(feed, 11, 20));
    REQUIRE(bench.listener.wait_for<run::MissingEvent>());
    const auto took = steady_clock::now() - start;
    CHECK(took >= milliseconds(30) && took < milliseconds(5'000));
    CHECK_EQUAL(bench.missing(), "6-10 ");
    bench.expect(SubscriberCounter::sequence, 20, __LINE__);
    CHECK_EQUAL(bench.counter(SubscriberCounter::missing_messages), 5U);
    CHECK_EQUAL(bench.counter(SubscriberCounter::missing_ranges), 1U);
    bench.expect(SubscriberCounter::whole, 0, __LINE__);
    REQUIRE_EQUAL(bench.subscriber.missing().size(), 1U);
    CHECK_EQUAL(bench.subscriber.missing()[0].first, 6U);
    CHECK_EQUAL(bench.subscriber.missing()[0].last, 10U);
    bench.send(packet(feed, 6, 10), 1);  // too late
    bench.expect(SubscriberCounter::duplicates_b, 1, __LINE__);
    const run::BookExport books = bench.listener.books();
    CHECK(!books.whole);
    for (const run::ExportedInstrument& one : books.instruments) CHECK(one.state == book::InstrumentState::stale);
    CHECK_EQUAL(bench.updates(), "1. 2. 3. 4. 5. 11. 12. 13. 14. 15. 16. 17. 18. 19. 20. ");
  }
}

TEST(subscriberHearsOfAHoleAtTheEndByAHeartbeat) {
  Bench bench(10'000'000);
  const OrderFeed feed(30);
  bench.send(packet(feed, 1, 5));
  bench.send(heartbeat(feed, 5));
  bench.send(heartbeat(feed, 9, End::yes));
  REQUIRE(bench.listener.wait_for<run::EndOfSessionEvent>());  // once it is known what is missing, not before
  CHECK_EQUAL(bench.missing(), "6-9 ");
  CHECK_EQUAL(bench.listener.all<run::EndOfSessionEvent>()[0].sequence, 9U);
  CHECK_EQUAL(bench.listener.all<run::EndOfSessionEvent>()[0].position, 18U);
  bench.expect(SubscriberCounter::sequence, 5, __LINE__);
}

TEST(subscriberIsWholeAgainWhenADigestProvesIt) {
  Bench bench(10'000'000);
  OrderFeed feed(6);
  feed.book(add(100, 1, Side::ask, 500, 1));
  feed.book(delete_order(100, 1, Side::ask));
  feed.book(add(101, 1, Side::ask, 500, 1));
  bench.send(packet(feed, 1, 6));
  bench.send(packet(feed, 9, 9));
  REQUIRE(bench.listener.wait_for<run::MissingEvent>());
  bench.expect(SubscriberCounter::instrument_gaps, 1, __LINE__);
  CHECK(!bench.listener.books(1).whole);
  bench.send(heartbeat(feed, 9));
  const run::BookExport books = bench.listener.books(2);
  CHECK(books.whole);
  for (const run::ExportedInstrument& one : books.instruments) CHECK(one.state == book::InstrumentState::live);
  CHECK_EQUAL(bench.counter(SubscriberCounter::digests_mismatched), 0U);
}

// The source's messages that make none of ours move the position all the same.
TEST(subscriberExportsAtAPositionThatOnlyAHeartbeatReaches) {
  Bench bench(20'000'000'000, [](SubscriberOptions& options) { options.export_positions = {2, 7, 8}; });
  const OrderFeed feed(10);
  bench.send(packet(feed, 1, 1));
  bench.send(heartbeat(feed, 1, End::no, {}, 0, 1));  // position 3
  REQUIRE(bench.listener.wait_for<run::ExportEvent>(1));
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>()[0].books.position, 2U);
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>()[0].books.sequence, 1U);
  bench.send(heartbeat(feed, 3, End::no, {}, 0, 3));  // 2 and 3 are still to come: it is not at 9 yet
  bench.send(packet(feed, 2, 2));
  bench.expect(SubscriberCounter::sequence, 2, __LINE__);
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>().size(), 1U);
  bench.send(packet(feed, 3, 4));  // positions 6 and 8
  REQUIRE(bench.listener.wait_for<run::ExportEvent>(2));
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>()[1].books.position, 7U);
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>()[1].books.sequence, 3U);
  bench.send(heartbeat(feed, 4));  // the last message of position 8
  REQUIRE(bench.listener.wait_for<run::ExportEvent>(3));
  CHECK_EQUAL(bench.listener.all<run::ExportEvent>()[2].books.sequence, 4U);
}

TEST(subscriberReportsADigestMismatchOnce) {
  Bench bench;
  const OrderFeed feed(10);
  bench.send(packet(feed, 1, 4));
  bench.send(heartbeat(feed, 4));
  bench.send(packet(feed, 5, 6));
  bench.send(heartbeat(feed, 6, End::no, {}, 1));
  REQUIRE(bench.listener.wait_for<run::DigestMismatchEvent>());
  bench.send(heartbeat(feed, 6, End::no, {}, 1), 1);
  bench.send(packet(feed, 7, 7));
  bench.send(heartbeat(feed, 7, End::no, {}, 1));
  bench.expect(SubscriberCounter::digests_checked, 3, __LINE__);
  CHECK_EQUAL(bench.listener.all<run::DigestMismatchEvent>().size(), 1U);
  CHECK_EQUAL(bench.listener.all<run::DigestMismatchEvent>()[0].sequence, 6U);
  bench.expect(SubscriberCounter::digests_mismatched, 1, __LINE__);
  bench.expect(SubscriberCounter::whole, 0, __LINE__);
}

TEST(subscriberGivesAHoleUpWhenItCanKeepNoMore) {
  Bench bench(20'000'000'000, [](SubscriberOptions& options) { options.arbiter.parked_max = 3; });
  const OrderFeed feed(30);
  bench.send(packet(feed, 1, 2));
  for (const std::uint64_t first : {5, 7, 11}) bench.send(packet(feed, first, first + 1));
  bench.expect(SubscriberCounter::parked, 3, __LINE__);
  bench.send(packet(feed, 21, 22));
  bench.expect(SubscriberCounter::parked_overflows, 1, __LINE__);
  bench.expect(SubscriberCounter::sequence, 8, __LINE__);
  bench.expect(SubscriberCounter::parked, 2, __LINE__);
  CHECK_EQUAL(bench.missing(), "3-4 ");
  bench.send(packet(feed, 9, 20), 1);
  bench.expect(SubscriberCounter::sequence, 22, __LINE__);
  CHECK_EQUAL(bench.missing(), "3-4 ");
}

TEST(subscriberBelievesNoPacketFarAheadOfItsFeed) {
  Bench bench(5'000'000);
  OrderFeed feed(10);
  const auto far = [](Datagram bytes, std::uint64_t first) {
    // The packet as it is, but for its first number.
    auto* root = flatbuffers::GetMutableRoot<wire::Packet>(bytes.data() + sizeof(encode::Prefix));
    const bool changed =
        reinterpret_cast<flatbuffers::Table*>(root)->SetField<std::uint64_t>(wire::Packet::VT_FIRST_SEQUENCE, first, 0);
    REQUIRE(changed);
    repair(bytes);
    return bytes;
  };
  constexpr std::uint64_t jump = std::uint64_t{1} << 32;
  bench.send(packet(feed, 1, 4));
  bench.send(far(packet(feed, 5, 6), 5 + jump + 1));
  bench.send(far(heartbeat(feed, 5), 5 + jump + 1));
  bench.send(far(heartbeat(feed, 5), std::uint64_t{1} << 63));
  bench.expect(status_counter(encode::PacketStatus::inconsistent), 1, __LINE__);
  bench.expect(SubscriberCounter::implausible, 2, __LINE__);
  bench.send(packet(feed, 5, 10));
  bench.expect(SubscriberCounter::sequence, 10, __LINE__);
  CHECK_EQUAL(bench.missing(), "");
}

TEST(subscriberGoesOverToANewSessionWhenTheOldOneHasEnded) {
  Bench bench;
  const OrderFeed first(10);
  const OrderFeed second(4);
  bench.send(packet(first, 1, 10, {5, 1}));
  bench.send(packet(second, 1, 4, {6, 1}), 1);
  bench.expect(SubscriberCounter::foreign_session, 1, __LINE__);
  bench.send(heartbeat(first, 10, End::yes, {5, 1}));
  bench.send(packet(second, 1, 2, {4, 1}), 1);  // an older one never
  bench.expect(SubscriberCounter::foreign_session, 2, __LINE__);
  bench.send(packet(second, 1, 4, {6, 1}), 1);
  bench.expect(SubscriberCounter::sessions, 2, __LINE__);
  bench.expect(SubscriberCounter::sequence, 4, __LINE__);
  bench.send(packet(first, 1, 10, {5, 1}));
  bench.expect(SubscriberCounter::foreign_session, 3, __LINE__);
  const run::BookExport books = bench.listener.books();
  CHECK_EQUAL(books.session, 6U);
  CHECK_EQUAL(books.digest, second.digest(4));
  CHECK(books.whole);
  const auto ended = bench.listener.all<run::EndOfSessionEvent>();
  REQUIRE_EQUAL(ended.size(), 1U);
  CHECK_EQUAL(ended[0].session, 5U);
  CHECK_EQUAL(ended[0].sequence, 10U);
}

TEST(subscriberGoesOverToANewSessionWhenTheOldOneIsSilent) {
  Bench bench(20'000'000'000, [](SubscriberOptions& options) { options.silence_ns = 100'000'000; });
  const OrderFeed feed(10);
  bench.send(packet(feed, 1, 2, {5, 1}));
  const auto start = steady_clock::now();
  std::uint64_t tries = 0;
  while (bench.counter(SubscriberCounter::sessions) < 2 && tries++ < 1'000) {
    bench.send(packet(feed, 1, 4, {6, 1}));
    std::this_thread::sleep_for(milliseconds(5));
  }
  CHECK(steady_clock::now() - start >= milliseconds(100));
  bench.expect(SubscriberCounter::sequence, 4, __LINE__);
  CHECK(bench.counter(SubscriberCounter::foreign_session) > 0);
}

TEST(subscriberFollowsOnlyTheSessionItWasTold) {
  Bench bench(20'000'000'000, [](SubscriberOptions& options) { options.session = 6; });
  const OrderFeed feed(10);
  bench.send(packet(feed, 1, 2, {5, 1}));
  bench.send(packet(feed, 1, 2, {7, 1}));
  bench.expect(SubscriberCounter::foreign_session, 2, __LINE__);
  bench.send(packet(feed, 1, 3, {6, 1}));
  bench.expect(SubscriberCounter::sequence, 3, __LINE__);
  CHECK_EQUAL(bench.listener.all<run::SessionEvent>().size(), 1U);
  CHECK_EQUAL(bench.listener.all<run::SessionEvent>()[0].session, 6U);
}

// What a dead session still waited for is named, and what it began is not finished by its successor.
TEST(subscriberClosesTheOldSessionBeforeItTakesTheNew) {
  Bench bench;
  OrderFeed first(4);
  first.book(add(50, 1, Side::ask, 1'000, 1), false);
  first.book(add(51, 1, Side::ask, 1'000, 1), false);
  first.book(add(52, 1, Side::ask, 1'000, 1), true);
  const OrderFeed second(2);
  bench.send(packet(first, 1, 2, {5, 1}));
  bench.send(packet(first, 4, 6, {5, 1}));
  bench.send(heartbeat(first, 7, End::yes, {5, 1}));
  bench.expect(SubscriberCounter::parked, 1, __LINE__);
  CHECK_EQUAL(bench.listener.all<run::EndOfSessionEvent>().size(), 0U);
  bench.send(packet(second, 1, 2, {6, 1}));
  bench.expect(SubscriberCounter::sessions, 2, __LINE__);
  CHECK_EQUAL(bench.missing(), "3-3 7-7 ");
  const auto ended = bench.listener.all<run::EndOfSessionEvent>();
  REQUIRE_EQUAL(ended.size(), 1U);
  CHECK_EQUAL(ended[0].session, 5U);
  bench.expect(SubscriberCounter::updates_lost, 2, __LINE__);
  CHECK_EQUAL(bench.updates(), "1. 2. 4. 1. 2. ");
  CHECK_EQUAL(bench.subscriber.missing().size(), 0U);  // of this session
  const run::BookExport books = bench.listener.books();
  CHECK_EQUAL(books.digest, second.digest(2));
  CHECK(books.whole);
}

TEST(subscriberExportsNoHalfEventUnlessTheRestDoesNotCome) {
  Bench bench(20'000'000'000, [](SubscriberOptions& options) { options.silence_ns = 200'000'000; });
  OrderFeed feed(3);
  feed.book(add(50, 1, Side::ask, 1'000, 1), false);
  feed.book(add(51, 1, Side::ask, 1'000, 1), true);
  feed.book(add(52, 1, Side::ask, 1'000, 1), false);
  bench.send(packet(feed, 1, 4));
  bench.subscriber.request_export(9, 0, true);
  bench.send(packet(feed, 5, 5));
  REQUIRE(bench.listener.wait_for<run::ExportEvent>());
  run::BookExport books = bench.listener.all<run::ExportEvent>()[0].books;
  CHECK_EQUAL(books.sequence, 5U);
  CHECK(books.whole);
  bench.send(packet(feed, 6, 6));
  books = bench.listener.books(10);
  CHECK_EQUAL(books.sequence, 5U);
  CHECK(!books.whole);
}

TEST(subscriberSurvivesWhatOnlyLooksLikeAFeed) {
  Bench bench(1'000'000);
  Random random(seed());
  OrderFeed feed(200);
  for (std::uint64_t round = 0; round < work(1'500); ++round) {
    const std::uint64_t first = random.between(1, 190);
    Datagram bytes = random.chance(1, 3) ? heartbeat(feed, first) : packet(feed, first, first + random.below(10));
    for (std::uint64_t change = random.below(6); change > 0; --change) {
      bytes[static_cast<std::size_t>(random.between(sizeof(encode::Prefix), bytes.size() - 1))] =
          static_cast<std::uint8_t>(random.next());
    }
    repair(bytes);
    bench.send(bytes, random.below(2));
  }
  // It still answers, whatever it has come to believe.
  bench.listener.books();
}

// All kinds, instruments, sides, flags, prices.
TEST(subscriberSurvivesMessagesOfTheRightShapeAndAnyContent) {
  Bench bench;
  Random random(seed());
  PacketCollector collector;
  encode::PacketWriter writer({1, 1, 8'952}, collector);
  const std::uint64_t messages = work(20'000);
  for (std::uint64_t sequence = 1; sequence <= messages; ++sequence) {
    BookMessage message{random.below(300),
                        static_cast<std::int64_t>(random.next() >> random.below(64)),
                        random.next() >> random.below(64),
                        0,
                        static_cast<std::uint32_t>(random.below(80)),
                        static_cast<std::uint32_t>(random.below(5)),
                        static_cast<Kind>(random.between(1, 7)),
                        static_cast<Side>(random.chance(1, 50) ? random.below(256) : random.between(1, 2)),
                        static_cast<std::uint16_t>(random.next() & ~std::uint64_t{flags::detail})};
    if (random.chance(1, 40)) message.kind = static_cast<Kind>(random.between(33, 255));
    if (random.chance(1, 40)) message.instrument = static_cast<std::uint32_t>(random.next());
    if (sequence == messages) message.flags |= flags::end_of_event;  // what is exported is whole events
    writer.on_book(message, {sequence, 0, sequence}, 0);
  }
  writer.flush();
  for (const PacketCollector::Packet& one : collector.packets) bench.send(one.bytes, random.below(2));
  bench.expect(SubscriberCounter::messages, messages, __LINE__);
  const run::BookExport books = bench.listener.books();
  CHECK(!books.whole);
  CHECK(books.instruments.size() > 40);
}

}  // namespace
}  // namespace depthcast::test

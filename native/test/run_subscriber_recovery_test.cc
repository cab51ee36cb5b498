// A subscriber that is helped from another thread: ranges, snapshots, sessions, over its queue.
#include <cstdint>
#include <string>
#include <vector>

#include "run/subscriber.h"
#include "test/run_channel.h"
#include "test/run_follower_feed.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Subscriber;
using run::SubscriberCounter;
using run::SubscriberOptions;

SubscriberOptions recovering_options() {
  SubscriberOptions options = subscriber_options(publisher_options());
  options.limits = BusyFeed::limits();
  options.arbiter.gap_wait_ns = 1'000'000;
  options.recovery = true;
  options.delivery_capacity = 65'536;
  return options;
}

class HelpedSubscriber {
 public:
  explicit HelpedSubscriber(const SubscriberOptions& given = recovering_options())
      : options(given), subscriber(options, {}), listener(subscriber) {
    io::SenderOptions sender;
    sender.address = options.lines[0]->address;
    sender_ = std::make_unique<io::UdpSender>(sender);
    subscriber.start();
  }
  void send(const Datagram& datagram) {
    sender_->add(datagram.data(), datagram.size());
    sender_->flush();
    ++sent_;
    REQUIRE(wait_until([&] { return figure(subscriber, SubscriberCounter::datagrams_a) == sent_; }));
  }
  std::string overdue() const {
    std::string text;
    for (const auto& range : subscriber.recovery().overdue) text += FollowerBench::text_of(range) + ' ';
    return text;
  }

  SubscriberOptions options;
  Subscriber subscriber;
  Listener listener;

 private:
  std::unique_ptr<io::UdpSender> sender_;
  std::uint64_t sent_ = 0;
};

std::vector<std::uint8_t> joined(const std::vector<Datagram>& datagrams) {
  std::vector<std::uint8_t> bytes;
  for (const Datagram& one : datagrams) bytes.insert(bytes.end(), one.begin(), one.end());
  return bytes;
}

TEST(subscriberTakesWhatAnotherThreadOffers) {
  HelpedSubscriber helped;
  const BusyFeed feed(200);
  helped.send(feed_packet(feed, 1, 20));
  helped.send(feed_packet(feed, 41, 60));
  helped.send(feed_packet(feed, 101, 120));
  REQUIRE(wait_until([&] { return helped.overdue() == "21-40 61-100 "; }));
  CHECK(helped.subscriber.recovery().whole);
  CHECK_EQUAL(helped.subscriber.recovery().parked_first, 41U);
  std::vector<std::uint8_t> bytes = joined({feed_packet(feed, 21, 30), feed_packet(feed, 31, 42)});
  const std::size_t good = bytes.size();
  bytes.insert(bytes.end(), 40, 0x44);  // no datagram: the rest of the block is not looked at
  CHECK_EQUAL(helped.subscriber.offer(bytes), good + 40);
  REQUIRE(wait_until([&] { return helped.overdue() == "61-100 "; }));
  helped.subscriber.want_snapshot();
  helped.subscriber.offer(joined(feed_snapshot(feed, 110)));
  REQUIRE(helped.listener.wait_for<run::SnapshotEvent>());
  CHECK_EQUAL(helped.listener.all<run::SnapshotEvent>()[0].sequence, 110U);
  REQUIRE(wait_until([&] { return helped.subscriber.applied().sequence == 120; }));
  CHECK_EQUAL(helped.subscriber.applied().digest, feed.digest(120));
  CHECK_EQUAL(helped.overdue(), "");
  // Each event stands where it belongs between the updates: 1 to 60, the snapshot, 111 to 120.
  helped.listener.look();
  const auto recovered = helped.listener.all<run::RecoveredEvent>();
  REQUIRE_EQUAL(recovered.size(), 2U);
  CHECK_EQUAL(FollowerBench::text_of(recovered[0].range), "21-40");
  CHECK_EQUAL(FollowerBench::text_of(recovered[1].range), "61-100");
  CHECK_EQUAL(helped.subscriber.delivery()->delivered(), 70U);
}

TEST(subscriberFollowsASessionThatAnotherThreadConfirms) {
  HelpedSubscriber helped;
  const BusyFeed first(20);
  const BusyFeed second(40, 100);
  helped.send(feed_packet(first, 1, 20, {5, 1}));
  helped.subscriber.confirm_session(8);
  REQUIRE(helped.listener.wait_for<run::SessionEvent>(2));
  helped.subscriber.want_snapshot();
  helped.subscriber.offer(joined(feed_snapshot(second, 30, 1, {8, 1})));
  REQUIRE(helped.listener.wait_for<run::SnapshotEvent>());
  helped.send(feed_packet(first, 1, 20, {5, 1}));
  helped.send(feed_packet(second, 31, 40, {8, 1}));
  REQUIRE(wait_until([&] { return helped.subscriber.applied().sequence == 40; }));
  CHECK_EQUAL(helped.subscriber.applied().session, 8U);
  CHECK_EQUAL(helped.subscriber.applied().digest, second.digest(40));
}

TEST(subscriberTakesASnapshotFromItsLineAndLeavesItAgain) {
  SubscriberOptions options = recovering_options();
  options.snapshot_line = io::ReceiverOptions{};
  options.snapshot_line->address = fresh_line();
  HelpedSubscriber helped(options);
  const BusyFeed feed(100);
  io::SenderOptions to;
  to.address = options.snapshot_line->address;
  io::UdpSender loop(to);
  helped.send(feed_packet(feed, 91, 100));
  helped.subscriber.join_snapshot_line(true);
  helped.subscriber.want_snapshot();
  const std::vector<Datagram> snapshot = feed_snapshot(feed, 90);
  REQUIRE(wait_until([&] {
    for (const Datagram& one : snapshot) loop.add(one.data(), one.size());
    loop.flush();
    return !helped.listener.all<run::SnapshotEvent>().empty();
  }));
  REQUIRE(wait_until([&] { return helped.subscriber.applied().sequence == 100; }));
  helped.subscriber.join_snapshot_line(false);
  helped.subscriber.give_up_below(5);  // nothing is missing
  helped.subscriber.cancel_resume();
  CHECK_EQUAL(helped.listener.books().digest, feed.digest(100));
  CHECK(figure(helped.subscriber, SubscriberCounter::snapshot_line_datagrams) >= snapshot.size());
}

TEST(subscriberBoundsWhatWaitsForIt) {
  run::OfferedBytes queue;
  const std::vector<std::uint8_t> bytes(std::size_t{64} << 20);
  for (std::size_t count = 1; count <= 4; ++count) CHECK_EQUAL(queue.offer(bytes), count * bytes.size());
  CHECK_EQUAL(queue.offer({bytes.data(), 8}), 0U);
  CHECK_EQUAL(queue.offer({}), run::OfferedBytes::bytes_max);
  std::size_t datagrams = 0;
  const std::size_t taken = queue.take(
      1, [] {}, [&](std::span<const std::uint8_t>) { ++datagrams; });
  CHECK_EQUAL(taken, bytes.size());
  CHECK_EQUAL(datagrams, 0U);
  CHECK_EQUAL(queue.offer({bytes.data(), 8}), 3 * bytes.size() + 8);
}

}  // namespace
}  // namespace depthcast::test

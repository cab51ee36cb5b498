// A follower and packets made by hand, without sockets and threads: what it says, as text.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "encode/snapshot_writer.h"
#include "run/follower.h"
#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/packets.h"
#include "test/test_runner.h"

namespace depthcast::test {

struct FeedIdentity {
  std::uint64_t session = 1;
  std::uint32_t channel = 1;
};

// Messages first … last of the feed as one datagram.
inline Datagram feed_packet(const ReplicaFeed& feed, std::uint64_t first, std::uint64_t last,
                            const FeedIdentity& of = {}) {
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

// What the publisher tells after message `sequence`; `error` makes it lie.
inline Datagram feed_heartbeat(const ReplicaFeed& feed, std::uint64_t sequence, bool end = false,
                               const FeedIdentity& of = {}, std::uint64_t error = 0) {
  PacketCollector collector;
  encode::PacketWriter writer({of.channel, of.session, 1'400}, collector);
  writer.heartbeat({sequence + 1,
                    2 * sequence,
                    static_cast<std::int64_t>(10 * sequence),
                    feed.digest(sequence) + error,
                    sequence != 0,
                    end,
                    77,
                    {}});
  return collector.packets[0].bytes;
}

// The state after message `sequence` as a snapshot's datagrams, small ones.
inline std::vector<Datagram> feed_snapshot(const ReplicaFeed& feed, std::uint64_t sequence,
                                           std::uint64_t generation = 1, const FeedIdentity& of = {}) {
  book::Replica replica(feed.writer().limits(), nullptr);
  feed.give(replica, 1, sequence);
  encode::SnapshotWriter writer(encode::datagram_bytes_min);
  std::vector<Datagram> datagrams;
  writer.write(replica, {of.channel, of.session, generation, sequence, replica.position(), replica.event_time_ns(), 1},
               {}, [&](std::span<const std::uint8_t> bytes) { datagrams.emplace_back(bytes.begin(), bytes.end()); });
  return datagrams;
}

// `count` orders of instruments 1 to 3, each an event; one in three is deleted again.
struct BusyFeed : ReplicaFeed {
  explicit BusyFeed(std::uint64_t count, std::uint32_t salt = 0) : ReplicaFeed(limits()) {
    for (std::uint64_t order = 1; last() < count; ++order) {
      const auto instrument = static_cast<std::uint32_t>(order % 3 + 1);
      book(add(order, instrument, Side::bid, static_cast<std::int64_t>(order % 7 + salt), 10));
      if (order % 3 == 0 && last() < count) book(delete_order(order, instrument, Side::bid));
    }
  }
  static book::BookLimits limits() {
    book::BookLimits limits;
    limits.orders_max = 4'096;
    limits.instruments_max = 8;
    return limits;
  }
};

// Time stands still unless it is moved: now_ns is public.
class FollowerBench final : private run::FollowerListener {
 public:
  static constexpr std::int64_t gap_wait_ns = 100;

  static run::FollowerOptions recovering() {
    run::FollowerOptions options;
    options.limits = BusyFeed::limits();
    options.arbiter = {gap_wait_ns, 1'000, std::size_t{4} << 20};
    options.silence_ns = 1'000;
    options.recovery = true;
    return options;
  }

  explicit FollowerBench(const run::FollowerOptions& options = recovering())
      : delivery(4'096, run::DeliveryPolicy::skip), follower(options, &delivery, counters, *this) {}

  void line(const Datagram& datagram, std::size_t index = 0) { follower.take(index, datagram, now_ns); }
  void recovered(const Datagram& datagram) { follower.take_recovered(datagram, now_ns); }
  void recovered(const std::vector<Datagram>& datagrams) {
    for (const Datagram& one : datagrams) recovered(one);
  }
  void tick(std::int64_t after_ns = 0) {
    now_ns += after_ns;
    follower.tick(now_ns);
  }
  std::string state() const { return name_of(follower.state()); }
  std::uint64_t counter(run::SubscriberCounter name) {
    follower.publish_counters();
    return counters.get(name);
  }
  // What it said since the last call.
  std::string news() {
    std::string text;
    text.swap(news_);
    return text;
  }
  // The numbers delivered since the last call, as ranges.
  std::string updates() {
    std::string text;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const auto close = [&] {
      if (first != 0) text += std::to_string(first) + '-' + std::to_string(last) + ' ';
    };
    auto& ring = delivery.ring();
    const std::size_t ready = ring.available_now();
    for (std::size_t index = 0; index < ready; ++index) {
      const std::uint64_t sequence = ring.at_head(index).sequence;
      if (sequence != last + 1 || first == 0) {
        close();
        first = sequence;
      }
      last = sequence;
    }
    close();
    ring.release(ready);
    return text;
  }
  std::string overdue() const {
    run::RecoveryView view;
    follower.view(view, now_ns);
    std::string text;
    for (const auto& range : view.overdue) text += text_of(range) + ' ';
    return text;
  }
  static std::string text_of(const arbitrate::SequenceRange& range) {
    return std::to_string(range.first) + '-' + std::to_string(range.last);
  }

  std::int64_t now_ns = 1'000'000;
  run::SubscriberCounters counters;
  run::Delivery delivery;
  run::Follower follower;

 private:
  void on_definition(std::uint32_t instrument, const book::DefinitionRecord& /*record*/) override {
    news_ += "definition " + std::to_string(instrument) + "; ";
  }
  void on_news(run::FeedNews&& news) override {
    news_ += std::visit([](const auto& one) { return text_of_news(one); }, news) + "; ";
  }
  static std::string text_of_news(const run::SessionEvent& one) { return "session " + std::to_string(one.session); }
  static std::string text_of_news(const run::StateEvent& one) { return name_of(one.state); }
  static std::string text_of_news(const run::MissingEvent& one) { return "missing " + text_of(one.range); }
  static std::string text_of_news(const run::RecoveredEvent& one) {
    constexpr const char* ways[run::repair_ways] = {"line", "retransmission", "snapshot"};
    return "recovered " + text_of(one.range) + " by " + ways[static_cast<std::size_t>(one.way)];
  }
  static std::string text_of_news(const run::GivenUpEvent& one) { return "given up " + text_of(one.range); }
  static std::string text_of_news(const run::SnapshotEvent& one) { return "snapshot " + std::to_string(one.sequence); }
  static std::string text_of_news(const run::SnapshotRefusedEvent& one) {
    return std::string("snapshot refused: ") + one.reason;
  }
  static std::string text_of_news(const run::ResumedEvent& one) {
    return "resumed at " + std::to_string(one.sequence) + (one.equal ? "" : " not equal");
  }
  static std::string text_of_news(const run::DigestMismatchEvent& one) {
    return "mismatch " + std::to_string(one.sequence);
  }
  static std::string text_of_news(const run::OverrunEvent& /*one*/) { return "overrun"; }
  static std::string text_of_news(const run::EndOfSessionEvent& one) {
    return "end of " + std::to_string(one.session) + " at " + std::to_string(one.sequence);
  }
  static std::string text_of_news(const run::DefinitionsEvent& /*one*/) { return "definitions"; }
  static std::string text_of_news(const run::ExportEvent& one) {
    return "export " + std::to_string(one.books.position) + (one.books.whole ? "" : " not whole");
  }

  std::string news_;
};

}  // namespace depthcast::test

// A follower with holes that stay open: what it asks for, takes, refuses and says, event by event.
#include "run/follower.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "book/audit.h"
#include "test/random.h"
#include "test/run_follower_feed.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::SubscriberCounter;

TEST(followerKeepsAHoleOpenAndTakesItFromWhoeverBringsIt) {
  FollowerBench bench;
  const BusyFeed feed(60);
  bench.line(feed_packet(feed, 1, 10));
  bench.line(feed_heartbeat(feed, 10));
  bench.tick();
  CHECK_EQUAL(bench.news(), "session 1; synchronized; ");
  bench.line(feed_packet(feed, 21, 30));
  bench.line(feed_packet(feed, 41, 50));
  bench.tick(99);
  CHECK_EQUAL(bench.news(), "");
  bench.tick(1);
  CHECK_EQUAL(bench.news(), "missing 11-20; missing 31-40; recovering; ");
  CHECK_EQUAL(bench.overdue(), "11-20 31-40 ");
  bench.tick(1'000'000'000);
  CHECK_EQUAL(bench.news(), "");
  bench.recovered(feed_packet(feed, 31, 35));
  CHECK_EQUAL(bench.overdue(), "11-20 36-40 ");
  bench.line(feed_packet(feed, 8, 20), 1);
  bench.recovered(feed_packet(feed, 34, 42));
  bench.tick();
  CHECK_EQUAL(bench.news(),
              "recovered 31-35 by retransmission; recovered 11-20 by line; recovered 36-40 by retransmission; "
              "synchronized; ");
  CHECK_EQUAL(bench.updates(), "1-50 ");
  CHECK_EQUAL(bench.follower.replica().book().digest(), feed.digest(50));
  CHECK_EQUAL(bench.counter(SubscriberCounter::missing_messages), 20U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::recovered_line), 10U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::recovered_retransmission), 10U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::repairs_line), 1U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::repairs_retransmission), 1U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::given_up_messages), 0U);
}

TEST(followerTakesASnapshotInTheMiddleOfParkedPackets) {
  FollowerBench bench;
  const BusyFeed feed(100);
  bench.line(feed_packet(feed, 61, 70));
  bench.line(feed_packet(feed, 81, 90));
  bench.tick(100);
  CHECK_EQUAL(bench.news(), "session 1; missing 1-60; missing 71-80; recovering; ");
  CHECK_EQUAL(bench.updates(), "");
  CHECK(!bench.follower.export_now(0, false).whole);
  const std::vector<Datagram> snapshot = feed_snapshot(feed, 65);
  bench.recovered(snapshot);  // not asked for
  CHECK_EQUAL(bench.counter(SubscriberCounter::offered_refused), snapshot.size());
  bench.follower.want_snapshot();
  bench.recovered(snapshot);
  CHECK_EQUAL(bench.news(), "recovered 1-60 by snapshot; snapshot 65; ");
  CHECK_EQUAL(bench.updates(), "66-70 ");
  CHECK_EQUAL(bench.overdue(), "71-80 ");
  bench.recovered(feed_packet(feed, 71, 80));
  bench.tick();
  CHECK_EQUAL(bench.news(), "recovered 71-80 by retransmission; synchronized; ");
  CHECK_EQUAL(bench.updates(), "71-90 ");
  CHECK_EQUAL(bench.follower.replica().book().digest(), feed.digest(90));
  bench.line(feed_heartbeat(feed, 90));
  CHECK_EQUAL(bench.counter(SubscriberCounter::digests_mismatched), 0U);
  CHECK_EQUAL(bench.counter(SubscriberCounter::repairs_snapshot), 1U);
}

TEST(followerHasAHoleBehindASnapshotThatEndsBelowWhatIsParked) {
  FollowerBench bench;
  const BusyFeed feed(100);
  bench.line(feed_packet(feed, 61, 70));
  bench.tick(100);
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 50));
  bench.tick();
  CHECK_EQUAL(bench.news(), "session 1; missing 1-60; recovering; recovered 1-50 by snapshot; snapshot 50; ");
  CHECK_EQUAL(bench.overdue(), "51-60 ");
  bench.recovered(feed_packet(feed, 45, 62));
  bench.tick();
  CHECK_EQUAL(bench.news(), "recovered 51-60 by retransmission; synchronized; ");
  CHECK_EQUAL(bench.updates(), "51-70 ");
}

// Chunks of two generations, of another session, damaged, twice, in any order.
TEST(followerTakesOneWholeGenerationAndNothingElse) {
  FollowerBench bench;
  const BusyFeed feed(300);
  const BusyFeed other(300, 1'000);
  bench.line(feed_packet(feed, 201, 210));
  bench.tick(100);
  bench.follower.want_snapshot();
  static_cast<void>(bench.news());
  const std::vector<Datagram> first = feed_snapshot(feed, 120, 7);
  const std::vector<Datagram> second = feed_snapshot(feed, 180, 8);
  const std::vector<Datagram> foreign = feed_snapshot(other, 180, 9, {2, 1});
  for (std::size_t index = 0; index + 1 < first.size(); ++index) {
    bench.recovered(first[index]);
    bench.recovered(first[index]);
    bench.recovered(foreign[index]);
  }
  Datagram damaged = first.back();
  damaged[100] ^= 1;
  bench.recovered(damaged);
  CHECK_EQUAL(bench.news(), "");
  bench.recovered(second.back());
  bench.recovered(first.back());
  CHECK_EQUAL(bench.news(), "");
  std::vector<Datagram> rest(second.rbegin() + 1, second.rend());
  bench.recovered(rest);
  CHECK(bench.news().find("snapshot 180") != std::string::npos);
  CHECK_EQUAL(bench.follower.replica().book().digest(), feed.digest(180));
  CHECK_EQUAL(book::audit(bench.follower.replica().book()).fault, "");
}

TEST(followerIsStaleAfterAMismatchUntilASnapshotMendsIt) {
  FollowerBench bench;
  const BusyFeed feed(40);
  bench.line(feed_packet(feed, 1, 10));
  bench.line(feed_heartbeat(feed, 10));
  bench.line(feed_packet(feed, 11, 20));
  bench.line(feed_heartbeat(feed, 20, false, {}, 1));
  bench.tick();
  CHECK_EQUAL(bench.news(), "session 1; mismatch 20; stale; ");
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 15));  // older than what was applied: what follows is missing again
  bench.tick();
  CHECK_EQUAL(bench.news(), "snapshot 15; missing 16-20; recovering; ");
  CHECK_EQUAL(bench.overdue(), "16-20 ");
  bench.line(feed_packet(feed, 21, 22));
  bench.recovered(feed_packet(feed, 11, 20));
  bench.tick();
  CHECK_EQUAL(bench.news(), "recovered 16-20 by retransmission; synchronized; ");
  CHECK_EQUAL(bench.updates(), "1-22 ");  // each once
  CHECK_EQUAL(bench.follower.replica().book().digest(), feed.digest(22));
}

TEST(followerRefusesAnOlderSnapshotWhereItsBooksAreRight) {
  FollowerBench bench;
  const BusyFeed feed(40);
  bench.line(feed_packet(feed, 1, 30));
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 15));
  CHECK_EQUAL(bench.news(), "session 1; snapshot refused: older; ");
  CHECK_EQUAL(bench.follower.replica().sequence(), 30U);
}

TEST(followerRefusesASnapshotThatItsLimitsCannotHold) {
  run::FollowerOptions options = FollowerBench::recovering();
  options.limits.orders_max = 10;
  FollowerBench bench(options);
  const BusyFeed feed(100);
  bench.line(feed_packet(feed, 91, 92));
  bench.tick(100);
  static_cast<void>(bench.news());
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 90));
  bench.tick();
  CHECK_EQUAL(bench.news(), "recovered 1-90 by snapshot; snapshot refused: order_limit; stale; ");
  CHECK_EQUAL(bench.counter(SubscriberCounter::snapshots_refused), 1U);
}

TEST(followerGivesUpOnlyWhenToldOrWhenItsTimeIsOver) {
  run::FollowerOptions options = FollowerBench::recovering();
  options.give_up_ns = 10'000;
  FollowerBench bench(options);
  const BusyFeed feed(40);
  bench.line(feed_packet(feed, 1, 10));
  bench.line(feed_packet(feed, 13, 14));
  bench.line(feed_packet(feed, 17, 20));
  bench.tick(100);
  CHECK_EQUAL(bench.news(), "session 1; missing 11-12; missing 15-16; recovering; ");
  bench.follower.give_up_below(13);
  bench.tick();
  CHECK_EQUAL(bench.news(), "given up 11-12; stale; ");
  CHECK_EQUAL(bench.updates(), "1-10 13-14 ");
  bench.tick(9'899);
  CHECK_EQUAL(bench.news(), "");
  bench.tick(1);
  CHECK_EQUAL(bench.news(), "given up 15-16; ");
  CHECK_EQUAL(bench.updates(), "17-20 ");
}

TEST(followerDropsWhatItKeepsWhenItIsTooMuchAndFollowsTheNewest) {
  run::FollowerOptions options = FollowerBench::recovering();
  options.arbiter.parked_max = 4;
  FollowerBench bench(options);
  const BusyFeed feed(100);
  bench.line(feed_packet(feed, 1, 10));
  for (std::uint64_t first = 21; first < 71; first += 10) bench.line(feed_packet(feed, first, first + 9));
  bench.tick(100);
  CHECK_EQUAL(bench.news(), "session 1; missing 11-60; recovering; ");
  CHECK_EQUAL(bench.counter(SubscriberCounter::parked_dropped), 4U);
  bench.recovered(feed_packet(feed, 11, 60));
  CHECK_EQUAL(bench.updates(), "1-70 ");
}

TEST(followerAdoptsAConfirmedSessionAtOnce) {
  FollowerBench bench;
  const BusyFeed first(30);
  const BusyFeed second(30, 500);
  bench.line(feed_packet(first, 1, 10, {5, 1}));
  bench.line(feed_packet(first, 15, 20, {5, 1}));
  bench.line(feed_packet(second, 1, 10, {6, 1}));
  bench.tick();
  CHECK_EQUAL(bench.news(), "session 5; ");
  CHECK_EQUAL(bench.counter(SubscriberCounter::sequence), 10U);
  bench.follower.confirm_session(4, bench.now_ns);  // an older one never
  bench.follower.confirm_session(5, bench.now_ns);
  CHECK_EQUAL(bench.news(), "");
  bench.follower.confirm_session(6, bench.now_ns);
  CHECK_EQUAL(bench.news(), "missing 11-14; given up 11-14; session 6; ");
  CHECK_EQUAL(bench.counters.get(SubscriberCounter::session), 6U);
  CHECK_EQUAL(bench.counters.get(SubscriberCounter::sequence), 0U);  // as told, nothing published since
  bench.recovered(feed_packet(first, 11, 14, {5, 1}));               // too late
  bench.line(feed_packet(second, 11, 20, {6, 1}));
  bench.recovered(feed_packet(second, 1, 10, {6, 1}));
  bench.line(feed_heartbeat(second, 20, false, {6, 1}));
  bench.tick();
  CHECK_EQUAL(bench.news(), "synchronized; ");
  CHECK_EQUAL(bench.updates(), "1-10 15-20 1-20 ");
  CHECK_EQUAL(bench.follower.replica().book().digest(), second.digest(20));
}

TEST(followerEndsASessionOnlyWhenAllOfItHasCome) {
  FollowerBench bench;
  const BusyFeed feed(30);
  bench.line(feed_packet(feed, 1, 20));
  bench.line(feed_heartbeat(feed, 30, true));
  bench.tick(1'000'000);
  CHECK_EQUAL(bench.news(), "session 1; missing 21-30; recovering; ");
  bench.recovered(feed_packet(feed, 21, 30));
  bench.tick();
  CHECK_EQUAL(bench.news(), "recovered 21-30 by retransmission; ended; end of 1 at 30; ");
}

TEST(followerGoesOnAfterAResumePointWithEachUpdateOnce) {
  const BusyFeed feed(100);
  run::FollowerOptions options = FollowerBench::recovering();
  options.resume = {1, 60, feed.digest(60)};
  FollowerBench bench(options);
  bench.line(feed_packet(feed, 81, 90));
  bench.tick(100);
  CHECK_EQUAL(bench.news(), "session 1; missing 1-80; recovering; ");
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 40));
  CHECK_EQUAL(bench.updates(), "");
  bench.recovered(feed_packet(feed, 41, 58));
  CHECK_EQUAL(bench.updates(), "");
  CHECK_EQUAL(bench.news(), "recovered 1-40 by snapshot; snapshot 40; recovered 41-58 by retransmission; ");
  bench.recovered(feed_packet(feed, 59, 80));
  bench.tick();
  CHECK_EQUAL(bench.news(), "resumed at 60; recovered 59-80 by retransmission; synchronized; ");
  CHECK_EQUAL(bench.updates(), "61-90 ");
}

TEST(followerSaysWhenAResumePointIsNotTheFeeds) {
  const BusyFeed feed(100);
  for (const bool behind : {false, true}) {
    run::FollowerOptions options = FollowerBench::recovering();
    options.resume = {1, 60, feed.digest(60) + (behind ? 0 : 1)};
    FollowerBench bench(options);
    bench.line(feed_packet(feed, 81, 90));
    bench.tick(100);
    static_cast<void>(bench.news());
    bench.follower.want_snapshot();
    bench.recovered(feed_snapshot(feed, behind ? 70 : 60));
    CHECK(bench.news().find("resumed at 60 not equal; ") != std::string::npos);
    bench.recovered(feed_packet(feed, 61, 80));
    CHECK_EQUAL(bench.updates(), behind ? "71-90 " : "61-90 ");
  }
  // Another session is followed: the point means nothing there.
  run::FollowerOptions options = FollowerBench::recovering();
  options.resume = {2, 60, feed.digest(60)};
  FollowerBench bench(options);
  bench.line(feed_packet(feed, 1, 90));
  CHECK_EQUAL(bench.updates(), "1-90 ");
  options.resume = {1, 60, feed.digest(60)};
  FollowerBench cancelled(options);
  cancelled.line(feed_packet(feed, 1, 50));
  cancelled.follower.cancel_resume();
  cancelled.line(feed_packet(feed, 51, 90));
  CHECK_EQUAL(cancelled.updates(), "51-90 ");
}

TEST(followerExportsWhatASnapshotJumpedOverAsNotWhole) {
  run::FollowerOptions options = FollowerBench::recovering();
  options.export_positions = {20, 100, 120, 130};  // positions are twice the numbers
  FollowerBench bench(options);
  const BusyFeed feed(100);
  bench.line(feed_packet(feed, 1, 11));
  bench.line(feed_packet(feed, 71, 80));
  bench.tick(100);
  bench.follower.want_snapshot();
  bench.recovered(feed_snapshot(feed, 60));
  bench.recovered(feed_packet(feed, 61, 70));
  CHECK_EQUAL(bench.news(),
              "session 1; export 20; missing 12-70; recovering; export 100 not whole; recovered 12-60 by snapshot; "
              "snapshot 60; export 120; export 130; recovered 61-70 by retransmission; ");
}

// Whatever two lossy lines and a service that brings anything at any time make of it: the books end as the publisher's.
TEST(followerEndsWithThePublishersBooksWhateverIsLost) {
  Random random(seed());
  std::uint64_t snapshots = 0;
  std::uint64_t brought = 0;
  const std::uint64_t rounds = work(150);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    run::FollowerOptions options = FollowerBench::recovering();
    if (random.chance(1, 3)) options.arbiter.parked_max = static_cast<std::uint32_t>(random.between(1, 20));
    FollowerBench bench(options);
    const BusyFeed feed(random.between(20, 600));
    std::uint64_t delivered_to = 0;
    std::uint64_t snapshot_to = 0;
    const auto check = [&] {
      // Each number at most once and in order; what is left out lies below a snapshot.
      auto& ring = bench.delivery.ring();
      const std::size_t ready = ring.available_now();
      for (std::size_t index = 0; index < ready; ++index) {
        const std::uint64_t sequence = ring.at_head(index).sequence;
        REQUIRE(sequence > delivered_to);
        REQUIRE(sequence == delivered_to + 1 || sequence - 1 <= snapshot_to);
        REQUIRE_EQUAL(ring.at_head(index).digest, feed.digest(sequence));
        delivered_to = sequence;
      }
      ring.release(ready);
    };
    const std::uint64_t loss = random.below(60);
    std::uint64_t generation = 0;
    const auto recover = [&](std::uint64_t sent) {
      run::RecoveryView view;
      bench.follower.view(view, bench.now_ns);
      if (view.overdue.empty()) return;
      const arbitrate::SequenceRange& hole = view.overdue[random.below(view.overdue.size())];
      if (random.chance(1, 6)) {
        bench.follower.want_snapshot();
        const std::uint64_t at = random.between(1, sent);
        bench.recovered(feed_snapshot(feed, at, ++generation));
        snapshot_to = std::max(snapshot_to, at);
        ++snapshots;
      } else {
        const std::uint64_t first = hole.first - std::min<std::uint64_t>(hole.first - 1, random.below(6));
        const std::uint64_t last = std::min({first + random.below(30), sent, hole.last + random.below(6)});
        if (last >= first) bench.recovered(feed_packet(feed, first, last));
        ++brought;
      }
    };
    for (std::uint64_t first = 1; first <= feed.last();) {
      const std::uint64_t last = std::min(feed.last(), first + random.below(20));
      for (std::size_t line = 0; line < 2; ++line) {
        if (!random.chance(loss, 100)) bench.line(feed_packet(feed, first, last), line);
      }
      if (random.chance(1, 10)) bench.line(feed_heartbeat(feed, last));
      bench.tick(static_cast<std::int64_t>(random.below(150)));
      if (random.chance(1, 3)) recover(last);
      check();
      first = last + 1;
    }
    bench.line(feed_heartbeat(feed, feed.last(), true));
    for (int tries = 0; bench.state() != "ended" && tries < 10'000; ++tries) {
      bench.tick(100);
      recover(feed.last());
      check();
    }
    REQUIRE_EQUAL(bench.state(), "ended");
    REQUIRE_EQUAL(bench.follower.replica().book().digest(), feed.digest(feed.last()));
    REQUIRE(bench.follower.replica().whole());
    REQUIRE_EQUAL(bench.counter(SubscriberCounter::digests_mismatched), 0U);
    REQUIRE_EQUAL(bench.counter(SubscriberCounter::given_up_messages), 0U);
  }
  note(std::to_string(snapshots) + " snapshots, " + std::to_string(brought) + " packets brought back");
  CHECK(snapshots > rounds / 2 && brought > rounds);
}

}  // namespace
}  // namespace depthcast::test

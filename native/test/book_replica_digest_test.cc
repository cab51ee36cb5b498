// The channel's digest as it comes: in time, late, early, never, wrong.
#include <cstdint>

#include "book/replica.h"
#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::BookLimits;
using book::InstrumentState;
using book::Replica;

constexpr std::uint64_t digests_kept = 65'536;
constexpr std::uint64_t digests_waiting_max = 64;

BookLimits small_limits() {
  BookLimits limits;
  limits.orders_max = 200'000;
  limits.instruments_max = 3;
  limits.depth_levels = 0;
  return limits;
}

struct Bench {
  // `count` orders, each an event of its own.
  explicit Bench(std::uint64_t count) {
    for (std::uint64_t order = 1; order <= count; ++order) {
      feed.book(
          add(order, static_cast<std::uint32_t>(order % 3 + 1), Side::bid, static_cast<std::int64_t>(order % 50), 1));
    }
  }
  void expect(std::uint64_t checked, std::uint64_t mismatched, std::uint64_t unchecked, int line) const {
    const book::ReplicaCounters& counters = replica.counters();
    if (counters.digests_checked == checked && counters.digests_mismatched == mismatched &&
        counters.digests_unchecked == unchecked) {
      return;
    }
    fail(__FILE__, line,
         "checked, mismatched, unchecked are " + std::to_string(counters.digests_checked) + ", " +
             std::to_string(counters.digests_mismatched) + ", " + std::to_string(counters.digests_unchecked) +
             ", expected " + std::to_string(checked) + ", " + std::to_string(mismatched) + ", " +
             std::to_string(unchecked));
  }

  ReplicaFeed feed{small_limits()};
  Replica replica{small_limits(), nullptr};
};

TEST(replicaChecksADigestThatComesWithItsMessage) {
  Bench bench(3);
  bench.replica.on_digest(0, 0);
  bench.expect(1, 0, 0, __LINE__);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    bench.feed.give(bench.replica, sequence);
    bench.feed.tell_digest(bench.replica, sequence);
  }
  bench.expect(4, 0, 0, __LINE__);
  CHECK(bench.replica.whole());
}

TEST(replicaChecksTheOtherLinesCopyOfADigestOnlyOnce) {
  Bench bench(3);
  bench.feed.give(bench.replica, 1, 2);
  bench.feed.tell_digest(bench.replica, 2);
  bench.feed.tell_digest(bench.replica, 2);
  bench.feed.tell_digest(bench.replica, 1);  // an old one, from the slower line
  bench.expect(1, 0, 0, __LINE__);
  bench.feed.tell_digest(bench.replica, 3);
  bench.feed.tell_digest(bench.replica, 3);
  bench.feed.give(bench.replica, 3);
  bench.feed.tell_digest(bench.replica, 3);
  bench.expect(2, 0, 0, __LINE__);
}

TEST(replicaChecksADigestThatComesLate) {
  Bench bench(1'000);
  bench.feed.give_all(bench.replica);
  for (std::uint64_t sequence = 1; sequence <= 1'000; ++sequence) bench.feed.tell_digest(bench.replica, sequence);
  bench.expect(1'000, 0, 0, __LINE__);
}

TEST(replicaNoticesADifferenceThatComesLate) {
  Bench bench(1'000);
  bench.feed.give_all(bench.replica);
  bench.feed.tell_digest(bench.replica, 10);
  bench.feed.tell_digest(bench.replica, 11, 1);
  bench.expect(2, 1, 0, __LINE__);
  CHECK(!bench.replica.whole());
  CHECK(bench.replica.state(1) == InstrumentState::unconfirmed);
}

TEST(replicaChecksADigestThatComesBeforeItsMessage) {
  Bench bench(10);
  bench.feed.give(bench.replica, 1, 3);
  bench.feed.tell_digest(bench.replica, 5);
  bench.feed.tell_digest(bench.replica, 6);
  bench.feed.tell_digest(bench.replica, 9);
  bench.expect(0, 0, 0, __LINE__);
  bench.feed.give(bench.replica, 4);
  bench.expect(0, 0, 0, __LINE__);
  bench.feed.give(bench.replica, 5);
  bench.expect(1, 0, 0, __LINE__);
  bench.feed.give(bench.replica, 6, 8);
  bench.expect(2, 0, 0, __LINE__);
  bench.feed.give(bench.replica, 9);
  bench.expect(3, 0, 0, __LINE__);
}

TEST(replicaNoticesADifferenceThatComesEarly) {
  Bench bench(10);
  bench.feed.tell_digest(bench.replica, 4, 1);
  bench.feed.give(bench.replica, 1, 3);
  CHECK(bench.replica.whole());
  bench.feed.give(bench.replica, 4);
  bench.expect(1, 1, 0, __LINE__);
  CHECK(!bench.replica.whole());
}

TEST(replicaKeepsSoManyWaitingDigestsAndDropsTheOldest) {
  constexpr std::uint64_t more = 10;
  Bench bench(digests_waiting_max + more + 5);
  for (std::uint64_t sequence = 1; sequence <= digests_waiting_max; ++sequence) {
    bench.feed.tell_digest(bench.replica, sequence);
  }
  bench.expect(0, 0, 0, __LINE__);
  for (std::uint64_t sequence = 1; sequence <= more; ++sequence) {
    bench.feed.tell_digest(bench.replica, digests_waiting_max + sequence);
    bench.expect(0, 0, sequence, __LINE__);
  }
  bench.feed.give_all(bench.replica);
  bench.expect(digests_waiting_max, 0, more, __LINE__);
  CHECK(bench.replica.whole());
}

TEST(replicaKeepsItsOwnDigestsOfTheLastNumbersAndNoMore) {
  Bench bench(digests_kept + 100);
  bench.feed.give_all(bench.replica);
  bench.feed.tell_digest(bench.replica, 50);
  bench.feed.tell_digest(bench.replica, 100);
  bench.expect(0, 0, 2, __LINE__);
  bench.feed.tell_digest(bench.replica, 101);
  bench.expect(1, 0, 2, __LINE__);
  bench.feed.tell_digest(bench.replica, 102, 1);
  bench.expect(2, 1, 2, __LINE__);
}

TEST(replicaCannotCheckADigestThatRefersToTheMiddleOfAnEvent) {
  Bench bench(2);
  bench.feed.book(add(10, 1, Side::bid, 1, 1), false);
  bench.feed.book(add(11, 1, Side::bid, 1, 1), false);
  bench.feed.book(add(12, 1, Side::bid, 1, 1), true);
  bench.feed.give(bench.replica, 1, 3);
  bench.feed.tell_digest(bench.replica, 3);
  bench.expect(0, 0, 1, __LINE__);
  bench.feed.tell_digest(bench.replica, 4);
  bench.feed.give(bench.replica, 4, 5);
  bench.expect(0, 0, 2, __LINE__);
  bench.feed.tell_digest(bench.replica, 5);
  bench.expect(1, 0, 2, __LINE__);
  CHECK(bench.replica.whole());
}

TEST(replicaCannotCheckADigestWhoseMessageWasGivenUp) {
  Bench bench(10);
  bench.feed.give(bench.replica, 1, 3);
  bench.feed.tell_digest(bench.replica, 5);
  bench.replica.on_missing(6);
  bench.feed.tell_digest(bench.replica, 6);
  bench.expect(0, 0, 0, __LINE__);
  bench.feed.give(bench.replica, 7);
  bench.expect(0, 0, 2, __LINE__);
}

// 4 and 5 take each other back: when the digest of 7 is equal, nothing is
// wrong, whatever was missed.
TEST(replicaIsWholeAgainWhenADigestThatWaitedBehindAHoleIsEqual) {
  Bench bench(3);
  bench.feed.book(add(10, 1, Side::bid, 1, 1));
  bench.feed.book(delete_order(10, 1, Side::bid));
  bench.feed.book(add(11, 1, Side::bid, 1, 1));
  bench.feed.book(add(12, 2, Side::bid, 1, 1));
  bench.feed.give(bench.replica, 1, 3);
  bench.feed.tell_digest(bench.replica, 7);
  bench.replica.on_missing(5);
  bench.feed.give(bench.replica, 6);
  CHECK(bench.replica.state(1) == InstrumentState::stale);
  CHECK(!bench.replica.whole());
  bench.feed.give(bench.replica, 7);
  CHECK(bench.replica.whole());
  CHECK(bench.replica.state(1) == InstrumentState::live);
  bench.expect(1, 0, 0, __LINE__);
}

TEST(replicaIsNotWholeAgainByADigestThatItIsPast) {
  Bench bench(3);
  bench.feed.book(reference(0));
  bench.feed.book(add(10, 1, Side::bid, 1, 1));
  bench.feed.book(add(11, 1, Side::bid, 1, 1));
  bench.feed.give(bench.replica, 1, 3);
  bench.replica.on_missing(4);
  bench.feed.give(bench.replica, 5, 6);
  bench.feed.tell_digest(bench.replica, 5);
  CHECK(!bench.replica.whole());  // equal then; whether now, the next one will tell
  bench.feed.tell_digest(bench.replica, 6);
  CHECK(bench.replica.whole());
  bench.expect(2, 0, 0, __LINE__);
}

TEST(replicaReportsAMismatchOnceUntilItIsWholeAgain) {
  Bench bench(20);
  bench.feed.give(bench.replica, 1, 5);
  bench.feed.tell_digest(bench.replica, 5, 1);
  bench.expect(1, 1, 0, __LINE__);
  CHECK(bench.replica.state(1) == InstrumentState::unconfirmed);
  bench.feed.give(bench.replica, 6, 10);
  bench.feed.tell_digest(bench.replica, 10, 1);
  bench.expect(2, 1, 0, __LINE__);
  bench.feed.give(bench.replica, 11);
  bench.feed.tell_digest(bench.replica, 11);
  CHECK(bench.replica.whole());
  bench.feed.give(bench.replica, 12);
  bench.feed.tell_digest(bench.replica, 12, 1);
  bench.expect(4, 2, 0, __LINE__);
}

}  // namespace
}  // namespace depthcast::test

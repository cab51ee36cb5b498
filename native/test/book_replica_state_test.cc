// How far a replica trusts each of its books: live, unconfirmed, stale.
#include <cstdint>
#include <string>

#include "book/audit.h"
#include "book/replica.h"
#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::BookLimits;
using book::InstrumentState;
using book::Replica;

constexpr InstrumentState live = InstrumentState::live;
constexpr InstrumentState unconfirmed = InstrumentState::unconfirmed;
constexpr InstrumentState stale = InstrumentState::stale;

BookLimits small_limits() {
  BookLimits limits;
  limits.orders_max = 100;
  limits.instruments_max = 4;
  limits.depth_levels = 3;
  return limits;
}

// Each of instruments 1, 2 and 3 has an order: messages 1 to 3.
struct Bench {
  Bench() {
    for (std::uint32_t instrument = 1; instrument <= 3; ++instrument) {
      feed.book(add(instrument, instrument, Side::bid, 100, 10));
    }
    feed.give_all(replica);
  }
  // Gives up what has been made and not given yet.
  void lose() { replica.on_missing(feed.last()); }
  // The last message made.
  void give_last() { feed.give(replica, feed.last()); }

  ReplicaFeed feed{small_limits()};
  Replica replica{small_limits(), nullptr};
};

TEST(replicaIsLiveWhileNothingIsMissing) {
  Bench bench;
  bench.feed.book(status(2, TradingStatus::halted));
  bench.feed.trade(1, Kind::trade, 1);
  bench.feed.give_all(bench.replica);
  for (std::uint32_t instrument = 0; instrument <= 4; ++instrument) CHECK(bench.replica.state(instrument) == live);
  CHECK(bench.replica.whole());
  CHECK_EQUAL(bench.replica.instrument_last(), 3U);
  CHECK_EQUAL(bench.replica.sequence(), 5U);
  CHECK_EQUAL(bench.replica.position(), 10U);
  CHECK_EQUAL(bench.replica.event_sequence(), 5U);
  CHECK_EQUAL(bench.replica.event_time_ns(), 50);
  CHECK_EQUAL(bench.replica.counters().messages, 5U);
  CHECK_EQUAL(bench.replica.counters().events, 5U);
  CHECK_EQUAL(bench.replica.counters().instrument_gaps, 0U);
}

TEST(replicaIsUnconfirmedAfterAHoleUntilTheInstrumentsNextMessageFollows) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.lose();
  for (std::uint32_t instrument = 1; instrument <= 4; ++instrument)
    CHECK(bench.replica.state(instrument) == unconfirmed);
  bench.feed.book(add(11, 2, Side::bid, 99, 5));
  bench.give_last();
  bench.feed.trade(3, Kind::trade, 1);
  bench.give_last();
  CHECK(bench.replica.state(1) == unconfirmed);
  CHECK(bench.replica.state(2) == live);
  CHECK(bench.replica.state(3) == live);
  CHECK(bench.replica.state(4) == unconfirmed);
  CHECK(!bench.replica.whole());
}

TEST(replicaIsStaleWhereAnInstrumentsSequenceJumped) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.lose();
  bench.feed.book(add(11, 1, Side::bid, 98, 5));
  bench.give_last();
  CHECK(bench.replica.state(1) == stale);
  CHECK_EQUAL(bench.replica.counters().instrument_gaps, 1U);
  bench.feed.book(add(12, 1, Side::bid, 97, 5));
  bench.give_last();
  CHECK(bench.replica.state(1) == stale);  // what follows proves nothing about what was missed
  CHECK_EQUAL(bench.replica.counters().instrument_gaps, 1U);
  CHECK(!bench.replica.whole());
}

// Between lines of two machines: the number says what the channel's does not.
TEST(replicaIsStaleAfterAJumpWithoutAHoleToo) {
  Bench bench;
  BookMessage message = add(10, 2, Side::ask, 120, 5);
  message.instrument_sequence = 5;
  message.flags |= flags::end_of_event;
  bench.replica.on_book(message, {4, 4, 4}, 0);
  CHECK(bench.replica.state(2) == stale);
  CHECK(bench.replica.state(1) == live);
  CHECK(!bench.replica.whole());
}

TEST(replicaLearnsFromTheFirstMessageOfAnInstrumentWhatWasMissed) {
  Bench bench;
  bench.feed.book(add(10, 4, Side::bid, 99, 5));
  bench.lose();
  bench.feed.book(add(11, 4, Side::bid, 98, 5));
  bench.give_last();
  CHECK(bench.replica.state(4) == stale);
}

TEST(replicaIsUnconfirmedAgainAfterEveryHole) {
  Bench bench;
  bench.feed.book(reference(0));
  bench.lose();
  bench.feed.book(add(11, 2, Side::bid, 99, 5));
  bench.give_last();
  CHECK(bench.replica.state(2) == live);
  bench.feed.book(reference(0));
  bench.lose();
  CHECK(bench.replica.state(2) == unconfirmed);
  bench.feed.book(add(12, 2, Side::bid, 99, 5));
  bench.give_last();
  CHECK(bench.replica.state(2) == live);
}

// The channel itself (instrument 0) has no book that could be wrong.
TEST(replicaHasNoStaleBookAfterAJumpOfTheChannelsOwnSequence) {
  Bench bench;
  bench.feed.book(reference(0));
  bench.lose();
  bench.feed.book(reference(0));
  bench.give_last();
  CHECK_EQUAL(bench.replica.counters().instrument_gaps, 1U);
  CHECK(bench.replica.state(0) != stale);
  CHECK(bench.replica.state(1) == unconfirmed);
  bench.feed.tell_digest(bench.replica, bench.feed.last());
  CHECK(bench.replica.whole());
}

TEST(replicaIsLiveAgainWhenTheChannelsDigestIsEqual) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.feed.book(delete_order(10, 1, Side::bid));
  bench.lose();
  bench.feed.book(add(11, 1, Side::bid, 98, 5));
  bench.give_last();
  CHECK(bench.replica.state(1) == stale);
  bench.feed.tell_digest(bench.replica, bench.feed.last());
  for (std::uint32_t instrument = 1; instrument <= 4; ++instrument) CHECK(bench.replica.state(instrument) == live);
  CHECK(bench.replica.whole());
  CHECK_EQUAL(bench.replica.counters().digests_checked, 1U);
  CHECK_EQUAL(bench.replica.counters().digests_mismatched, 0U);
  bench.feed.book(add(12, 1, Side::bid, 97, 5));
  bench.give_last();
  CHECK(bench.replica.state(1) == live);
}

TEST(replicaExpectsADifferentChannelDigestAfterAHole) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.lose();
  bench.feed.book(add(11, 2, Side::bid, 98, 5));
  bench.give_last();
  bench.feed.tell_digest(bench.replica, bench.feed.last());
  CHECK_EQUAL(bench.replica.counters().digests_checked, 1U);
  CHECK_EQUAL(bench.replica.counters().digests_mismatched, 0U);
  CHECK(bench.replica.state(1) == unconfirmed);
  CHECK(bench.replica.state(2) == live);
}

TEST(replicaIsLiveAgainWhereTheInstrumentsDigestIsEqual) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.feed.book(delete_order(10, 1, Side::bid));
  bench.lose();
  bench.feed.book(add(11, 1, Side::bid, 98, 5));
  bench.give_last();
  bench.feed.tell_instrument(bench.replica, bench.feed.last(), 1);
  bench.feed.tell_instrument(bench.replica, bench.feed.last(), 2);
  CHECK(bench.replica.state(1) == live);  // it was stale
  CHECK(bench.replica.state(2) == live);  // it was unconfirmed
  CHECK(bench.replica.state(3) == unconfirmed);
  CHECK(!bench.replica.whole());
  CHECK_EQUAL(bench.replica.counters().digests_checked, 2U);
}

TEST(replicaIsStaleWhereTheInstrumentsDigestIsDifferent) {
  Bench bench;
  bench.feed.tell_instrument(bench.replica, 3, 2, 1);
  CHECK(bench.replica.state(2) == stale);
  CHECK(bench.replica.state(1) == live);
  CHECK_EQUAL(bench.replica.counters().digests_mismatched, 1U);
  bench.feed.tell_instrument(bench.replica, 3, 2, 1);
  CHECK_EQUAL(bench.replica.counters().digests_mismatched, 1U);  // told once
  bench.feed.tell_instrument(bench.replica, 3, 2);
  CHECK(bench.replica.state(2) == live);
  CHECK(bench.replica.whole());
}

TEST(replicaCountsNoMismatchOfAnUnconfirmedInstrument) {
  Bench bench;
  bench.feed.book(reference(0));
  bench.lose();
  bench.feed.book(reference(0));
  bench.give_last();
  bench.feed.tell_instrument(bench.replica, bench.feed.last(), 2, 1);
  CHECK(bench.replica.state(2) == stale);
  CHECK_EQUAL(bench.replica.counters().digests_mismatched, 0U);
}

TEST(replicaComparesNoInstrumentDigestOfAnotherState) {
  Bench bench;
  bench.feed.book(add(10, 2, Side::bid, 99, 5));
  bench.feed.tell_instrument(bench.replica, 4, 2);  // its message has not come
  bench.feed.tell_instrument(bench.replica, 4,
                             3);  // nor everything below that number
  bench.give_last();
  bench.feed.tell_instrument(bench.replica, 3, 2);  // it has moved on since
  CHECK_EQUAL(bench.replica.counters().digests_checked, 0U);
  bench.feed.tell_instrument(bench.replica, 3, 1);  // another one has not
  CHECK_EQUAL(bench.replica.counters().digests_checked, 1U);
  CHECK(bench.replica.whole());
}

TEST(replicaIgnoresDigestsOfInstrumentsThatCannotBe) {
  Bench bench;
  bench.replica.on_instrument_digest(3, 0, 0, 0);
  bench.replica.on_instrument_digest(3, 5, 0, 0);
  bench.replica.on_instrument_digest(3, 0xffffffffU, 0, 0);
  CHECK_EQUAL(bench.replica.counters().digests_checked, 0U);
  CHECK(bench.replica.whole());
}

// A slow line's digest of a state before the hole says nothing about what the
// hole has hidden.
TEST(replicaIsNotConfirmedByDigestsOfAStateBeforeTheHole) {
  Bench bench;
  bench.feed.book(add(10, 1, Side::bid, 99, 5));
  bench.lose();
  bench.feed.tell_instrument(bench.replica, 3, 1);
  bench.feed.tell_instrument(bench.replica, 3, 2);
  CHECK(bench.replica.state(1) == unconfirmed);
  CHECK(bench.replica.state(2) == unconfirmed);
  bench.feed.tell_digest(bench.replica, 3);
  CHECK(bench.replica.state(1) == unconfirmed);
  CHECK(!bench.replica.whole());
  bench.feed.book(reference(0));
  bench.give_last();
  bench.feed.tell_instrument(bench.replica, 3, 1);
  CHECK(bench.replica.state(1) == unconfirmed);
  bench.feed.tell_instrument(bench.replica, bench.feed.last(),
                             1);  // has another instrument sequence
  CHECK(bench.replica.state(1) == unconfirmed);
  bench.feed.tell_instrument(bench.replica, bench.feed.last(), 2);
  CHECK(bench.replica.state(2) == live);
}

TEST(replicaIsStaleWhereAMessageWasRefused) {
  const struct {
    BookMessage message;
    ApplyResult reason;
  } cases[] = {
      {delete_order(99, 1, Side::bid), ApplyResult::unknown_order},
      {add(2, 1, Side::bid, 1, 1), ApplyResult::duplicate_order},
      {execute(1, 1, Side::bid, 11), ApplyResult::over_execution},
      {add(9, 1, Side::bid, 1, 0), ApplyResult::invalid_quantity},
      {add(9, 1, Side::none, 1, 1), ApplyResult::invalid_side},
      {add(9, 1, static_cast<Side>(7), 1, 1), ApplyResult::invalid_side},
      {execute(2, 1, Side::bid, 1), ApplyResult::wrong_instrument},
      {modify_kept(1, 1, Side::bid, 101, 1), ApplyResult::wrong_price},
      {add(9, 1, Side::bid, 100, ~std::uint64_t{0}), ApplyResult::quantity_overflow},
  };
  for (const auto& one : cases) {
    Bench bench;
    const std::uint64_t digest = bench.replica.book().digest();
    BookMessage message = one.message;
    message.instrument_sequence = 2;
    message.flags |= flags::end_of_event;
    bench.replica.on_book(message, {4, 8, 40}, 0);
    CHECK_EQUAL(refused(bench.replica, one.reason), 1U);
    CHECK(bench.replica.state(1) == stale);
    CHECK(bench.replica.state(2) == live);
    CHECK_EQUAL(bench.replica.book().digest(), digest);
    CHECK_EQUAL(bench.replica.sequence(), 4U);  // it is over all the same
    CHECK_EQUAL(bench.replica.counters().messages, 4U);
    CHECK_EQUAL(book::audit(bench.replica.book()).fault, "");
  }
}

TEST(replicaWithLowerLimitsThanThePublisherKnowsWhichBooksAreStale) {
  BookLimits limits = small_limits();
  limits.orders_max = 2;
  limits.levels_max = 1;
  Replica replica(limits, nullptr);
  ReplicaFeed feed(small_limits());
  feed.book(add(1, 1, Side::bid, 100, 1));
  feed.book(add(2, 2, Side::bid, 100, 1));
  feed.book(add(3, 1, Side::bid, 100, 1));
  feed.book(add(4, 3, Side::bid, 100, 1));
  feed.give_all(replica);
  CHECK_EQUAL(refused(replica, ApplyResult::level_limit), 1U);
  CHECK_EQUAL(refused(replica, ApplyResult::order_limit), 1U);
  CHECK(replica.state(1) == live);
  CHECK(replica.state(2) == stale);
  CHECK(replica.state(3) == stale);
}

TEST(replicaCountsMessagesOfInstrumentsOutOfRange) {
  Bench bench;
  const std::uint64_t digest = bench.replica.book().digest();
  for (const std::uint32_t instrument : {5U, 0x7fffffffU, 0xffffffffU}) {
    BookMessage message = add(9, instrument, Side::bid, 1, 1);
    message.instrument_sequence = 1;
    bench.replica.on_book(message, {4, 8, 40}, 0);
    TradeMessage trade{};
    trade.instrument = instrument;
    trade.kind = Kind::trade;
    trade.flags = flags::end_of_event;
    bench.replica.on_trade(trade, {5, 10, 50});
    bench.replica.on_definition(instrument, 1, definition_of("FAR"), {6, 12, 60});
    bench.replica.learn_definition(instrument, definition_of("FAR"));
  }
  CHECK_EQUAL(refused(bench.replica, ApplyResult::unknown_instrument), 3U);
  CHECK_EQUAL(bench.replica.counters().definitions_refused, 6U);
  CHECK_EQUAL(bench.replica.counters().instrument_gaps, 0U);
  CHECK_EQUAL(bench.replica.instrument_last(), 3U);
  CHECK_EQUAL(bench.replica.book().digest(), digest);
  CHECK_EQUAL(bench.replica.sequence(), 6U);
}

TEST(replicaSkipsAnUnknownKindUnlessItAffectsTheBook) {
  constexpr auto later = static_cast<Kind>(77);
  Bench bench;
  bench.feed.book({1, 2, 3, 0, 1, 0, later, Side::none, 0});
  bench.feed.trade(1, later, 5);
  bench.feed.give_all(bench.replica);
  CHECK_EQUAL(bench.replica.counters().unknown_kinds, 2U);
  CHECK(bench.replica.state(1) == live);
  CHECK(bench.replica.whole());
  bench.feed.book({1, 2, 3, 0, 1, 0, later, Side::none, flags::book_affecting});
  bench.feed.trade(2, later, 5, true, flags::book_affecting);
  bench.feed.give_all(bench.replica);
  CHECK_EQUAL(bench.replica.counters().unknown_kinds, 2U);
  CHECK_EQUAL(refused(bench.replica, ApplyResult::unknown_kind), 2U);
  CHECK(bench.replica.state(1) == stale);
  CHECK(bench.replica.state(2) == stale);
  CHECK(bench.replica.state(3) == live);
}

}  // namespace
}  // namespace depthcast::test

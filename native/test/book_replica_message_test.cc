// What a replica hands on: updates, best prices, definitions; and that it is as
// new after reset().
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "book/replica.h"
#include "test/allocations.h"
#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::BookLimits;
using book::Replica;
using book::Update;

BookLimits small_limits() {
  BookLimits limits;
  limits.orders_max = 64;
  limits.instruments_max = 4;
  limits.depth_levels = 3;
  return limits;
}

struct Bench {
  Replica replica{small_limits(), &sink};
  ReplicaFeed feed{small_limits()};
  UpdateCollector sink;
  const Update& last() const { return sink.updates.back(); }
};

// "100 x 10 | 101 x 5"; "-" where a side is empty.
std::string best_of(const Update& update) {
  const auto side = [](std::int64_t price, std::uint64_t quantity) {
    if (quantity == 0) return std::string(price == 0 ? "-" : "a price without quantity");
    return std::to_string(price) + " x " + std::to_string(quantity);
  };
  return side(update.bid_price, update.bid_quantity) + " | " + side(update.ask_price, update.ask_quantity);
}

TEST(replicaHandsOnEachBookMessageWithTheBestPricesAfterIt) {
  Bench bench;
  const auto expect = [&](const BookMessage& message, const char* best, int line) {
    bench.feed.book(message);
    bench.feed.give_all(bench.replica);
    if (best_of(bench.last()) != best) fail(__FILE__, line, best_of(bench.last()) + ", expected " + best);
  };
  expect(status(1, TradingStatus::trading), "- | -", __LINE__);
  expect(add(1, 1, Side::bid, 100, 10), "100 x 10 | -", __LINE__);
  expect(add(2, 1, Side::ask, 105, 7), "100 x 10 | 105 x 7", __LINE__);
  expect(add(3, 1, Side::bid, 100, 5), "100 x 15 | 105 x 7", __LINE__);
  expect(add(4, 1, Side::bid, 102, 1), "102 x 1 | 105 x 7", __LINE__);
  expect(add(5, 2, Side::bid, 500, 1), "500 x 1 | -", __LINE__);
  expect(reference(1), "102 x 1 | 105 x 7", __LINE__);
  expect(reference(0), "- | -", __LINE__);
  expect(execute(4, 1, Side::bid, 1), "100 x 15 | 105 x 7", __LINE__);
  expect(modify_kept(1, 1, Side::bid, 100, 2), "100 x 7 | 105 x 7", __LINE__);
  expect(modify_lost(2, 1, Side::ask, 104, 9), "100 x 7 | 104 x 9", __LINE__);
  expect(delete_order(2, 1, Side::ask), "100 x 7 | -", __LINE__);
  expect(clear(1), "- | -", __LINE__);
  expect(add(6, 1, Side::ask, -5, 3), "- | -5 x 3", __LINE__);
  CHECK_EQUAL(bench.sink.updates.size(), bench.feed.last());
}

TEST(replicaHandsOnEveryFieldOfABookMessage) {
  Bench bench;
  bench.feed.book(add(1, 3, Side::bid, 100, 10));
  BookMessage message = execute(1, 3, Side::bid, 4);
  message.price = 99;
  message.flags |= flags::detail | flags::at_price;
  bench.feed.book(message, true, 4'711);
  bench.feed.give_all(bench.replica);
  const Update& update = bench.last();
  CHECK_EQUAL(update.sequence, 2U);
  CHECK_EQUAL(update.position, 4U);
  CHECK_EQUAL(update.time_ns, 20);
  CHECK_EQUAL(update.order_id, 1U);
  CHECK_EQUAL(update.price, 99);
  CHECK_EQUAL(update.quantity, 4U);
  CHECK_EQUAL(update.detail, 4'711U);
  CHECK_EQUAL(update.instrument, 3U);
  CHECK_EQUAL(update.instrument_sequence, 2U);
  CHECK_EQUAL(update.flags, flags::book_affecting | flags::detail | flags::at_price | flags::end_of_event);
  CHECK(update.kind == Kind::execute);
  CHECK(update.side == Side::bid);
  CHECK_EQUAL(best_of(update), "100 x 6 | -");
  CHECK_EQUAL(update.code, 0U);
}

TEST(replicaHandsOnEveryFieldOfATrade) {
  Bench bench;
  bench.feed.book(add(1, 3, Side::ask, 100, 10));
  bench.feed.trade(3, Kind::auction, 9);
  bench.feed.give_all(bench.replica);
  const Update& update = bench.last();
  CHECK_EQUAL(update.sequence, 2U);
  CHECK_EQUAL(update.position, 4U);
  CHECK_EQUAL(update.time_ns, 20);
  CHECK_EQUAL(update.order_id, 9U);
  CHECK_EQUAL(update.quantity, 2U);
  CHECK_EQUAL(update.quantity_2, 3U);
  CHECK_EQUAL(update.price, 4);
  CHECK_EQUAL(update.price_2, 5);
  CHECK_EQUAL(update.price_3, 6);
  CHECK_EQUAL(update.price_4, 7);
  CHECK_EQUAL(update.price_5, 8);
  CHECK_EQUAL(update.instrument, 3U);
  CHECK_EQUAL(update.instrument_sequence, 2U);
  CHECK_EQUAL(update.flags, flags::end_of_event);
  CHECK(update.kind == Kind::auction);
  CHECK(update.side == Side::bid);
  CHECK_EQUAL(update.code, 77U);
  CHECK_EQUAL(update.detail, 0U);
  CHECK_EQUAL(best_of(update), "- | 100 x 10");
}

TEST(replicaHandsOnWhatItCannotApply) {
  Bench bench;
  bench.feed.book(delete_order(5, 1, Side::bid));
  bench.feed.book({1, 2, 3, 0, 2, 0, static_cast<Kind>(99), Side::none, 0});
  bench.feed.give_all(bench.replica);
  REQUIRE_EQUAL(bench.sink.updates.size(), 2U);
  CHECK(bench.sink.updates[0].kind == Kind::delete_order);
  CHECK_EQUAL(bench.sink.updates[1].order_id, 1U);
}

TEST(replicaSaysWhatStateItIsInWithinAnEvent) {
  Bench bench;
  bench.feed.book(add(1, 1, Side::bid, 100, 10));
  bench.feed.book(delete_order(1, 1, Side::bid), false);
  bench.feed.book(add(2, 1, Side::bid, 101, 10), true);
  bench.feed.give(bench.replica, 1, 2);
  CHECK_EQUAL(bench.replica.sequence(), 2U);
  CHECK_EQUAL(bench.replica.event_sequence(), 1U);
  CHECK_EQUAL(bench.replica.event_time_ns(), 10);
  CHECK_EQUAL(bench.replica.counters().events, 1U);
  book::Depth depth;
  CHECK(bench.replica.book().views().read(1, 3, depth) == book::DepthRead::ok);
  CHECK_EQUAL(depth.sequence, 1U);  // never half an event
  CHECK_EQUAL(depth.counts[0], 1U);
  bench.feed.give(bench.replica, 3);
  CHECK(bench.replica.book().views().read(1, 3, depth) == book::DepthRead::ok);
  CHECK_EQUAL(depth.sequence, 3U);
  CHECK_EQUAL(depth.levels[0][0].price, 101);
}

TEST(replicaTakesADefinitionWithANumber) {
  Bench bench;
  bench.feed.define(2, definition_of("ABC"));
  bench.feed.give_all(bench.replica);
  const book::DefinitionRecord& known = bench.replica.definition(2);
  CHECK(known.defined);
  CHECK_EQUAL(known.symbol, "ABC");
  CHECK_EQUAL(known.price_exponent, -4);
  CHECK_EQUAL(known.source_code, 107U);
  CHECK_EQUAL(known.lot_size, 100U);
  CHECK(known.attributes == std::vector<std::uint8_t>({1, 2, 3}));
  CHECK(!bench.replica.definition(1).defined);
  CHECK_EQUAL(bench.replica.definitions_version(), 1U);
  CHECK_EQUAL(bench.replica.instrument_last(), 2U);
  CHECK_EQUAL(bench.replica.book().instrument_sequence(2), 1U);
  REQUIRE_EQUAL(bench.sink.updates.size(), 1U);
  CHECK(bench.last().kind == Kind::definition);
  CHECK_EQUAL(bench.last().sequence, 1U);
  CHECK_EQUAL(bench.last().position, 2U);
  CHECK_EQUAL(bench.last().time_ns, 10);
  CHECK_EQUAL(bench.last().instrument, 2U);
  CHECK_EQUAL(bench.last().instrument_sequence, 1U);
  CHECK_EQUAL(bench.last().flags, flags::end_of_event);
}

TEST(replicaLearnsARepeatedDefinitionOnlyWhereItIsNews) {
  Bench bench;
  bench.replica.learn_definition(2, definition_of("ABC"));
  CHECK_EQUAL(bench.replica.definitions_version(), 1U);
  bench.replica.learn_definition(2, definition_of("ABC"));
  CHECK_EQUAL(bench.replica.definitions_version(), 1U);
  bench.replica.learn_definition(2, definition_of("ABC", 5));
  CHECK_EQUAL(bench.replica.definitions_version(), 2U);
  CHECK_EQUAL(bench.replica.definition(2).lot_size, 5U);
  bench.replica.learn_definition(1, definition_of("ABC", 5));
  CHECK_EQUAL(bench.replica.definitions_version(), 3U);
  // It took no number and is no update.
  CHECK_EQUAL(bench.replica.sequence(), 0U);
  CHECK_EQUAL(bench.replica.book().instrument_sequence(2), 0U);
  CHECK_EQUAL(bench.sink.updates.size(), 0U);
  CHECK_EQUAL(bench.replica.counters().messages, 0U);
  // The numbered one that says the same again changes nothing but the number.
  bench.feed.define(1, definition_of("ABC", 5));
  bench.feed.give_all(bench.replica);
  CHECK_EQUAL(bench.replica.definitions_version(), 3U);
  CHECK_EQUAL(bench.replica.sequence(), 1U);
}

TEST(replicaRefusesDefinitionsOfTheChannelItselfAndOutOfRange) {
  Bench bench;
  bench.replica.learn_definition(0, definition_of("ABC"));
  bench.replica.learn_definition(5, definition_of("ABC"));
  bench.replica.on_definition(0, 1, definition_of("ABC"), {1, 1, 1});
  bench.replica.on_definition(5, 1, definition_of("ABC"), {2, 2, 2});
  CHECK_EQUAL(bench.replica.counters().definitions_refused, 4U);
  CHECK_EQUAL(bench.replica.definitions_version(), 0U);
  CHECK_EQUAL(bench.replica.instrument_last(), 0U);
  CHECK_EQUAL(bench.replica.sequence(), 2U);
  CHECK(!bench.replica.definition(0).defined);
  CHECK(bench.replica.whole());
}

TEST(replicaDoesNotAllocateForBooksTradesAndDigests) {
  ReplicaFeed feed(small_limits());
  RandomFeed(feed, seed()).run(5'000);
  Replica replica(small_limits(), nullptr);
  const std::uint64_t before = allocations();
  for (std::uint64_t sequence = 1; sequence <= feed.last(); ++sequence) {
    if (feed.message(sequence).payload == FeedMessage::Payload::definition) continue;  // their names take memory
    feed.give(replica, sequence);
    if (sequence % 16 == 0) feed.tell_digest(replica, sequence + 8 <= feed.last() ? sequence + 8 : sequence);
  }
  CHECK_EQUAL(allocations(), before);
}

}  // namespace
}  // namespace depthcast::test

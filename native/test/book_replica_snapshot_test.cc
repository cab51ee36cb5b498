// Replicas that take a snapshot: they are the publisher's from there on, or say why not.
#include <cstdint>
#include <functional>
#include <string>

#include "book/audit.h"
#include "book/replica.h"
#include "run/book_export.h"
#include "test/book_replica_feed.h"
#include "test/book_snapshots.h"
#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::BookLimits;
using book::InstrumentState;
using book::Replica;
using book::SnapshotRefusal;

struct SnapshotSink final : book::UpdateSink {
  void on_update(const book::Update& update) override { text += std::to_string(update.sequence) + ' '; }
  void on_snapshot(std::uint64_t sequence) override { text += "snapshot " + std::to_string(sequence) + ' '; }
  std::string text;
};

BookLimits random_limits(Random& random) {
  BookLimits limits;
  limits.orders_max = static_cast<std::uint32_t>(random.between(2, 300));
  limits.instruments_max = static_cast<std::uint32_t>(random.between(1, 6));
  limits.depth_levels = static_cast<std::uint32_t>(random.below(6));
  return limits;
}

void require_views(const Replica& replica) {
  if (replica.book().limits().depth_levels == 0) return;
  for (std::uint32_t index = 1; index <= replica.book().limits().instruments_max; ++index) {
    REQUIRE_EQUAL(book::audit_view(replica.book(), index), "");
  }
}

// Whatever the replica held before: another part of the feed, half an event, a full book, nothing.
TEST(replicaIsThePublishersFromASnapshotOn) {
  Random random(seed());
  std::uint64_t orders = 0;
  const std::uint64_t rounds = work(200);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const BookLimits limits = random_limits(random);
    ReplicaFeed feed(limits);
    RandomFeed(feed, random.next()).run(random.between(1, 2'000));
    std::uint64_t taken_at = random.between(1, feed.last());
    while (!feed.ends_event(taken_at)) ++taken_at;
    Replica source(limits, nullptr);
    feed.give(source, 1, taken_at);
    const SnapshotState state = snapshot_of(source, random.between(1, 50));
    orders += source.book().live_orders();

    SnapshotSink sink;
    Replica replica(limits, &sink);
    const std::uint64_t before = random.below(feed.last() + 1);
    const std::uint64_t from = random.between(1, 5);
    for (std::uint64_t sequence = from; sequence <= before; ++sequence) feed.give(replica, sequence);
    if (random.chance(1, 2)) replica.on_missing(before + 1);
    sink.text.clear();
    REQUIRE_EQUAL(std::string(name_of(load(replica, state))), "none");
    REQUIRE_EQUAL(sink.text, "snapshot " + std::to_string(taken_at) + ' ');
    REQUIRE(replica.whole() && replica.proved());
    REQUIRE_EQUAL(replica.sequence(), taken_at);
    REQUIRE_EQUAL(book::audit(replica.book()).fault, "");
    require_views(replica);
    for (std::uint64_t sequence = taken_at + 1; sequence <= feed.last(); ++sequence) {
      feed.give(replica, sequence);
      if (feed.ends_event(sequence) && random.chance(1, 10)) feed.tell_digest(replica, sequence);
    }
    feed.tell_digest(replica, feed.last());
    REQUIRE_EQUAL(replica.book().digest(), feed.digest(feed.last()));
    REQUIRE_EQUAL(replica.counters().digests_mismatched, 0U);
    REQUIRE(replica.whole());
    if (from == 1 && before <= taken_at) REQUIRE_EQUAL(replica.counters().instrument_gaps, 0U);
    REQUIRE_EQUAL(book::audit(replica.book()).fault, "");
    require_views(replica);
  }
  note(std::to_string(orders) + " orders in snapshots");
}

struct Case {
  const char* name;
  SnapshotRefusal expected;
  std::function<void(SnapshotState&)> spoil;
};

TEST(replicaRefusesASnapshotThatCannotBeWhole) {
  BookLimits limits;
  limits.orders_max = 6;
  limits.levels_max = 4;
  limits.instruments_max = 3;
  ReplicaFeed feed(limits);
  feed.book(add(1, 1, Side::bid, 100, 5));
  feed.book(add(2, 1, Side::bid, 100, 6));
  feed.book(add(3, 2, Side::ask, 101, 7));
  feed.book(status(2, TradingStatus::halted));
  Replica source(limits, nullptr);
  feed.give_all(source);
  const SnapshotState good = snapshot_of(source);
  const auto order = [](std::uint64_t id, std::int64_t price, std::uint64_t priority = 1) {
    return SnapshotOrderData{id, price, 1, priority, Side::ask, 0, 0, 0};
  };
  const Case cases[] = {
      {"as it is", SnapshotRefusal::none, [](SnapshotState&) {}},
      {"an instrument beyond the limit", SnapshotRefusal::unknown_instrument,
       [](SnapshotState& state) {
         state.pieces.push_back({4, 1, TradingStatus::unknown, {}});
       }},
      {"an order of the channel", SnapshotRefusal::unknown_instrument,
       [&](SnapshotState& state) { state.pieces[0].orders.push_back(order(9, 1)); }},
      {"an order twice", SnapshotRefusal::duplicate_order,
       [](SnapshotState& state) { state.pieces[2].orders.push_back(state.pieces[1].orders[0]); }},
      {"too many orders", SnapshotRefusal::order_limit,
       [&](SnapshotState& state) {
         state.head.sequence = 100;
         for (std::uint64_t id = 10; id < 20; ++id) state.pieces[2].orders.push_back(order(id, 101, id));
       }},
      {"too many levels", SnapshotRefusal::level_limit,
       [&](SnapshotState& state) {
         for (std::int64_t price = 200; price < 203; ++price) {
           state.pieces[2].orders.push_back(order(static_cast<std::uint64_t>(price), price));
         }
       }},
      {"no quantity", SnapshotRefusal::invalid_order,
       [](SnapshotState& state) { state.pieces[1].orders[0].quantity = 0; }},
      {"no side", SnapshotRefusal::invalid_order,
       [](SnapshotState& state) { state.pieces[1].orders[0].side = static_cast<Side>(7); }},
      {"a level's total beyond 64 bits", SnapshotRefusal::quantity_overflow,
       [](SnapshotState& state) { state.pieces[1].orders[1].quantity = ~std::uint64_t{0}; }},
      {"a queue out of order", SnapshotRefusal::invalid_order,
       [](SnapshotState& state) { std::swap(state.pieces[1].orders[0], state.pieces[1].orders[1]); }},
      {"a priority that is still to come", SnapshotRefusal::invalid_order,
       [](SnapshotState& state) { state.pieces[2].orders[0].priority = 5; }},
      {"another quantity", SnapshotRefusal::digest_differs,
       [](SnapshotState& state) { ++state.pieces[2].orders[0].quantity; }},
      {"another status", SnapshotRefusal::digest_differs,
       [](SnapshotState& state) { state.pieces[1].status = TradingStatus::trading; }},
      {"an instrument missing", SnapshotRefusal::digest_differs, [](SnapshotState& state) { state.pieces.pop_back(); }},
  };
  for (const Case& one : cases) {
    SnapshotState state = good;
    one.spoil(state);
    Replica replica(limits, nullptr);
    feed.give(replica, 1, 2);
    const SnapshotRefusal refusal = load(replica, state);
    if (refusal != one.expected) fail(__FILE__, __LINE__, std::string(one.name) + ": " + name_of(refusal));
    CHECK_EQUAL(book::audit(replica.book()).fault, "");
    const bool taken = one.expected == SnapshotRefusal::none;
    CHECK_EQUAL(replica.whole(), taken);
    CHECK_EQUAL(replica.proved(), taken);
    if (taken) continue;
    CHECK_EQUAL(replica.book().live_orders(), 0U);
    CHECK(replica.state(1) == InstrumentState::stale);
    // The next one that is right mends it.
    REQUIRE_EQUAL(std::string(name_of(load(replica, good))), "none");
    CHECK(replica.whole());
    CHECK_EQUAL(replica.book().digest(), feed.digest(feed.last()));
  }
}

// Who reads while a snapshot is loaded sees the books from before it, then those of the snapshot.
TEST(replicaShowsNoHalfSnapshot) {
  BookLimits limits;
  limits.orders_max = 64;
  limits.instruments_max = 2;
  ReplicaFeed feed(limits);
  for (std::uint64_t id = 1; id <= 30; ++id) {
    feed.book(add(id, static_cast<std::uint32_t>(id % 2 + 1), Side::bid, static_cast<std::int64_t>(id), 1));
  }
  Replica source(limits, nullptr);
  feed.give_all(source);
  const SnapshotState state = snapshot_of(source, 4);
  Replica replica(limits, nullptr);
  feed.give(replica, 1, 10);
  const auto shown = [&](std::uint32_t instrument) {
    book::Depth depth;
    REQUIRE(replica.book().views().read(instrument, 10, depth) == book::DepthRead::ok);
    return std::to_string(depth.sequence) + ": " + std::to_string(depth.counts[0]) + " from " +
           std::to_string(depth.levels[0][0].price);
  };
  const std::string before = shown(1);
  CHECK_EQUAL(before, "10: 5 from 10");
  replica.begin_snapshot(state.head);
  for (const SnapshotPiece& piece : state.pieces) {
    CHECK_EQUAL(shown(1), before);
    REQUIRE(replica.load_instrument(piece.instrument, piece.instrument_sequence, piece.status, piece.orders));
  }
  CHECK_EQUAL(shown(1), before);
  REQUIRE(replica.finish_snapshot() == SnapshotRefusal::none);
  CHECK_EQUAL(shown(1), "30: 10 from 30");
  CHECK_EQUAL(shown(2), "30: 10 from 29");
}

}  // namespace
}  // namespace depthcast::test

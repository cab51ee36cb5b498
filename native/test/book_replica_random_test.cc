// Replicas under random feeds with random holes: what they say of themselves is
// true, and reset() makes them new.
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "book/audit.h"
#include "book/replica.h"
#include "run/book_export.h"
#include "test/book_replica_feed.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::BookLimits;
using book::InstrumentState;
using book::Replica;

BookLimits random_limits(Random& random) {
  BookLimits limits;
  limits.orders_max = static_cast<std::uint32_t>(random.between(2, 200));
  limits.instruments_max = static_cast<std::uint32_t>(random.between(1, 6));
  limits.depth_levels = static_cast<std::uint32_t>(random.below(6));
  return limits;
}

// One way of the messages of a feed to a replica: which are lost, and which
// digests come when. Replayed from a seed, it is the same for every replica.
struct Way {
  std::uint64_t seed;
  std::uint64_t loss_per_mille;
  std::uint64_t loss_messages_max;
  std::uint64_t digests_per_mille;
  std::int64_t digest_distance_max;  // before or after its message
};

Way random_way(Random& random) {
  return {random.next(), random.chance(1, 3) ? 0 : random.below(60), random.between(1, 30), random.below(300),
          static_cast<std::int64_t>(random.below(100))};
}

// `after`: called with the number after each message given.
template <typename After>
void travel(const ReplicaFeed& feed, const Way& way, Replica& replica, std::uint64_t last, After after) {
  Random random(way.seed);
  for (std::uint64_t sequence = 1; sequence <= last; ++sequence) {
    if (random.chance(way.loss_per_mille, 1'000)) {
      sequence = std::min(last, sequence + random.below(way.loss_messages_max));
      replica.on_missing(sequence);
      continue;
    }
    feed.give(replica, sequence);
    while (random.chance(way.digests_per_mille, 1'000)) {
      const std::int64_t distance =
          static_cast<std::int64_t>(random.below(2 * static_cast<std::uint64_t>(way.digest_distance_max) + 1)) -
          way.digest_distance_max;
      const std::int64_t told = static_cast<std::int64_t>(sequence) + (random.chance(1, 2) ? distance : 0);
      if (told < 1 || told > static_cast<std::int64_t>(feed.last())) continue;
      const auto at = static_cast<std::uint64_t>(told);
      if (!feed.ends_event(at)) continue;
      if (random.chance(1, 2)) feed.tell_digest(replica, at);
      feed.tell_instrument(replica, at,
                           static_cast<std::uint32_t>(random.between(1, replica.book().limits().instruments_max)));
    }
    after(sequence);
  }
}

// The promise of DESIGN.md: `synchronized` is said only when true.
TEST(replicaCallsABookLiveOnlyWhereItEqualsThePublishers) {
  Random random(seed());
  std::map<InstrumentState, std::uint64_t> states;
  std::uint64_t recovered = 0;
  const std::uint64_t rounds = work(200);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const BookLimits limits = random_limits(random);
    ReplicaFeed feed(limits);
    RandomFeed(feed, random.next()).run(random.between(1, 2'000));
    Replica replica(limits, nullptr);
    std::vector<InstrumentState> before(limits.instruments_max + 1, InstrumentState::live);
    travel(feed, random_way(random), replica, feed.last(), [&](std::uint64_t sequence) {
      if (!feed.ends_event(sequence)) return;
      for (std::uint32_t instrument = 1; instrument <= limits.instruments_max; ++instrument) {
        const InstrumentState state = replica.state(instrument);
        ++states[state];
        if (state == InstrumentState::live && before[instrument] == InstrumentState::stale) ++recovered;
        before[instrument] = state;
        if (state != InstrumentState::live) continue;
        REQUIRE_EQUAL(replica.book().instrument(instrument).digest, feed.digest(sequence, instrument));
      }
      if (replica.whole()) REQUIRE_EQUAL(replica.book().digest(), feed.digest(sequence));
    });
    REQUIRE_EQUAL(book::audit(replica.book()).fault, "");
    REQUIRE_EQUAL(replica.counters().digests_mismatched, 0U);
  }
  note("live " + std::to_string(states[InstrumentState::live]) + ", unconfirmed " +
       std::to_string(states[InstrumentState::unconfirmed]) + ", stale " +
       std::to_string(states[InstrumentState::stale]) + "; from stale to live " + std::to_string(recovered));
  CHECK(states.size() == 3 && recovered > 0);
}

TEST(replicaOfAFeedWithoutLossEqualsThePublisher) {
  Random random(seed());
  const std::uint64_t rounds = work(60);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const BookLimits limits = random_limits(random);
    ReplicaFeed feed(limits);
    RandomFeed(feed, random.next()).run(2'000);
    Replica replica(limits, nullptr);
    Way way = random_way(random);
    way.loss_per_mille = 0;
    travel(feed, way, replica, feed.last(), [&](std::uint64_t sequence) {
      REQUIRE_EQUAL(replica.book().digest(), feed.digest(sequence));
      REQUIRE(replica.whole());
    });
    for (const std::uint64_t refused : replica.counters().refused) REQUIRE_EQUAL(refused, 0U);
    REQUIRE_EQUAL(replica.counters().messages, feed.last());
  }
}

// Any content at all, in any order: counted, never believed, and the books stay consistent.
TEST(replicaSurvivesAnyMessages) {
  Random random(seed());
  for (std::uint64_t round = 0; round < work(100); ++round) {
    const BookLimits limits = random_limits(random);
    Replica replica(limits, nullptr);
    for (std::uint64_t sequence = 1; sequence <= 1'000; ++sequence) {
      const book::MessageContext context{sequence, sequence, 0};
      BookMessage message{random.below(40),
                          static_cast<std::int64_t>(random.next() >> random.below(64)),
                          random.next() >> random.below(64),
                          0,
                          static_cast<std::uint32_t>(random.below(limits.instruments_max + 2)),
                          static_cast<std::uint32_t>(random.below(4)),
                          static_cast<Kind>(random.chance(1, 20) ? random.below(256) : random.between(1, 6)),
                          static_cast<Side>(random.chance(1, 20) ? random.below(256) : random.between(1, 2)),
                          static_cast<std::uint16_t>(random.next())};
      if (random.chance(1, 30)) message.instrument = static_cast<std::uint32_t>(random.next());
      replica.on_book(message, context, random.next());
      if (random.chance(1, 20)) replica.on_digest(random.below(1'200), random.next());
      if (random.chance(1, 20)) {
        replica.on_instrument_digest(random.below(1'200), message.instrument, message.instrument_sequence,
                                     random.next());
      }
      if (random.chance(1, 200)) replica.on_missing(sequence);
    }
    REQUIRE_EQUAL(book::audit(replica.book()).fault, "");
    replica.reset();
    REQUIRE_EQUAL(replica.book().digest(), 0U);
    REQUIRE_EQUAL(book::audit(replica.book()).fault, "");
  }
}

std::string text_of(const run::BookExport& books) {
  std::string text = std::to_string(books.sequence) + " @" + std::to_string(books.position) + ' ' +
                     std::to_string(books.digest) + (books.whole ? " whole" : " not whole");
  for (const run::ExportedInstrument& one : books.instruments) {
    text += "\n" + std::to_string(one.instrument) + ' ' + one.symbol + ' ' + std::to_string(one.price_exponent) + ' ' +
            std::to_string(one.lot_size) + ' ' + std::to_string(static_cast<int>(one.state)) + ' ' +
            std::to_string(static_cast<int>(one.status)) + ' ' + std::to_string(one.digest) + ' ' +
            std::to_string(one.instrument_sequence) + ' ' + std::to_string(one.live_orders) + ' ' +
            std::to_string(one.bid_levels) + ' ' + std::to_string(one.ask_levels);
  }
  text += "\nlevels";
  for (std::size_t index = 0; index < books.level_price.size(); ++index) {
    text += ' ' + std::to_string(books.level_price[index]) + 'x' + std::to_string(books.level_quantity[index]) + '/' +
            std::to_string(books.level_orders[index]);
  }
  text += "\norders";
  for (std::size_t index = 0; index < books.order_id.size(); ++index) {
    text += ' ' + std::to_string(books.order_id[index]) + 'x' + std::to_string(books.order_quantity[index]);
  }
  return text;
}

// All that can be asked of a replica, the depth views included.
std::string text_of(const Replica& replica) {
  std::string text = text_of(run::export_books(replica, 0, true)) + "\nlast " +
                     std::to_string(replica.instrument_last()) + ' ' + std::to_string(replica.sequence()) + ' ' +
                     std::to_string(replica.event_time_ns());
  const std::uint32_t levels = replica.book().limits().depth_levels;
  for (std::uint32_t instrument = 0; instrument <= replica.book().limits().instruments_max; ++instrument) {
    text += "\nstate " + std::to_string(static_cast<int>(replica.state(instrument))) + ' ' +
            std::to_string(replica.book().instrument_sequence(instrument)) +
            (replica.definition(instrument).defined ? " defined" : "");
    book::Depth depth;
    if (levels == 0 || replica.book().views().read(instrument, levels, depth) != book::DepthRead::ok) continue;
    text += " view " + std::to_string(depth.sequence) + ' ' + std::to_string(depth.event_time_ns) + ' ' +
            std::to_string(depth.instrument_sequence) + ' ' + std::to_string(static_cast<int>(depth.status));
    for (std::size_t side = 0; side < 2; ++side) {
      for (std::uint32_t rank = 0; rank < depth.counts[side]; ++rank) {
        const book::DepthLevel& level = depth.levels[side][rank];
        text += ' ' + std::to_string(level.price) + 'x' + std::to_string(level.quantity);
      }
    }
  }
  return text;
}

TEST(replicaIsAsNewAfterReset) {
  Random random(seed());
  const std::uint64_t rounds = work(100);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const BookLimits limits = random_limits(random);
    UpdateCollector used_sink;
    UpdateCollector new_sink;
    Replica used(limits, &used_sink);
    for (std::uint64_t session = random.between(1, 3); session > 0; --session) {
      ReplicaFeed before(limits);
      RandomFeed(before, random.next()).run(random.between(1, 1'000));
      // A session may break off within an event.
      travel(before, random_way(random), used, random.between(1, before.last()), [](std::uint64_t) {});
      used.reset();
    }
    Replica fresh(limits, &new_sink);
    REQUIRE_EQUAL(text_of(used), text_of(fresh));
    REQUIRE_EQUAL(book::audit(used.book()).fault, "");

    ReplicaFeed feed(limits);
    RandomFeed(feed, random.next()).run(random.between(1, 1'000));
    const Way way = random_way(random);
    std::vector<std::string> states;
    used_sink.updates.clear();
    travel(feed, way, fresh, feed.last(), [&](std::uint64_t) { states.push_back(text_of(fresh)); });
    std::size_t at = 0;
    travel(feed, way, used, feed.last(), [&](std::uint64_t) { REQUIRE_EQUAL(text_of(used), states[at++]); });
    REQUIRE_EQUAL(at, states.size());
    REQUIRE_EQUAL(used_sink.updates.size(), new_sink.updates.size());
    for (std::size_t index = 0; index < at; ++index) {
      REQUIRE(std::memcmp(&used_sink.updates[index], &new_sink.updates[index], sizeof(book::Update)) == 0);
    }
  }
}

}  // namespace
}  // namespace depthcast::test

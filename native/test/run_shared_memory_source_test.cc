#include "run/shared_memory_source.h"

#include <atomic>
#include <memory>
#include <thread>

#include "include/depthcast/publisher.h"
#include "ingest/engine_event.h"
#include "run/state_folder.h"
#include "test/engine_events.h"
#include "test/random.h"
#include "test/run_channel.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using engine::PushStatus;
using run::PublisherCounter;

constexpr std::uint64_t slots = engine::ring_slots_min;

std::unique_ptr<run::SourceThread> shared_memory(run::Publisher& publisher, const std::string& path) {
  const auto found = run::look_at_event_ring(path);
  if (!found) throw std::runtime_error("no ring at " + path);
  return std::make_unique<run::SourceThread>(
      publisher, std::make_unique<run::SharedMemorySource>(path, found->stream, io::WaitStrategy::park));
}

void push_until(engine::Publisher& publisher, std::uint64_t last) {
  while (publisher.next() <= last) {
    if (publisher.try_push(engine_event(publisher.next())) == PushStatus::full) std::this_thread::yield();
  }
}

TEST(everyEventOfAnEngineBecomesItsMessage) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  engine::Publisher engine(path, {slots, false});
  const run::PublisherOptions options = publisher_options();
  run::Subscriber subscriber(subscriber_options(options), {});
  Listener listener(subscriber);
  subscriber.start();
  run::Publisher publisher(options, {});
  publisher.start();
  const auto source = shared_memory(publisher, path);
  source->start();
  using engine::Side;
  const std::int64_t now = midnight_ns;
  const engine::Event events[] = {
      engine::system(now, 'O'),
      engine::define(now, 7, {"ACME", -2, -1, 100, 5}),
      engine::status(now, 7, engine::Status::trading, 3),
      engine::add(now, 7, 1, Side::buy, 9'900, 500),
      engine::add(now, 7, 2, Side::sell, 10'100, 300),
      engine::add(now, 7, 3, Side::sell, 10'200, 50),
      engine::execute(now, 7, 1, 100, 77),
      engine::execute_at(now, 7, 1, 100, 78, 9'905, false),
      engine::reduce(now, 7, 1, 50),
      engine::replace(now, 7, 2, 4, 10'150, 250),
      engine::remove(now, 7, 3),
      engine::trade(now, 7, 79, Side::none, 10'000, 10),
      engine::auction(now, 7, 10'000, 400, 20, Side::buy, 'C'),
      engine::cross(now, 7, 80, 10'000, 400, 'C'),
      engine::trade_break(now, 7, 79),
      engine::reference(now, 7, engine::Reference::price_band, 9'000, 10'000, 11'000),
      engine::retail_interest(now, 7, 'B'),
      engine::limits(now, 7, 9'000, 11'000),
  };
  for (const engine::Event& event : events) REQUIRE(engine.try_push(event) == PushStatus::ok);
  engine.end();
  source->join();
  publisher.join();
  CHECK(source->end().reason == run::SourceEndReason::end);
  CHECK_EQUAL(source->end().position, std::size(events));
  REQUIRE(listener.wait_for<run::EndOfSessionEvent>());
  const run::BookExport books = listener.books();
  CHECK_EQUAL(books.sequence, std::size(events) + 1);  // a replace is two messages
  REQUIRE_EQUAL(books.instruments.size(), 1U);
  CHECK_EQUAL(books.instruments[0].symbol, "ACME");
  CHECK_EQUAL(books.instruments[0].live_orders, 2U);
  CHECK_EQUAL(figure(publisher, PublisherCounter::digest), figure(subscriber, run::SubscriberCounter::digest));
  CHECK_EQUAL(publisher.committed_position(), std::size(events));
}

// What one slot does not hold stands in two, which are one event at the second one's number.
TEST(aTradeOfTwoSlotsIsOneEvent) {
  std::array<ingest::InputCell, ingest::engine_cells_max> cells;
  auto slots_of = engine::price_discovery(5, 7, {10, 11, 12, 13, 14, 15, 16});
  slots_of[0].number = 3;
  slots_of[1].number = 4;
  REQUIRE(engine::well_formed(slots_of[0]) && engine::well_formed(slots_of[1]));
  REQUIRE_EQUAL(ingest::to_cells(slots_of[0], cells, &slots_of[1]), 2U);
  CHECK_EQUAL(cells[0].event.position, 4U);
  CHECK(cells[0].event.trade_kind == Kind::price_discovery);
  CHECK_EQUAL(cells[0].event.bits, 0);
  const ingest::TradeData& trade = cells[1].trade;
  CHECK_EQUAL(cells[0].event.price, 10);
  CHECK_EQUAL(trade.quantity_2, 11U);
  CHECK(trade.price_2 == 12 && trade.price_3 == 13 && trade.price_4 == 14 && trade.price_5 == 15);
  CHECK_EQUAL(trade.code, 16U);
  const auto prices =
      engine::auction_prices(engine::auction(5, 7, 100, 40, 20, engine::Side::sell, 'O'), 101, -102, 'L');
  ingest::to_cells(prices[0], cells, &prices[1]);
  CHECK_EQUAL(trade.quantity_2, 20U);
  CHECK(cells[0].event.price == 100 && trade.price_2 == 101 && trade.price_3 == -102);
  CHECK_EQUAL(trade.code, static_cast<std::uint32_t>('S' | 'O' << 8 | 'L' << 16));
  // Half of it is nothing, and neither is the other half.
  ingest::to_cells(prices[0], cells);
  CHECK(cells[0].event.kind == ingest::InputKind::none);
  ingest::to_cells(prices[1], cells);
  CHECK(cells[0].event.kind == ingest::InputKind::none);
}

TEST(aDefinitionPassesItsPriceStepOn) {
  std::array<ingest::InputCell, ingest::engine_cells_max> cells;
  ingest::to_cells(engine::define(5, 7, {"ACME", -2, -1, 100, 0xffff'ffffLL}), cells);
  const ingest::DefinitionData& definition = cells[1].definition;
  CHECK_EQUAL(definition.price_increment, 0xffff'ffffU);
  CHECK_EQUAL(definition.lot_size, 100U);
  CHECK(definition.price_exponent == -2 && definition.quantity_exponent == -1);
  CHECK_EQUAL(std::string(definition.symbol), "ACME");
}

TEST(halfATradeIsWaitedForAndWhereItNeverComesItsNumberIsTaken) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  engine::Publisher engine(path, {slots, false});
  run::Publisher publisher(publisher_options(), {});
  publisher.start();
  const auto source = shared_memory(publisher, path);
  source->start();
  REQUIRE(engine.try_push(engine_event(1)) == PushStatus::ok);
  const auto found = engine::price_discovery(5, 7, {10, 11, 12, 13, 14, 15, 16});
  REQUIRE(engine.try_push(found) == PushStatus::ok);
  REQUIRE(engine.try_push(found[0]) == PushStatus::ok);
  while (engine.committed() < 3) std::this_thread::yield();
  CHECK_EQUAL(figure(publisher, PublisherCounter::sequence), 2U);
  REQUIRE(engine.try_push(found[1]) == PushStatus::ok);
  while (engine.committed() < 5) std::this_thread::yield();
  REQUIRE(engine.try_push(found[0]) == PushStatus::ok);
  REQUIRE(engine.try_push(engine::trade_break(5, 7, 1)) == PushStatus::ok);
  REQUIRE(engine.try_push(found[1]) == PushStatus::ok);
  REQUIRE(engine.try_push(found[0]) == PushStatus::ok);
  engine.end();
  source->join();
  publisher.join();
  CHECK(source->end().reason == run::SourceEndReason::end);
  CHECK_EQUAL(source->end().position, 9U);
  CHECK_EQUAL(figure(publisher, PublisherCounter::sequence), 4U);  // three of the events make none
  CHECK_EQUAL(source->source().figures()[3].value, 3U);
}

TEST(eventThatIsNotWellFormedTakesItsNumberAndNothingElse) {
  std::array<ingest::InputCell, ingest::engine_cells_max> cells;
  Random random(seed());
  for (std::uint64_t round = 0; round < work(200'000); ++round) {
    engine::Event event;
    std::uint64_t words[sizeof event / 8];
    for (std::uint64_t& word : words) word = random.next() & random.next() & random.next();
    std::memcpy(static_cast<void*>(&event), words, sizeof event);
    const std::size_t count = ingest::to_cells(event, cells);
    REQUIRE_EQUAL(count, ingest::cells_of(cells[0].event.kind));
    REQUIRE_EQUAL(cells[0].event.position, event.number);
    if (!engine::well_formed(event)) REQUIRE(cells[0].event.kind == ingest::InputKind::none);
    const bool tells = cells[0].event.kind == ingest::InputKind::reference;
    REQUIRE(tells || cells[0].event.side <= Side::ask);
    REQUIRE(static_cast<unsigned>(cells[0].event.side) <= static_cast<unsigned>(engine::Reference::operational_halt));
    REQUIRE(cells[0].event.source_code < engine::instruments_max);
  }
}

// The engine runs on through full rings; slots come back only when the publisher has committed what was in them.
TEST(engineIsHeldByTheRingAndNothingIsLost) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  engine::Publisher engine(path, {slots, false});
  for (std::uint64_t number = 1; number <= slots; ++number) {
    REQUIRE(engine.try_push(engine_event(number)) == PushStatus::ok);
  }
  CHECK(engine.try_push(engine_event(slots + 1)) == PushStatus::full);
  run::Publisher publisher(publisher_options(), {});
  publisher.start();
  const auto source = shared_memory(publisher, path);
  source->start();
  const std::uint64_t last = work(200'000) + 4 * slots;
  push_until(engine, last);
  REQUIRE(wait_until([&] { return engine.committed() == last; }));
  engine.end();
  source->join();
  publisher.join();
  CHECK(source->end().reason == run::SourceEndReason::end);
  CHECK_EQUAL(figure(publisher, PublisherCounter::sequence), last);
  CHECK_EQUAL(figure(publisher, PublisherCounter::input_position), last);
}

// Anything may be written anywhere at any time: the source ends with a fault or goes on, and no more.
TEST(hostileEngineCannotHarmTheDistributor) {
  const ScratchFolder folder("/dev/shm");
  Random random(seed());
  std::uint64_t faults = 0;
  for (std::uint64_t round = 0; round < work(20); ++round) {
    const std::string path = folder / std::to_string(round);
    auto file = std::make_unique<engine::Publisher>(path, engine::PublisherOptions{slots, false});
    push_until(*file, 200);
    file.reset();
    const engine::RingFile hostile = engine::RingFile::open(path, engine::RingSide::writer);
    run::Publisher publisher(publisher_options(), {});
    publisher.start();
    const auto source = shared_memory(publisher, path);
    source->start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(&hostile.header());
    const std::size_t word_count = engine::ring_bytes(slots) / 8;
    do {
      const bool in_header = random.chance(1, 3);
      const std::size_t index = in_header ? random.below(17) : random.below(word_count);
      const std::uint64_t value = random.chance(1, 2) ? random.next() : random.below(2'000);
      words[index].store(value, std::memory_order_relaxed);
    } while (std::chrono::steady_clock::now() < until);
    source->stop();
    source->join();
    publisher.join();
    if (source->end().reason == run::SourceEndReason::fault) ++faults;
  }
  CHECK(faults > 0);
}

TEST(sourceSaysWhatIsWrongWithItsRing) {
  const ScratchFolder folder("/dev/shm");
  const auto end_of = [&](const std::string& name, auto change) {
    const std::string path = folder / name;
    {
      engine::Publisher engine(path, {slots, false});
      push_until(engine, 20);
    }
    run::Publisher publisher(publisher_options(), {});
    publisher.start();
    const auto source = shared_memory(publisher, path);
    change(path);
    source->start();
    source->join();
    publisher.join();
    CHECK(source->end().reason == run::SourceEndReason::fault);
    return source->end();
  };
  const auto header_of = [](const std::string& path, auto change) {
    const engine::RingFile file = engine::RingFile::open(path, engine::RingSide::writer);
    change(file);
  };
  run::SourceEnd end = end_of("renumbered", [&](const std::string& path) {
    header_of(path, [](const engine::RingFile& file) { file.slot(5)->number = 900; });
  });
  CHECK_EQUAL(end.fault.expected, "event 5 in its slot, but it is numbered 900");
  CHECK_EQUAL(end.position, 4U);
  end = end_of("committed", [&](const std::string& path) {
    header_of(path, [](const engine::RingFile& file) { file.header().committed.store(10); });
  });
  CHECK(end.fault.expected.find("a fresh stream from the engine") != std::string::npos);
  end = end_of("contradicts", [&](const std::string& path) {
    header_of(path, [](const engine::RingFile& file) { file.header().published.store(90'000); });
  });
  CHECK(end.fault.expected.find("90000 events are published and 0 committed") != std::string::npos);
  end = end_of("removed", [](const std::string& path) { std::filesystem::remove(path); });
  CHECK_EQUAL(end.fault.expected, "the ring's file to stay, but it was removed or replaced");
  CHECK(!run::look_at_event_ring(folder / "removed"));
}

// One life of a distributor with a state folder.
struct Life {
  Life(const std::string& folder, const std::string& ring, const io::LineAddress& line) {
    run::PublisherOptions options = publisher_options();
    options.lines.resize(1);
    options.datagram_bytes.resize(1);
    options.lines[0].address = line;
    options.ring_bytes = std::size_t{1} << 20;
    options.source_repeats = false;
    run::StateOptions kept;
    kept.folder = folder;
    kept.session_new = 5;
    kept.ring_identity = run::Publisher::ring_identity_of(options);
    kept.identity = run::identity_of(options);
    kept.source_repeats = false;
    kept.journal.fsync = run::FsyncPolicy::never;
    options.start = state = std::make_shared<run::StateFolder>(kept);
    publisher = std::make_unique<run::Publisher>(options, [] {});
    journal = state->open_journal(publisher->ring_memory(), &publisher->followers());
    source = shared_memory(*publisher, ring);
    journal->start();
    publisher->start();
    source->start();
  }
  void stop() {
    source->stop();
    source->join();
    publisher->join();
    journal->stop();
  }
  std::shared_ptr<run::StateFolder> state;
  std::unique_ptr<run::Publisher> publisher;
  std::unique_ptr<run::JournalWriter> journal;
  std::unique_ptr<run::SourceThread> source;
};

TEST(distributorThatWasStoppedGoesOnBehindTheLastEventCommitted) {
  const ScratchFolder folder("/dev/shm");
  const std::string ring = folder / "ring";
  const io::LineAddress line = fresh_line();
  engine::Publisher engine(ring, {slots, false});
  std::uint64_t last = 0;
  for (int life = 0; life < 6; ++life) {
    Life distributor(folder / "state", ring, line);
    CHECK_EQUAL(distributor.publisher->session(), 5U);
    if (life != 0) {
      CHECK_EQUAL(distributor.state->reason(), "");
      CHECK(distributor.state->continued());
      CHECK_EQUAL(distributor.publisher->first_position(), last + 1);
    }
    if (life == 3) {  // refused by the books, every one of them: they leave no message, and are not asked for again
      for (std::uint64_t count = 0; count < 3 * slots; ++count) {
        while (engine.try_push(engine::remove(1, 7, 1'000'000)) == PushStatus::full) std::this_thread::yield();
      }
      last += 3 * slots;
    } else {
      for (std::uint64_t count = 0; count < 2 * slots; ++count) {
        // Past life 3 numbers and events are not in step any more.
        const engine::Event event = engine_event(life < 3 ? engine.next() : engine.next() - 3 * slots).numbered(0);
        while (engine.try_push(event) == PushStatus::full) std::this_thread::yield();
      }
      last += 2 * slots;
    }
    REQUIRE(wait_until([&] { return engine.committed() == last; }));
    distributor.stop();
    CHECK_EQUAL(figure(*distributor.publisher, PublisherCounter::input_position), last);
    CHECK_EQUAL(figure(*distributor.publisher, PublisherCounter::sequence), last - (life < 3 ? 0 : 3 * slots));
  }
  engine.end();
  Life distributor(folder / "state", ring, line);
  distributor.source->join();
  CHECK(distributor.source->end().reason == run::SourceEndReason::end);
  distributor.stop();
}

}  // namespace
}  // namespace depthcast::test

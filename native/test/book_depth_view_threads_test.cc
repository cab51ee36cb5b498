// Readers of depth views beside a writer at full speed. Every state carries its own proof: all of it follows from its
// sequence. The same checker must find torn states when the order of the accesses is spoiled on purpose.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "book/book.h"
#include "test/messages.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Book;
using book::Depth;
using book::DepthLevel;
using book::DepthRead;
using book::DepthViews;
using book::ViewOrder;

constexpr std::size_t readers_count = 4;
constexpr std::uint32_t levels = 4;
constexpr std::uint64_t reads_wanted = 1'000'000;
constexpr std::uint64_t retries_wanted = 1'000;
constexpr std::uint64_t torn_wanted = 10;
constexpr auto time_limit = std::chrono::seconds(60);

// What state number `sequence` looks like, of any writer here.
std::uint32_t count_at(std::uint64_t sequence, std::size_t side) {
  return static_cast<std::uint32_t>((sequence >> side) % levels) + 1;
}
std::int64_t price_at(std::uint64_t sequence, std::size_t side, std::uint32_t rank) {
  const auto middle = static_cast<std::int64_t>(sequence % 1'000) * 100;
  return side == 0 ? middle - rank : middle + 1 + rank;
}
std::uint64_t quantity_at(std::uint64_t sequence, std::size_t side, std::uint32_t rank) {
  return sequence * 8 + side * levels + rank + 1;
}

bool is_whole(const Depth& depth) {
  const std::uint64_t sequence = depth.sequence;
  if (sequence == 0) return depth.counts[0] == 0 && depth.counts[1] == 0;
  if (depth.event_time_ns != static_cast<std::int64_t>(sequence * 3)) return false;
  if (depth.instrument_sequence != static_cast<std::uint32_t>(sequence)) return false;
  if (depth.status != static_cast<TradingStatus>(sequence % 5)) return false;
  for (std::size_t side = 0; side < 2; ++side) {
    if (depth.counts[side] != count_at(sequence, side)) return false;
    for (std::uint32_t rank = 0; rank < depth.counts[side]; ++rank) {
      const DepthLevel& level = depth.levels[side][rank];
      if (level.price != price_at(sequence, side, rank)) return false;
      if (level.quantity != quantity_at(sequence, side, rank)) return false;
      if (level.orders != (level.quantity ^ 0x5555)) return false;
    }
  }
  return true;
}

template <ViewOrder order>
void write_state(DepthViews& views, std::uint32_t instrument, std::uint64_t sequence) {
  views.open<order>(instrument);
  for (std::size_t side = 0; side < 2; ++side) {
    const Side which = side == 0 ? Side::bid : Side::ask;
    for (std::uint32_t rank = 0; rank < count_at(sequence, side); ++rank) {
      const std::uint64_t quantity = quantity_at(sequence, side, rank);
      views.put(instrument, which, rank, {price_at(sequence, side, rank), quantity, quantity ^ 0x5555});
    }
  }
  views.set_counts(instrument, count_at(sequence, 0), count_at(sequence, 1));
  views.set_header(instrument, sequence, static_cast<std::int64_t>(sequence * 3), static_cast<std::uint32_t>(sequence),
                   static_cast<TradingStatus>(sequence % 5));
  views.close<order>(instrument);
}

struct ReaderOutcome {
  std::uint64_t reads = 0;
  std::uint64_t busy = 0;
  std::uint64_t retries = 0;  // of reads that came out whole in the end: the others only met a sleeping writer
  std::uint64_t torn = 0;
  std::uint64_t backwards = 0;
};

struct Trial {
  const DepthViews& views;
  std::uint32_t instruments;
  std::function<bool(const Depth&)> whole;
  std::chrono::steady_clock::time_point end;
  bool until_torn = false;        // stop at torn_wanted torn states instead of at the wanted figures
  std::atomic<bool> stop{false};  // relaxed: a hint, nothing hangs on when it is seen

  bool over() const { return stop.load(std::memory_order_relaxed) || std::chrono::steady_clock::now() > end; }
};

template <ViewOrder order>
void read_states(Trial& trial, ReaderOutcome& outcome) {
  Depth depth;
  std::vector<std::uint64_t> newest(trial.instruments + 1, 0);
  for (std::uint64_t turn = 0; turn % 256 != 0 || !trial.over(); ++turn) {
    const bool done = outcome.reads >= reads_wanted && outcome.retries >= retries_wanted;
    if (trial.until_torn ? outcome.torn >= torn_wanted : done) break;
    const auto instrument = static_cast<std::uint32_t>(turn % trial.instruments) + 1;
    std::uint64_t retries = 0;
    if (trial.views.read<order>(instrument, levels, depth, &retries) != DepthRead::ok) {
      // The writer was put to sleep inside a change: let it run.
      ++outcome.busy;
      std::this_thread::yield();
      continue;
    }
    ++outcome.reads;
    outcome.retries += retries;
    outcome.torn += trial.whole(depth) ? 0U : 1U;
    outcome.backwards += depth.sequence < newest[instrument] ? 1U : 0U;
    newest[instrument] = depth.sequence;
  }
  if (trial.until_torn && outcome.torn >= torn_wanted) trial.stop.store(true, std::memory_order_relaxed);
}

// Runs `write(state number)` on this thread until every reader has what it wants.
template <ViewOrder order>
std::vector<ReaderOutcome> run_readers(Trial& trial, const std::function<void(std::uint64_t)>& write,
                                       std::uint64_t& states) {
  std::vector<ReaderOutcome> outcomes(readers_count);
  std::atomic<std::size_t> finished{0};
  std::vector<std::thread> threads;
  for (std::size_t index = 0; index < readers_count; ++index) {
    threads.emplace_back([&, index] {
      ReaderOutcome outcome;  // on this thread's own stack: the outcomes share cache lines
      read_states<order>(trial, outcome);
      outcomes[index] = outcome;
      finished.fetch_add(1, std::memory_order_relaxed);
    });
  }
  for (states = 0; finished.load(std::memory_order_relaxed) < readers_count;) write(++states);
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

void check_outcomes(const std::vector<ReaderOutcome>& outcomes, std::uint64_t states) {
  note(std::to_string(states) + " states written");
  for (const ReaderOutcome& outcome : outcomes) {
    note(std::to_string(outcome.reads) + " reads, " + std::to_string(outcome.retries) + " retries, " +
         std::to_string(outcome.busy) + " times busy, " + std::to_string(outcome.torn) + " torn");
    CHECK_EQUAL(outcome.torn, 0U);
    CHECK_EQUAL(outcome.backwards, 0U);
    CHECK(outcome.reads >= reads_wanted);
    CHECK(outcome.retries >= retries_wanted);
  }
}

TEST(fourReadersNeverSeeATornState) {
  DepthViews views(2, levels, false);
  Trial trial{views, 2, is_whole, std::chrono::steady_clock::now() + time_limit};
  std::uint64_t states = 0;
  const auto outcomes = run_readers<ViewOrder::ordered>(
      trial, [&](std::uint64_t state) { write_state<ViewOrder::ordered>(views, state % 2 == 0 ? 1 : 2, state); },
      states);
  check_outcomes(outcomes, states);
}

// Two orders on each side of each book, moved and resized by messages: all figures of a state follow from the number
// of its last message. Each event has four messages, and some have 24, so that levels of
// the same view come and go many times before it is published.
class BookWriter {
 public:
  static constexpr std::uint32_t instruments = 2;
  static constexpr std::uint32_t orders = 4;  // two of each side

  BookWriter() : book_(limits()) {
    for (std::uint32_t instrument = 1; instrument <= instruments; ++instrument) {
      for (std::uint32_t order = 0; order < orders; ++order) apply(instrument, order, Kind::add);
      book_.end_event(sequence_, time());
    }
  }
  const Book& book() const { return book_; }
  void write(std::uint64_t state) {
    const auto instrument = static_cast<std::uint32_t>(state % instruments) + 1;
    // The last round of an event is what its state shows.
    const std::uint64_t rounds = state % 16 == 0 ? 6 : 1;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (std::uint32_t order = 0; order < orders; ++order) apply(instrument, order, Kind::modify);
    }
    book_.end_event(sequence_, time());
  }
  static bool is_whole(const Depth& depth) {
    const std::uint64_t sequence = depth.sequence;
    if (depth.event_time_ns != static_cast<std::int64_t>(sequence * 3)) return false;
    for (std::uint32_t order = 0; order < orders; ++order) {
      // The numbers of the last round of messages: order 0 is the oldest.
      const std::uint64_t number = sequence - (orders - 1) + order;
      const std::size_t side = order % 2;
      const DepthLevel& level = depth.levels[side][order / 2];
      if (depth.counts[side] != orders / 2 || level.price != price(number, order)) return false;
      if (level.quantity != number * 8 || level.orders != 1) return false;
    }
    return true;
  }

 private:
  static book::BookLimits limits() {
    book::BookLimits limits;
    limits.orders_max = 64;
    limits.instruments_max = instruments;
    limits.depth_levels = levels;
    return limits;
  }
  static std::int64_t price(std::uint64_t number, std::uint32_t order) {
    // Messages of one round share a middle, however they are numbered.
    const auto middle = static_cast<std::int64_t>((number - order) % 1'000) * 100;
    return order % 2 == 0 ? middle - order : middle + order;
  }
  std::int64_t time() const { return static_cast<std::int64_t>(sequence_ * 3); }
  void apply(std::uint32_t instrument, std::uint32_t order, Kind kind) {
    const std::uint64_t number = ++sequence_;
    BookMessage message = add(std::uint64_t{instrument} * orders + order, instrument,
                              order % 2 == 0 ? Side::bid : Side::ask, price(number, order), number * 8);
    message.kind = kind;
    if (book_.apply(message, number) != book::ApplyResult::applied) fail(__FILE__, __LINE__, "a message was refused");
  }

  Book book_;
  std::uint64_t sequence_ = 0;
};

TEST(fourReadersNeverSeeHalfAnEventOfABook) {
  BookWriter writer;
  Trial trial{writer.book().views(), BookWriter::instruments, &BookWriter::is_whole,
              std::chrono::steady_clock::now() + time_limit};
  std::uint64_t states = 0;
  const auto outcomes = run_readers<ViewOrder::ordered>(
      trial, [&](std::uint64_t state) { writer.write(state); }, states);
  check_outcomes(outcomes, states);
}

// --- The same checker with the order of accesses spoiled. Not to notice would mean that the tests above prove nothing.

template <ViewOrder writer_order, ViewOrder reader_order>
void expect_torn_states() {
  DepthViews views(1, levels, false);
  Trial trial{views, 1, is_whole, std::chrono::steady_clock::now() + time_limit, true};
  std::uint64_t states = 0;
  const auto outcomes = run_readers<reader_order>(
      trial, [&](std::uint64_t state) { write_state<writer_order>(views, 1, state); }, states);
  std::uint64_t torn = 0;
  std::uint64_t reads = 0;
  for (const ReaderOutcome& outcome : outcomes) {
    torn += outcome.torn;
    reads += outcome.reads;
  }
  note(std::to_string(torn) + " torn in " + std::to_string(reads) + " reads");
  CHECK(torn >= torn_wanted);
}

TEST(checkerNoticesAWriterThatMarksAfterItsData) {
  expect_torn_states<ViewOrder::mark_after_data, ViewOrder::ordered>();
}

TEST(checkerNoticesAReaderThatRechecksBeforeItsCopy) {
  expect_torn_states<ViewOrder::ordered, ViewOrder::recheck_before_copy>();
}

}  // namespace
}  // namespace depthcast::test

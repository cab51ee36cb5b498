#include "book/book.h"

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "book/audit.h"
#include "test/allocations.h"
#include "test/book_walk.h"
#include "test/messages.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::Book;
using book::BookLimits;
using book::Depth;
using book::DepthRead;

constexpr std::uint64_t quantity_max = std::numeric_limits<std::uint64_t>::max();

BookLimits limits_of(std::uint32_t orders_max, std::uint32_t levels_max, std::uint32_t instruments_max = 4) {
  BookLimits limits;
  limits.orders_max = orders_max;
  limits.levels_max = levels_max;
  limits.instruments_max = instruments_max;
  limits.depth_levels = 3;
  return limits;
}

// Applies with consecutive numbers, as one channel would.
class Numbered {
 public:
  explicit Numbered(Book& book) : book_(book) {}
  ApplyResult operator()(const BookMessage& message) {
    ++sequence_;
    const ApplyResult foretold = book_.check(message);
    const ApplyResult result = book_.apply(message, sequence_);
    CHECK(foretold == result);
    return result;
  }
  void end_event() { book_.end_event(sequence_, static_cast<std::int64_t>(1'000 * sequence_)); }

 private:
  Book& book_;
  std::uint64_t sequence_ = 0;
};

TEST(bookNamesTheLimitThatIsOutOfRange) {
  const auto make = [](BookLimits limits) { Book{limits}; };
  CHECK_THROWS(make(limits_of(0, 0)), std::invalid_argument, "orders_max is 0");
  CHECK_THROWS(make(limits_of((1U << 30) + 1, 0)), std::invalid_argument, "orders_max is 1073741825");
  CHECK_THROWS(make(limits_of(10, (1U << 30) + 1)), std::invalid_argument, "levels_max");
  CHECK_THROWS(make(limits_of(10, 0, 0)), std::invalid_argument, "instruments_max is 0");
  CHECK_THROWS(make(limits_of(10, 0, (1U << 20) + 1)), std::invalid_argument, "instruments_max");
  BookLimits deep = limits_of(10, 0);
  deep.depth_levels = 65;
  CHECK_THROWS(make(deep), std::invalid_argument, "depth_levels is 65");
}

TEST(everyApplyResultHasItsName) {
  CHECK_EQUAL(name_of(ApplyResult::applied), std::string_view("applied"));
  CHECK_EQUAL(name_of(ApplyResult::wrong_instrument), std::string_view("wrong_instrument"));
  CHECK_EQUAL(name_of(ApplyResult::quantity_overflow), std::string_view("quantity_overflow"));
  CHECK_EQUAL(name_of(ApplyResult::unknown_kind), std::string_view("unknown_kind"));
  CHECK_EQUAL(name_of(ApplyResult::instrument_limit), std::string_view("instrument_limit"));
  CHECK_EQUAL(static_cast<std::size_t>(ApplyResult::instrument_limit) + 1, book::apply_results);
}

// docs/protocol.md, "Digest", lists this book.
TEST(bookDigestAgreesWithPinnedVector) {
  Book book(limits_of(10, 0));
  Numbered apply(book);
  CHECK_EQUAL(book.digest(), 0U);
  CHECK(apply(add(1, 1, Side::bid, 1'000'000, 100)) == ApplyResult::applied);
  CHECK_EQUAL(book.digest(), 0xaf048991671fd5e1ULL);
  CHECK(apply(add(2, 1, Side::ask, 1'000'100, 50)) == ApplyResult::applied);
  CHECK(apply(status(1, TradingStatus::trading)) == ApplyResult::applied);
  CHECK(apply(add(3, 2, Side::bid, 990'000, 10)) == ApplyResult::applied);
  CHECK_EQUAL(book.instrument(1).digest, 0xddaa0d0ee6a1207fULL);
  CHECK_EQUAL(book.instrument(2).digest, 0xdce1895aa48a74eaULL);
  CHECK_EQUAL(book.digest(), 0xba8b96698b2b9569ULL);
  // Back to nothing, by whatever way.
  CHECK(apply(execute(1, 1, Side::bid, 40)) == ApplyResult::applied);
  CHECK(apply(execute(1, 1, Side::bid, 60)) == ApplyResult::applied);
  CHECK(apply(delete_order(2, 1, Side::ask)) == ApplyResult::applied);
  CHECK(apply(clear(2)) == ApplyResult::applied);
  CHECK(apply(status(1, TradingStatus::unknown)) == ApplyResult::applied);
  CHECK_EQUAL(book.digest(), 0U);
}

TEST(partialExecutionKeepsThePlaceInTheQueue) {
  Book book(limits_of(10, 0));
  Numbered apply(book);
  for (std::uint64_t id = 1; id <= 3; ++id) apply(add(id, 1, Side::bid, 500, 100));
  apply(execute(1, 1, Side::bid, 99));
  apply(modify_kept(2, 1, Side::bid, 500, 500));
  const book::Level& level = book.level(book.best_level(1, Side::bid));
  CHECK_EQUAL(level.quantity, 601U);
  CHECK_EQUAL(book.order(level.head).id, 1U);
  CHECK_EQUAL(book.order(book.order(level.head).next).id, 2U);
  CHECK_EQUAL(book.order(level.tail).id, 3U);
  apply(modify_lost(1, 1, Side::bid, 500, 1));
  CHECK_EQUAL(book.order(level.head).id, 2U);
  CHECK_EQUAL(book.order(level.tail).id, 1U);
  CHECK_EQUAL(book.order(level.tail).priority, 6U);
  CHECK_EQUAL(book.order(level.head).priority, 2U);
}

TEST(bookRefusesOrdersPastItsLimit) {
  Book book(limits_of(3, 0));
  Numbered apply(book);
  for (std::uint64_t id = 1; id <= 3; ++id) CHECK(apply(add(id, 1, Side::bid, 10, 1)) == ApplyResult::applied);
  CHECK(apply(add(4, 1, Side::bid, 10, 1)) == ApplyResult::order_limit);
  CHECK(apply(modify_lost(1, 1, Side::bid, 11, 1)) == ApplyResult::applied);
  CHECK(apply(delete_order(2, 1, Side::bid)) == ApplyResult::applied);
  CHECK(apply(add(4, 1, Side::bid, 10, 1)) == ApplyResult::applied);
  CHECK_EQUAL(book.live_orders(), 3U);
  CHECK_EQUAL(audit(book).fault, "");
}

TEST(bookRefusesLevelsPastItsLimit) {
  Book book(limits_of(10, 2));
  Numbered apply(book);
  CHECK(apply(add(1, 1, Side::bid, 10, 1)) == ApplyResult::applied);
  CHECK(apply(add(2, 2, Side::ask, 10, 1)) == ApplyResult::applied);
  CHECK(apply(add(3, 1, Side::bid, 11, 1)) == ApplyResult::level_limit);
  CHECK(apply(add(3, 1, Side::bid, 10, 1)) == ApplyResult::applied);
  // Order 2 takes its own level along, order 1 does not.
  CHECK(apply(modify_lost(2, 2, Side::ask, 11, 1)) == ApplyResult::applied);
  CHECK(apply(modify_lost(1, 1, Side::bid, 11, 1)) == ApplyResult::level_limit);
  CHECK(apply(modify_lost(1, 1, Side::bid, 10, 5)) == ApplyResult::applied);
  CHECK_EQUAL(audit(book).levels, 2U);
  CHECK_EQUAL(audit(book).fault, "");
}

TEST(bookRefusesTotalsPastSixtyFourBits) {
  Book book(limits_of(10, 0));
  Numbered apply(book);
  CHECK(apply(add(1, 1, Side::bid, 10, quantity_max)) == ApplyResult::applied);
  CHECK(apply(add(2, 1, Side::bid, 10, 1)) == ApplyResult::quantity_overflow);
  CHECK(apply(add(2, 1, Side::bid, 9, 5)) == ApplyResult::applied);
  CHECK(apply(modify_lost(2, 1, Side::bid, 10, 1)) == ApplyResult::quantity_overflow);
  CHECK(apply(modify_kept(1, 1, Side::bid, 10, quantity_max - 5)) == ApplyResult::applied);
  CHECK(apply(modify_lost(2, 1, Side::bid, 10, 6)) == ApplyResult::quantity_overflow);
  CHECK(apply(modify_lost(2, 1, Side::bid, 10, 5)) == ApplyResult::applied);
  CHECK(apply(add(3, 1, Side::bid, 10, 1)) == ApplyResult::quantity_overflow);
  CHECK(apply(modify_kept(2, 1, Side::bid, 10, 6)) == ApplyResult::quantity_overflow);
  // Its own quantity does not count against it.
  CHECK(apply(modify_lost(1, 1, Side::bid, 10, quantity_max - 6)) == ApplyResult::applied);
  CHECK_EQUAL(book.level(book.best_level(1, Side::bid)).quantity, quantity_max - 1);
  CHECK(apply(add(3, 1, Side::bid, 10, 1)) == ApplyResult::applied);
  CHECK_EQUAL(book.level(book.best_level(1, Side::bid)).quantity, quantity_max);
  CHECK_EQUAL(audit(book).fault, "");
}

TEST(clearOfTheChannelEmptiesEveryInstrumentAndKeepsStatuses) {
  Book book(limits_of(100, 0));
  Numbered apply(book);
  for (std::uint32_t instrument = 1; instrument <= 4; ++instrument) {
    apply(status(instrument, TradingStatus::halted));
    if (instrument == 3) continue;
    for (std::uint64_t id = 0; id < 10; ++id) {
      apply(add(std::uint64_t{100} * instrument + id, instrument, id % 2 == 0 ? Side::bid : Side::ask,
                static_cast<std::int64_t>(id), 5));
    }
  }
  apply.end_event();
  CHECK(apply(clear(channel_instrument)) == ApplyResult::applied);
  apply.end_event();
  CHECK_EQUAL(book.live_orders(), 0U);
  CHECK_EQUAL(book.prices().nodes_used(), 0U);
  for (std::uint32_t instrument = 1; instrument <= 4; ++instrument) {
    CHECK(book.instrument(instrument).status == TradingStatus::halted);
    CHECK_EQUAL(audit_view(book, instrument), "");
  }
  CHECK_EQUAL(audit(book).fault, "");
}

TEST(resetForgetsOrdersStatusesAndNumbers) {
  Book book(limits_of(100, 0));
  Numbered apply(book);
  for (std::uint32_t instrument = 1; instrument <= 3; ++instrument) {
    apply(status(instrument, TradingStatus::trading));
    apply(add(instrument, instrument, Side::bid, 10, 1));
    book.set_instrument_sequence(instrument, 2);
  }
  book.set_instrument_sequence(4, 1);
  book.set_instrument_sequence(channel_instrument, 9);
  apply.end_event();
  book.reset();
  CHECK_EQUAL(book.digest(), 0U);
  CHECK_EQUAL(book.live_orders(), 0U);
  for (std::uint32_t instrument = 0; instrument <= 4; ++instrument) {
    CHECK_EQUAL(book.instrument_sequence(instrument), 0U);
    CHECK(book.instrument(instrument).status == TradingStatus::unknown);
  }
  Depth depth;
  CHECK(book.views().read(2, 3, depth) == DepthRead::ok);
  CHECK_EQUAL(depth.counts[0], 0U);
  CHECK_EQUAL(depth.sequence, 0U);
  CHECK(depth.status == TradingStatus::unknown);
  CHECK_EQUAL(audit(book).fault, "");
  CHECK(apply(add(1, 1, Side::bid, 10, 1)) == ApplyResult::applied);
}

TEST(bookAnswersForInstrumentsItDoesNotHave) {
  const Book book(limits_of(10, 0));
  CHECK_EQUAL(book.find(1), book::no_index);
  CHECK_EQUAL(book.find_level(5, Side::bid, 1), book::no_index);
  CHECK_EQUAL(book.find_level(0xffffffff, Side::ask, 1), book::no_index);
  CHECK_EQUAL(book.best_level(5, Side::bid), book::no_index);
  CHECK_EQUAL(book.best_level(1, Side::bid), book::no_index);
  Depth depth;
  CHECK(book.views().read(5, 3, depth) == DepthRead::unknown_instrument);
}

// Levels past the window come in when better ones go: in one event and over several.
TEST(viewIsRefilledFromBehindItsWindow) {
  Book book(limits_of(100, 0));
  Numbered apply(book);
  for (std::uint64_t id = 1; id <= 10; ++id) apply(add(id, 1, Side::ask, static_cast<std::int64_t>(id), 10 * id));
  apply.end_event();
  const auto prices = [&] {
    Depth depth;
    CHECK(book.views().read(1, 3, depth) == DepthRead::ok);
    std::vector<std::int64_t> seen;
    for (std::uint32_t rank = 0; rank < depth.counts[1]; ++rank) seen.push_back(depth.levels[1][rank].price);
    return seen;
  };
  using Prices = std::vector<std::int64_t>;
  CHECK(prices() == (Prices{1, 2, 3}));
  apply(delete_order(2, 1, Side::ask));
  CHECK(prices() == (Prices{1, 2, 3}));
  apply.end_event();
  CHECK(prices() == (Prices{1, 3, 4}));
  for (const std::uint64_t id : {3U, 1U, 5U, 4U}) apply(delete_order(id, 1, Side::ask));
  apply(add(20, 1, Side::ask, 7, 1));
  apply.end_event();
  CHECK(prices() == (Prices{6, 7, 8}));
  for (const std::uint64_t id : {6U, 7U, 20U, 8U, 9U}) apply(delete_order(id, 1, Side::ask));
  apply.end_event();
  CHECK(prices() == (Prices{10}));
  apply(delete_order(10, 1, Side::ask));
  apply(add(30, 1, Side::ask, 10, 3));
  apply(add(31, 1, Side::ask, 9, 3));
  apply.end_event();
  CHECK(prices() == (Prices{9, 10}));
}

// Events close one by one; what they did is published together, each view as its instrument's own last event left it.
TEST(viewsOfABatchShowEachInstrumentsLastEvent) {
  constexpr std::uint32_t instruments = 4;
  Book book(limits_of(1'000, 0));
  Random random(seed());
  std::uint64_t last_event[instruments + 1] = {};
  std::uint64_t published[instruments + 1] = {};
  std::uint64_t sequence = 0;
  for (std::uint64_t batch = 0; batch < work(2'000); ++batch) {
    const std::uint64_t events = random.below(12);
    for (std::uint64_t event = 0; event < events; ++event) {
      const std::uint64_t messages = random.chance(1, 4) ? 3 : 1;
      std::uint32_t touched[3] = {};
      for (std::uint64_t count = 0; count < messages; ++count) {
        const std::uint64_t id = random.below(60) + 1;
        const auto instrument = static_cast<std::uint32_t>(id % instruments) + 1;
        const Side side = id % 3 == 0 ? Side::bid : Side::ask;
        const auto price = static_cast<std::int64_t>(random.below(12));
        const bool live = book.find(id) != book::no_index;
        const BookMessage message = live ? delete_order(id, instrument, side) : add(id, instrument, side, price, id);
        REQUIRE(book.apply(message, ++sequence) == ApplyResult::applied);
        book.set_instrument_sequence(instrument, static_cast<std::uint32_t>(sequence));
        touched[count] = instrument;
      }
      book.close_event(sequence, static_cast<std::int64_t>(2 * sequence));
      for (std::uint64_t count = 0; count < messages; ++count) last_event[touched[count]] = sequence;
    }
    // Such as a trade: it takes a number and leaves the view alone.
    const std::uint32_t numbered = book.instrument_sequence(1);
    book.set_instrument_sequence(1, numbered + 1'000);
    Depth depth;
    for (std::uint32_t instrument = 1; instrument <= instruments; ++instrument) {
      REQUIRE(book.views().read(instrument, 3, depth) == DepthRead::ok);
      CHECK_EQUAL(depth.sequence, published[instrument]);
    }
    book.publish_views();
    book.set_instrument_sequence(1, numbered);
    for (std::uint32_t instrument = 1; instrument <= instruments; ++instrument) {
      published[instrument] = last_event[instrument];
      REQUIRE(book.views().read(instrument, 3, depth) == DepthRead::ok);
      CHECK_EQUAL(depth.sequence, published[instrument]);
      CHECK_EQUAL(depth.event_time_ns, static_cast<std::int64_t>(2 * published[instrument]));
      CHECK_EQUAL(depth.instrument_sequence, book.instrument_sequence(instrument));
      CHECK_EQUAL(audit_view(book, instrument), "");
    }
  }
}

TEST(viewIsRightAfterAnEventOfManyChanges) {
  Book book(limits_of(1'000, 0));
  Numbered apply(book);
  std::uint64_t next = 1;
  for (const std::uint64_t changes : {15U, 16U, 17U, 18U, 100U, 900U}) {
    for (std::uint64_t index = 0; index < changes && book.live_orders() < 1'000; ++index, ++next) {
      const auto instrument = static_cast<std::uint32_t>(next % 4 + 1);
      apply(add(next, instrument, next % 3 == 0 ? Side::bid : Side::ask, static_cast<std::int64_t>(next * 7'919 % 50),
                1));
    }
    apply.end_event();
    for (std::uint32_t instrument = 1; instrument <= 4; ++instrument) CHECK_EQUAL(audit_view(book, instrument), "");
    if (changes == 900) break;
    while (book.live_orders() > 5) {
      --next;
      const Side side = next % 3 == 0 ? Side::bid : Side::ask;
      apply(delete_order(next, static_cast<std::uint32_t>(next % 4 + 1), side));
    }
    apply.end_event();
    for (std::uint32_t instrument = 1; instrument <= 4; ++instrument) CHECK_EQUAL(audit_view(book, instrument), "");
  }
}

TEST(bookAllocatesNothingAfterConstruction) {
  for (const bool prefault : {false, true}) {
    BookLimits limits = limits_of(2'000, 0, 50);
    limits.prefault = prefault;
    Book book(limits);
    Random random(seed());
    const std::size_t bytes = book.bytes();
    const std::uint64_t before = allocations();
    std::uint64_t applied = 0;
    for (std::uint64_t sequence = 1; sequence <= work(200'000); ++sequence) {
      const std::uint64_t id = random.between(1, 4'000);
      const auto instrument = static_cast<std::uint32_t>(id % 50 + 1);
      const Side side = id % 2 == 0 ? Side::bid : Side::ask;
      BookMessage message = add(id, instrument, side, static_cast<std::int64_t>(random.below(300)), 10);
      if (book.find(id) != book::no_index) message = delete_order(id, instrument, side);
      if (random.chance(1, 10'000)) message = clear(channel_instrument);
      applied += book.apply(message, sequence) == ApplyResult::applied ? 1U : 0U;
      if (random.chance(1, 3)) book.end_event(sequence, 0);
    }
    const std::uint64_t after = allocations();
    CHECK_EQUAL(after, before);
    CHECK_EQUAL(book.bytes(), bytes);
    CHECK(applied > 1'000);
    CHECK_EQUAL(audit(book).fault, "");
  }
}

}  // namespace
}  // namespace depthcast::test

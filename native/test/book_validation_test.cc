// What a source gives that contradicts the books: refused or passed on by policy, and a client's book always equal.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "book/audit.h"
#include "book/sequencer.h"
#include "run/carry_over.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::Book;
using ingest::InputCell;
using ingest::InputEvent;
using ingest::InputKind;

book::BookLimits limits() {
  book::BookLimits limits;
  limits.orders_max = 64;
  limits.instruments_max = 3;
  limits.depth_levels = 4;
  return limits;
}

constexpr ApplyResult passable[] = {ApplyResult::unknown_order,      ApplyResult::duplicate_order,
                                    ApplyResult::over_execution,     ApplyResult::invalid_quantity,
                                    ApplyResult::invalid_side,       ApplyResult::wrong_instrument,
                                    ApplyResult::unknown_instrument, ApplyResult::off_tick,
                                    ApplyResult::price_out_of_range, ApplyResult::delisted};

// A publisher's book, and a client's that is given nothing but the numbered messages.
class Pair final : public book::MessageSink {
 public:
  explicit Pair(const book::ValidationPolicy& policy = {})
      : book(limits()), client(limits()), sequencer(book, *this, 1, policy) {}

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    const ApplyResult result = client.apply(message, stamp.sequence);
    if (result > ApplyResult::not_book_affecting) fail_and_stop(__FILE__, __LINE__, book::name_of(result));
    if ((message.flags & flags::end_of_event) != 0) client.end_event(stamp.sequence, stamp.time_ns);
    messages.push_back(message);
    last_detail = detail;
  }
  void on_trade(const TradeMessage&, const book::Stamp&) override {}
  void on_definition(std::uint32_t, std::uint32_t, std::uint32_t, const ingest::DefinitionData&,
                     const book::Stamp&) override {
    ++definitions;
  }
  void on_refused(const book::Refusal& refusal) override { refusals.push_back(refusal); }

  void give(InputKind kind, std::uint32_t code, std::uint64_t order_id = 0, std::int64_t price = 0,
            std::uint64_t quantity = 0, Side side = Side::none, std::uint64_t detail = 0) {
    ++position;
    const InputEvent event{
        position, static_cast<std::int64_t>(position), order_id, detail, price, quantity, code, kind, side, Kind::none,
        0};
    sequencer.apply(event, nullptr);
    REQUIRE_EQUAL(client.digest(), book.digest());
  }
  void define(std::uint32_t code, const char* symbol, std::uint32_t increment = 0, std::int64_t low = 0,
              std::int64_t high = 0) {
    InputCell cell{};
    cell.definition = {};
    std::strncpy(cell.definition.symbol, symbol, sizeof cell.definition.symbol);
    cell.definition.price_increment = increment;
    cell.definition.price_low = low;
    cell.definition.price_high = high;
    ++position;
    sequencer.apply({position, static_cast<std::int64_t>(position), 0, 0, 0, 0, code, InputKind::definition, Side::none,
                     Kind::none, 0},
                    &cell);
    REQUIRE_EQUAL(client.digest(), book.digest());
  }
  std::uint64_t refused(ApplyResult reason) const {
    return sequencer.counters().refused[static_cast<std::size_t>(reason)];
  }
  std::uint64_t passed(ApplyResult reason) const {
    return sequencer.counters().passed[static_cast<std::size_t>(reason)];
  }

  Book book;
  Book client;
  book::Sequencer sequencer;
  std::vector<BookMessage> messages;
  std::vector<book::Refusal> refusals;
  std::uint64_t last_detail = 0;
  std::uint64_t definitions = 0;
  std::uint64_t position = 0;
};

// Two live orders (1 and 2), then one event for each contradiction.
void contradict(Pair& pair) {
  pair.define(1, "AAA", 5, 100, 200);
  pair.define(2, "BBB");
  pair.give(InputKind::add, 1, 1, 150, 10, Side::bid);
  pair.give(InputKind::add, 1, 2, 155, 20, Side::ask);
  pair.give(InputKind::execute, 1, 99, 0, 5);                          // unknown_order
  pair.give(InputKind::add, 1, 1, 160, 7, Side::ask);                  // duplicate_order
  pair.give(InputKind::execute, 1, 2, 0, 21);                          // over_execution
  pair.give(InputKind::add, 1, 3, 150, 0, Side::bid);                  // invalid_quantity
  pair.give(InputKind::add, 1, 4, 150, ~std::uint64_t{4}, Side::bid);  // negative
  pair.give(InputKind::add, 1, 5, 150, 5, Side::none);                 // invalid_side
  pair.give(InputKind::delete_order, 2, 1);                            // wrong_instrument
  pair.give(InputKind::add, 77, 6, 150, 5, Side::bid);                 // unknown_instrument
  pair.give(InputKind::add, 1, 7, 151, 5, Side::bid);                  // off_tick
  pair.give(InputKind::add, 1, 8, 205, 5, Side::ask);                  // price_out_of_range
  pair.give(InputKind::delist, 2);
  pair.give(InputKind::add, 2, 9, 1, 5, Side::bid);  // delisted
}

TEST(contradictionsAreRefusedCountedAndTold) {
  Pair pair;
  contradict(pair);
  for (const ApplyResult reason : passable) {
    CHECK_EQUAL(pair.refused(reason), reason == ApplyResult::invalid_quantity ? 2U : 1U);
    CHECK_EQUAL(pair.passed(reason), 0U);
  }
  CHECK_EQUAL(pair.book.live_orders(), 2U);
  REQUIRE_EQUAL(pair.refusals.size(), 11);
  CHECK(pair.refusals[0].reason == ApplyResult::unknown_order);
  CHECK_EQUAL(pair.refusals[0].position, 5U);
  CHECK_EQUAL(pair.refusals[0].order_id, 99U);
  CHECK(!pair.refusals[0].passed);
  CHECK_EQUAL(pair.messages.size(), 4U);  // two adds, and clear and status of the delisted
}

TEST(whatIsPassedOnLeavesTheClientsBooksEqual) {
  book::ValidationPolicy policy;
  for (const ApplyResult reason : passable) policy.pass_on(reason);
  Pair pair(policy);
  contradict(pair);
  for (const ApplyResult reason : passable) {
    CHECK_EQUAL(pair.refused(reason), 0U);
    CHECK_EQUAL(pair.passed(reason), reason == ApplyResult::invalid_quantity ? 2U : 1U);
  }
  // The duplicate took the old order's place, the execution took what there was, prices off the grid stand.
  CHECK_EQUAL(pair.book.live_orders(), 4U);
  CHECK(pair.book.find(2) == book::no_index);
  CHECK_EQUAL(pair.book.order(pair.book.find(1)).quantity, 7U);
  for (const std::uint64_t id : {7U, 8U, 9U}) CHECK(pair.book.find(id) != book::no_index);
  std::size_t told = 0;
  for (const BookMessage& message : pair.messages) {
    if (message.kind == Kind::reference) {
      CHECK(message.side == static_cast<Side>(ingest::ReferenceKind::contradiction));
      CHECK((message.flags & flags::book_affecting) == 0);
      ++told;
    }
  }
  CHECK_EQUAL(told, 6);  // unknown order, two quantities, side, wrong and unknown instrument
}

TEST(limitsCannotBePassedOn) {
  book::ValidationPolicy policy;
  CHECK_THROWS(policy.pass_on(ApplyResult::order_limit), std::invalid_argument, "order_limit");
  CHECK_THROWS(policy.pass_on(ApplyResult::instrument_limit), std::invalid_argument, "cannot be passed on");
}

TEST(instrumentsBeyondTheLimitAreRefusedByName) {
  Pair pair;
  for (const std::uint32_t code : {1U, 2U, 3U, 4U}) pair.define(code, "X");
  pair.define(65'536, "Y");
  pair.give(InputKind::add, 4, 1, 100, 1, Side::bid);
  CHECK_EQUAL(pair.refused(ApplyResult::instrument_limit), 2U);
  CHECK_EQUAL(pair.refused(ApplyResult::unknown_instrument), 1U);
  CHECK_EQUAL(pair.sequencer.counters().instruments_refused, 3U);
  CHECK_EQUAL(pair.refusals[0].source_code, 4U);
}

TEST(priceLimitsMoveInMidSessionAndHoldThroughDefinitions) {
  Pair pair;
  const auto limit = [&](std::int64_t low, std::int64_t high) {
    pair.give(InputKind::limits, 1, 0, low, 0, Side::none, static_cast<std::uint64_t>(high));
  };
  pair.define(1, "AAA", 5);
  limit(-100, 100);
  limit(-100, 100);  // as they are
  CHECK_EQUAL(pair.definitions, 2U);
  pair.give(InputKind::add, 1, 1, 105, 5, Side::bid);
  pair.give(InputKind::add, 1, 2, -105, 5, Side::bid);
  pair.give(InputKind::add, 1, 3, 100, 5, Side::bid);
  pair.give(InputKind::add, 1, 4, 99, 5, Side::bid);
  CHECK_EQUAL(pair.refused(ApplyResult::price_out_of_range), 2U);
  CHECK_EQUAL(pair.refused(ApplyResult::off_tick), 1U);
  pair.define(1, "BBB");  // tells no limits: they hold
  CHECK_EQUAL(pair.sequencer.record(1).definition.price_high, 100);
  pair.give(InputKind::add, 1, 5, 105, 5, Side::bid);
  CHECK_EQUAL(pair.refused(ApplyResult::price_out_of_range), 3U);
  limit(0, 50);
  CHECK_EQUAL(pair.book.live_orders(), 1U);  // what stands stays
  limit(0, 0);
  pair.give(InputKind::add, 1, 6, 1'000, 5, Side::bid);
  CHECK_EQUAL(pair.book.live_orders(), 2U);
  // Of the channel, of what was not defined, of what was delisted, which stays so.
  pair.give(InputKind::limits, 0, 0, 1, 0, Side::none, 2);
  pair.give(InputKind::limits, 3, 0, 1, 0, Side::none, 2);
  CHECK_EQUAL(pair.refused(ApplyResult::unknown_instrument), 2U);
  pair.give(InputKind::delist, 1);
  limit(1, 2);
  CHECK(pair.client.instrument(1).status == TradingStatus::delisted);
  CHECK_EQUAL(pair.definitions, 6U);
}

// What stands stays, over the night too: the new session is told of it before it hears of the limits.
TEST(ordersBeyondLimitsThatMovedSurviveTheNight) {
  Pair day;
  day.define(1, "AAA", 5, 50, 250);
  day.define(2, "BBB");
  day.give(InputKind::add, 1, 1, 100, 5, Side::bid);
  day.give(InputKind::add, 1, 2, 200, 5, Side::ask);
  day.give(InputKind::add, 2, 3, 101, 5, Side::ask);
  day.give(InputKind::limits, 1, 0, 140, 0, Side::none, 180);
  day.define(2, "BBB", 10);
  REQUIRE_EQUAL(day.book.live_orders(), 3U);
  book::SequencerState state;
  state.records.resize(3);
  for (std::uint32_t instrument = 1; instrument <= 2; ++instrument) {
    state.records[instrument] = day.sequencer.record(instrument);
  }
  const std::vector<InputCell> cells = run::restate(day.book, state);
  Pair next;
  for (std::size_t at = 0; at < cells.size();) {
    const std::size_t count = ingest::cells_of(cells[at].event.kind);
    next.sequencer.apply(cells[at].event, count == 2 ? &cells[at + 1] : nullptr);
    at += count;
  }
  CHECK_EQUAL(next.refusals.size(), 0U);
  CHECK_EQUAL(next.book.live_orders(), 3U);
  CHECK_EQUAL(next.client.digest(), next.book.digest());
  for (std::uint32_t instrument = 1; instrument <= 2; ++instrument) {
    CHECK(next.sequencer.record(instrument).definition == day.sequencer.record(instrument).definition);
  }
  next.give(InputKind::add, 1, 4, 100, 5, Side::bid);
  CHECK_EQUAL(next.refused(ApplyResult::price_out_of_range), 1U);
  next.give(InputKind::add, 2, 5, 101, 5, Side::bid);
  CHECK_EQUAL(next.refused(ApplyResult::off_tick), 1U);
}

// Else orders would stay in a book that takes none, and be left out when they are carried over the night.
TEST(delistedSaidAsAStatusTakesTheOrdersToo) {
  Pair pair;
  pair.define(1, "OLD");
  pair.give(InputKind::add, 1, 1, 100, 5, Side::bid);
  pair.give(InputKind::status, 1, 0, 0, static_cast<std::uint64_t>(TradingStatus::delisted), Side::none, 77);
  CHECK_EQUAL(pair.book.live_orders(), 0U);
  CHECK(pair.client.instrument(1).status == TradingStatus::delisted);
  REQUIRE_EQUAL(pair.messages.size(), 3U);
  CHECK(pair.messages[1].kind == Kind::clear && (pair.messages[1].flags & flags::end_of_event) == 0);
  CHECK(pair.messages[2].kind == Kind::status && (pair.messages[2].flags & flags::end_of_event) != 0);
  CHECK_EQUAL(pair.last_detail, 77U);
  pair.give(InputKind::status, 0, 0, 0,
            static_cast<std::uint64_t>(TradingStatus::delisted));  // of the channel: only told
  CHECK_EQUAL(pair.messages.size(), 4U);
}

TEST(aSymbolIsDelistedRelistedAndRenamedInMidSession) {
  Pair pair;
  pair.define(1, "OLD");
  pair.give(InputKind::add, 1, 1, 100, 5, Side::bid);
  pair.give(InputKind::status, 1, 0, 0, static_cast<std::uint64_t>(TradingStatus::trading));
  pair.define(1, "NEW");
  CHECK_EQUAL(pair.definitions, 2U);
  CHECK_EQUAL(pair.book.live_orders(), 1U);  // a new name changes no order
  pair.give(InputKind::delist, 1);
  CHECK_EQUAL(pair.book.live_orders(), 0U);
  CHECK(pair.client.instrument(1).status == TradingStatus::delisted);
  CHECK((pair.messages[pair.messages.size() - 2].flags & flags::end_of_event) == 0);
  pair.give(InputKind::add, 1, 2, 100, 5, Side::bid);
  CHECK_EQUAL(pair.refused(ApplyResult::delisted), 1U);
  // Nothing but a definition brings it back.
  pair.give(InputKind::status, 1, 0, 0, static_cast<std::uint64_t>(TradingStatus::trading));
  CHECK(pair.client.instrument(1).status == TradingStatus::delisted);
  pair.give(InputKind::add, 1, 2, 100, 5, Side::bid);
  CHECK_EQUAL(pair.refused(ApplyResult::delisted), 3U);
  pair.define(1, "NEW");
  CHECK_EQUAL(pair.definitions, 3U);
  CHECK(pair.client.instrument(1).status == TradingStatus::unknown);
  pair.give(InputKind::add, 1, 2, 100, 5, Side::bid);
  CHECK_EQUAL(pair.book.live_orders(), 1U);
  pair.give(InputKind::clear, 1);
  CHECK_EQUAL(pair.book.live_orders(), 0U);
}

// Any policy, any events: the client is never told anything that its book refuses, and stays equal.
TEST(noPolicyEverLetsAClientsBookDiverge) {
  Random random(seed());
  std::uint64_t passed = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t round = 0; round < work(60); ++round) {
    book::ValidationPolicy policy;
    for (const ApplyResult reason : passable) {
      if (random.chance(1, 2)) policy.pass_on(reason);
    }
    Pair pair(policy);
    for (int step = 0; step < 1'500; ++step) {
      const auto code = static_cast<std::uint32_t>(random.below(5));
      const std::uint64_t id = random.between(1, 60);
      const std::uint64_t quantity = random.chance(1, 20) ? random.next() : random.below(12);
      const auto price = static_cast<std::int64_t>(random.below(40)) - 5;
      const auto side = static_cast<Side>(random.below(3));
      const std::uint64_t roll = random.below(100);
      if (roll < 4) {
        pair.define(code, random.chance(1, 2) ? "A" : "B", static_cast<std::uint32_t>(random.below(3)), 0,
                    random.chance(1, 2) ? 30 : 0);
      } else if (roll < 45) {
        pair.give(InputKind::add, code, id, price, quantity, side);
      } else if (roll < 60) {
        pair.give(InputKind::execute, code, id, 0, quantity);
      } else if (roll < 70) {
        pair.give(InputKind::cancel, code, id, 0, quantity);
      } else if (roll < 80) {
        pair.give(InputKind::delete_order, code, id);
      } else if (roll < 94) {
        pair.give(InputKind::replace, code, id, price, quantity, Side::none, random.between(1, 60));
      } else if (roll < 96) {
        pair.give(InputKind::delist, code);
      } else if (roll < 97) {
        pair.give(InputKind::clear, code);
      } else {
        pair.give(static_cast<InputKind>(20 + random.below(5)), code, id, price, quantity, side);
      }
    }
    REQUIRE_EQUAL(audit(pair.book).fault, "");
    REQUIRE_EQUAL(audit(pair.client).fault, "");
    for (const std::uint64_t count : pair.sequencer.counters().passed) passed += count;
    for (const std::uint64_t count : pair.sequencer.counters().refused) refused += count;
  }
  CHECK(passed > 0 && refused > 0);
  note(std::to_string(passed) + " passed on, " + std::to_string(refused) + " refused");
}

}  // namespace
}  // namespace depthcast::test

#include "book/sequencer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "book/audit.h"
#include "test/recording_sink.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::Book;
using book::BookLimits;
using book::Sequencer;
using ingest::InputCell;
using ingest::InputEvent;
using ingest::InputKind;

using Lines = std::vector<std::string>;

constexpr std::uint64_t quantity_most = ~std::uint64_t{0} >> 1;

BookLimits small_limits() {
  BookLimits limits;
  limits.orders_max = 16;
  limits.instruments_max = 3;
  limits.depth_levels = 3;
  return limits;
}

// A book, its sequencer and what it put out. Positions count up by themselves; the time of an event is ten times that.
class Channel {
 public:
  explicit Channel(const BookLimits& limits = small_limits(), std::uint64_t first_sequence = 1)
      : book(limits), sequencer(book, sink, first_sequence) {}

  InputEvent event(InputKind kind, std::uint32_t source_code) {
    ++position_;
    return {position_, static_cast<std::int64_t>(10 * position_), 0, 0, 0, 0, source_code, kind, Side::none, Kind::none,
            0};
  }
  void define(std::uint32_t source_code, const char* symbol, std::uint32_t lot_size = 100) {
    InputCell cell{};
    cell.definition = {};
    std::memcpy(cell.definition.symbol, symbol, std::strlen(symbol));
    cell.definition.price_exponent = -4;
    cell.definition.lot_size = lot_size;
    sequencer.apply(event(InputKind::definition, source_code), &cell);
  }
  void add(std::uint32_t source_code, std::uint64_t order_id, Side side, std::int64_t price, std::uint64_t quantity,
           std::uint64_t detail = 0) {
    InputEvent one = event(InputKind::add, source_code);
    one.order_id = order_id;
    one.side = side;
    one.price = price;
    one.quantity = quantity;
    one.detail = detail;
    if (detail != 0) one.bits = ingest::input_detail_set;
    sequencer.apply(one, nullptr);
  }
  void execute(std::uint32_t source_code, std::uint64_t order_id, std::uint64_t quantity, std::uint8_t bits = 0) {
    InputEvent one = event(InputKind::execute, source_code);
    one.order_id = order_id;
    one.quantity = quantity;
    one.price = 12'345;
    one.detail = 99;
    one.bits = bits;
    sequencer.apply(one, nullptr);
  }
  void cancel(std::uint32_t source_code, std::uint64_t order_id, std::uint64_t quantity) {
    InputEvent one = event(InputKind::cancel, source_code);
    one.order_id = order_id;
    one.quantity = quantity;
    sequencer.apply(one, nullptr);
  }
  void remove(std::uint32_t source_code, std::uint64_t order_id) {
    InputEvent one = event(InputKind::delete_order, source_code);
    one.order_id = order_id;
    sequencer.apply(one, nullptr);
  }
  void replace(std::uint32_t source_code, std::uint64_t order_id, std::uint64_t new_order_id, std::int64_t price,
               std::uint64_t quantity) {
    InputEvent one = event(InputKind::replace, source_code);
    one.order_id = order_id;
    one.detail = new_order_id;
    one.price = price;
    one.quantity = quantity;
    sequencer.apply(one, nullptr);
  }
  std::uint64_t refused(ApplyResult reason) const {
    return sequencer.counters().refused[static_cast<std::size_t>(reason)];
  }
  void expect(const Lines& lines, int line) {
    if (const std::string fault = difference(sink.lines, lines); !fault.empty()) fail(__FILE__, line, fault);
    sink.lines.clear();
  }

  Book book;
  RecordingSink sink;
  Sequencer sequencer;

 private:
  std::uint64_t position_ = 0;
};

TEST(sequencerNumbersMessagesOfTheChannelAndOfEachInstrument) {
  Channel channel;
  channel.define(50, "AAA");
  channel.define(7, "BBBBBBBB", 5);
  channel.add(7, 1'000, Side::bid, 500, 10);
  channel.add(50, 1'001, Side::ask, 600, 20, 4'711);
  channel.execute(7, 1'000, 4, ingest::input_detail_set);
  channel.execute(50, 1'001, 5, ingest::input_at_price | ingest::input_non_printable);
  channel.cancel(7, 1'000, 1);
  channel.cancel(7, 1'000, 5);
  channel.remove(50, 1'001);
  channel.expect(
      {
          "1 @1 t10 definition i1/1 code 50 AAA lot 100 exponents -4 0 attributes",
          "2 @2 t20 definition i2/1 code 7 BBBBBBBB lot 5 exponents -4 0 attributes",
          "3 @3 t30 add i2/2 bid 500 x 10 #1000 end book",
          "4 @4 t40 add i1/2 ask 600 x 20 #1001 end book detail =4711",
          "5 @5 t50 execute i2/3 bid 500 x 4 #1000 end book detail =99",
          "6 @6 t60 execute i1/3 ask 12345 x 5 #1001 end book silent at_price",
          "7 @7 t70 modify i2/4 bid 500 x 5 #1000 end book kept",
          "8 @8 t80 delete i2/5 bid 500 x 5 #1000 end book",
          "9 @9 t90 delete i1/4 ask 600 x 15 #1001 end book",
      },
      __LINE__);
  CHECK_EQUAL(channel.sequencer.next_sequence(), 10U);
  CHECK_EQUAL(channel.sequencer.input_position(), 9U);
  CHECK_EQUAL(channel.sequencer.event_time_ns(), 90);
  CHECK_EQUAL(channel.sequencer.instrument_count(), 2U);
  CHECK_EQUAL(channel.sequencer.record(2).source_code, 7U);
  CHECK_EQUAL(channel.sequencer.counters().events, 9U);
  CHECK_EQUAL(channel.book.live_orders(), 0U);
}

TEST(sequencerEndsAnEventOfManyInputsWithItsLastMessage) {
  Channel channel;
  channel.define(1, "A");
  channel.add(1, 5, Side::ask, 10, 3);
  channel.add(1, 6, Side::ask, 11, 4);
  channel.sink.lines.clear();
  channel.execute(1, 5, 3, ingest::input_goes_on);
  CHECK(channel.sequencer.event_open());
  channel.execute(1, 6, 1, ingest::input_goes_on);
  channel.add(1, 7, Side::bid, 10, 1);
  CHECK(!channel.sequencer.event_open());
  channel.expect({"4 @4 t40 execute i1/4 ask 10 x 3 #5 book", "5 @5 t50 execute i1/5 ask 11 x 1 #6 book",
                  "6 @6 t60 add i1/6 bid 10 x 1 #7 end book"},
                 __LINE__);
  // The last input is refused: the event ends all the same.
  channel.execute(1, 6, 1, ingest::input_goes_on);
  channel.remove(1, 777);
  CHECK(!channel.sequencer.event_open());
  channel.expect({"7 @7 t70 execute i1/7 ask 11 x 1 #6 book", "8 @8 t80 reference i0/1 9 0 x 0 #0 end"}, __LINE__);
  // All of them are: there is no event.
  channel.execute(1, 888, 1, ingest::input_goes_on);
  channel.remove(1, 888);
  channel.expect({}, __LINE__);
  channel.execute(1, 6, 1, ingest::input_goes_on);
  channel.define(2, "B");
  channel.expect({"9 @11 t110 execute i1/8 ask 11 x 1 #6 book", "10 @12 t120 reference i0/2 9 0 x 0 #0 end",
                  "11 @12 t120 definition i2/1 code 2 B lot 100 exponents -4 0 attributes"},
                 __LINE__);
}

TEST(sequencerCutsAnEventThatNeverEnds) {
  Channel channel;
  channel.define(1, "A");
  channel.add(1, 5, Side::ask, 10, 1'000'000);
  std::uint64_t longest = 0;
  std::uint64_t length = 0;
  for (int count = 0; count < 200'000; ++count) {
    channel.execute(1, 5, 1, ingest::input_goes_on);
    length = channel.sequencer.event_open() ? length + 1 : 0;
    longest = std::max(longest, length + 1);
    channel.sink.lines.clear();
  }
  CHECK(longest <= 65'535U);
  CHECK(longest >= 65'530U);
}

TEST(sequencerGoesOnWithinAnEvent) {
  Channel whole;
  Channel cut;
  for (Channel* channel : {&whole, &cut}) {
    channel->define(1, "A");
    channel->add(1, 5, Side::ask, 10, 100);
    channel->execute(1, 5, 3, ingest::input_goes_on);
    channel->sink.lines.clear();
  }
  book::SequencerState state{cut.sequencer.next_sequence(), 3, 30, 1, {{}, cut.sequencer.record(1)}};
  Sequencer again(cut.book, cut.sink, state);
  InputEvent refused = cut.event(InputKind::delete_order, 1);
  refused.order_id = 777;
  again.apply(refused, nullptr);
  whole.remove(1, 777);
  CHECK(cut.sink.lines == whole.sink.lines);
  CHECK_EQUAL(again.next_sequence(), whole.sequencer.next_sequence());
}

TEST(sequencerStartsAtTheNumberItIsGiven) {
  Channel channel(small_limits(), 1'000'000);
  channel.define(1, "A");
  channel.add(1, 5, Side::bid, 1, 1);
  channel.expect({"1000000 @1 t10 definition i1/1 code 1 A lot 100 exponents -4 0 attributes",
                  "1000001 @2 t20 add i1/2 bid 1 x 1 #5 end book"},
                 __LINE__);
  CHECK_EQUAL(channel.book.order(channel.book.find(5)).priority, 1'000'001U);
}

TEST(sequencerTurnsAReplaceIntoOneEventOfDeleteAndAdd) {
  Channel channel;
  channel.define(1, "A");
  channel.add(1, 10, Side::ask, 100, 5);
  channel.add(1, 11, Side::ask, 100, 6);
  channel.sink.lines.clear();
  channel.replace(1, 10, 12, 100, 7);
  channel.replace(1, 11, 13, 99, 8);
  channel.expect(
      {
          "4 @4 t40 delete i1/4 ask 100 x 5 #10 book",
          "5 @4 t40 add i1/5 ask 100 x 7 #12 end book",
          "6 @5 t50 delete i1/6 ask 100 x 6 #11 book",
          "7 @5 t50 add i1/7 ask 99 x 8 #13 end book",
      },
      __LINE__);
  CHECK_EQUAL(channel.book.order(channel.book.find(12)).priority, 5U);
  CHECK_EQUAL(channel.book.order(channel.book.find(13)).priority, 7U);
  CHECK_EQUAL(audit(channel.book).fault, "");
  CHECK_EQUAL(audit_view(channel.book, 1), "");
}

TEST(sequencerRefusesAReplaceWholeOrTellsWhatWasLost) {
  BookLimits limits = small_limits();
  limits.levels_max = 2;
  Channel channel(limits);
  channel.define(1, "A");
  channel.add(1, 10, Side::bid, 100, 5);
  channel.add(1, 11, Side::bid, 100, 6);
  channel.add(1, 12, Side::ask, 200, quantity_most);
  channel.add(1, 13, Side::bid, 100, 1);
  channel.sink.lines.clear();
  channel.replace(1, 99, 20, 100, 1);
  channel.replace(1, 10, 11, 100, 1);
  channel.replace(1, 10, 10, 100, 1);  // a new order has a new id
  channel.replace(1, 10, 20, 100, 0);
  channel.expect({}, __LINE__);
  CHECK_EQUAL(channel.refused(ApplyResult::unknown_order), 1U);
  CHECK_EQUAL(channel.refused(ApplyResult::duplicate_order), 2U);
  CHECK_EQUAL(channel.refused(ApplyResult::invalid_quantity), 1U);
  CHECK_EQUAL(channel.sequencer.counters().adds_lost, 0U);
  // The old order shares its level, so that its going makes no room for a new one.
  channel.replace(1, 10, 20, 101, 1);
  channel.expect({"6 @10 t100 delete i1/6 bid 100 x 5 #10 end book"}, __LINE__);
  CHECK_EQUAL(channel.refused(ApplyResult::level_limit), 1U);
  CHECK_EQUAL(channel.sequencer.counters().adds_lost, 1U);
  CHECK_EQUAL(audit(channel.book).fault, "");
  CHECK_EQUAL(audit_view(channel.book, 1), "");
}

TEST(sequencerCountsRefusalsAndGivesThemNoNumbers) {
  Channel channel;
  channel.define(1, "A");
  channel.define(2, "B");
  channel.add(1, 10, Side::bid, 100, 5);
  channel.add(1, 8, Side::bid, 90, quantity_most);
  channel.add(1, 9, Side::bid, 90, quantity_most);
  channel.sink.lines.clear();
  channel.add(1, 10, Side::bid, 100, 5);
  channel.add(2, 10, Side::ask, 100, 5);
  channel.add(1, 11, Side::none, 100, 5);
  channel.add(1, 11, Side::bid, 100, 0);
  channel.add(1, 11, Side::bid, 90, 2);
  channel.add(1, 11, Side::bid, 100, quantity_most + 1);  // a negative one, as it would be written
  channel.add(0, 11, Side::bid, 100, 5);                  // the channel has no book
  channel.execute(1, 11, 5);
  channel.execute(1, 10, 6);
  channel.execute(1, 10, 0);
  channel.execute(2, 10, 1);
  channel.cancel(1, 11, 5);
  channel.cancel(1, 10, 6);
  channel.cancel(1, 10, 0);
  channel.cancel(2, 10, 1);
  channel.remove(1, 11);
  channel.remove(2, 10);
  channel.replace(2, 10, 12, 100, 5);
  channel.sequencer.apply(channel.event(InputKind::none, 1), nullptr);
  channel.expect({}, __LINE__);
  CHECK_EQUAL(channel.refused(ApplyResult::applied), 0U);
  CHECK_EQUAL(channel.refused(ApplyResult::duplicate_order), 2U);
  CHECK_EQUAL(channel.refused(ApplyResult::invalid_side), 1U);
  CHECK_EQUAL(channel.refused(ApplyResult::invalid_quantity), 4U);
  CHECK_EQUAL(channel.refused(ApplyResult::quantity_overflow), 1U);
  CHECK_EQUAL(channel.refused(ApplyResult::unknown_instrument), 1U);
  CHECK_EQUAL(channel.refused(ApplyResult::unknown_order), 3U);
  CHECK_EQUAL(channel.refused(ApplyResult::over_execution), 2U);
  CHECK_EQUAL(channel.refused(ApplyResult::wrong_instrument), 4U);
  CHECK_EQUAL(channel.refused(ApplyResult::unknown_kind), 1U);
  CHECK_EQUAL(channel.sequencer.counters().events, 24U);
  channel.add(1, 11, Side::bid, 100, 5);
  channel.expect({"6 @25 t250 add i1/5 bid 100 x 5 #11 end book"}, __LINE__);
}

TEST(sequencerRefusesOrdersPastTheLimit) {
  BookLimits limits = small_limits();
  limits.orders_max = 2;
  Channel channel(limits);
  channel.define(1, "A");
  for (std::uint64_t id = 1; id <= 4; ++id) channel.add(1, id, Side::bid, 100, 5);
  CHECK_EQUAL(channel.refused(ApplyResult::order_limit), 2U);
  // A replace needs no more room than it makes.
  channel.replace(1, 1, 3, 50, 5);
  CHECK_EQUAL(channel.sequencer.counters().adds_lost, 0U);
  CHECK_EQUAL(channel.book.live_orders(), 2U);
  CHECK_EQUAL(channel.sequencer.next_sequence(), 6U);
}

TEST(sequencerTellsADefinitionOnlyWhenItChanges) {
  Channel channel;
  channel.define(9, "A");
  channel.define(9, "A");
  channel.define(9, "A", 200);
  channel.define(9, "AB", 200);
  channel.define(9, "AB", 200);
  channel.expect(
      {
          "1 @1 t10 definition i1/1 code 9 A lot 100 exponents -4 0 attributes",
          "2 @3 t30 definition i1/2 code 9 A lot 200 exponents -4 0 attributes",
          "3 @4 t40 definition i1/3 code 9 AB lot 200 exponents -4 0 attributes",
      },
      __LINE__);
  CHECK_EQUAL(channel.sequencer.counters().definitions_repeated, 2U);
  CHECK_EQUAL(channel.sequencer.instrument_count(), 1U);
  CHECK_EQUAL(channel.sequencer.record(1).definition.lot_size, 200U);
}

TEST(sequencerRefusesInstrumentsPastItsLimitAndCodesOutOfRange) {
  Channel channel;
  for (std::uint32_t code = 1; code <= 3; ++code) channel.define(code, "X");
  channel.sink.lines.clear();
  channel.define(4, "Y");
  channel.define(0, "CHANNEL");
  channel.define(65'536, "Z");
  channel.define(0xffffffff, "Z");
  channel.add(4, 1, Side::bid, 1, 1);
  channel.add(65'535, 1, Side::bid, 1, 1);
  channel.add(0xffffffff, 1, Side::bid, 1, 1);
  channel.expect({}, __LINE__);
  CHECK_EQUAL(channel.sequencer.counters().instruments_refused, 7U);
  CHECK_EQUAL(channel.sequencer.instrument_count(), 3U);
  channel.define(3, "X", 7);
  channel.expect({"4 @11 t110 definition i3/2 code 3 X lot 7 exponents -4 0 attributes"}, __LINE__);
}

TEST(sequencerPassesStatusReferenceAndTradesOn) {
  Channel channel;
  channel.define(5, "A");
  channel.sink.lines.clear();
  InputEvent status = channel.event(InputKind::status, 5);
  status.quantity = static_cast<std::uint64_t>(TradingStatus::halted);
  status.detail = 77;
  status.bits = ingest::input_detail_set;
  channel.sequencer.apply(status, nullptr);
  CHECK(channel.book.instrument(1).status == TradingStatus::halted);
  InputEvent reference = channel.event(InputKind::reference, 0);
  reference.side = Side::bid;
  reference.order_id = 1;
  reference.price = 2;
  reference.quantity = 3;
  channel.sequencer.apply(reference, nullptr);
  reference = channel.event(InputKind::reference, 5);
  reference.detail = 8;
  reference.bits = ingest::input_detail_set;
  channel.sequencer.apply(reference, nullptr);
  InputCell cell{};
  cell.trade = {12, 14, 15, 16, 17, 18, 0};
  InputEvent trade = channel.event(InputKind::trade, 5);
  trade.trade_kind = Kind::auction;
  trade.order_id = 10;
  trade.quantity = 11;
  trade.price = 13;
  trade.side = Side::ask;
  channel.sequencer.apply(trade, &cell);
  trade = channel.event(InputKind::trade, 0);
  trade.trade_kind = Kind::trade_break;
  cell.trade = {};
  channel.sequencer.apply(trade, &cell);
  channel.expect(
      {
          "2 @2 t20 status i1/2 - 0 x 2 #0 end book detail =77",
          "3 @3 t30 reference i0/1 bid 2 x 3 #1 end",
          "4 @4 t40 reference i1/3 - 0 x 0 #0 end detail =8",
          "5 @5 t50 auction i1/4 s2 #10 q11 q12 13 14 15 16 17 c18 end",
          "6 @6 t60 trade_break i0/2 s0 #0 q0 q0 0 0 0 0 0 c0 end",
      },
      __LINE__);
}

}  // namespace
}  // namespace depthcast::test

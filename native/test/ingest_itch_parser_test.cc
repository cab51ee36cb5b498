#include "ingest/itch_parser.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "test/allocations.h"
#include "test/itch_messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::DefinitionData;
using ingest::InputCell;
using ingest::InputEvent;
using ingest::InputKind;
using ingest::ItchFault;
using ingest::ItchParser;
using ingest::ReferenceKind;
using ingest::TradeData;

constexpr std::int64_t midnight = 1'577'682'000'000'000'000;
constexpr std::uint64_t time_of_day = 0x1f'1122'3344'55ULL;  // six bytes, none of them alike

// Parses one message that makes nothing but its own event.
class Parsed {
 public:
  explicit Parsed(const ItchMessage& message) : parser_(midnight) { parse(parser_, message); }
  // With a parser that has seen others before.
  Parsed(ItchParser& parser, const ItchMessage& message) : parser_(midnight) { parse(parser, message); }

  std::size_t cells() const { return cells_; }
  // The event itself is the last one; a synthesised definition may stand before it.
  const InputEvent& event() const { return out_[first_].event; }
  const TradeData& trade() const { return out_[first_ + 1].trade; }
  const DefinitionData& definition() const { return out_[first_ + 1].definition; }
  bool defines_first() const { return first_ == 2; }
  const InputEvent& first_event() const { return out_[0].event; }
  const DefinitionData& first_definition() const { return out_[1].definition; }

 private:
  void parse(ItchParser& parser, const ItchMessage& message) {
    ItchFault fault = ItchFault::empty;
    cells_ = parser.parse(message.bytes(), 77, out_, fault);
    CHECK(fault == ItchFault::none);
    REQUIRE(cells_ >= 1);
    const std::size_t first_cells = ingest::cells_of(out_[0].event.kind);
    first_ = cells_ > first_cells ? first_cells : 0;
    CHECK_EQUAL(cells_, first_ + ingest::cells_of(event().kind));
    CHECK_EQUAL(event().position, 77U);
    CHECK_EQUAL(event().time_ns, midnight + static_cast<std::int64_t>(time_of_day));
    CHECK_EQUAL(event().source_code, 0x0102U);
  }

  ItchParser parser_;
  std::array<InputCell, ItchParser::cells_max> out_{};
  std::size_t cells_ = 0;
  std::size_t first_ = 0;
};

ItchMessage of(char type, std::size_t length) { return {type, length, 0x0102, time_of_day}; }

// First character lowest.
std::uint64_t text_value(std::string_view characters) {
  std::uint64_t value = 0;
  std::memcpy(&value, characters.data(), characters.size());
  return value;
}

std::string symbol_of(const DefinitionData& definition) {
  return {definition.symbol, strnlen(definition.symbol, sizeof definition.symbol)};
}

TEST(itchLengthsAreThoseOfTheSpecification) {
  std::size_t known = 0;
  for (unsigned type = 0; type < 256; ++type)
    known += ingest::itch_length(static_cast<std::uint8_t>(type)) != 0 ? 1U : 0U;
  CHECK_EQUAL(known, std::size(itch_types));
  for (const ItchType& type : itch_types) {
    CHECK_EQUAL(ingest::itch_length(static_cast<std::uint8_t>(type.type)), type.length);
  }
}

TEST(itchAddsGiveEveryField) {
  const auto fill = [](ItchMessage message, char side) {
    return message.number(11, 8, 0x1112131415161718ULL)
        .number(19, 1, static_cast<std::uint8_t>(side))
        .number(20, 4, 0xfefdfcfb)
        .text(24, "ABCD    ")
        .number(32, 4, 0xf1f2f3f4);
  };
  const Parsed add(fill(of('A', 36), 'B'));
  CHECK(add.event().kind == InputKind::add);
  CHECK_EQUAL(add.event().order_id, 0x1112131415161718ULL);
  CHECK(add.event().side == Side::bid);
  CHECK_EQUAL(add.event().quantity, 0xfefdfcfbU);
  CHECK_EQUAL(add.event().price, 0xf1f2f3f4U);
  CHECK_EQUAL(add.event().bits, 0);
  const Parsed attributed(fill(of('F', 40), 'S').text(36, "LEHM"));
  CHECK(attributed.event().kind == InputKind::add);
  CHECK(attributed.event().side == Side::ask);
  CHECK_EQUAL(attributed.event().detail, text_value("LEHM"));
  CHECK_EQUAL(attributed.event().bits, ingest::input_detail_set);
  CHECK(Parsed(fill(of('A', 36), 'b')).event().side == Side::none);
}

TEST(itchExecutionsGiveEveryField) {
  const auto fill = [](ItchMessage message) {
    return message.number(11, 8, 0x2122232425262728ULL).number(19, 4, 0x31323334).number(23, 8, 0x4142434445464748ULL);
  };
  const Parsed plain(fill(of('E', 31)));
  CHECK(plain.event().kind == InputKind::execute);
  CHECK_EQUAL(plain.event().order_id, 0x2122232425262728ULL);
  CHECK_EQUAL(plain.event().quantity, 0x31323334U);
  CHECK_EQUAL(plain.event().detail, 0x4142434445464748ULL);
  CHECK_EQUAL(plain.event().bits, ingest::input_detail_set);
  const Parsed printed(fill(of('C', 36)).text(31, "Y").number(32, 4, 0x51525354));
  CHECK(printed.event().kind == InputKind::execute);
  CHECK_EQUAL(printed.event().price, 0x51525354);
  CHECK_EQUAL(printed.event().quantity, 0x31323334U);
  CHECK_EQUAL(printed.event().detail, 0x4142434445464748ULL);
  CHECK_EQUAL(printed.event().bits, ingest::input_detail_set | ingest::input_at_price);
  const Parsed silent(fill(of('C', 36)).text(31, "N"));
  CHECK_EQUAL(silent.event().bits, ingest::input_detail_set | ingest::input_at_price | ingest::input_non_printable);
}

TEST(itchCancelDeleteAndReplaceGiveEveryField) {
  const Parsed cancel(of('X', 23).number(11, 8, 0x6162636465666768ULL).number(19, 4, 0x71727374));
  CHECK(cancel.event().kind == InputKind::cancel);
  CHECK_EQUAL(cancel.event().order_id, 0x6162636465666768ULL);
  CHECK_EQUAL(cancel.event().quantity, 0x71727374U);
  const Parsed removal(of('D', 19).number(11, 8, 0x8182838485868788ULL));
  CHECK(removal.event().kind == InputKind::delete_order);
  CHECK_EQUAL(removal.event().order_id, 0x8182838485868788ULL);
  const Parsed replace(of('U', 35)
                           .number(11, 8, 0x9192939495969798ULL)
                           .number(19, 8, 0xa1a2a3a4a5a6a7a8ULL)
                           .number(27, 4, 0xb1b2b3b4)
                           .number(31, 4, 0xc1c2c3c4));
  CHECK(replace.event().kind == InputKind::replace);
  CHECK_EQUAL(replace.event().order_id, 0x9192939495969798ULL);
  CHECK_EQUAL(replace.event().detail, 0xa1a2a3a4a5a6a7a8ULL);
  CHECK_EQUAL(replace.event().quantity, 0xb1b2b3b4U);
  CHECK_EQUAL(replace.event().price, 0xc1c2c3c4U);
  for (const Parsed* parsed : {&cancel, &removal, &replace}) CHECK_EQUAL(parsed->cells(), 1U);
}

TEST(itchDirectoryDefinesTheStock) {
  const Parsed parsed(itch_directory(0x0102, time_of_day, "GOOGL   ", 0x01020304));
  CHECK_EQUAL(parsed.cells(), 2U);
  CHECK(parsed.event().kind == InputKind::definition);
  const DefinitionData& definition = parsed.definition();
  CHECK_EQUAL(symbol_of(definition), "GOOGL");
  CHECK_EQUAL(definition.lot_size, 0x01020304U);
  CHECK_EQUAL(definition.price_exponent, -4);
  CHECK_EQUAL(definition.quantity_exponent, 0);
  CHECK_EQUAL(definition.attribute_count, 20);
  const std::string_view attributes(reinterpret_cast<const char*>(definition.attributes), 20);
  CHECK_EQUAL(attributes, std::string_view("QN\1\2\3\4NCZ PNN1N\0\0\0\0N", 20));
  CHECK_EQUAL(symbol_of(Parsed(itch_directory(0x0102, time_of_day, "ABCDEFGH")).definition()), "ABCDEFGH");
  CHECK_EQUAL(symbol_of(Parsed(itch_directory(0x0102, time_of_day, "        ")).definition()), "");
}

TEST(itchTradingActionGivesStatusAndReason) {
  constexpr struct {
    char state;
    TradingStatus status;
  } states[] = {{'T', TradingStatus::trading},
                {'H', TradingStatus::halted},
                {'P', TradingStatus::paused},
                {'Q', TradingStatus::quotation_only},
                {'?', TradingStatus::unknown}};
  for (const auto& state : states) {
    const Parsed parsed(of('H', 25)
                            .text(11, "ABC     ")
                            .number(19, 1, static_cast<std::uint8_t>(state.state))
                            .text(20, "r")
                            .text(21, "LUDP"));
    CHECK(parsed.event().kind == InputKind::status);
    CHECK_EQUAL(parsed.event().quantity, static_cast<std::uint64_t>(state.status));
    CHECK_EQUAL(parsed.event().detail, text_value("LUDP"));
    CHECK_EQUAL(parsed.event().bits, ingest::input_detail_set);
  }
}

void expect_reference(const Parsed& parsed, ReferenceKind kind, std::uint64_t first, std::int64_t price,
                      std::uint64_t third, int line) {
  const InputEvent& event = parsed.event();
  const bool same = event.kind == InputKind::reference && event.side == static_cast<Side>(kind) &&
                    event.order_id == first && event.price == price && event.quantity == third;
  if (!same) fail(__FILE__, line, "reference message of kind " + describe(kind));
}

TEST(itchReferenceMessagesGiveEveryField) {
  expect_reference(Parsed(of('S', 12).text(11, "Q")), ReferenceKind::system_event, 0, 0, 'Q', __LINE__);
  expect_reference(Parsed(of('Y', 20).text(11, "ABC     ").text(19, "2")), ReferenceKind::short_sale_restriction, 0, 0,
                   '2', __LINE__);
  expect_reference(Parsed(of('L', 26).text(11, "MPID").text(15, "ABC     ").text(23, "YNA")),
                   ReferenceKind::market_participant, text_value("MPID"), 0, text_value("YNA"), __LINE__);
  expect_reference(Parsed(of('V', 35).number(11, 8, 0xd1d2d3d4d5d6d7d8ULL).number(19, 8, 0x11).number(27, 8, 0x22)),
                   ReferenceKind::circuit_breaker_levels, 0xd1d2d3d4d5d6d7d8ULL, 0x11, 0x22, __LINE__);
  expect_reference(Parsed(of('W', 12).text(11, "3")), ReferenceKind::circuit_breaker_breach, 0, 0, '3', __LINE__);
  expect_reference(Parsed(of('K', 28).text(11, "ABC     ").number(19, 4, 0xe1e2e3e4).text(23, "A").number(24, 4, 0x55)),
                   ReferenceKind::ipo_quoting_period, 0xe1e2e3e4U, 0x55, 'A', __LINE__);
  const Parsed band(of('J', 35)
                        .text(11, "ABC     ")
                        .number(19, 4, 0xf0000001)
                        .number(23, 4, 0xf0000002)
                        .number(27, 4, 0xf0000003)
                        .number(31, 4, 0xf0000004));
  expect_reference(band, ReferenceKind::price_band, 0xf0000003U, 0xf0000001LL, 0xf0000002U, __LINE__);
  CHECK_EQUAL(band.event().detail, 0xf0000004U);
  CHECK_EQUAL(band.event().bits, ingest::input_detail_set);
  expect_reference(Parsed(of('h', 21).text(11, "ABC     ").text(19, "QH")), ReferenceKind::operational_halt, 0, 0,
                   text_value("QH"), __LINE__);
}

TEST(itchTradesGiveEveryField) {
  const Parsed trade(of('P', 44)
                         .number(11, 8, 5)
                         .text(19, "S")
                         .number(20, 4, 0x11121314)
                         .text(24, "ABC     ")
                         .number(32, 4, 0x21222324)
                         .number(36, 8, 0x3132333435363738ULL));
  CHECK(trade.event().kind == InputKind::trade);
  CHECK(trade.event().trade_kind == Kind::trade);
  CHECK_EQUAL(trade.event().order_id, 0x3132333435363738ULL);
  CHECK(trade.event().side == Side::ask);
  CHECK_EQUAL(trade.event().quantity, 0x11121314U);
  CHECK_EQUAL(trade.event().price, 0x21222324);
  const Parsed cross(of('Q', 40)
                         .number(11, 8, 0x4142434445464748ULL)
                         .text(19, "ABC     ")
                         .number(27, 4, 0x51525354)
                         .number(31, 8, 0x6162636465666768ULL)
                         .text(39, "O"));
  CHECK(cross.event().trade_kind == Kind::cross);
  CHECK_EQUAL(cross.event().quantity, 0x4142434445464748ULL);
  CHECK_EQUAL(cross.event().price, 0x51525354);
  CHECK_EQUAL(cross.event().order_id, 0x6162636465666768ULL);
  CHECK_EQUAL(cross.trade().code, std::uint32_t{'O'});
  const Parsed broken(of('B', 19).number(11, 8, 0x7172737475767778ULL));
  CHECK(broken.event().trade_kind == Kind::trade_break);
  CHECK_EQUAL(broken.event().order_id, 0x7172737475767778ULL);
  const Parsed retail(of('N', 20).text(11, "ABC     ").text(19, "A"));
  CHECK(retail.event().trade_kind == Kind::retail_interest);
  CHECK_EQUAL(retail.trade().code, std::uint32_t{'A'});
  CHECK_EQUAL(broken.cells(), 2U);
  CHECK_EQUAL(retail.cells(), 4U);
}

TEST(itchAuctionsGiveEveryField) {
  const Parsed auction(of('I', 50)
                           .number(11, 8, 0x8182838485868788ULL)
                           .number(19, 8, 0x9192939495969798ULL)
                           .text(27, "B")
                           .text(28, "ABC     ")
                           .number(36, 4, 0xa1a2a3a4)
                           .number(40, 4, 0xb1b2b3b4)
                           .number(44, 4, 0xc1c2c3c4)
                           .text(48, "OL"));
  CHECK(auction.event().trade_kind == Kind::auction);
  CHECK_EQUAL(auction.event().quantity, 0x8182838485868788ULL);
  CHECK_EQUAL(auction.trade().quantity_2, 0x9192939495969798ULL);
  CHECK_EQUAL(auction.event().price, 0xc1c2c3c4U);
  CHECK_EQUAL(auction.trade().price_2, 0xb1b2b3b4U);
  CHECK_EQUAL(auction.trade().price_3, 0xa1a2a3a4U);
  CHECK_EQUAL(auction.trade().code, text_value("BOL"));
  const Parsed discovery(of('O', 48)
                             .text(11, "ABC     ")
                             .text(19, "Y")
                             .number(20, 4, 0xd1d2d3d4)
                             .number(24, 4, 0xe1e2e3e4)
                             .number(28, 4, 0xf1f2f3f4)
                             .number(32, 8, 0x0102030405060708ULL)
                             .number(40, 4, 0x11)
                             .number(44, 4, 0x22));
  CHECK(discovery.event().trade_kind == Kind::price_discovery);
  CHECK_EQUAL(discovery.trade().code, std::uint32_t{'Y'});
  CHECK_EQUAL(discovery.trade().quantity_2, 0x0102030405060708ULL);
  CHECK_EQUAL(discovery.event().price, 0xf1f2f3f4U);
  CHECK_EQUAL(discovery.trade().price_2, 0xd1d2d3d4U);
  CHECK_EQUAL(discovery.trade().price_3, 0xe1e2e3e4U);
  CHECK_EQUAL(discovery.trade().price_4, 0x11);
  CHECK_EQUAL(discovery.trade().price_5, 0x22);
}

TEST(itchParserRefusesWrongLengthsAndUnknownTypes) {
  ItchParser parser(midnight);
  std::array<InputCell, ItchParser::cells_max> out{};
  const std::vector<std::uint8_t> zeros(64);
  ItchFault fault = ItchFault::none;
  CHECK_EQUAL(parser.parse({}, 1, out, fault), 0U);
  CHECK(fault == ItchFault::empty);
  for (unsigned type = 0; type < 256; ++type) {
    std::vector<std::uint8_t> bytes(64);
    bytes[0] = static_cast<std::uint8_t>(type);
    const std::size_t length = ingest::itch_length(bytes[0]);
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      const std::size_t cells = parser.parse({bytes.data(), size}, 1, out, fault);
      const ItchFault expected = length == 0      ? ItchFault::unknown_type
                                 : length != size ? ItchFault::wrong_length
                                                  : ItchFault::none;
      REQUIRE(fault == expected);
      REQUIRE_EQUAL(cells == 0, expected != ItchFault::none);
    }
  }
}

// Whatever names a stock that R has not defined defines it, once, with what is known.
TEST(itchParserDefinesAStockFromTheFirstMessageThatNamesIt) {
  for (const ItchType& type : itch_types) {
    ItchParser parser(midnight);
    ItchMessage message = of(type.type, type.length);
    if (type.stock_offset != 0) message.text(type.stock_offset, "ZVZZT   ");
    const Parsed first(parser, message);
    const Parsed second(parser, message);
    CHECK(!second.defines_first());
    if (type.stock_offset == 0 || type.type == 'R') {
      CHECK(!first.defines_first());
      continue;
    }
    REQUIRE(first.defines_first());
    CHECK(first.first_event().kind == InputKind::definition);
    CHECK_EQUAL(first.first_event().source_code, 0x0102U);
    CHECK_EQUAL(first.first_event().position, 77U);
    CHECK_EQUAL(first.first_event().time_ns, first.event().time_ns);
    CHECK_EQUAL(symbol_of(first.first_definition()), "ZVZZT");
    CHECK_EQUAL(first.first_definition().price_exponent, -4);
    CHECK_EQUAL(first.first_definition().attribute_count, 0);
    CHECK_EQUAL(first.first_definition().lot_size, 0U);
    // The full definition may still come.
    CHECK(Parsed(parser, itch_directory(0x0102, time_of_day, "ZVZZT   ")).event().kind == InputKind::definition);
  }
}

TEST(itchParserKeepsEveryLocateApart) {
  ItchParser parser(midnight);
  std::array<InputCell, ItchParser::cells_max> out{};
  ItchFault fault = ItchFault::none;
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t locate = 0; locate <= 0xffff; ++locate) {
      const ItchMessage message = itch_add(static_cast<std::uint16_t>(locate), 1, 1, 'B', 1, 1);
      // Locate 0 is no stock's.
      REQUIRE_EQUAL(parser.parse(message.bytes(), 1, out, fault), round == 0 && locate != 0 ? 3U : 1U);
    }
  }
}

TEST(itchParserAllocatesNothing) {
  ItchParser parser(midnight);
  ItchFlow flow(seed(), 20, 100);
  std::vector<ItchMessage> messages;
  messages.reserve(1'000);
  for (int index = 0; index < 1'000; ++index) messages.push_back(flow.next());
  std::array<InputCell, ItchParser::cells_max> out{};
  const std::uint64_t before = allocations();
  std::size_t cells = 0;
  ItchFault fault = ItchFault::none;
  for (const ItchMessage& message : messages) cells += parser.parse(message.bytes(), 1, out, fault);
  CHECK_EQUAL(allocations(), before);
  CHECK(cells >= 1'000);
}

}  // namespace
}  // namespace depthcast::test

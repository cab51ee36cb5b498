// Packets of every wire version, written when that version was made, must stay decodable for ever.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "encode/packet_reader.h"
#include "test/golden.h"
#include "test/packets.h"
#include "test/recording_sink.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using encode::PacketStatus;
using encode::PacketView;
using Lines = std::vector<std::string>;

struct Expected {
  const char* name;
  std::size_t bytes;
  wire::Payload payload;
  std::uint64_t first_sequence;
  std::uint32_t count;
  std::int64_t base_time_ns;
  std::uint64_t input_position;
  Lines lines;
};

constexpr std::int64_t base = 1'577'716'200'000'000'123;
constexpr std::int64_t sent = base + 1'000'000;

const Expected expected_packets[] = {
    {"book_plain",
     328,
     wire::Payload::BookMessages,
     100,
     5,
     base,
     7,
     {"100 @7 t1577716200000000123 add i1/1 bid 1234500 x 300 #1001 end book",
      "101 @8 t1577716200000000128 modify i1/2 bid 1234500 x 200 #1001 end book kept",
      "102 @9 t1577716200000000129 modify i1/3 bid 1234600 x 250 #1001 end book",
      "103 @10 t1577716204000000123 delete i1/4 bid 1234600 x 250 #1001 end book",
      "104 @11 t1577716204000000124 clear i2/1 - 0 x 0 #0 end book"}},
    {"book_details_and_steps",
     368,
     wire::Payload::BookMessages,
     5,
     5,
     base,
     1'000,
     {"5 @1000 t1577716200000000123 delete i3/8 ask -50 x 18446744073709551615 #18446744073709551600 book",
      "6 @1000 t1577716200000000123 add i3/9 ask -49 x 1 #12 end book detail =1296845642",
      "7 @1200 t1577716200000000124 execute i3/10 ask -40 x 1 #12 end book detail silent at_price =987654321",
      "8 @1201 t1577716200000000125 status i3/11 - 0 x 2 #0 end book detail =49",
      "9 @1202 t1577716200000000126 reference i0/1 - 2 x 3 #1 end"}},
    {"book_full",
     512,
     wire::Payload::BookMessages,
     1,
     7,
     base,
     1,
     {"1 @1 t1577716200000000123 add i1/1 ask 0 x 1 #0 end book detail =0",
      "2 @2 t1577716200000000123 add i1/2 ask 1 x 2 #1 end book detail =1",
      "3 @3 t1577716200000000123 add i1/3 ask 2 x 3 #2 end book detail =4",
      "4 @4 t1577716200000000123 add i1/4 ask 3 x 4 #3 end book detail =9",
      "5 @5 t1577716200000000123 add i1/5 ask 4 x 5 #4 end book detail =16",
      "6 @6 t1577716200000000123 add i1/6 ask 5 x 6 #5 end book detail =25",
      "7 @7 t1577716200000000123 add i1/7 ask 6 x 7 #6 end book detail =36"}},
    {"trades",
     488,
     wire::Payload::TradeMessages,
     200,
     4,
     base,
     50,
     {"200 @50 t1577716200000000123 trade i1/20 s1 #90 q100 q0 1000000 0 0 0 0 c0 end",
      "201 @51 t1577716200000000132 auction i1/21 s0 #91 q5000 q400 1000100 1000200 1000300 -1 -2 c5001026 end",
      "202 @54 t1577716200000000133 cross i1/22 s0 #92 q0 q0 0 0 0 0 0 c0 end",
      "203 @55 t1577716200000000133 trade_break i1/23 s0 #93 q0 q0 0 0 0 0 0 c0 end"}},
    {"definitions",
     304,
     wire::Payload::Definitions,
     1,
     2,
     base,
     2,
     {"1 @2 t1577716200000000123 definition i1/1 code 13 AAPL lot 100 exponents -4 2 attributes 200 201 202 203 204 "
      "205 "
      "206 207 208 209 210 211 212 213 214 215 216 217 218 219",
      "2 @3 t1577716200000000823 definition i2/1 code 8000 SIXTEENCHARACTER lot 100 exponents -4 2 attributes"}},
    {"definitions_repeated",
     200,
     wire::Payload::Definitions,
     500,
     0,
     base,
     400,
     {"500 @400 t1577716200000000123 definition i1/0 code 13 AAPL lot 100 exponents -4 2 attributes 200 201 202"}},
    {"heartbeat",
     192,
     wire::Payload::Heartbeat,
     204,
     0,
     base,
     55,
     {"heartbeat digest 13442002892867999081 valid identity 1907997", "digest i1/23 1229801703532086340",
      "digest i2/1 18446744073709551615"}},
    {"heartbeat_end_of_session",
     128,
     wire::Payload::Heartbeat,
     205,
     0,
     base + 1,
     56,
     {"heartbeat digest 0 invalid end identity 0"}},
    {"snapshot_orders",
     304,
     wire::Payload::SnapshotOrders,
     204,
     0,
     base,
     55,
     {"snapshot 77 i1/33 last 203 chunk 0 of 2 digest 15986934255957377025 status 1",
      "order 11 side 1 1000100 x 5 priority 90", "order 12 side 1 1000100 x 6 priority 91",
      "order 18446744073709551615 side 2 -3 x 9223372036854775808 priority 17"}},
    {"snapshot_empty",
     152,
     wire::Payload::SnapshotOrders,
     204,
     0,
     base,
     55,
     {"snapshot 77 i2/0 last 203 chunk 0 of 1 digest 0 status 0"}},
    {"snapshot_generation",
     288,
     wire::Payload::SnapshotOrders,
     204,
     0,
     base,
     55,
     {"snapshot 1577716200000000999 i2/34 last 203 chunk 1 of 2 digest 15986934255957377026 status 2 instruments 3 "
      "channel 14757170082422194179",
      "order 11 side 1 1000100 x 5 priority 90", "order 13 side 2 1000200 x 7 priority 95"}},
};

void check_packet(const GoldenPacket& packet, const Expected& expected) {
  PacketView view;
  const PacketStatus status = encode::read_packet(packet.bytes, view);
  if (status != PacketStatus::ok) {
    fail(__FILE__, __LINE__, packet.name + " is " + encode::name_of(status));
    return;
  }
  CHECK_EQUAL(packet.bytes.size(), expected.bytes);
  CHECK(view.payload == expected.payload);
  CHECK_EQUAL(view.channel, 42U);
  CHECK_EQUAL(view.session, 0x5e55'1017'0000'0001ULL);
  CHECK_EQUAL(view.first_sequence, expected.first_sequence);
  CHECK_EQUAL(view.count, expected.count);
  CHECK_EQUAL(view.base_time_ns, expected.base_time_ns);
  CHECK_EQUAL(view.send_time_ns, sent);
  CHECK_EQUAL(view.input_position, expected.input_position);
  Lines lines;
  append_lines(view, lines);
  if (const std::string fault = difference(lines, expected.lines); !fault.empty()) {
    fail(__FILE__, __LINE__, packet.name + ": " + fault);
  }
}

void check_all(const std::vector<GoldenPacket>& packets) {
  for (const Expected& expected : expected_packets) {
    const auto found = std::find_if(packets.begin(), packets.end(),
                                    [&](const GoldenPacket& packet) { return packet.name == expected.name; });
    if (found == packets.end()) {
      fail(__FILE__, __LINE__, std::string(expected.name) + " is missing");
    } else {
      check_packet(*found, expected);
    }
  }
}

TEST(goldenPacketsOfVersionOneAreStillDecoded) {
  const std::vector<GoldenPacket> packets = read_golden();
  if (packets.empty()) fail_and_stop(__FILE__, __LINE__, "native/test/golden/v1 cannot be found: use --golden DIR");
  CHECK_EQUAL(packets.size(), std::size(expected_packets));
  check_all(packets);
}

// This code may cut or order bytes in another way than the golden files do, but it says the same.
TEST(packetsWrittenNowSayWhatTheGoldenOnesSay) { check_all(make_golden()); }

}  // namespace
}  // namespace depthcast::test

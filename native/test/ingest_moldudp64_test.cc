#include "ingest/moldudp64.h"

#include "test/feed_bytes.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::MoldFault;
using ingest::MoldOptions;
using ingest::MoldPacket;
using ingest::MoldReceiver;
using ingest::MoldRequest;

constexpr std::int64_t millisecond = 1'000'000;

FeedBytes numbered(std::uint64_t sequence) {
  FeedBytes out;
  put(out, 8, sequence);
  out.resize(8 + sequence % 40, 'x');
  return out;
}
FeedBytes packet(std::uint64_t first, std::uint64_t count, const char* session = "DAY1") {
  std::vector<FeedBytes> messages;
  for (std::uint64_t sequence = first; sequence < first + count; ++sequence) messages.push_back(numbered(sequence));
  return mold(session, first, messages);
}

// Takes what is in order and checks that every message is the one of its number.
std::uint64_t drain(MoldReceiver& receiver) {
  std::span<const std::uint8_t> message;
  std::uint64_t sequence = 0;
  std::uint64_t count = 0;
  for (std::uint64_t expected = receiver.next_sequence(); receiver.next(message, sequence); ++expected, ++count) {
    REQUIRE_EQUAL(sequence, expected);
    REQUIRE(FeedBytes(message.begin(), message.end()) == numbered(sequence));
  }
  return count;
}

TEST(moldPacketsWithBadLengthsAreRefused) {
  MoldPacket read;
  const FeedBytes whole = packet(5, 3);
  REQUIRE(ingest::read_mold(whole, read) == MoldFault::none);
  CHECK_EQUAL(read.sequence, 5);
  CHECK_EQUAL(read.messages(), 3);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const MoldFault fault = ingest::read_mold(std::span(whole).first(length), read);
    CHECK(fault == (length < 20 ? MoldFault::too_short : MoldFault::message_cut));
  }
  FeedBytes longer = whole;
  longer.push_back(0);
  CHECK(ingest::read_mold(longer, read) == MoldFault::bytes_left);
  CHECK(ingest::read_mold(mold("DAY1", 0, {}), read) == MoldFault::bad_sequence);
  CHECK(ingest::read_mold(mold("DAY1", ~std::uint64_t{0}, {}), read) == MoldFault::bad_sequence);
  CHECK(ingest::read_mold(mold_end("DAY1", 9), read) == MoldFault::none);
  CHECK(read.end_of_session() && read.messages() == 0);
}

TEST(moldMessagesComeInOrderWhateverOrderTheirPacketsHave) {
  Random random(seed());
  for (std::uint64_t round = 0; round < work(200); ++round) {
    const std::uint64_t last = random.between(1, 300);
    std::vector<FeedBytes> packets;
    for (int line = 0; line < 2; ++line) {  // two lines, cut differently
      for (std::uint64_t first = 1; first <= last;) {
        const std::uint64_t count = random.between(1, std::min<std::uint64_t>(12, last - first + 1));
        packets.push_back(packet(first, count));
        first += count;
      }
    }
    for (std::size_t index = packets.size(); index > 1; --index) {
      std::swap(packets[index - 1], packets[static_cast<std::size_t>(random.below(index))]);
    }
    MoldReceiver receiver({});
    std::uint64_t taken = 0;
    for (const FeedBytes& each : packets) {
      CHECK(receiver.on_packet(each, 1));
      if (random.chance(1, 2)) taken += drain(receiver);
    }
    taken += drain(receiver);
    REQUIRE_EQUAL(taken, last);
    REQUIRE_EQUAL(receiver.counters().duplicates, last);
    CHECK(!receiver.hole());
    receiver.on_packet(mold_end("DAY1", last + 1), 2);
    CHECK(receiver.ended());
  }
}

TEST(moldHolesAreAskedForAndTheRestAtOnce) {
  MoldOptions options;
  options.request_messages_max = 4;
  MoldReceiver receiver(options);
  MoldRequest request;
  receiver.on_packet(packet(1, 2), 1);
  drain(receiver);
  CHECK(!receiver.request_due(100 * millisecond, request));
  receiver.on_packet(packet(9, 1), 100 * millisecond);
  CHECK(!receiver.request_due(101 * millisecond, request));  // the other line may bring it
  REQUIRE(receiver.request_due(102 * millisecond, request));
  CHECK_EQUAL(request.sequence, 3);
  CHECK_EQUAL(request.count, 4);
  CHECK(!receiver.request_due(151 * millisecond, request));
  CHECK(receiver.request_due(152 * millisecond, request));
  CHECK(!receiver.request_due(251 * millisecond, request));  // twice as long
  receiver.on_packet(packet(3, 4), 253 * millisecond);
  drain(receiver);
  REQUIRE(receiver.request_due(253 * millisecond, request));  // the rest of a hole that was waited for
  CHECK_EQUAL(request.sequence, 7);
  CHECK_EQUAL(request.count, 2);
  const auto bytes = ingest::write_request(receiver.session(), request);
  CHECK(FeedBytes(bytes.begin(), bytes.end()) == [] {
    FeedBytes out;
    put(out, "DAY1      ");
    put(out, 8, 7);
    put(out, 2, 2);
    return out;
  }());
  receiver.on_packet(packet(7, 2), 254 * millisecond);
  CHECK_EQUAL(drain(receiver), 3);
  CHECK(!receiver.hole());
}

TEST(moldHeartbeatsAndTheEndOfSessionTellOfHolesAtTheEnd) {
  MoldReceiver receiver({});
  MoldRequest request;
  receiver.on_packet(packet(1, 1), 1);
  drain(receiver);
  receiver.on_packet(mold("DAY1", 3, {}), 10 * millisecond);
  CHECK(receiver.hole());
  REQUIRE(receiver.request_due(12 * millisecond, request));
  CHECK_EQUAL(request.count, 1);
  receiver.on_packet(mold_end("DAY1", 4), 13 * millisecond);
  CHECK(!receiver.ended());
  receiver.on_packet(packet(2, 2), 14 * millisecond);
  drain(receiver);
  CHECK(receiver.ended());
  receiver.on_packet(packet(4, 2), 15 * millisecond);  // behind the end
  CHECK_EQUAL(drain(receiver), 0);
}

TEST(moldOtherSessionsAreCountedAndLeftAlone) {
  MoldReceiver receiver({});
  receiver.on_packet(packet(1, 1), 1);
  CHECK(!receiver.on_packet(packet(2, 1, "DAY2"), 2));
  CHECK_EQUAL(drain(receiver), 1);
  CHECK_EQUAL(receiver.counters().other_session, 1);
  MoldOptions options;
  options.session = "DAY2";
  MoldReceiver chosen(options);
  CHECK(!chosen.on_packet(packet(1, 1), 1));
  CHECK(chosen.on_packet(packet(1, 1, "DAY2"), 2));
  CHECK_EQUAL(drain(chosen), 1);
}

TEST(moldHolesAreGivenUpInTimeAndMemoryIsBounded) {
  MoldOptions options;
  options.parked_bytes_max = 2'000;
  MoldReceiver receiver(options);
  receiver.on_packet(packet(1, 1), 1);
  drain(receiver);
  for (std::uint64_t first = 11; first < 1'011; first += 10) receiver.on_packet(packet(first, 10), 1);
  CHECK(receiver.overfull());
  CHECK(receiver.counters().parked_dropped > 900);
  CHECK(!receiver.hole_lost(9'999 * millisecond));
  CHECK(receiver.hole_lost(10'001 * millisecond));
  CHECK_EQUAL(receiver.give_up(), 9);
  CHECK(drain(receiver) > 0);
  MoldRequest request;
  CHECK(receiver.request_due(20'000 * millisecond, request) || receiver.request_due(20'010 * millisecond, request));
  CHECK_EQUAL(request.sequence, receiver.next_sequence());
  CHECK(!receiver.on_packet(mold("DAY1", std::uint64_t{1} << 40, {}), 1));
  CHECK_EQUAL(receiver.counters().implausible, 1);
}

TEST(moldTinyPacketsCountForWhatTheyCost) {
  MoldOptions options;
  options.parked_bytes_max = 65'536;
  MoldReceiver receiver(options);
  receiver.on_packet(packet(1, 1), 1);
  drain(receiver);
  for (std::uint64_t first = 11; first < 4'011; first += 2) receiver.on_packet(packet(first, 1), 1);
  CHECK(receiver.overfull());
  CHECK(receiver.counters().parked_dropped > 1'400);
}

}  // namespace
}  // namespace depthcast::test

// Any bytes as ITCH: parser, sequencer, packets and a client behind them keep their promises.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "book/audit.h"
#include "book/batch.h"
#include "encode/packet_reader.h"
#include "encode/packet_writer.h"
#include "ingest/itch_parser.h"
#include "test/itch_messages.h"
#include "test/packets.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::Book;
using encode::PacketStatus;
using encode::PacketView;
using ingest::InputCell;
using ingest::ItchParser;

book::BookLimits limits() {
  book::BookLimits limits;
  limits.orders_max = 250;
  limits.levels_max = 100;
  limits.instruments_max = 8;
  limits.depth_levels = 6;
  return limits;
}

// Reads packets as they are written and keeps a book as a client does.
class Client final : public encode::PacketSink {
 public:
  Client() : book(limits()) {}

  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    packets_.packets.clear();
    packets_.on_packet(prefix, root, length, first_sequence, count);
    PacketView view;
    const PacketStatus status = encode::read_packet(packets_.packets[0].bytes, view);
    if (status != PacketStatus::ok) fail_and_stop(__FILE__, __LINE__, encode::name_of(status));
    REQUIRE_EQUAL(view.first_sequence, next_sequence);
    for (const BookMessage& message : view.book) {
      const ApplyResult result = book.apply(message, next_sequence++);
      const bool applied = result == ApplyResult::applied || result == ApplyResult::not_book_affecting;
      if (!applied) fail_and_stop(__FILE__, __LINE__, std::string("the client says ") + book::name_of(result));
      if ((message.flags & flags::end_of_event) != 0) book.end_event(next_sequence - 1, view.base_time_ns);
    }
    if (view.book.empty()) next_sequence += view.count;
  }

  Book book;
  std::uint64_t next_sequence = 1;

 private:
  PacketCollector packets_;
};

// A message of the flow, at times with damage: bytes, length, type.
std::vector<std::uint8_t> damaged(ItchFlow& flow, Random& random) {
  const ItchMessage message = flow.next();
  std::vector<std::uint8_t> bytes(message.bytes().begin(), message.bytes().end());
  if (random.chance(3, 4)) return bytes;
  for (std::uint64_t count = random.between(1, 3); count > 0; --count) {
    const std::uint64_t roll = random.below(10);
    if (roll == 0) {
      bytes.resize(static_cast<std::size_t>(random.below(60)));
    } else if (roll == 1 && !bytes.empty()) {
      bytes[0] = static_cast<std::uint8_t>(random.next());
    } else if (!bytes.empty()) {
      random.pick(bytes) = static_cast<std::uint8_t>(random.next());
    }
  }
  return bytes;
}

struct Outcome {
  std::array<std::uint64_t, 4> faults{};
  std::uint64_t numbered = 0;
};

// One channel from its start. Damaged orders are never taken out again, so a channel fills up with them.
void run_channel(std::uint64_t channel_seed, std::uint64_t messages, Outcome& outcome) {
  Random random(channel_seed);
  Book publisher(limits());
  Client client;
  encode::PacketOptions options;
  options.datagram_bytes = 512;
  encode::PacketWriter writer(options, client);
  book::Sequencer sequencer(publisher, writer);
  ItchParser parser(1'577'682'000'000'000'000);
  ItchFlow flow(channel_seed, 8, 400);
  std::vector<InputCell> cells(64 * ItchParser::cells_max);
  for (std::uint64_t position = 0; position < messages;) {
    std::size_t filled = 0;
    for (std::uint64_t burst = random.between(1, 64); burst > 0; --burst) {
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::span<InputCell, ItchParser::cells_max> room(cells.data() + filled, ItchParser::cells_max);
      filled += parser.parse(damaged(flow, random), ++position, room, fault);
      ++outcome.faults[static_cast<std::size_t>(fault)];
    }
    book::apply_batch(
        sequencer, filled, [&](std::size_t index) -> const InputCell& { return cells[index]; }, [] {});
    writer.flush();
    REQUIRE_EQUAL(client.next_sequence, sequencer.next_sequence());
    REQUIRE_EQUAL(client.book.digest(), publisher.digest());
    if (!random.chance(1, 128)) continue;
    REQUIRE_EQUAL(audit(publisher).fault, "");
    REQUIRE_EQUAL(audit(client.book).fault, "");
    for (std::uint32_t instrument = 1; instrument <= limits().instruments_max; ++instrument) {
      REQUIRE_EQUAL(audit_view(publisher, instrument), "");
      REQUIRE_EQUAL(audit_view(client.book, instrument), "");
    }
  }
  outcome.numbered += client.next_sequence - 1;
}

TEST(hostileItchMessagesBreakNeitherTheBookNorItsClient) {
  constexpr std::uint64_t channel_messages = 2'000;
  const std::uint64_t channels = work(500);
  Outcome outcome;
  for (std::uint64_t channel = 0; channel < channels; ++channel) {
    run_channel(seed() + channel, channel_messages, outcome);
  }
  for (const std::uint64_t count : outcome.faults) CHECK(count > 0);
  std::uint64_t messages = 0;
  for (const std::uint64_t count : outcome.faults) messages += count;
  note(std::to_string(messages) + " ITCH messages in " + std::to_string(channels) + " channels, " +
       std::to_string(outcome.numbered) + " numbered, " + std::to_string(messages - outcome.faults[0]) +
       " refused by the parser");
  CHECK(outcome.numbered > messages / 8);
}

}  // namespace
}  // namespace depthcast::test

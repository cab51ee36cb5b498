#include "run/restoration.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/crc32c.h"
#include "test/random.h"
#include "test/recording_sink.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using Datagram = std::vector<std::uint8_t>;

constexpr std::uint32_t channel = 5;
constexpr std::uint64_t session = 77;
constexpr std::size_t datagram_bytes = 600;

// A publisher's pure part: source -> sequencer -> packets, with every message also as a line of text.
class Pipeline final : public book::MessageSink, public encode::PacketSink {
 public:
  explicit Pipeline(const book::SequencerState& state = {})
      : book(channel_limits()), writer_({channel, session, datagram_bytes}, *this), sequencer(book, *this, state) {}
  Pipeline(book::Book&& /*unused*/) = delete;

  // Takes the flow's messages from `first` on; cuts packets and sends heartbeats as `random` likes.
  void take(const ingest::SimulatedExchangeOptions& flow, std::uint64_t first, Random& random, book::Sequencer& to) {
    const std::atomic<bool> running{false};
    const auto source = run::make_simulated_source(flow);
    run::ItchFraming framing(*source);
    ingest::ItchParser parser(midnight_ns);
    std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells{};
    std::span<const std::uint8_t> message;
    for (std::uint64_t position = 1; framing.next(message, running) == run::ItchFraming::Next::message; ++position) {
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count = parser.parse(message, position, cells, fault);
      if (position < first) continue;
      for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells[cell].event.kind)) {
        to.apply(cells[cell].event, &cells[cell + 1]);
        writer_.set_send_time(static_cast<std::int64_t>(random.next() >> 2));
        if (random.chance(1, 40)) {
          writer_.heartbeat(
              {to.next_sequence(), to.input_position(), to.event_time_ns(), digest_of(), true, false, 1, {}});
        } else if (random.chance(1, 9)) {
          writer_.flush();
        }
      }
    }
    writer_.flush();
  }
  std::uint64_t digest_of() const { return shown_ != nullptr ? shown_->digest() : book.digest(); }
  void show(const book::Book& other) { shown_ = &other; }

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    lines.on_book(message, stamp, detail);
    if (stamp.sequence > silent_until) writer_.on_book(message, stamp, detail);
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    lines.on_trade(message, stamp);
    if (stamp.sequence > silent_until) writer_.on_trade(message, stamp);
  }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override {
    lines.on_definition(instrument, instrument_sequence, source_code, definition, stamp);
    if (stamp.sequence > silent_until) {
      writer_.on_definition(instrument, instrument_sequence, source_code, definition, stamp);
    }
  }
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    Datagram datagram(prefix.begin(), prefix.end());
    datagram.insert(datagram.end(), root.begin(), root.end());
    datagram.resize(length);
    packets.push_back(std::move(datagram));
    next.push_back(first_sequence + count);
  }

  book::Book book;
  RecordingSink lines;
  std::vector<Datagram> packets;
  std::vector<std::uint64_t> next;  // number behind each packet
  std::uint64_t silent_until = 0;

 private:
  encode::PacketWriter writer_;
  const book::Book* shown_ = nullptr;

 public:
  book::Sequencer sequencer;
};

ingest::SimulatedExchangeOptions day(std::uint64_t messages) {
  ingest::SimulatedExchangeOptions flow = small_flow(seed(), messages);
  flow.symbols = 6;
  flow.live_orders = 120;
  return flow;
}

TEST(restorationGoesOnFromWhereverThePacketsEnd) {
  const auto flow = day(work(3'000));
  Random random(seed());
  Pipeline whole;
  whole.take(flow, 1, random, whole.sequencer);
  const std::size_t step = std::max<std::size_t>(1, whole.packets.size() / 60);
  for (std::size_t end = 0; end <= whole.packets.size(); end += 1 + random.between(0, 2 * step - 1)) {
    auto pipeline = std::make_unique<Pipeline>();
    run::Restoration restoration(pipeline->book, channel, session, datagram_bytes);
    for (std::size_t index = 0; index < end; ++index) {
      REQUIRE(restoration.take(whole.packets[index]));
      if (random.chance(1, 10)) REQUIRE(restoration.take(whole.packets[index]));  // once more is no harm
    }
    REQUIRE_EQUAL(restoration.fault(), "");
    const auto state = restoration.state();
    const std::uint64_t next = end == 0 ? 1 : whole.next[end - 1];
    REQUIRE_EQUAL(restoration.next_sequence(), next);
    REQUIRE_EQUAL(state.next_sequence + restoration.expected().size(), next);
    const std::uint64_t position =
        restoration.expected().empty() ? state.position + 1 : restoration.expected().front().stamp.position;
    book::Sequencer sequencer(pipeline->book, *pipeline, state);
    pipeline->silent_until = next - 1;
    pipeline->show(pipeline->book);
    pipeline->take(flow, position, random, sequencer);
    // What comes out is what would have come, the messages that were published already first.
    const std::vector<std::string> rest(
        whole.lines.lines.begin() + static_cast<std::ptrdiff_t>(state.next_sequence - 1), whole.lines.lines.end());
    REQUIRE_EQUAL(difference(pipeline->lines.lines, rest), "");
    REQUIRE_EQUAL(pipeline->book.digest(), whole.book.digest());
    REQUIRE_EQUAL(sequencer.next_sequence(), whole.sequencer.next_sequence());
    REQUIRE_EQUAL(sequencer.instrument_count(), whole.sequencer.instrument_count());
  }
}

TEST(restorationComparesWithWhatComesAgain) {
  const auto flow = day(1'000);
  Random random(seed());
  Pipeline whole;
  whole.take(flow, 1, random, whole.sequencer);
  Pipeline other;
  run::Restoration restoration(other.book, channel, session, datagram_bytes);
  for (const Datagram& packet : whole.packets) REQUIRE(restoration.take(packet));
  REQUIRE(!restoration.expected().empty());
  run::SequencedMessage message = restoration.expected().back();
  CHECK(message == restoration.expected().back());
  ++message.stamp.time_ns;
  CHECK(!(message == restoration.expected().back()));
  message = restoration.expected().back();
  ++message.detail;
  CHECK(!(message == restoration.expected().back()));
  message.message = TradeMessage{};
  CHECK(!(message == restoration.expected().back()));
}

// Seals changed bytes, so that only what they say can be found wrong.
void seal(Datagram& datagram) {
  const auto* bytes = datagram.data();
  std::uint32_t crc = crc32c(0, bytes, 12);
  crc = crc32c(crc, bytes + 16, datagram.size() - 16);
  std::memcpy(datagram.data() + 12, &crc, sizeof crc);
}

TEST(restorationRefusesWhatThisBuildWouldNotSend) {
  const auto flow = day(1'000);
  Random random(seed());
  Pipeline whole;
  whole.take(flow, 1, random, whole.sequencer);
  std::size_t refused = 0;
  std::size_t tried = 0;
  for (std::size_t hit = 0; hit < whole.packets.size(); ++hit) {
    if (whole.next[hit] == (hit == 0 ? 1 : whole.next[hit - 1])) continue;  // without numbers
    book::Book book(channel_limits());
    run::Restoration restoration(book, channel, session, datagram_bytes);
    for (std::size_t index = 0; index < hit; ++index) REQUIRE(restoration.take(whole.packets[index]));
    Datagram changed = whole.packets[hit];
    changed[random.between(16, changed.size() - 1)] ^= static_cast<std::uint8_t>(1U << random.between(0, 7));
    CHECK(!run::Restoration(book, channel, session, datagram_bytes).take(changed));  // the CRC
    seal(changed);
    ++tried;
    bool taken = restoration.take(changed);
    // What it says may be possible in itself: then the books show it at the next digest, or it is regenerated
    // otherwise.
    for (std::size_t index = hit + 1; taken && index < whole.packets.size(); ++index) {
      taken = restoration.take(whole.packets[index]);
    }
    if (taken) continue;
    ++refused;
    CHECK(!restoration.fault().empty());
    CHECK(!restoration.take(whole.packets[0]));
  }
  // A changed time or detail changes no book.
  CHECK(refused * 10 > tried * 5);
}

TEST(restorationRefusesAHoleAndStrangers) {
  const auto flow = day(400);
  Random random(seed());
  Pipeline whole;
  whole.take(flow, 1, random, whole.sequencer);
  book::Book book(channel_limits());
  run::Restoration holed(book, channel, session, datagram_bytes);
  REQUIRE(holed.take(whole.packets[0]));
  CHECK(!holed.take(whole.packets.back()));
  CHECK(holed.fault().find("are missing") != std::string::npos);
  book.reset();
  run::Restoration stranger(book, channel, session + 1, datagram_bytes);
  CHECK(!stranger.take(whole.packets[0]));
  CHECK(stranger.fault().find("another channel or session") != std::string::npos);
  run::Restoration other_size(book, channel, session, 1'400);
  bool all = true;
  for (const Datagram& packet : whole.packets) all = all && other_size.take(packet);
  CHECK(!all);
}

}  // namespace
}  // namespace depthcast::test

// The sequencer under input of every kind, a large part of it refused.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "book/audit.h"
#include "book/batch.h"
#include "book/sequencer.h"
#include "core/spsc_ring.h"
#include "ingest/itch_parser.h"
#include "test/allocations.h"
#include "test/itch_messages.h"
#include "test/random.h"
#include "test/recording_sink.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;
using book::Book;
using book::BookLimits;
using book::Sequencer;
using ingest::DefinitionData;
using ingest::InputCell;

using Lines = std::vector<std::string>;

BookLimits flow_limits() {
  BookLimits limits;
  limits.orders_max = 300;
  limits.levels_max = 120;
  limits.instruments_max = 5;
  limits.depth_levels = 5;
  return limits;
}

// What a client does with each message: its book must equal the publisher's at every end of an event.
class ClientSink final : public book::MessageSink {
 public:
  explicit ClientSink(const Book& publisher) : publisher_(publisher), client_(publisher.limits()) {}

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t /*detail*/) override {
    number(stamp, message.instrument, message.instrument_sequence);
    const ApplyResult result = client_.apply(message, stamp.sequence);
    const bool applied = result == ApplyResult::applied || result == ApplyResult::not_book_affecting;
    if (!applied) fail_and_stop(__FILE__, __LINE__, "the client refuses: " + line_of(message, stamp, 0));
    if ((message.flags & flags::end_of_event) == 0) return;
    client_.end_event(stamp.sequence, stamp.time_ns);
    ++events;
    REQUIRE_EQUAL(client_.digest(), publisher_.digest());
    REQUIRE_EQUAL(client_.instrument(message.instrument).digest, publisher_.instrument(message.instrument).digest);
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    number(stamp, message.instrument, message.instrument_sequence);
  }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t /*source_code*/,
                     const DefinitionData& /*definition*/, const book::Stamp& stamp) override {
    number(stamp, instrument, instrument_sequence);
  }
  const Book& book() const { return client_; }

  std::uint64_t events = 0;

 private:
  // No number is left out, in the channel or in an instrument.
  void number(const book::Stamp& stamp, std::uint32_t instrument, std::uint32_t instrument_sequence) {
    REQUIRE_EQUAL(stamp.sequence, ++sequence_);
    REQUIRE_EQUAL(instrument_sequence, client_.instrument_sequence(instrument) + 1);
    client_.set_instrument_sequence(instrument, instrument_sequence);
  }

  const Book& publisher_;
  Book client_;
  std::uint64_t sequence_ = 0;
};

TEST(clientsBookEqualsThePublishersAtEveryEndOfAnEvent) {
  Book book(flow_limits());
  ClientSink client(book);
  Sequencer sequencer(book, client);
  ItchFlow flow(seed(), 6, 600);  // one locate more than instruments_max
  ingest::ItchParser parser(0);
  std::array<InputCell, ingest::ItchParser::cells_max> cells{};
  const std::uint64_t messages = work(500'000);
  for (std::uint64_t position = 1; position <= messages; ++position) {
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser.parse(flow.next().bytes(), position, cells, fault);
    for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells[cell].event.kind)) {
      sequencer.apply(cells[cell].event, &cells[cell + 1]);
    }
    if (position % 8'192 != 0) continue;
    REQUIRE_EQUAL(audit(book).fault, "");
    REQUIRE_EQUAL(audit(client.book()).fault, "");
    for (std::uint32_t instrument = 1; instrument <= 5; ++instrument) {
      REQUIRE_EQUAL(audit_view(book, instrument), "");
      REQUIRE_EQUAL(audit_view(client.book(), instrument), "");
    }
  }
  note(std::to_string(client.events) + " book events of " + std::to_string(messages) + " messages, " +
       std::to_string(book.live_orders()) + " orders live");
  CHECK(client.events > messages / 8);
  const book::SequencerCounters& counters = sequencer.counters();
  for (const ApplyResult reason :
       {ApplyResult::unknown_order, ApplyResult::duplicate_order, ApplyResult::over_execution,
        ApplyResult::invalid_quantity, ApplyResult::invalid_side, ApplyResult::level_limit}) {
    CHECK(counters.refused[static_cast<std::size_t>(reason)] > 0);
  }
  CHECK(counters.instruments_refused > 0);
  CHECK(counters.adds_lost > 0);
}

// The same messages through a ring, taken out in batches of every size.
Lines sequenced_in_batches(std::uint64_t flow_seed, std::uint64_t messages, std::uint64_t batch_seed) {
  Book book(flow_limits());
  RecordingSink sink;
  Sequencer sequencer(book, sink);
  ItchFlow flow(flow_seed, 5, 600);
  ingest::ItchParser parser(0);
  SpscRing<InputCell> ring(64);
  Random random(batch_seed);
  std::array<InputCell, ingest::ItchParser::cells_max> cells{};
  std::uint64_t position = 0;
  while (position < messages || ring.size() != 0) {
    for (std::uint64_t burst = random.between(0, 20); burst > 0 && position < messages; --burst) {
      if (ring.claim(cells.size()) < cells.size()) break;
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count = parser.parse(flow.next().bytes(), ++position, cells, fault);
      for (std::size_t cell = 0; cell < count; ++cell) ring.at_tail(cell) = cells[cell];
      ring.publish(count);
    }
    // At most a batch, whole events only; apply_batch looks ahead within it.
    const std::size_t ready = ring.available_now();
    const std::uint64_t batch = random.between(0, 60);
    std::size_t taken = 0;
    while (taken < ready && taken < batch) taken += ingest::cells_of(ring.at_head(taken).event.kind);
    std::size_t events = 0;
    const auto cell_at = [&](std::size_t index) -> const InputCell& { return ring.at_head(index); };
    REQUIRE_EQUAL(apply_batch(sequencer, taken, cell_at, [&] { ++events; }), taken);
    REQUIRE(events <= taken);
    ring.release(taken);
  }
  return sink.lines;
}

TEST(outputDoesNotDependOnHowTheInputWasBatched) {
  const std::uint64_t messages = work(20'000);
  const Lines once = sequenced_in_batches(seed(), messages, 1);
  CHECK(once.size() > messages / 4);
  for (std::uint64_t batch_seed = 2; batch_seed <= 6; ++batch_seed) {
    REQUIRE_EQUAL(difference(sequenced_in_batches(seed(), messages, batch_seed), once), "");
  }
}

TEST(sequencerAllocatesNothingAfterConstruction) {
  // Swallows everything: the recording one allocates its lines.
  class NoSink final : public book::MessageSink {
    void on_book(const BookMessage&, const book::Stamp&, std::uint64_t) override {}
    void on_trade(const TradeMessage&, const book::Stamp&) override {}
    void on_definition(std::uint32_t, std::uint32_t, std::uint32_t, const DefinitionData&,
                       const book::Stamp&) override {}
  };
  Book book(flow_limits());
  NoSink sink;
  Sequencer sequencer(book, sink);
  ItchFlow flow(seed(), 5, 600);
  std::vector<ItchMessage> messages;
  messages.reserve(20'000);
  for (int index = 0; index < 20'000; ++index) messages.push_back(flow.next());
  ingest::ItchParser parser(0);
  std::array<InputCell, ingest::ItchParser::cells_max> cells{};
  const std::uint64_t before = allocations();
  std::uint64_t position = 0;
  for (const ItchMessage& message : messages) {
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser.parse(message.bytes(), ++position, cells, fault);
    for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells[cell].event.kind)) {
      sequencer.apply(cells[cell].event, &cells[cell + 1]);
    }
  }
  CHECK_EQUAL(allocations(), before);
  CHECK(sequencer.next_sequence() > 5'000);
}

}  // namespace
}  // namespace depthcast::test

#include "test/packet_consumer.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "book/audit.h"
#include "ingest/itch_parser.h"
#include "test/golden.h"
#include "test/itch_messages.h"
#include "test/messages.h"

namespace depthcast::test {
namespace {

constexpr std::uint32_t instruments_max = 4;

book::BookLimits limits() {
  book::BookLimits limits;
  limits.orders_max = 96;
  limits.levels_max = 40;
  limits.instruments_max = instruments_max;
  limits.depth_levels = 4;
  return limits;
}

}  // namespace

PacketConsumer::PacketConsumer() : book_(limits()) {}

void PacketConsumer::apply(const BookMessage& message, std::int64_t time_ns) {
  const book::ApplyResult foretold = book_.check(message);
  const book::ApplyResult result = book_.apply(message, ++sequence_);
  if (foretold != result) std::abort();
  applied_ += result == book::ApplyResult::applied ? 1U : 0U;
  if (message.instrument <= instruments_max) {
    book_.set_instrument_sequence(message.instrument, message.instrument_sequence);
  }
  if ((message.flags & flags::end_of_event) != 0) book_.end_event(sequence_, time_ns);
}

void PacketConsumer::take_book(const encode::PacketView& view) {
  for (const BookMessage& message : view.book) apply(message, view.base_time_ns + std::int64_t{message.time_offset});
  for (const std::uint64_t detail : view.details) sum_ += detail;
}

void PacketConsumer::take_snapshot(const wire::SnapshotOrders& snapshot) {
  sum_ += snapshot.generation() + snapshot.last_sequence() + snapshot.chunk() + snapshot.chunks() + snapshot.digest();
  apply(clear(snapshot.instrument()), 0);
  if (snapshot.orders() == nullptr) return;
  for (const wire::SnapshotOrder* order : *snapshot.orders()) {
    const auto side = static_cast<Side>(order->side());
    apply(add(order->order_id(), snapshot.instrument(), side, order->price(), order->quantity()), 0);
    sum_ += order->priority();
  }
}

encode::PacketStatus PacketConsumer::consume(const Datagram& datagram) {
  encode::PacketView view;
  const encode::PacketStatus status = encode::read_packet(datagram, view);
  ++statuses_[static_cast<std::size_t>(status)];
  if (status != encode::PacketStatus::ok) return status;
  sum_ += view.channel + view.session + view.first_sequence + view.input_position;
  for (std::uint32_t index = 1; index < view.count; ++index) sum_ += view.step_before(index);
  take_book(view);
  for (const TradeMessage& trade : view.trades) sum_ += trade.trade_id + trade.code;
  if (view.definitions != nullptr) {
    for (const wire::Definition* definition : *view.definitions->definitions()) {
      for (const char character : definition->symbol()->string_view()) sum_ += static_cast<std::uint8_t>(character);
      sum_ += definition->lot_size() + definition->source_code();
      if (definition->attributes() == nullptr) continue;
      for (const std::uint8_t attribute : *definition->attributes()) sum_ += attribute;
    }
  }
  if (view.snapshot != nullptr) take_snapshot(*view.snapshot);
  if (view.heartbeat != nullptr) {
    sum_ += view.heartbeat->digest() + view.heartbeat->identity();
    if (view.heartbeat->instruments() != nullptr) {
      for (const wire::InstrumentDigest* one : *view.heartbeat->instruments()) sum_ += one->digest();
    }
  }
  return status;
}

std::string PacketConsumer::audit() const {
  if (std::string fault = book::audit(book_).fault; !fault.empty()) return fault;
  // A view shows the last end of an event; only then it can be compared.
  book::Depth depth;
  for (std::uint32_t instrument = 1; instrument <= instruments_max; ++instrument) {
    if (book_.views().read(instrument, 4, depth) != book::DepthRead::ok) return "a view cannot be read";
    if (book_.instrument(instrument).change != book::no_index) continue;
    if (std::string fault = book::audit_view(book_, instrument); !fault.empty()) return fault;
  }
  return {};
}

std::vector<Datagram> fuzz_corpus() {
  std::vector<Datagram> corpus;
  for (const GoldenPacket& golden : make_golden()) corpus.push_back(golden.bytes);
  book::Book book(limits());
  PacketCollector collector;
  encode::PacketOptions options;
  options.datagram_bytes = 512;
  encode::PacketWriter writer(options, collector);
  book::Sequencer sequencer(book, writer);
  ingest::ItchParser parser(1'577'682'000'000'000'000);
  ItchFlow flow(1, instruments_max, 200);
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells{};
  for (std::uint64_t position = 1; position <= 3'000; ++position) {
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser.parse(flow.next().bytes(), position, cells, fault);
    for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells[cell].event.kind)) {
      sequencer.apply(cells[cell].event, &cells[cell + 1]);
    }
  }
  writer.flush();
  for (PacketCollector::Packet& packet : collector.packets) corpus.push_back(std::move(packet.bytes));
  return corpus;
}

}  // namespace depthcast::test

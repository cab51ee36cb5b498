// ITCH bytes -> parser -> sequencer -> book with queues, digests, instrument sequences and depth views: all that the
// publisher thread does to a message before it is encoded, in its batches, on one thread, the bytes in memory.
#include <memory>
#include <span>

#include "book/audit.h"
#include "book/batch.h"
#include "book/sequencer.h"
#include "ingest/itch_parser.h"
#include "perf_support.h"

namespace depthcast::perf {
namespace {

constexpr std::size_t batch_cells = 256;  // half of what a publisher's batch may be

// Keeps what the encoder would get from being optimized away.
class CountingSink final : public book::MessageSink {
 public:
  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    ++messages;
    sum += message.order_id ^ stamp.sequence ^ detail;
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    ++messages;
    sum += message.trade_id ^ stamp.sequence;
  }
  void on_definition(std::uint32_t instrument, std::uint32_t /*instrument_sequence*/, std::uint32_t /*source_code*/,
                     const ingest::DefinitionData& /*definition*/, const book::Stamp& /*stamp*/) override {
    ++messages;
    sum += instrument;
  }
  std::uint64_t messages = 0;
  std::uint64_t sum = 0;
};

}  // namespace

int book_replay(Options& options) {
  const std::uint64_t runs = options.number("runs", 7);
  book::BookLimits limits;
  limits.orders_max = static_cast<std::uint32_t>(options.number("orders-max", 1U << 21));
  limits.depth_levels = static_cast<std::uint32_t>(options.number("depth-levels", 10));
  limits.prefault = true;
  const std::vector<std::uint8_t> bytes = load_itch(options, {20'000'000, 1'000'000});
  options.finish();

  for (std::uint64_t run = 0; run < runs; ++run) {
    const auto books = std::make_unique<book::Book>(limits);
    CountingSink sink;
    book::Sequencer sequencer(*books, sink);
    ingest::ItchParser parser(0);
    std::vector<ingest::InputCell> batch(batch_cells + ingest::ItchParser::cells_max);
    std::uint64_t messages = 0;
    const Stopwatch watch;
    for (std::size_t offset = 0; offset + 2 <= bytes.size();) {
      std::size_t filled = 0;
      while (filled < batch_cells && offset + 2 <= bytes.size()) {
        const std::size_t length = static_cast<std::size_t>(bytes[offset]) << 8 | bytes[offset + 1];
        ingest::ItchFault fault = ingest::ItchFault::none;
        const std::span<ingest::InputCell, ingest::ItchParser::cells_max> cells(&batch[filled],
                                                                                ingest::ItchParser::cells_max);
        filled += parser.parse({bytes.data() + offset + 2, length}, ++messages, cells, fault);
        offset += 2 + length;
      }
      book::apply_batch(
          sequencer, filled, [&](std::size_t index) -> const ingest::InputCell& { return batch[index]; }, [] {});
    }
    const double elapsed_ns = watch.ns();
    const double cpu_ns = watch.cpu_ns();
    book::AuditResult audit = book::audit(*books);
    for (std::uint32_t instrument = 1; instrument <= sequencer.instrument_count() && audit.fault.empty();
         ++instrument) {
      if (limits.depth_levels != 0) audit.fault = book::audit_view(*books, instrument);
    }
    JsonLine()
        .add("ns_per_message", elapsed_ns / static_cast<double>(messages))
        .add("cpu_ns_per_message", cpu_ns / static_cast<double>(messages))
        .add("messages", messages)
        .add("published", sink.messages)
        .add("instruments", std::uint64_t{sequencer.instrument_count()})
        .add("live_orders", books->live_orders())
        .add("book_bytes", std::uint64_t{books->bytes()})
        .add("huge_page_bytes", huge_page_bytes())
        .add_text("digest", hex(books->digest()))
        .add_text("published_sum", hex(sink.sum))
        .add_text("audit", audit.fault.empty() ? "equal" : audit.fault)
        .print();
    if (!audit.fault.empty()) return 1;
  }
  return 0;
}

}  // namespace depthcast::perf

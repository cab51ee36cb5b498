// What a book's memory comes to: for each live order, all told, and for each instrument without orders. Counted twice:
// by the book itself, and by what the process has in RAM before and after.
#include <memory>
#include <span>

#include "book/audit.h"
#include "book/batch.h"
#include "book/sequencer.h"
#include "ingest/itch_parser.h"
#include "perf_support.h"

namespace depthcast::perf {
namespace {

class NoSink final : public book::MessageSink {
 public:
  void on_book(const BookMessage& /*message*/, const book::Stamp& /*stamp*/, std::uint64_t /*detail*/) override {}
  void on_trade(const TradeMessage& /*message*/, const book::Stamp& /*stamp*/) override {}
  void on_definition(std::uint32_t /*instrument*/, std::uint32_t /*instrument_sequence*/, std::uint32_t /*source_code*/,
                     const ingest::DefinitionData& /*definition*/, const book::Stamp& /*stamp*/) override {}
};

void replay(std::span<const std::uint8_t> bytes, book::Sequencer& sequencer) {
  constexpr std::size_t batch_cells = 256;
  ingest::ItchParser parser(0);
  std::vector<ingest::InputCell> batch(batch_cells + ingest::ItchParser::cells_max);
  std::uint64_t messages = 0;
  for (std::size_t offset = 0; offset + 2 <= bytes.size();) {
    std::size_t filled = 0;
    while (filled < batch_cells && offset + 2 <= bytes.size()) {
      const std::size_t length = static_cast<std::size_t>(bytes[offset]) << 8 | bytes[offset + 1];
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::span<ingest::InputCell, ingest::ItchParser::cells_max> cells(&batch[filled],
                                                                              ingest::ItchParser::cells_max);
      filled += parser.parse(bytes.subspan(offset + 2, length), ++messages, cells, fault);
      offset += 2 + length;
    }
    book::apply_batch(
        sequencer, filled, [&](std::size_t index) -> const ingest::InputCell& { return batch[index]; }, [] {});
  }
}

// Both ways of counting, over books that differ in nothing but their instruments. Touched at start, as a channel with
// `prefault` does it: what nobody has written is not in RAM.
struct Growth {
  double counted;
  double resident;
};
Growth grow_by_instruments() {
  constexpr std::uint32_t few = 1'000;
  constexpr std::uint32_t many = 101'000;
  book::BookLimits limits;
  limits.orders_max = 1'024;
  limits.prefault = true;
  const auto sized = [&](std::uint32_t instruments, std::uint64_t& resident) {
    limits.instruments_max = instruments;
    const std::uint64_t before = resident_bytes();
    const auto books = std::make_unique<book::Book>(limits);
    NoSink sink;
    const book::Sequencer sequencer(*books, sink);
    resident = resident_bytes() - before;
    return books->bytes() + (std::size_t{instruments} + 1) * sizeof(book::InstrumentRecord);
  };
  std::uint64_t resident_few = 0;
  std::uint64_t resident_many = 0;
  const std::size_t counted_few = sized(few, resident_few);
  const std::size_t counted_many = sized(many, resident_many);
  return {static_cast<double>(counted_many - counted_few) / (many - few),
          (static_cast<double>(resident_many) - static_cast<double>(resident_few)) / (many - few)};
}

}  // namespace

int book_memory(Options& options) {
  const std::uint64_t runs = options.number("runs", 1);
  book::BookLimits limits;
  limits.orders_max = static_cast<std::uint32_t>(options.number("orders-max", 1U << 20));
  limits.levels_max = static_cast<std::uint32_t>(options.number("levels-max", limits.orders_max / 4));
  limits.instruments_max = static_cast<std::uint32_t>(options.number("instruments-max", 1'000));
  limits.prefault = options.number("prefault", 0) != 0;
  const std::vector<std::uint8_t> bytes = load_itch(options, {4'000'000, 1'000'000});
  options.finish();

  for (std::uint64_t run = 0; run < runs; ++run) {
    const Growth instruments = grow_by_instruments();
    const std::uint64_t before = resident_bytes();
    const auto books = std::make_unique<book::Book>(limits);
    NoSink sink;
    book::Sequencer sequencer(*books, sink);
    replay(bytes, sequencer);
    const double resident = static_cast<double>(resident_bytes()) - static_cast<double>(before);
    const auto live = static_cast<double>(books->live_orders());
    const book::AuditResult audit = book::audit(*books);
    JsonLine()
        .add("bytes_per_live_order", static_cast<double>(books->bytes_in_use()) / live)
        .add("resident_per_live_order", resident / live)
        .add("reserved_per_order_max", static_cast<double>(books->bytes()) / limits.orders_max)
        .add("bytes_per_empty_instrument", instruments.counted)
        .add("resident_per_empty_instrument", instruments.resident)
        .add("instruments", std::uint64_t{sequencer.instrument_count()})
        .add("live_orders", books->live_orders())
        .add("live_levels", std::uint64_t{books->live_levels()})
        .add("refused", sequencer.counters().refused[static_cast<std::size_t>(book::ApplyResult::level_limit)] +
                            sequencer.counters().refused[static_cast<std::size_t>(book::ApplyResult::order_limit)])
        .add("huge_page_bytes", huge_page_bytes())
        .add_text("audit", audit.fault.empty() ? "equal" : audit.fault)
        .print();
    if (!audit.fault.empty()) return 1;
  }
  return 0;
}

}  // namespace depthcast::perf

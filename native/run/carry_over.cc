#include "run/carry_over.h"

namespace depthcast::run {
namespace {

using ingest::InputCell;
using ingest::InputEvent;
using ingest::InputKind;

class Restatement {
 public:
  Restatement(const book::Book& book, const book::SequencerState& state) : book_(book), state_(state) {}

  std::vector<InputCell> take() {
    put(InputKind::clear, 0);
    for (std::uint32_t instrument = 1; instrument < state_.records.size(); ++instrument) {
      if (book_.instrument(instrument).status != TradingStatus::delisted) restate(instrument);
    }
    return std::move(cells_);
  }

 private:
  InputEvent& put(InputKind kind, std::uint32_t source_code) {
    InputCell& cell = cells_.emplace_back();
    cell.event = {state_.position, state_.time_ns, 0, 0, 0, 0, source_code, kind, Side::none, Kind::none, 0};
    return cell.event;
  }

  void restate(std::uint32_t instrument) {
    const book::InstrumentRecord& record = state_.records[instrument];
    const bool outside = stands_outside(instrument, record.definition);
    // Orders that stay where limits or increment have moved away are told before these are.
    ingest::DefinitionData definition = record.definition;
    if (outside) definition.price_increment = 0;
    if (outside) definition.price_low = definition.price_high = 0;
    define(record.source_code, definition);
    const book::Instrument& book = book_.instrument(instrument);
    if (book.status != TradingStatus::unknown) {
      put(InputKind::status, record.source_code).quantity = static_cast<std::uint64_t>(book.status);
    }
    each_level(instrument, [&](Side side, const book::Level& level) { restate(record.source_code, side, level); });
    if (outside) define(record.source_code, record.definition);
  }

  void define(std::uint32_t source_code, const ingest::DefinitionData& definition) {
    put(InputKind::definition, source_code);
    cells_.emplace_back().definition = definition;
  }

  bool stands_outside(std::uint32_t instrument, const ingest::DefinitionData& definition) const {
    bool outside = false;
    each_level(instrument, [&](Side, const book::Level& level) {
      outside = outside || !on_tick(definition, level.price) || !in_range(definition, level.price);
    });
    return outside;
  }

  template <typename Take>
  void each_level(std::uint32_t instrument, Take take) const {
    const book::Instrument& book = book_.instrument(instrument);
    for (const Side side : {Side::bid, Side::ask}) {
      for (auto at = book_.prices().first(book.side(side)); at.leaf != book::no_index; book_.prices().advance(at)) {
        take(side, book_.level(book_.prices().level_at(at)));
      }
    }
  }

  void restate(std::uint32_t source_code, Side side, const book::Level& level) {
    for (std::uint32_t slot = level.head; slot != book::no_index; slot = book_.order(slot).next) {
      InputEvent& event = put(InputKind::add, source_code);
      event.order_id = book_.order(slot).id;
      event.side = side;
      event.price = level.price;
      event.quantity = book_.order(slot).quantity;
    }
  }

  const book::Book& book_;
  const book::SequencerState& state_;
  std::vector<InputCell> cells_;
};

}  // namespace

std::vector<InputCell> restate(const book::Book& book, const book::SequencerState& state) {
  return Restatement(book, state).take();
}

}  // namespace depthcast::run

#include "run/book_export.h"

#include <algorithm>

namespace depthcast::run {
namespace {

void export_side(const book::Book& book, std::uint32_t instrument, Side side, bool orders, BookExport& out) {
  auto cursor = book.prices().first(book.instrument(instrument).side(side));
  for (; cursor.leaf != book::no_index; book.prices().advance(cursor)) {
    const book::Level& level = book.level(book.prices().level_at(cursor));
    out.level_price.push_back(level.price);
    out.level_quantity.push_back(level.quantity);
    out.level_orders.push_back(level.orders);
    if (!orders) continue;
    for (std::uint32_t slot = level.head; slot != book::no_index; slot = book.order(slot).next) {
      out.order_id.push_back(book.order(slot).id);
      out.order_quantity.push_back(book.order(slot).quantity);
    }
  }
}

}  // namespace

BookExport export_books(const book::Replica& replica, std::uint32_t instrument, bool orders) {
  BookExport out;
  const book::Book& book = replica.book();
  out.sequence = replica.event_sequence();
  out.position = replica.position();
  out.digest = book.digest();
  out.whole = replica.whole();
  const std::uint32_t first = instrument == 0 ? 1 : instrument;
  const std::uint32_t last =
      instrument == 0 ? replica.instrument_last() : std::min(instrument, book.limits().instruments_max);
  for (std::uint32_t index = first; index <= last; ++index) {
    const book::Instrument& state = book.instrument(index);
    const book::DefinitionRecord& definition = replica.definition(index);
    if (!definition.defined && state.instrument_sequence == 0) continue;  // a number that was passed over
    out.instruments.push_back({index, definition.symbol, definition.price_exponent, definition.quantity_exponent,
                               definition.source_code, definition.lot_size, replica.state(index), state.status,
                               state.digest, state.instrument_sequence, state.live_orders, state.side(Side::bid).levels,
                               state.side(Side::ask).levels});
    export_side(book, index, Side::bid, orders, out);
    export_side(book, index, Side::ask, orders, out);
  }
  return out;
}

}  // namespace depthcast::run

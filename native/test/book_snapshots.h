// A replica's state as a snapshot holds it, without datagrams.
#pragma once

#include <cstdint>
#include <vector>

#include "book/replica.h"
#include "test/random.h"

namespace depthcast::test {

struct SnapshotPiece {
  std::uint32_t instrument = 0;
  std::uint32_t instrument_sequence = 0;
  TradingStatus status = TradingStatus::unknown;
  std::vector<SnapshotOrderData> orders;
};

struct SnapshotState {
  book::SnapshotHead head;
  std::vector<SnapshotPiece> pieces;
};

// `chunk_orders`: most orders of one piece.
inline SnapshotState snapshot_of(const book::Replica& replica, std::size_t chunk_orders = 1'000) {
  const book::Book& book = replica.book();
  SnapshotState state;
  state.head = {replica.sequence(), replica.position(), replica.event_time_ns(), book.digest()};
  for (std::uint32_t index = 0; index <= replica.instrument_last(); ++index) {
    const book::Instrument& instrument = book.instrument(index);
    const SnapshotPiece empty{index, instrument.instrument_sequence, instrument.status, {}};
    state.pieces.push_back(empty);
    for (const Side side : {Side::bid, Side::ask}) {
      for (auto cursor = book.prices().first(instrument.side(side)); cursor.leaf != book::no_index;
           book.prices().advance(cursor)) {
        const book::Level& level = book.level(book.prices().level_at(cursor));
        for (std::uint32_t slot = level.head; slot != book::no_index; slot = book.order(slot).next) {
          if (state.pieces.back().orders.size() == chunk_orders) state.pieces.push_back(empty);
          const book::Order& order = book.order(slot);
          state.pieces.back().orders.push_back({order.id, level.price, order.quantity, order.priority, side, 0, 0, 0});
        }
      }
    }
  }
  return state;
}

inline book::SnapshotRefusal load(book::Replica& replica, const SnapshotState& state) {
  replica.begin_snapshot(state.head);
  for (const SnapshotPiece& piece : state.pieces) {
    static_cast<void>(replica.load_instrument(piece.instrument, piece.instrument_sequence, piece.status, piece.orders));
  }
  return replica.finish_snapshot();
}

}  // namespace depthcast::test

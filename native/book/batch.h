// Applies a batch of input cells, fetching ahead what later events will touch: order table, then order, then its level
// and window. With many symbols nearly every event misses the cache three times in a row; this way the misses of
// several events overlap.
#pragma once

#include <cstddef>

#include "book/sequencer.h"

namespace depthcast::book {

// `cell_at(index)` gives the cells 0 … ready - 1 and is called for events in order; after_event() follows each event.
// Returns the cells taken, which is `ready` where every event is whole.
template <typename CellAt, typename AfterEvent>
std::size_t apply_batch(Sequencer& sequencer, std::size_t ready, CellAt cell_at, AfterEvent after_event) {
  constexpr std::size_t ahead[Sequencer::prefetch_stages] = {16, 12, 8, 4};  // cells; about one memory access apart
  // Extension cells are looked at, too, as if they were events: a needless prefetch, no harm.
  Sequencer::Hint hints[2 * ahead[0]];  // of the cells looked at, by index
  const auto prefetch = [&](std::size_t index, int stage) {
    if (index < ready) sequencer.prefetch(cell_at(index).event, stage, hints[index % (2 * ahead[0])]);
  };
  for (int stage = 0; stage < Sequencer::prefetch_stages; ++stage) {
    for (std::size_t index = 0; index < ahead[stage]; ++index) prefetch(index, stage);
  }
  std::size_t taken = 0;
  while (taken < ready) {
    const ingest::InputEvent& event = cell_at(taken).event;
    const std::uint32_t cells = ingest::cells_of(event.kind);
    for (std::uint32_t cell = 0; cell < cells; ++cell) {
      for (int stage = 0; stage < Sequencer::prefetch_stages; ++stage) prefetch(taken + cell + ahead[stage], stage);
    }
    sequencer.apply(event, cells == 2 ? &cell_at(taken + 1) : nullptr);
    taken += cells;
    after_event();
  }
  return taken;
}

}  // namespace depthcast::book

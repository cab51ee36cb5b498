// Applies a batch of input cells in groups. Before a group is applied, what its events will touch is fetched into the
// cache in passes over the whole group: table entries, then orders, then levels and neighbours, then sides and windows.
// A pass takes about as long as one memory access, so that what it asked for is there when the next one reads it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "book/sequencer.h"

namespace depthcast::book {

// `cell_at(index)` gives the cells 0 … ready - 1 and is called for events in order; after_event() follows each event.
// Returns the cells taken, which is `ready` where every event is whole. The depth views are published at the end.
template <typename CellAt, typename AfterEvent>
std::size_t apply_batch(Sequencer& sequencer, std::size_t ready, CellAt cell_at, AfterEvent after_event) {
  const bool fetch = !sequencer.fits_cache();
  std::size_t taken = 0;
  while (taken < ready) {
    Sequencer::Group group;
    std::size_t seen = taken;
    while (seen < ready && group.count < Sequencer::group_max) {
      const ingest::InputEvent& event = cell_at(seen).event;
      group.events[group.count++] = &event;
      seen += ingest::cells_of(event.kind);
    }
    if (fetch) sequencer.fetch_ahead(group);
    for (std::size_t index = 0; index < group.count; ++index) {
      const ingest::InputEvent& event = *group.events[index];
      const std::uint32_t cells = ingest::cells_of(event.kind);
      sequencer.apply(event, cells == 2 ? &cell_at(taken + 1) : nullptr, group.hints[index]);
      taken += cells;
      after_event();
    }
  }
  sequencer.end_batch();
  return taken;
}

}  // namespace depthcast::book

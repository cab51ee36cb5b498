// A matching engine's event (include/depthcast/event.h) as the publisher takes it. Pure.
#pragma once

#include <cstddef>
#include <span>

#include "include/depthcast/event.h"
#include "ingest/input_event.h"

namespace depthcast::ingest {

constexpr std::size_t engine_cells_max = 2;

// Fills the cells for one event and returns how many. An event that is not well formed becomes one of no kind, which
// the books refuse and count: its number is taken all the same.
// `fields`: the slot behind an event that has them, whose number is the position of both; else null.
std::size_t to_cells(const engine::Event& event, std::span<InputCell, engine_cells_max> out,
                     const engine::Event* fields = nullptr);

}  // namespace depthcast::ingest

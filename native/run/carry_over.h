// What one session leaves to the next: its instruments, their statuses, and every live order in its queue's order.
#pragma once

#include <vector>

#include "book/book.h"
#include "book/sequencer.h"

namespace depthcast::run {

// As input events of one position and time, those of `state`: a clear of everything, then each instrument that was not
// delisted. A sequencer makes the same books of them under new numbers.
std::vector<ingest::InputCell> restate(const book::Book& book, const book::SequencerState& state);

}  // namespace depthcast::run

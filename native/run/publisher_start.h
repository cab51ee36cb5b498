// Where a publisher begins: at a new session, or where an earlier run of the same session was cut off.
#pragma once

#include <cstdint>
#include <vector>

#include "book/sequencer.h"
#include "core/broadcast_ring.h"
#include "io/shared_memory.h"
#include "run/restoration.h"

namespace depthcast::run {

struct Start {
  std::uint64_t session = 0;
  bool continued = false;
  book::SequencerState state;
  // Published already, beyond that state: the source must give them again.
  std::vector<SequencedMessage> expected;
  std::uint64_t next_sequence = 1;                // behind all that was published
  std::vector<std::vector<std::uint8_t>> unsent;  // numbered packets of line A that may not have been sent
  std::array<std::uint8_t, 16> boot_id{};
  // What an earlier session left: published before anything of the source, as messages of the position in `state`.
  std::vector<ingest::InputCell> restated;
};

// Threads: the one that constructs the publisher.
class StartPoint {
 public:
  virtual ~StartPoint() = default;
  // Brings `book`, which is empty, to where the publisher begins.
  virtual Start begin(book::Book& book) = 0;
  // Memory for the new ring of that many bytes.
  virtual io::SharedMemory make_ring(std::size_t bytes) = 0;
  // The new ring holds all that the start asked for: it takes the place of the old one.
  virtual void ring_ready(io::SharedMemory& ring) = 0;
};

}  // namespace depthcast::run

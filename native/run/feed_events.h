// What a follower of a feed has to say, besides updates.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "arbitrate/hole_set.h"
#include "book/replica.h"
#include "run/book_export.h"

namespace depthcast::run {

// How far the books can be trusted, as a whole.
enum class FeedState : std::uint8_t {
  connecting = 0,    // no session yet, or nothing of it that proves the books
  recovering = 1,    // a hole is older than the other line may take
  synchronized = 2,  // no such hole, every book live, and some digest of the publisher's was equal
  stale = 3,         // a hole was given up, a digest differed, or a snapshot was refused: some book may be wrong
  ended = 4,         // the session has ended, and nothing of it is to come any more
};
const char* name_of(FeedState state);

// The way by which a hole was closed.
enum class RepairWay : std::uint8_t { line = 0, retransmission = 1, snapshot = 2 };
constexpr std::size_t repair_ways = 3;

struct SessionEvent {
  std::uint64_t session;
};
struct StateEvent {
  FeedState state;
};
// These numbers have not come on any line in time. With recovery they are still waited for.
struct MissingEvent {
  arbitrate::SequenceRange range;
};
// Numbers that were told as missing have come, or are covered by a snapshot.
struct RecoveredEvent {
  arbitrate::SequenceRange range;
  RepairWay way;
};
// These numbers will never be applied.
struct GivenUpEvent {
  arbitrate::SequenceRange range;
};
// Every book was replaced by a snapshot's: it holds every message up to `sequence`.
struct SnapshotEvent {
  std::uint64_t sequence;
  std::uint64_t generation;
};
// A snapshot could not be used; the text is constant.
struct SnapshotRefusedEvent {
  std::uint64_t generation;
  const char* reason;
};
// The books were brought to the point of a resume token: `equal` tells whether its digest was theirs.
struct ResumedEvent {
  std::uint64_t sequence;
  bool equal;
};
struct DigestMismatchEvent {
  std::uint64_t sequence;
};
struct OverrunEvent {
  std::uint64_t lost;
};
struct EndOfSessionEvent {
  std::uint64_t session;
  std::uint64_t sequence;
  std::uint64_t position;
};
struct DefinitionsEvent {};
struct ExportEvent {
  std::uint32_t id;  // 0: one of export_positions
  BookExport books;
};
using FeedNews = std::variant<SessionEvent, StateEvent, MissingEvent, RecoveredEvent, GivenUpEvent, SnapshotEvent,
                              SnapshotRefusedEvent, ResumedEvent, DigestMismatchEvent, OverrunEvent, EndOfSessionEvent,
                              DefinitionsEvent, ExportEvent>;
struct FeedEvent {
  FeedNews news;
  std::uint64_t updates_before = 0;  // updates delivered before it, since the start
};

// What recovery has to know.
struct RecoveryView {
  std::uint64_t session = 0;
  std::uint64_t next = 1;          // the first number that has not been applied
  std::uint64_t known_end = 1;     // every number below has been sent
  std::uint64_t parked_first = 0;  // the first number kept behind the holes; 0: none
  std::uint64_t missing = 0;       // numbers in all holes
  FeedState state = FeedState::connecting;
  bool whole = true;  // every book is live
  bool end_announced = false;
  std::vector<arbitrate::SequenceRange> overdue;  // ascending, at most overdue_max
  static constexpr std::size_t overdue_max = 1'024;
};

}  // namespace depthcast::run

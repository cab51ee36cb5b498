// Every figure of a subscriber, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "book/book.h"
#include "encode/packet_reader.h"
#include "run/counters.h"

namespace depthcast::run {

enum class SubscriberCounter : std::uint8_t {
  datagrams_a,
  bytes_a,
  first_a,  // packets whose news came by this line first
  duplicates_a,
  kernel_drops_a,
  foreign_sources_a,
  receive_buffer_a,  // bytes granted by the kernel
  datagrams_b,
  bytes_b,
  first_b,
  duplicates_b,
  kernel_drops_b,
  foreign_sources_b,
  receive_buffer_b,
  foreign_channel,
  foreign_session,
  implausible,  // far ahead of everything seen
  sequence,
  position,
  messages,
  events,
  missing_messages,  // named as missing, whatever became of them
  missing_ranges,
  parked,
  parked_overflows,
  instrument_gaps,
  instruments,
  live_orders,
  digest,
  whole,
  digests_checked,
  digests_mismatched,
  digests_unchecked,
  unknown_kinds,
  definitions_refused,
  updates_delivered,
  updates_lost,
  sessions,
  session,
  receive_errors,
  loop_ns_max,
  state,           // a FeedState
  holes,           // open now
  holes_messages,  // numbers in them
  parked_bytes,    // memory held for packets kept
  parked_dropped,  // packets kept that were forgotten again for lack of room
  given_up_ranges,
  given_up_messages,
  recovered_line,  // messages named as missing that came after all: by a line …
  recovered_retransmission,
  recovered_snapshot,  // … or that a snapshot covers
  repairs_line,        // holes closed, named or not
  repairs_retransmission,
  repairs_snapshot,
  offered_datagrams,  // brought by recovery
  offered_bytes,
  offered_refused,  // of them: damaged, foreign, or not expected
  offered_duplicates,
  snapshot_line_datagrams,
  snapshot_chunks,
  snapshots,
  snapshots_refused,
  thread_id,     // the system's, of the receiving thread
  core_refused,  // 1: it could not be pinned to its core
  busy_poll_refused,
  locked_bytes,
  lock_error,    // errno where some memory could not be locked
  packet_first,  // then one for each encode::PacketStatus
  packet_last = packet_first + encode::packet_statuses - 1,
  refused_first,  // then one for each refusal of book::ApplyResult
  refused_last = refused_first + book::apply_results - book::refusals_from - 1,
  count_,
};
std::vector<std::string> subscriber_counter_names();
using SubscriberCounters = Counters<SubscriberCounter>;

inline SubscriberCounter nth(SubscriberCounter first, std::size_t index) {
  return static_cast<SubscriberCounter>(static_cast<std::size_t>(first) + index);
}
// The counter of line A, or its counterpart of line B.
inline SubscriberCounter of_line(SubscriberCounter counter_a, std::size_t line) {
  using enum SubscriberCounter;
  return nth(counter_a, line * (static_cast<std::size_t>(datagrams_b) - static_cast<std::size_t>(datagrams_a)));
}

}  // namespace depthcast::run

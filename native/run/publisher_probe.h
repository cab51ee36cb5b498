// What a measurement may watch on the publisher thread, and how it puts in messages from there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/spsc_ring.h"
#include "ingest/input_event.h"

namespace depthcast::run {

// Threads: every call comes from the publisher thread; none may throw. Where there is none, each call costs the
// publisher one comparison, for a batch or a packet, never for a message.
class PublisherProbe {
 public:
  virtual ~PublisherProbe() = default;
  // Once, before everything else.
  virtual void started() = 0;
  // Before each look at the input ring. The probe may be its producer: what is due goes in here.
  virtual void before_batch(SpscRing<ingest::InputCell>& input) = 0;
  // A batch has been sequenced and applied to the book, up to this position and this number.
  virtual void sequenced(std::uint64_t position, std::uint64_t sequence) = 0;
  // A packet stands in the ring, to be sent; count 0: a heartbeat or repeated definitions.
  virtual void packet(std::size_t length, std::uint32_t count) = 0;
  // Around the send calls of all lines; also where there is nothing to send.
  virtual void before_send() = 0;
  virtual void after_send() = 0;
};

}  // namespace depthcast::run

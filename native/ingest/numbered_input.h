// Events with the engine's numbers into the channel's input: in order, each once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ingest/event_batch.h"

namespace depthcast::ingest {

// Where events go.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Takes events of the batch, in order, as far as there is room, and hands them on. Never waits.
  virtual void take(EventBatch& batch) = 0;
};

// Threads: one. Outlives the engine's connections: what was taken stays taken.
class NumberedInput {
 public:
  // `next`: number of the first event that has not been taken yet.
  NumberedInput(EventSink& sink, std::uint64_t next) : sink_(sink), next_(next) {}

  // The number that is expected.
  std::uint64_t next() const { return next_; }
  // Events that came again and were passed over.
  std::uint64_t repeated() const { return repeated_; }

  // Before anything of a batch is taken: false where events are missing before it. Passes over repeats.
  bool begin(EventBatch& batch) {
    if (batch.next_number() > next_) return false;
    repeated_ += std::min(next_, batch.end_number()) - batch.next_number();
    batch.skip_to(next_);
    return true;
  }
  // What there is room for.
  void take(EventBatch& batch) {
    if (batch.done()) return;
    sink_.take(batch);
    next_ = batch.next_number();
  }

 private:
  EventSink& sink_;
  std::uint64_t next_;
  std::uint64_t repeated_ = 0;
};

}  // namespace depthcast::ingest

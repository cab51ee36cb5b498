// The exchange's time: events come in bursts, and in the mean one message takes the interval that was asked for.
#pragma once

#include <cstdint>

#include "ingest/simulated_distributions.h"

namespace depthcast::ingest {

// Within a burst the gaps are exponential, with the mean interval divided by the acceleration. The gap before a burst
// is exponential too; its mean is the time that the burst before it has saved, so that the mean interval holds exactly.
class SimulatedClock {
 public:
  SimulatedClock(std::uint64_t start_time_ns, std::uint64_t message_interval_ns, std::uint32_t burst_events,
                 std::uint32_t burst_acceleration)
      : now_ns_(start_time_ns),
        interval_ns_(message_interval_ns),
        burst_interval_ns_(message_interval_ns / burst_acceleration),
        burst_events_(burst_events) {}

  std::uint64_t now_ns() const { return now_ns_; }

  // By the mean interval, for the one message that follows; events take no part in it.
  void advance_regularly() {
    advance(interval_ns_);
    ++burst_first_message_;
  }

  // Moves to the time of the next event. `messages` is the number emitted so far; `bits` is random.
  void advance_to_event(std::uint64_t messages, std::uint64_t bits, SimulatedRandom& random) {
    if (burst_left_ > 0) {
      --burst_left_;
      const std::uint64_t gap_ns = exponential_.sample(bits, burst_interval_ns_);
      burst_elapsed_ns_ += gap_ns;
      advance(gap_ns);
      return;
    }
    const std::uint64_t due_ns = (messages - burst_first_message_) * interval_ns_;
    advance(exponential_.sample(bits, due_ns > burst_elapsed_ns_ ? due_ns - burst_elapsed_ns_ : 0));
    burst_first_message_ = messages;
    burst_elapsed_ns_ = 0;
    burst_left_ = (exponential_.sample(random.next()) * (burst_events_ - 1) + 0x8000) >> 16;
  }

 private:
  static constexpr std::uint64_t last_ns = 86'400'000'000'000 - 1;

  // The day has 24 hours; a flow that is longer goes on at its last nanosecond.
  void advance(std::uint64_t gap_ns) { now_ns_ = gap_ns < last_ns - now_ns_ ? now_ns_ + gap_ns : last_ns; }

  ExponentialTable exponential_;
  std::uint64_t now_ns_;
  std::uint64_t interval_ns_;
  std::uint64_t burst_interval_ns_;
  std::uint64_t burst_events_;
  std::uint64_t burst_left_ = 0;
  std::uint64_t burst_first_message_ = 0;
  std::uint64_t burst_elapsed_ns_ = 0;
};

}  // namespace depthcast::ingest

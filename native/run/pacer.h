// When each message of a source is due. Pure: time is passed in.
#pragma once

#include <cstdint>

namespace depthcast::run {

struct Pacing {
  double speed = 0;  // event time against the clock: 1 is real time; 0: not paced by event time
  double rate = 0;   // messages a second; 0: not paced by rate
};

class Pacer {
 public:
  explicit Pacer(const Pacing& pacing) : pacing_(pacing) {}

  bool paced() const { return pacing_.speed > 0 || pacing_.rate > 0; }
  // Monotonic time at which message `index` (from 0) with that event time is due. The first one is due at once.
  std::int64_t due_ns(std::uint64_t index, std::int64_t event_time_ns, std::int64_t now_ns) {
    if (index == 0) {
      start_ns_ = now_ns;
      first_event_ns_ = event_time_ns;
    }
    if (pacing_.rate > 0) return start_ns_ + static_cast<std::int64_t>(static_cast<double>(index) * 1e9 / pacing_.rate);
    return start_ns_ + static_cast<std::int64_t>(static_cast<double>(event_time_ns - first_event_ns_) / pacing_.speed);
  }

 private:
  Pacing pacing_;
  std::int64_t start_ns_ = 0;
  std::int64_t first_event_ns_ = 0;
};

}  // namespace depthcast::run

// When each message of a load is due: an open loop, which never waits for the system that is measured. Pure.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

namespace depthcast::run {

enum class LoadPattern : std::uint8_t {
  constant,  // evenly
  poisson,   // independent of each other, at that rate in the mean
  bursts,    // `burst` messages at one instant, at that rate in the mean
  timing,    // as the source's own times say, `speed` times as fast
};
// Throws std::invalid_argument naming what is allowed.
LoadPattern load_pattern_of(const std::string& name);

struct LoadOptions {
  LoadPattern pattern = LoadPattern::constant;
  double rate = 100'000;  // messages a second; > 0 save for `timing`
  std::uint32_t burst = 100;
  double speed = 1;
  std::uint64_t seed = 1;
};

// Threads: one. The same options give the same schedule.
class JitterSchedule {
 public:
  explicit JitterSchedule(const LoadOptions& options) : options_(options), random_(options.seed) {}

  // Offset from the start, in ns, of the next message, whose own time that is. Never goes back.
  std::int64_t next(std::int64_t event_time_ns);

 private:
  double exponential();

  LoadOptions options_;
  std::uint64_t random_;
  std::uint64_t index_ = 0;
  double poisson_ns_ = 0;
  std::int64_t first_event_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace depthcast::run

#pragma once

#include <time.h>

#include <cstdint>

namespace depthcast::io {

inline std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
// Times on the wire.
inline std::int64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }
// Intervals on one machine.
inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace depthcast::io

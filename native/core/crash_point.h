// Named places at which a test lets the process die as if by kill -9 (docs/hacking.md, "Crashes"). Disarmed, as it is
// unless the environment names one at start, a place costs one load and one comparison.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace depthcast {

enum class CrashPoint : std::uint8_t { none = 0, reserve, commit, send, segment, checkpoint };

class CrashPlan {
 public:
  // DEPTHCAST_CRASH_AT=POINT:N: die when that point is passed for the Nth time.
  static CrashPlan& of_process() {
    static CrashPlan plan;
    return plan;
  }
  // Null or empty: never. Before the threads that pass points are started.
  void arm(const char* text) {
    armed_ = CrashPoint::none;
    const char* colon = text == nullptr ? nullptr : std::strchr(text, ':');
    if (colon == nullptr) return;
    constexpr const char* names[] = {"", "reserve", "commit", "send", "segment", "checkpoint"};
    const auto length = static_cast<std::size_t>(colon - text);
    for (std::size_t index = 1; index < std::size(names); ++index) {
      if (std::strlen(names[index]) == length && std::strncmp(text, names[index], length) == 0) {
        armed_ = static_cast<CrashPoint>(index);
      }
    }
    left_.store(std::strtoull(colon + 1, nullptr, 10), std::memory_order_relaxed);
  }
  void pass(CrashPoint point) {
    if (point != armed_) return;
    // Points are passed by several threads; which of them is the Nth matters to nobody.
    if (left_.fetch_sub(1, std::memory_order_relaxed) == 1) std::raise(SIGKILL);
  }

 private:
  CrashPlan() { arm(std::getenv("DEPTHCAST_CRASH_AT")); }
  CrashPoint armed_ = CrashPoint::none;
  std::atomic<std::uint64_t> left_{0};
};

inline void crash_point(CrashPoint point) { CrashPlan::of_process().pass(point); }

}  // namespace depthcast

// Gaps in a spinning thread's own clock, and whether anything that the kernel counts for the thread explains them.
// Pure: time and counts are passed in.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "io/thread_use.h"

namespace depthcast::run {

// Between two looks at the clock. What the kernel counts is of the thread, since the counts were last read.
struct Stall {
  std::int64_t begin_ns;
  std::int64_t end_ns;
  std::uint64_t switches_voluntary;
  std::uint64_t switches_forced;
  std::uint64_t faults;
  std::uint64_t run_delay_ns;
  std::uint64_t blocks;
  std::int64_t off_core_ns;  // of the gap, at most: time that passed and was not the thread's on a core
  bool work;                 // something was done in it, and how long that takes is nobody's to say

  // Nothing that the thread, or the system's scheduler, did explains it, and by the kernel's account the thread was
  // running all the while: the machine stood still under both.
  bool machine() const {
    return !work && switches_voluntary == 0 && switches_forced == 0 && faults == 0 && run_delay_ns == 0 &&
           off_core_ns <= (end_ns - begin_ns) / 4;
  }
};

// Threads: the spinning one, but stalls() and lost() while it does not record.
class StallLog {
 public:
  // Room for `capacity` stalls; what comes beyond is counted.
  explicit StallLog(std::size_t capacity, std::int64_t gap_ns = 20'000, std::int64_t refresh_ns = 5'000'000)
      : gap_ns_(gap_ns), refresh_ns_(refresh_ns) {
    stalls_.reserve(capacity);
  }

  // The thread has looked at the clock, and had looked at it at `before_ns` with nothing but waiting in between.
  // `read()` gives the counts; it is called after a gap, and now and then without one, so that what is old is not
  // taken for the cause of the next.
  template <typename Read>
  void waited(std::int64_t before_ns, std::int64_t now_ns, Read read) {
    const bool gap = now_ns - before_ns > gap_ns_;
    if (!gap && now_ns - read_ns_ < refresh_ns_) return;
    const io::ThreadUse use = read();
    if (gap && recording()) add(before_ns, now_ns, use, false);
    use_ = use;
    read_ns_ = now_ns;
  }

  // The same after work. How long that takes is nobody's to say; so only what moved the counts is kept, where it took
  // so long that they are worth a look.
  template <typename Read>
  void worked(std::int64_t before_ns, std::int64_t now_ns, Read read) {
    if (!recording() || now_ns - before_ns <= work_ns_max) return;
    const io::ThreadUse use = read();
    const bool switched = use.switches_voluntary != use_.switches_voluntary ||
                          use.switches_forced != use_.switches_forced || use.run_delay_ns != use_.run_delay_ns ||
                          use.faults != use_.faults;
    if (switched) add(before_ns, now_ns, use, true);
    use_ = use;
    read_ns_ = now_ns;
  }

  // From now on, with nothing kept from before.
  void record(bool on) {
    if (on) {
      stalls_.clear();
      lost_ = 0;
    }
    recording_.store(on, std::memory_order_release);  // pairs with recording()
  }
  const std::vector<Stall>& stalls() const { return stalls_; }
  std::uint64_t lost() const { return lost_; }

 private:
  bool recording() const { return recording_.load(std::memory_order_acquire); }  // pairs with record()

  static constexpr std::int64_t work_ns_max = 50'000;

  void add(std::int64_t before_ns, std::int64_t now_ns, const io::ThreadUse& use, bool work) {
    if (stalls_.size() == stalls_.capacity()) {
      ++lost_;
      return;
    }
    // Since the counts were read there was no other gap, and so no other time off the core that would matter.
    const std::int64_t off_ns = (now_ns - read_ns_) - (use.cpu_ns - use_.cpu_ns);
    stalls_.push_back({before_ns, now_ns, use.switches_voluntary - use_.switches_voluntary,
                       use.switches_forced - use_.switches_forced, use.faults - use_.faults,
                       use.run_delay_ns - use_.run_delay_ns, use.blocks - use_.blocks,
                       std::clamp<std::int64_t>(off_ns, 0, now_ns - before_ns), work});
  }

  std::int64_t gap_ns_;
  std::int64_t refresh_ns_;
  std::atomic<bool> recording_{false};
  io::ThreadUse use_;
  std::int64_t read_ns_ = 0;
  std::vector<Stall> stalls_;
  std::uint64_t lost_ = 0;
};

}  // namespace depthcast::run

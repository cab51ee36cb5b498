// Gaps in a spinning thread's own clock, and whether anything that the kernel counts for the thread explains them.
// Pure: time and counts are passed in.
#pragma once

#include <cstdint>
#include <vector>

#include "io/thread_use.h"

namespace depthcast::run {

// Between two looks at the clock.
struct Stall {
  std::int64_t begin_ns;
  std::int64_t end_ns;
  std::uint64_t switches;      // of the thread, since the counts were last read
  std::uint64_t faults;        // likewise
  std::uint64_t run_delay_ns;  // likewise

  // Nothing that the thread, or the system's scheduler, did explains it: the machine stood still under both.
  bool machine() const { return switches == 0 && faults == 0 && run_delay_ns == 0; }
};

// Threads: the spinning one, but take() while it does not record.
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
    if (gap && recording_) add(before_ns, now_ns, use);
    use_ = use;
    read_ns_ = now_ns;
  }

  // The same after work. How long that takes is nobody's to say; so only what moved the counts of switches is kept,
  // where it took so long that they are worth a look.
  template <typename Read>
  void worked(std::int64_t before_ns, std::int64_t now_ns, Read read) {
    if (!recording_ || now_ns - before_ns <= work_ns_max) return;
    const io::ThreadUse use = read();
    const bool switched = use.switches_voluntary != use_.switches_voluntary ||
                          use.switches_forced != use_.switches_forced || use.run_delay_ns != use_.run_delay_ns;
    if (switched) add(before_ns, now_ns, use);
    use_ = use;
    read_ns_ = now_ns;
  }

  // From now on, with nothing kept from before.
  void record(bool on) {
    recording_ = on;
    if (!on) return;
    stalls_.clear();
    lost_ = 0;
  }
  const std::vector<Stall>& stalls() const { return stalls_; }
  std::uint64_t lost() const { return lost_; }

 private:
  static constexpr std::int64_t work_ns_max = 100'000;

  void add(std::int64_t before_ns, std::int64_t now_ns, const io::ThreadUse& use) {
    if (stalls_.size() == stalls_.capacity()) {
      ++lost_;
      return;
    }
    stalls_.push_back({before_ns, now_ns,
                       use.switches_voluntary + use.switches_forced - use_.switches_voluntary - use_.switches_forced,
                       use.faults - use_.faults, use.run_delay_ns - use_.run_delay_ns});
  }

  std::int64_t gap_ns_;
  std::int64_t refresh_ns_;
  bool recording_ = false;
  io::ThreadUse use_;
  std::int64_t read_ns_ = 0;
  std::vector<Stall> stalls_;
  std::uint64_t lost_ = 0;
};

}  // namespace depthcast::run

// When the work beside the path ran that may take a core, a disk or a lock from it: for a measurement.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "io/clock.h"

namespace depthcast::run {

enum class Activity : std::uint8_t {
  fsync,          // of the journal
  journal_write,  // records are written
  replica,        // packets are applied to the replica
  snapshot,       // a generation is taken of the replica
  snapshot_loop,  // datagrams of the snapshot loop go out
  checkpoint,     // is written, with its fsync
  injected,       // by a measurement that wants to see it found
};

// CLOCK_REALTIME ns.
struct ActivityTime {
  Activity what;
  std::int64_t begin_ns;
  std::int64_t end_ns;
};

// Threads: any. A lock is taken for each entry, so it is for what runs some hundred times a second, never for the path.
class ActivityLog {
 public:
  // From then until now. What finds no room is forgotten.
  void add(Activity what, std::int64_t begin_ns) {
    const std::int64_t end_ns = io::realtime_ns();
    const std::lock_guard lock(mutex_);
    if (times_.size() < times_max) times_.push_back({what, begin_ns, end_ns});
  }
  // What was added since the last call, in order of its ends.
  std::vector<ActivityTime> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(times_, {});
  }

 private:
  static constexpr std::size_t times_max = 1'000'000;

  std::mutex mutex_;
  std::vector<ActivityTime> times_;
};

// Logs its own lifetime; a null log costs one comparison.
class ActivityScope {
 public:
  ActivityScope(ActivityLog* log, Activity what) : log_(log), what_(what) {
    if (log_ != nullptr) begin_ns_ = io::realtime_ns();
  }
  ~ActivityScope() {
    if (log_ != nullptr) log_->add(what_, begin_ns_);
  }
  ActivityScope(const ActivityScope&) = delete;
  ActivityScope& operator=(const ActivityScope&) = delete;

 private:
  ActivityLog* log_;
  Activity what_;
  std::int64_t begin_ns_ = 0;
};

}  // namespace depthcast::run

// What the kernel counts for the calling thread, to tell who is to blame for a pause.
#pragma once

#include <cstdint>

#include "io/file_descriptor.h"

namespace depthcast::io {

struct ThreadUse {
  std::uint64_t switches_voluntary = 0;
  std::uint64_t switches_forced = 0;
  std::uint64_t faults = 0;        // minor and major page faults
  std::uint64_t run_delay_ns = 0;  // ready to run, and not running; 0 where the kernel does not tell
  std::uint64_t blocks = 0;        // moved to or from a disk on the thread's behalf
  std::int64_t cpu_ns = 0;         // on a core; where the kernel accounts for interrupts, without them

  bool operator==(const ThreadUse&) const = default;
};

// Threads: made and read by the thread it tells of.
class ThreadUseReader {
 public:
  ThreadUseReader();
  // Some 1.7 us; three system calls.
  ThreadUse read() const;
  bool knows_run_delay() const { return schedstat_.open(); }

 private:
  FileDescriptor schedstat_;
};

}  // namespace depthcast::io

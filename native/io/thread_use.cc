#include "io/thread_use.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "io/clock.h"

namespace depthcast::io {

ThreadUseReader::ThreadUseReader() : schedstat_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}

ThreadUse ThreadUseReader::read() const {
  ThreadUse use;
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) == 0) {
    use.switches_voluntary = static_cast<std::uint64_t>(usage.ru_nvcsw);
    use.switches_forced = static_cast<std::uint64_t>(usage.ru_nivcsw);
    use.faults = static_cast<std::uint64_t>(usage.ru_minflt + usage.ru_majflt);
    use.blocks = static_cast<std::uint64_t>(usage.ru_inblock + usage.ru_oublock);
  }
  // "ns on a core, ns of waiting for one, slices"
  char text[96];
  const ssize_t length = schedstat_.open() ? pread(schedstat_.get(), text, sizeof text - 1, 0) : 0;
  if (length > 0) {
    text[length] = '\0';
    char* end = nullptr;
    static_cast<void>(std::strtoull(text, &end, 10));
    use.run_delay_ns = std::strtoull(end, nullptr, 10);
  }
  // Up to this instant; the first number above is as old as the last tick of the scheduler.
  use.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  return use;
}

}  // namespace depthcast::io

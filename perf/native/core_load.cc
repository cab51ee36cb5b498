// Keeps a core busy for a share of the time and touches nothing but registers: what any neighbour costs, whatever it
// does. Says that it has begun; ends with its input.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "io/clock.h"
#include "io/waiting.h"
#include "perf_support.h"

namespace depthcast::perf {

int core_load(Options& options) {
  const auto core = static_cast<int>(options.number("core", 1));
  const auto busy_us = static_cast<std::int64_t>(options.number("busy-us", 4'000));
  const auto pause_us = static_cast<std::int64_t>(options.number("pause-us", 1'000));
  options.finish();
  io::pin_to_core(core);
  std::printf("{\"ready\": 1}\n");
  std::fflush(stdout);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (poll(&input, 1, 0) == 0) {
    // Of the thread's own time: what others take of the core does not make it give less.
    for (const Stopwatch watch; watch.cpu_ns() < static_cast<double>(busy_us) * 1e3;) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
  }
  return 0;
}

}  // namespace depthcast::perf

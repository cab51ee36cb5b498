// How a thread waits for work, and how another one wakes it.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace depthcast::io {

enum class WaitStrategy : std::uint8_t {
  spin,   // never leaves the core: lowest latency, one whole core
  yield,  // gives the core away between looks: low latency where cores are shared
  park,   // sleeps in the kernel until woken: no load when idle, tens of microseconds to wake up
};

// Throws std::invalid_argument naming what is allowed.
WaitStrategy wait_strategy_of(const std::string& name);

inline void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One thread sleeps, any thread wakes it. A wake-up between the sleeper's last look and its sleep is not lost.
class Parker {
 public:
  // The sleeper: announces that it is about to sleep. Must look for work once more afterwards, then sleep or cancel.
  void prepare() {
    // Pairs with the read-modify-write in wake(): of the two, the later one reads from the earlier. Hence either the
    // sleeper sees the work or the waker sees `asleep`. A plain store would read nothing.
    state_.exchange(asleep, std::memory_order_acq_rel);
  }
  void cancel() { get_up(); }
  // Returns when woken, or after `timeout_ns`.
  void sleep(std::int64_t timeout_ns);
  // After having made work visible. Costs one locked instruction unless someone sleeps.
  void wake();

 private:
  static constexpr std::uint32_t awake = 0;
  static constexpr std::uint32_t asleep = 1;

  void get_up() {
    // Pairs with wake(): the work of a wake-up that found nobody asleep is seen by the next look.
    state_.exchange(awake, std::memory_order_acq_rel);
  }
  std::atomic<std::uint32_t> state_{awake};
};

// Pins the calling thread to one core; false where the system refuses.
bool pin_to_core(int core);
// The system's number of the calling thread: /proc/self/task/N is about it.
std::uint32_t thread_id();
// Allows every thread of this process, and those that they will make, these cores alone; a thread may still be pinned
// elsewhere afterwards. False where the system refuses one of them.
bool confine_process(const std::vector<int>& cores);
// Names the calling thread for top and gdb; at most 15 characters.
void name_thread(const char* name);

}  // namespace depthcast::io

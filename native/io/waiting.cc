#include "io/waiting.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace depthcast::io {

WaitStrategy wait_strategy_of(const std::string& name) {
  if (name == "spin") return WaitStrategy::spin;
  if (name == "yield") return WaitStrategy::yield;
  if (name == "park") return WaitStrategy::park;
  throw std::invalid_argument("wait strategy is \"" + name + "\", expected spin, yield or park");
}

void Parker::sleep(std::int64_t timeout_ns) {
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  // Sleeps only while the state is still `asleep`; whatever ends it, the caller looks for work again.
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&state_), FUTEX_WAIT_PRIVATE, asleep, &timeout, nullptr, 0);
  get_up();
}

void Parker::wake() {
  // A read-modify-write, since a plain load could be done before the work published above is visible: pairs with
  // those in prepare() and get_up(). (A fence would do as well, but ThreadSanitizer does not model fences.)
  if (state_.fetch_add(0, std::memory_order_acq_rel) != asleep) return;
  if (state_.exchange(awake, std::memory_order_acq_rel) == asleep) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&state_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

bool pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

std::uint32_t thread_id() { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

bool confine_process(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &set);
  std::error_code error;
  bool all = true;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const auto id = static_cast<pid_t>(std::strtol(thread.path().filename().c_str(), nullptr, 10));
    // A thread that has ended meanwhile needs no core.
    if (sched_setaffinity(id, sizeof set, &set) != 0 && errno != ESRCH) all = false;
  }
  return all && !error;
}

void name_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace depthcast::io

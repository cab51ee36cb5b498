// The time of a cache line from one core to another and back: a condition of every other figure. On shared hosts it has
// modes, so results are compared within one.
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "core/memory.h"
#include "perf_support.h"

namespace depthcast::perf {

int core_round_trip(Options& options) {
  const std::uint64_t runs = options.number("runs", 3);
  const std::uint64_t round_trips = options.number("round-trips", 200'000);
  options.finish();
  constexpr std::uint64_t share = 100;

  for (std::uint64_t run = 0; run < runs; ++run) {
    alignas(cache_line) std::atomic<std::uint64_t> there{0};
    alignas(cache_line) std::atomic<std::uint64_t> back{0};
    std::thread other([&] {
      for (std::uint64_t turn = 1; turn <= round_trips; ++turn) {
        while (there.load(std::memory_order_acquire) != turn) {  // pairs with the store below
        }
        back.store(turn, std::memory_order_release);  // pairs with the load below
      }
    });
    std::vector<double> shares;
    for (std::uint64_t turn = 1; turn <= round_trips;) {
      const Stopwatch watch;
      const std::uint64_t end = std::min(turn + share, round_trips + 1);
      for (; turn < end; ++turn) {
        there.store(turn, std::memory_order_release);           // pairs with the load above
        while (back.load(std::memory_order_acquire) != turn) {  // pairs with the store above
        }
      }
      shares.push_back(watch.ns() / static_cast<double>(share));
    }
    other.join();
    std::sort(shares.begin(), shares.end());
    JsonLine()
        .add("round_trip_ns_p50", shares[shares.size() / 2])
        .add("round_trip_ns_p90", shares[shares.size() * 9 / 10])
        .add("round_trips", round_trips)
        .print();
  }
  return 0;
}

}  // namespace depthcast::perf

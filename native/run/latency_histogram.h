// Latencies in buckets of three significant digits (the layout idea of HdrHistogram: Tene, "HdrHistogram").
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthcast::run {

// Threads: record by one, copy by any. 0 ns … about 18 minutes; what is longer counts as that.
class LatencyHistogram {
 public:
  static constexpr unsigned linear_bits = 11;  // values below 2^11 have a bucket each: 1/1,024 beyond
  static constexpr unsigned value_bits = 40;
  static constexpr std::size_t half = std::size_t{1} << (linear_bits - 1);
  static constexpr std::size_t buckets = 2 * half + (value_bits - linear_bits) * half;

  LatencyHistogram() : counts_(buckets) {}

  static std::size_t bucket_of(std::int64_t value_ns) {
    if (value_ns < 0) return 0;  // clocks of two machines may disagree
    auto value = static_cast<std::uint64_t>(value_ns);
    if (value >= std::uint64_t{1} << value_bits) value = (std::uint64_t{1} << value_bits) - 1;
    if (value < 2 * half) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - linear_bits;
    return 2 * half + (shift - 1) * half + ((value >> shift) - half);
  }
  // The largest value that falls into the bucket.
  static std::uint64_t bucket_value(std::size_t bucket) {
    if (bucket < 2 * half) return bucket;
    const std::size_t beyond = bucket - 2 * half;
    const auto shift = static_cast<unsigned>(beyond / half + 1);
    return ((half + beyond % half + 1) << shift) - 1;
  }

  void record(std::int64_t value_ns, std::uint64_t count = 1) {
    std::atomic<std::uint64_t>& counter = counts_[bucket_of(value_ns)];
    // Relaxed: a figure for itself. Pairs with count().
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }

 private:
  std::vector<std::atomic<std::uint64_t>> counts_;
};

}  // namespace depthcast::run

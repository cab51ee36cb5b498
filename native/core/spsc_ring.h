// A ring of fixed-size cells between one producer thread and one consumer thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/memory.h"

namespace depthcast {

// Threads: claim/publish by the producer only, available/front/release by the consumer only, size by any.
// Full: claim says so and the producer decides; nothing is ever overwritten. Cells stay readable until released.
template <typename Cell>
class SpscRing {
 public:
  // `capacity` is rounded up to a power of two.
  explicit SpscRing(std::size_t capacity, bool prefault = false)
      : cells_(std::bit_ceil(std::max<std::size_t>(capacity, 2)), prefault), mask_(cells_.size() - 1) {}

  std::size_t capacity() const { return cells_.size(); }

  // Free cells that the producer may fill, at most `wanted`.
  std::size_t claim(std::size_t wanted) {
    if (capacity() - (tail_local_ - head_cached_) < wanted) {
      // Pairs with the store in release(): the consumer has finished reading the cells below head.
      head_cached_ = head_.load(std::memory_order_acquire);
    }
    return std::min(wanted, capacity() - static_cast<std::size_t>(tail_local_ - head_cached_));
  }
  // The cell `offset` places after the last published one; claim must have granted it.
  Cell& at_tail(std::size_t offset) { return cells_[(tail_local_ + offset) & mask_]; }
  void publish(std::size_t count) {
    tail_local_ += count;
    // Pairs with the load in available(): makes the cells' contents visible.
    tail_.store(tail_local_, std::memory_order_release);
  }

  // Cells ready to be read, counted from the head.
  std::size_t available() {
    if (tail_cached_ == head_local_) {
      // Pairs with the store in publish().
      tail_cached_ = tail_.load(std::memory_order_acquire);
    }
    return static_cast<std::size_t>(tail_cached_ - head_local_);
  }
  // As available(), but always looks at the producer's side.
  std::size_t available_now() {
    // Pairs with the store in publish().
    tail_cached_ = tail_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(tail_cached_ - head_local_);
  }
  const Cell& at_head(std::size_t offset) const { return cells_[(head_local_ + offset) & mask_]; }
  void release(std::size_t count) {
    head_local_ += count;
    // Pairs with the load in claim(): the cells may be overwritten from now on.
    head_.store(head_local_, std::memory_order_release);
  }

  // Approximate for any thread but the two owners.
  std::size_t size() const {
    // Pairs with the store in release(): what the consumer did with the cells that are not counted is visible.
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);  // a figure only
    return static_cast<std::size_t>(tail - head);
  }

 private:
  FixedArray<Cell> cells_;
  std::uint64_t mask_;
  alignas(cache_line) std::atomic<std::uint64_t> tail_{0};
  alignas(cache_line) std::uint64_t tail_local_ = 0;  // the producer's own
  std::uint64_t head_cached_ = 0;
  alignas(cache_line) std::atomic<std::uint64_t> head_{0};
  alignas(cache_line) std::uint64_t head_local_ = 0;  // the consumer's own
  std::uint64_t tail_cached_ = 0;
  char padding_[cache_line - 2 * sizeof(std::uint64_t)] = {};
};

}  // namespace depthcast

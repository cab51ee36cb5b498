// Named figures that one thread writes and any thread reads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace depthcast::run {

// `Name` is an enum whose last entry is `count_`. Threads: set and add by one writer, get by any.
template <typename Name>
class Counters {
 public:
  static constexpr std::size_t size = static_cast<std::size_t>(Name::count_);

  // Relaxed: each figure stands for itself.
  void set(Name name, std::uint64_t value) { at(name).store(value, std::memory_order_relaxed); }
  void add(Name name, std::uint64_t value = 1) {
    at(name).store(at(name).load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  // Whoever gets this value gets the others as they are now, or newer. Pairs with get().
  void publish(Name name, std::uint64_t value) { at(name).store(value, std::memory_order_release); }
  void raise(Name name, std::uint64_t value) {
    if (value > at(name).load(std::memory_order_relaxed)) set(name, value);
  }
  // Pairs with publish().
  std::uint64_t get(Name name) const { return get(static_cast<std::size_t>(name)); }
  std::uint64_t get(std::size_t index) const { return values_[index].load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t>& at(Name name) { return values_[static_cast<std::size_t>(name)]; }
  std::array<std::atomic<std::uint64_t>, size> values_{};
};

}  // namespace depthcast::run

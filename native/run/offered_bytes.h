// Datagrams on their way from the thread that recovers to the receiving thread: bounded, in order, aligned to 8.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <span>

#include "encode/wire_layout.h"

namespace depthcast::run {

// Threads: offer by any, take by one.
class OfferedBytes {
 public:
  static constexpr std::size_t bytes_max = std::size_t{256} << 20;

  // Copies. Returns the bytes that wait, with these; 0 where they do not fit.
  std::size_t offer(std::span<const std::uint8_t> bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes.empty()) return waiting_;
    if (waiting_ + bytes.size() > bytes_max) return 0;
    Block block{std::make_unique<std::uint64_t[]>((bytes.size() + 7) / 8), bytes.size()};
    std::memcpy(block.words.get(), bytes.data(), bytes.size());
    blocks_.push_back(std::move(block));
    waiting_ += bytes.size();
    // Pairs with the load in empty().
    some_.store(true, std::memory_order_release);
    return waiting_;
  }
  // No lock: for every round of the taker's loop.
  bool empty() const { return !some_.load(std::memory_order_acquire); }  // pairs with the store in offer()

  // Calls `take(datagram)` for each datagram of whole blocks, until about `bytes` have been taken, and before each
  // block `before()`, which sees all that its thread did before it offered that. Bytes that do not begin a datagram end
  // their block. Returns how many bytes were taken.
  template <typename Before, typename Take>
  std::size_t take(std::size_t bytes, Before before, Take take) {
    std::size_t taken = 0;
    while (taken < bytes) {
      Block block;
      {
        const std::lock_guard lock(mutex_);
        if (blocks_.empty()) {
          some_.store(false, std::memory_order_relaxed);  // under the lock that guards the blocks themselves
          break;
        }
        block = std::move(blocks_.front());
        blocks_.pop_front();
        waiting_ -= block.bytes;
      }
      taken += block.bytes;
      before();
      cut(block, take);
    }
    return taken;
  }

 private:
  struct Block {
    std::unique_ptr<std::uint64_t[]> words;
    std::size_t bytes = 0;
  };

  template <typename Take>
  static void cut(Block& block, Take& take) {
    auto* data = reinterpret_cast<std::uint8_t*>(block.words.get());
    for (std::size_t at = 0; block.bytes - at >= sizeof(encode::Prefix);) {
      encode::Prefix prefix;
      std::memcpy(&prefix, data + at, sizeof prefix);
      const std::size_t length = std::size_t{prefix.length} + sizeof prefix;
      if (prefix.magic != encode::prefix_magic || length > block.bytes - at) return;
      if (at % 8 != 0) {
        // Odd lengths do not occur; whoever makes them pays for the move.
        std::memmove(data, data + at, block.bytes - at);
        block.bytes -= at;
        at = 0;
      }
      take(std::span<const std::uint8_t>(data + at, length));
      at += length;
    }
  }

  std::mutex mutex_;  // guards blocks_ and waiting_
  std::deque<Block> blocks_;
  std::size_t waiting_ = 0;
  std::atomic<bool> some_{false};
};

}  // namespace depthcast::run

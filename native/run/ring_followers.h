// How far those are who follow the ring in this process. The publisher never waits for them. A source that has no
// schedule to keep may: as fast as possible means as fast as all of it is kept.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

namespace depthcast::run {

// Threads: reached() by the follower of that place, slowest() by any.
class RingFollowers {
 public:
  enum class Place : std::uint8_t { journal, replica, count_ };

  // Everything before that position of the ring has been taken. Call it now and then; behind a lap with where one was.
  void reached(Place place, std::uint64_t position) {
    positions_[static_cast<std::size_t>(place)].store(position, std::memory_order_relaxed);  // a figure only
  }
  void leave(Place place) { reached(place, nobody); }

  static constexpr std::uint64_t nobody = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t slowest() const {
    std::uint64_t slowest = nobody;
    for (const auto& position : positions_) slowest = std::min(slowest, position.load(std::memory_order_relaxed));
    return slowest;
  }

 private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Place::count_)> positions_{nobody, nobody};
};

// Whether a source should wait. A follower that has not moved for a second holds nobody: a disk that is full, a
// thread that is gone. Threads: one.
class FollowerPatience {
 public:
  static constexpr std::int64_t patience_ns = 1'000'000'000;

  // `tail`: the ring's end; `bytes`: how far behind it a follower may be.
  bool waits(std::uint64_t slowest, std::uint64_t tail, std::uint64_t bytes, std::int64_t now_ns) {
    if (slowest >= tail || tail - slowest <= bytes) {
      since_ns_ = 0;
      return false;
    }
    if (since_ns_ == 0 || slowest != seen_) {
      seen_ = slowest;
      since_ns_ = now_ns;
    }
    return now_ns - since_ns_ < patience_ns;
  }

 private:
  std::uint64_t seen_ = 0;
  std::int64_t since_ns_ = 0;
};

}  // namespace depthcast::run

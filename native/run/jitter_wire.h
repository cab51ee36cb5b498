// What the two sides of a jitter measurement share: the floor's datagrams and the cache lines of the round trip.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/memory.h"

namespace depthcast::run {

// The first bytes of a floor's datagram; the rest is padding up to the length of the feed's datagram in its place.
struct FloorHeader {
  std::uint64_t magic;
  std::uint64_t packet;     // from 0, alike on both lines
  std::int64_t instant_ns;  // CLOCK_REALTIME at which it was due
  std::uint32_t count;      // messages that the feed's datagram carried
  std::uint32_t slice;
};
constexpr std::uint64_t floor_magic = 0x726f6f6c66636364ULL;
static_assert(sizeof(FloorHeader) == 32);

// One side writes it, the other one spins on it: each side's own memory, which the other maps.
struct PingLine {
  alignas(cache_line) std::atomic<std::uint64_t> turn;  // pairs with the other side's load: nothing else travels
};
constexpr std::uint64_t ping_end = ~std::uint64_t{0};

}  // namespace depthcast::run

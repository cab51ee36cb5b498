// What the tests of run/gateway_hub.h share: a hub's options, requests, and the sizes that they work with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "run/gateway_hub.h"
#include "test/ring_channel.h"

namespace depthcast::test {

inline constexpr std::size_t ring_large = 1 << 22;
inline constexpr std::size_t ring_small = 1 << 16;
inline constexpr std::size_t room = 32'768;
inline constexpr std::int64_t realtime_ns = 1'700'000'000'000'000'000;

inline run::GatewayOptions options_for(RingChannel& channel) {
  run::GatewayOptions options;
  options.ring = channel.place();
  options.limits = channel_limits();
  options.limits.depth_levels = 10;
  options.channel = RingChannel::channel;
  return options;
}

// No instruments: all of them.
inline run::GatewayRequest request_for(run::GatewayMode mode, std::vector<std::uint32_t> instruments = {}) {
  run::GatewayRequest request;
  request.mode = mode;
  request.all = instruments.empty();
  request.instruments = std::move(instruments);
  request.interval_ns = 0;
  return request;
}

}  // namespace depthcast::test

// What a gateway worker keeps of one client in one channel: its subscriptions, and what they count.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/subscription.h"

namespace depthcast::run {

enum class GatewayMode : std::uint8_t { exact, filtered, depth, trades };
enum class SlowPolicy : std::uint8_t { conflate, snapshot, disconnect };

struct GatewayRequest {
  GatewayMode mode = GatewayMode::depth;
  bool all = true;
  std::vector<std::uint32_t> instruments;  // unless all
  std::uint32_t levels = 10;
  std::int64_t interval_ns = 100'000'000;
  SlowPolicy on_slow = SlowPolicy::snapshot;
  std::uint64_t resume = 0;  // exact: the last number that the client has; 0: none
};

// published = sent + conflated + refused + pending.
struct GatewayCounts {
  std::uint64_t published = 0;
  std::uint64_t sent = 0;
  std::uint64_t conflated = 0;
  std::uint64_t refused = 0;
  std::uint64_t pending = 0;
  std::uint64_t sequence = 0;  // the last number sent or covered
};

struct HubEntry {
  GatewayRequest request;
  // Null where a group carries the client: its leader's counts.
  std::unique_ptr<gateway::Subscription> subscription;
  // Counted by requests that this one took the place of. In a group: what has to be added to the leader's counts, mod
  // 2^64.
  GatewayCounts before;
};

struct HubClient {
  std::map<std::uint16_t, HubEntry> entries;
  std::uint16_t turn = 0;   // the subscription after which to begin
  std::uint32_t group = 0;  // that carries it; 0: none
  std::string key;          // GatewayGroups': of what it has subscribed to
};

// `before`, and what `subscription` has counted.
inline GatewayCounts counts_of(const GatewayCounts& before, const gateway::Subscription& subscription,
                               const gateway::Market& market) {
  const gateway::Tally& tally = subscription.tally();
  GatewayCounts counts = before;
  const std::uint64_t published = subscription.published(market);
  counts.published += published;
  counts.sent += tally.sent;
  counts.conflated += tally.conflated;
  counts.refused += tally.refused;
  counts.pending = published - tally.covered();
  counts.sequence = std::max(counts.sequence, subscription.sequence());
  return counts;
}

}  // namespace depthcast::run

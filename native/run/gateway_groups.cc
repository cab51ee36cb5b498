#include "run/gateway_groups.h"

#include <algorithm>
#include <utility>

namespace depthcast::run {
namespace {

template <typename T>
void append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Equal for those who are sent equal frames when they stand at the same place.
std::string key_of(const HubClient& client) {
  std::string key;
  for (const auto& [number, entry] : client.entries) {
    const GatewayRequest& request = entry.request;
    append(key, request.mode);
    // Datagrams alone do not say whose subscription they are for.
    if (request.mode == GatewayMode::exact && client.entries.size() == 1) break;
    append(key, number);
    append(key, request.levels);
    append(key, request.interval_ns);
    append(key, request.all);
    append(key, request.instruments.size());
    for (const std::uint32_t instrument : request.instruments) append(key, instrument);
  }
  return key;
}

bool is_level(const HubClient& left, const HubClient& right) {
  return std::ranges::equal(left.entries, right.entries, [](const auto& one, const auto& other) {
    return one.second.subscription->level(*other.second.subscription);
  });
}

GatewayCounts difference(GatewayCounts from, const GatewayCounts& what) {
  from.published -= what.published;
  from.sent -= what.sent;
  from.conflated -= what.conflated;
  from.refused -= what.refused;
  return from;
}

}  // namespace

std::uint32_t GatewayGroups::join(std::uint32_t number) {
  const auto found = clients_.find(number);
  if (found == clients_.end()) return 0;
  HubClient& client = found->second;
  if (client.group != 0) return client.group;
  // Nobody is level with what can carry no others.
  if (client.entries.empty() || !is_level(client, client)) return 0;
  if (client.key.empty()) client.key = key_of(client);
  Kind& kind = kinds_[client.key];
  if (kind.group == 0) {
    if (kind.first == 0) kind.first = number;
    if (kind.first == number) return 0;
    kind = {begin(client), 0};
  } else if (!is_level(groups_.at(kind.group).leader, client)) {
    return 0;
  }
  enter(number, client, kind.group);
  return client.group;
}

std::uint32_t GatewayGroups::begin(const HubClient& client) {
  HubClient& leader = groups_[++group_last_].leader;
  leader.key = client.key;
  for (const auto& [number, entry] : client.entries) {
    leader.entries.emplace(number, HubEntry{entry.request, entry.subscription->copy(), {}});
  }
  return group_last_;
}

void GatewayGroups::enter(std::uint32_t number, HubClient& client, std::uint32_t group) {
  Group& joined = groups_.at(group);
  auto leading = joined.leader.entries.begin();
  for (auto& [id, entry] : client.entries) {
    const GatewayCounts own = counts_of(entry.before, *entry.subscription, market_);
    entry.before = difference(own, counts_of({}, *leading->second.subscription, market_));
    entry.subscription = nullptr;
    ++leading;
  }
  client.group = group;
  joined.members.insert(number);
}

void GatewayGroups::leave(std::uint32_t number) {
  const auto client = clients_.find(number);
  if (client == clients_.end() || client->second.group == 0) return;
  const auto group = groups_.find(std::exchange(client->second.group, 0));
  auto leading = group->second.leader.entries.begin();
  for (auto& [id, entry] : client->second.entries) {
    entry.subscription = leading->second.subscription->copy();
    ++leading;
  }
  group->second.members.erase(number);
  if (!group->second.members.empty()) return;
  kinds_.erase(group->second.leader.key);
  groups_.erase(group);
}

void GatewayGroups::forget(std::uint32_t number) {
  leave(number);
  const auto client = clients_.find(number);
  if (client == clients_.end()) return;
  const auto kind = kinds_.find(client->second.key);
  if (kind != kinds_.end() && kind->second.first == number) kinds_.erase(kind);
  client->second.key.clear();
}

void GatewayGroups::dissolve(std::uint32_t group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  // The last one to leave takes the group with it.
  for (const std::uint32_t number : std::set<std::uint32_t>(found->second.members)) leave(number);
}

void GatewayGroups::dissolve_all() {
  while (!groups_.empty()) dissolve(groups_.begin()->first);
}

HubClient* GatewayGroups::leader(std::uint32_t group) {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second.leader;
}

GatewayCounts GatewayGroups::counts(const HubClient& client, std::uint16_t subscription) const {
  const auto entry = client.entries.find(subscription);
  if (client.group == 0) return counts_of(entry->second.before, *entry->second.subscription, market_);
  // Their numbers may be others, their order is the same.
  auto leading = groups_.at(client.group).leader.entries.begin();
  std::advance(leading, std::distance(client.entries.begin(), entry));
  return counts_of(entry->second.before, *leading->second.subscription, market_);
}

}  // namespace depthcast::run

// Clients of one channel that stand at the same place of the same streams. A group's leader is sent what each of them
// would be sent: it is composed once, whatever their number, and what they count follows from what the leader counts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "run/gateway_client.h"

namespace depthcast::run {

using HubClients = std::map<std::uint32_t, HubClient>;

// Threads: one. Whoever is blocked, or is to be sent anything of its own, has to leave first.
class GatewayGroups {
 public:
  // Both must outlive it.
  GatewayGroups(HubClients& clients, const gateway::Market& market) : clients_(clients), market_(market) {}

  // The group that carries the client from here on; 0: there is none at its place. The first of two who could share
  // one goes on by itself until the second has begun it.
  std::uint32_t join(std::uint32_t number);
  // It goes on by itself, from where the group stands. Does nothing where none carries it.
  void leave(std::uint32_t number);
  // What it has subscribed to is about to change, or the client is about to go.
  void forget(std::uint32_t number);
  // All its members leave; it is no more.
  void dissolve(std::uint32_t group);
  void dissolve_all();
  // Null where there is no such group, or no longer. Valid until the next call that changes something.
  HubClient* leader(std::uint32_t group);
  // Of an entry of that client, in a group or not.
  GatewayCounts counts(const HubClient& client, std::uint16_t subscription) const;

 private:
  struct Group {
    HubClient leader;
    std::set<std::uint32_t> members;
  };
  struct Kind {
    std::uint32_t group = 0;
    std::uint32_t first = 0;  // who waits for a second one
  };

  std::uint32_t begin(const HubClient& client);
  void enter(std::uint32_t number, HubClient& client, std::uint32_t group);

  HubClients& clients_;
  const gateway::Market& market_;
  std::map<std::uint32_t, Group> groups_;
  std::uint32_t group_last_ = 0;
  std::map<std::string, Kind> kinds_;  // by HubClient::key; none without a group or somebody who waits
};

}  // namespace depthcast::run

// Clients that a gateway carries in groups: each is sent what it would be sent alone, and counts the same.
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "run/gateway_hub.h"
#include "test/gateway_client.h"
#include "test/gateway_hub_parts.h"
#include "test/ring_channel.h"

namespace depthcast::test {
namespace {

using run::GatewayCounts;
using run::GatewayFrame;
using run::GatewayHub;
using run::GatewayMode;
using run::GatewayRequest;
using run::SlowPolicy;

struct Member {
  std::uint32_t client = 0;
  std::uint16_t subscription = 1;
  bool shares = true;
  std::uint32_t group = 0;
  GatewayClient listener;
  std::vector<std::uint8_t> bytes;  // all it was sent
  std::vector<run::GatewaySlow> slow;
};

// What JavaScript does with groups: it publishes to members, and serves the others one by one.
struct Crowd {
  explicit Crowd(RingChannel& channel) : hub(options_for(channel)) {}

  void follow() {
    for (int idle = 0; idle < 3;) idle = hub.step(now_ns += 1'000'000) ? 0 : idle + 1;
  }
  Member& enter(const GatewayRequest& request, bool shares, std::uint16_t subscription = 1) {
    Member& member = members.emplace_back();
    member.client = hub.open_client();
    member.subscription = subscription;
    member.shares = shares;
    REQUIRE(hub.subscribe(member.client, subscription, request));
    return member;
  }
  static void give(Member& member, std::span<const std::uint8_t> bytes) {
    member.listener.take(bytes);
    member.bytes.insert(member.bytes.end(), bytes.begin(), bytes.end());
  }
  std::set<std::uint32_t> groups() const {
    std::set<std::uint32_t> found;
    for (const Member& member : members) found.insert(member.group);
    found.erase(0);
    return found;
  }
  void serve() {
    for (const std::uint32_t group : groups()) {
      for (bool more = true; more;) {
        const GatewayFrame frame = hub.compose_group(group, room, now_ns, realtime_ns);
        more = frame.more && !frame.ended;
        for (Member& member : members) {
          if (member.group != group) continue;
          give(member, frame.bytes);
          if (frame.ended) member.group = 0;
        }
      }
    }
    for (Member& member : members) {
      for (bool more = member.group == 0; more;) {
        const GatewayFrame frame = hub.compose(member.client, room, now_ns, realtime_ns, false, member.shares);
        give(member, frame.bytes);
        member.slow.insert(member.slow.end(), frame.slow.begin(), frame.slow.end());
        member.group = frame.group;
        more = frame.more;
      }
    }
  }
  void leave(Member& member) {
    hub.leave_group(member.client);
    member.group = 0;
  }
  GatewayCounts counts(const Member& member) const {
    const auto counted = hub.counts(member.client, member.subscription);
    REQUIRE(counted.has_value());
    return *counted;
  }
  // They add up, and are what the client has counted.
  void check_counts() const {
    for (const Member& member : members) {
      const GatewayCounts counted = counts(member);
      CHECK_EQUAL(counted.published, counted.sent + counted.conflated + counted.refused + counted.pending);
      CHECK_EQUAL(counted.sent, member.listener.sent);
    }
  }

  GatewayHub hub;
  std::vector<Member> members;
  std::int64_t now_ns = 1'000'000'000;
};

bool same(const GatewayCounts& left, const GatewayCounts& right) {
  return left.published == right.published && left.sent == right.sent && left.conflated == right.conflated &&
         left.refused == right.refused && left.pending == right.pending && left.sequence == right.sequence;
}

TEST(gatewayGroupsCarryOneFrameToAllWhoStandAtTheSamePlace) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(400);
  crowd.follow();
  crowd.members.reserve(8);
  for (int number = 0; number < 4; ++number) {
    crowd.enter(request_for(GatewayMode::exact), true, static_cast<std::uint16_t>(1 + number));
  }
  crowd.enter(request_for(GatewayMode::exact), false);
  for (int round = 0; round < 4; ++round) {
    crowd.serve();
    channel.take(60);
    crowd.follow();
  }
  // Whatever their own numbers are.
  CHECK_EQUAL(crowd.groups().size(), 1U);
  const std::uint64_t composed = crowd.hub.counters().frames;
  crowd.serve();
  CHECK_EQUAL(crowd.hub.counters().frames, composed + 2);  // the group's, and that of the one who keeps apart
  crowd.check_counts();
  for (const Member& member : crowd.members) {
    CHECK_EQUAL(member.group != 0, member.shares);
    CHECK(member.listener.packets == crowd.members.back().listener.packets);
    CHECK(same(crowd.counts(member), crowd.counts(crowd.members.back())));
  }
}

// Members leave at random, stand still for a while or not, change what they want and come back; a client that never
// shares is the measure.
TEST(gatewayGroupsSendAndCountAsIfThereWereNone) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(200);
  crowd.follow();
  crowd.members.reserve(8);
  for (int number = 0; number < 6; ++number) crowd.enter(request_for(GatewayMode::exact), number != 0);
  std::mt19937_64 random(seed());
  std::size_t largest = 0;
  for (int round = 0; round < 300; ++round) {
    channel.take(random() % 40);
    if (random() % 4 == 0) channel.heartbeat();
    crowd.follow();
    Member& one = crowd.members[1 + random() % 5];
    if (random() % 3 == 0) crowd.leave(one);
    if (random() % 20 == 0) {
      crowd.leave(one);
      REQUIRE(crowd.hub.change(one.client, 1, request_for(GatewayMode::exact)));
    }
    // Carried or not, what is counted is asked for at any moment.
    crowd.check_counts();
    if (random() % 3 != 0) crowd.serve();
    std::size_t shared = 0;
    for (const Member& member : crowd.members) shared += member.group != 0 ? 1 : 0;
    largest = std::max(largest, shared);
  }
  crowd.serve();
  crowd.check_counts();
  CHECK_EQUAL(largest, 5U);
  const Member& alone = crowd.members[0];
  for (const Member& member : crowd.members) {
    CHECK_EQUAL(crowd.counts(member).published, crowd.counts(alone).published);
    CHECK_EQUAL(crowd.counts(member).pending, 0U);
    CHECK_EQUAL(crowd.counts(member).sequence, channel.next() - 1);
    // Every packet that it has is as it was published, and none came twice.
    std::uint64_t last = 0;
    for (const auto& packet : member.listener.packets) {
      encode::PacketView view;
      REQUIRE(encode::read_packet(packet, view) == encode::PacketStatus::ok);
      CHECK(view.first_sequence > last);
      last = view.first_sequence + view.count - 1;
      const auto published = channel.journal().find(view.first_sequence);
      REQUIRE(published != channel.journal().end());
      CHECK(std::equal(packet.begin(), packet.end(), published->second.begin(), published->second.end()));
    }
  }
}

// Windows, deltas and prints are checked by the listeners, block by block; the last windows are the publisher's.
void check_conflated(const GatewayRequest& request) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(200);
  crowd.follow();
  crowd.members.reserve(8);
  for (int number = 0; number < 6; ++number) crowd.enter(request, number != 0);
  std::mt19937_64 random(seed());
  std::size_t largest = 0;
  for (int round = 0; round < 400; ++round) {
    channel.take(1 + random() % 40);
    crowd.follow();
    Member& one = crowd.members[1 + random() % 5];
    if (random() % 8 == 0) crowd.leave(one);
    // Prints that were not sent before a change are not sent after it.
    if (random() % 40 == 0 && request.mode != GatewayMode::trades) {
      crowd.leave(one);
      REQUIRE(crowd.hub.change(one.client, 1, request));
    }
    for (const Member& member : crowd.members) {
      const GatewayCounts counted = crowd.counts(member);
      CHECK_EQUAL(counted.published, counted.sent + counted.conflated + counted.refused + counted.pending);
      CHECK_EQUAL(counted.published, crowd.counts(crowd.members[0]).published);
      CHECK_EQUAL(counted.sent, member.listener.sent);
    }
    if (random() % 4 != 0) crowd.serve();
    std::size_t shared = 0;
    for (const Member& member : crowd.members) shared += member.group != 0 ? 1 : 0;
    largest = std::max(largest, shared);
  }
  CHECK_EQUAL(largest, 5U);
  const std::size_t held = crowd.hub.window_bytes();
  for (Member& member : crowd.members) crowd.leave(member);
  CHECK(request.mode != GatewayMode::depth || crowd.hub.window_bytes() > held);
  // The last frame of each interval that is still to come.
  crowd.now_ns += 1'000'000'000;
  crowd.serve();
  for (const Member& member : crowd.members) {
    const GatewayClient& alone = crowd.members[0].listener;
    CHECK_EQUAL(crowd.counts(member).sent, member.listener.sent);
    CHECK(request.mode != GatewayMode::depth || crowd.counts(member).pending == 0);
    CHECK_EQUAL(member.listener.windows.size(), alone.windows.size());
    for (const auto& [instrument, window] : member.listener.windows) {
      CHECK_EQUAL(window.hash(), alone.windows.at(instrument).hash());
    }
    if (request.mode == GatewayMode::trades) CHECK_EQUAL(member.listener.prints.size(), alone.prints.size());
  }
}

TEST(gatewayGroupsShareWindowsOfOneSchedule) {
  GatewayRequest request = request_for(GatewayMode::depth);
  check_conflated(request);
  request.interval_ns = 7'000'000;
  request.levels = 1;
  check_conflated(request);
  request.all = false;
  request.instruments = {3, 1, 2};
  check_conflated(request);
}

TEST(gatewayGroupsSharePrints) { check_conflated(request_for(GatewayMode::trades)); }

TEST(gatewayGroupsAreOfThoseWhoAskedForTheSame) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(200);
  crowd.follow();
  crowd.members.reserve(8);
  GatewayRequest request = request_for(GatewayMode::depth);
  for (int twice = 0; twice < 2; ++twice) {
    crowd.enter(request, true);
    crowd.enter(request, true, 2);  // frames tell its number
    GatewayRequest other = request;
    other.levels = 1;
    crowd.enter(other, true);
    crowd.enter(request_for(GatewayMode::filtered), true);  // its frames tell what that client was sent before
  }
  for (int round = 0; round < 20; ++round) {
    channel.take(20);
    crowd.follow();
    crowd.serve();
  }
  CHECK_EQUAL(crowd.groups().size(), 3U);
  for (std::size_t place = 0; place < 4; ++place) {
    CHECK_EQUAL(crowd.members[place].group, crowd.members[place + 4].group);
    CHECK_EQUAL(crowd.members[place].group == 0, place == 3);
  }
}

TEST(gatewayGroupsEndWhereTheRingIsGoneAndEachIsServedAsItAsked) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(100);
  crowd.follow();
  crowd.members.reserve(3);
  const std::vector asked{SlowPolicy::snapshot, SlowPolicy::conflate, SlowPolicy::disconnect};
  for (const SlowPolicy policy : asked) {
    GatewayRequest request = request_for(GatewayMode::exact);
    request.on_slow = policy;
    crowd.enter(request, true);
  }
  for (int round = 0; round < 3; ++round) crowd.serve();
  CHECK_EQUAL(crowd.groups().size(), 1U);
  for (int round = 0; round < 40; ++round) {
    channel.take(100);
    crowd.follow();
  }
  // They are not told apart until the group is served.
  for (const Member& member : crowd.members) CHECK(crowd.counts(member).pending > 3'000);
  const std::uint32_t group = *crowd.groups().begin();
  CHECK(crowd.hub.compose_group(group, room, crowd.now_ns, realtime_ns).ended);
  CHECK(crowd.hub.compose_group(group, room, crowd.now_ns, realtime_ns).ended);
  for (Member& member : crowd.members) {
    member.group = 0;
    const GatewayFrame frame = crowd.hub.compose(member.client, room, crowd.now_ns, realtime_ns, false, true);
    REQUIRE_EQUAL(frame.slow.size(), 1U);
    Crowd::give(member, frame.bytes);
    CHECK(frame.slow[0].did == asked[static_cast<std::size_t>(&member - crowd.members.data())]);
  }
  crowd.check_counts();
}

TEST(gatewayGroupsEndWithTheirMembers) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Crowd crowd(channel);
  channel.take(100);
  crowd.follow();
  crowd.members.reserve(3);
  for (int number = 0; number < 3; ++number) crowd.enter(request_for(GatewayMode::exact), true);
  for (int round = 0; round < 3; ++round) crowd.serve();
  REQUIRE_EQUAL(crowd.groups().size(), 1U);
  const std::uint32_t group = *crowd.groups().begin();
  crowd.hub.close_client(crowd.members[0].client);
  channel.take(50);
  crowd.follow();
  // Whoever is asked about goes on by itself.
  const auto counted = crowd.hub.unsubscribe(crowd.members[1].client, 1);
  REQUIRE(counted.has_value());
  CHECK_EQUAL(counted->sent, crowd.members[1].listener.sent);
  CHECK_EQUAL(counted->published, counted->sent + counted->conflated + counted->refused);
  CHECK(counted->refused >= 50);
  const GatewayFrame frame = crowd.hub.compose_group(group, room, crowd.now_ns, realtime_ns);
  CHECK(!frame.ended && !frame.bytes.empty());
  Crowd::give(crowd.members[2], frame.bytes);
  CHECK_EQUAL(crowd.counts(crowd.members[2]).sent, crowd.members[2].listener.sent);
  crowd.hub.leave_group(crowd.members[2].client);
  CHECK(crowd.hub.compose_group(group, room, crowd.now_ns, realtime_ns).ended);
  CHECK_EQUAL(crowd.counts(crowd.members[2]).sent, crowd.members[2].listener.sent);
}

}  // namespace
}  // namespace depthcast::test

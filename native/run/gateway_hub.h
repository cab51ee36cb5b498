// One gateway worker's view of a channel: a replica that follows the ring, and the subscriptions that look at it.
// Never on the hot path: it reads the ring like any other follower. docs/gateway.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "encode/snapshot_writer.h"
#include "gateway/conflated.h"
#include "gateway/packets.h"
#include "gateway/prints.h"
#include "run/gateway_client.h"
#include "run/gateway_groups.h"
#include "run/replica_follower.h"

namespace depthcast::run {

struct GatewayOptions {
  RingPlace ring;
  book::BookLimits limits;  // depth_levels: the most that a subscription may have
  std::uint32_t channel = 1;
  std::size_t window_bytes_max = std::size_t{256} << 20;
  std::size_t prints_max = 65'536;
  std::int64_t snapshot_age_ns = 500'000'000;  // one snapshot of the whole channel serves all who ask for so long
  // Orders that are written into snapshots in one step: about a millisecond. Chosen instruments with at most a quarter
  // of them are written at once, each for its subscription alone; others are taken out of the whole channel's snapshot.
  std::int64_t snapshot_orders_per_step = 8'192;
};

// What happened to a subscription that was too slow.
struct GatewaySlow {
  std::uint16_t subscription;
  SlowPolicy did;
  std::uint64_t sequence;
};

struct GatewayFrame {
  std::span<const std::uint8_t> bytes;  // valid until the next call; empty: nothing to send
  bool more = false;                    // there is more, beyond the room
  std::span<const GatewaySlow> slow;    // a `disconnect` among them: the socket is to be closed
  std::uint32_t group = 0;              // that carries the client from here on
  bool ended = false;                   // of a group: it is no more, and its members go on by themselves behind `bytes`
};

struct GatewayCounters {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t slow = 0;
};

// Threads: one. `ring` must outlive it.
class GatewayHub : private gateway::PacketSource, private ApplyGate {
 public:
  // Throws std::invalid_argument (limits), std::runtime_error (no ring) or std::bad_alloc. Without `past` (which may be
  // null, as may `checkpoints`) a worker that the ring has lapped cannot get its books back within the session.
  explicit GatewayHub(const GatewayOptions& options, std::unique_ptr<PastDatagrams> past = nullptr,
                      std::unique_ptr<CheckpointStore> checkpoints = nullptr);

  // Takes some of what is new, about a millisecond of work; false where there was nothing. Both clocks in ns.
  bool step(std::int64_t now_ns);
  // Everything up to now is in the books: subscriptions are served.
  bool ready() const { return follower_.caught_up(); }
  std::uint64_t session() const { return session_; }
  const gateway::Market& market() const { return market_; }
  const ReplicaFollower& follower() const { return follower_; }

  std::uint32_t open_client();
  void close_client(std::uint32_t client);
  // False: that number is in use, or the client unknown. A depth request of more levels than there are gets those.
  bool subscribe(std::uint32_t client, std::uint16_t subscription, const GatewayRequest& request);
  // Another request in the place of the old one; the counts go on. False: there is none of that number.
  bool change(std::uint32_t client, std::uint16_t subscription, const GatewayRequest& request);
  std::optional<GatewayCounts> unsubscribe(std::uint32_t client, std::uint16_t subscription);
  std::optional<GatewayCounts> counts(std::uint32_t client, std::uint16_t subscription) const;

  // The next binary frame of that client, at most about `room` bytes, its subscriptions in turn. `share`: a group may
  // carry it from behind this frame on, where it has come as far as there is anything. One that is in a group leaves
  // it.
  GatewayFrame compose(std::uint32_t client, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns,
                       bool flush = false, bool share = false);
  // The same of all members of a group: each is to be sent these bytes. A group ends where one of its streams is
  // overrun, or begins anew: in another session, or with another ring.
  GatewayFrame compose_group(std::uint32_t group, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns);
  // It goes on by itself from where its group stands. Does nothing where it is in none.
  void leave_group(std::uint32_t client) { groups_.leave(client); }

  // For a client that cannot be sent anything now: whether one of its subscriptions has been overrun that was to be
  // conflated or disconnected then. Those that wait for a snapshot go on waiting.
  std::span<const GatewaySlow> check(std::uint32_t client);

  const GatewayCounters& counters() const { return counters_; }
  std::size_t window_bytes() const { return budget_.bytes; }

 private:
  std::optional<BroadcastReader> reader() override { return follower_.archive().reader(); }
  std::uint64_t position() const override { return follower_.position(); }
  std::shared_ptr<const gateway::ChannelSnapshot> snapshot(const gateway::InstrumentSet& instruments,
                                                           std::uint64_t sequence_min) override;
  void define(const gateway::InstrumentSet& instruments, std::uint32_t& place, std::vector<std::uint8_t>& out) override;
  bool keeps(std::uint64_t sequence) override;
  bool may_apply(const encode::PacketView& packet) override;

  gateway::PacketRun& run() override { return run_; }

  gateway::PacketSource& source() { return *this; }
  bool is_fresh();
  std::shared_ptr<gateway::ChannelSnapshot> make_snapshot(const gateway::InstrumentSet& instruments);
  encode::SnapshotStamp stamp_of_now();
  // The whole channel's, in pieces: begun, gone on with in every step, and at its end in whole_.
  void begin_whole();
  void advance_whole();
  void make_room();
  std::unique_ptr<gateway::Subscription> make(const GatewayRequest& request, gateway::SnapshotWhy why);
  void replace(HubEntry& entry, const GatewayRequest& request);
  // False: the client is to be closed.
  bool too_slow(std::uint16_t number, HubEntry& entry);
  // Of those two until the room is used up, or `overrun` says so of an entry.
  template <typename Overrun>
  bool compose_entries(HubClient& client, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns, bool flush,
                       Overrun overrun);
  void end_session();
  template <typename Act>
  void each(Act act);
  HubEntry* find(std::uint32_t client, std::uint16_t subscription);

  GatewayOptions options_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  gateway::Market market_;
  ReplicaFollower follower_;
  gateway::WindowBudget budget_;
  encode::SnapshotWriter snapshot_writer_;  // of chosen instruments, at once
  encode::SnapshotWriter whole_writer_;     // of the channel, in pieces
  std::uint64_t session_ = 0;
  std::uint64_t ring_version_ = 0;
  std::int64_t now_ns_ = 0;
  std::uint64_t generation_ = 0;
  std::shared_ptr<gateway::ChannelSnapshot> growing_;           // what whole_writer_ writes; null: nothing
  std::shared_ptr<gateway::ChannelSnapshot> whole_;             // the last one
  std::vector<std::weak_ptr<gateway::ChannelSnapshot>> alive_;  // whole ones that somebody has
  std::int64_t budget_orders_ = 0;                              // of this step, for snapshots
  std::int64_t whole_ns_ = 0;
  HubClients clients_;
  std::uint32_t client_last_ = 0;
  GatewayGroups groups_{clients_, market_};
  gateway::PacketRun run_;
  gateway::FrameWriter frame_;
  std::vector<GatewaySlow> slow_;
  GatewayCounters counters_;
};

}  // namespace depthcast::run

// The snapshot replica: a thread that follows the ring as any client does, and gives what it holds: snapshots to
// whoever asks, to the snapshot group, to checkpoint files. The publisher never sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "encode/snapshot_writer.h"
#include "io/udp_socket.h"
#include "io/waiting.h"
#include "run/activity_log.h"
#include "run/counters.h"
#include "run/replica_follower.h"
#include "run/snapshot_loop.h"

namespace depthcast::run {

enum class ReplicaCounter : std::uint8_t {
  session,
  sequence,
  lag_messages,
  whole,
  digest,
  live_orders,
  instruments,
  digests_checked,
  mismatched,
  reloads,
  lapped,
  datagrams_caught_up,
  checkpoints_loaded,
  unavailable,
  sessions,
  damaged,
  snapshots,         // generations made
  snapshots_served,  // requests answered with one
  snapshots_refused,
  snapshot_bytes,   // of the last whole one
  snapshot_ns,      // it took
  snapshot_ns_max,  // any took
  snapshot_sequence,
  generations_alive,
  checkpoints,
  checkpoints_failed,
  checkpoint_sequence,  // the last one written
  loop_rounds,          // generations sent to the group, twice each
  loop_datagrams,
  loop_bytes,
  loop_failed,
  loop_ns_max,  // longest step
  count_,
};
std::vector<std::string> replica_counter_names();

struct ReplicaOptions {
  RingPlace ring;
  std::uint32_t channel = 1;
  book::BookLimits limits;
  std::size_t datagram_bytes = encode::datagram_bytes_default;
  std::int64_t age_ns = 500'000'000;  // so long one generation serves all who ask
  std::int64_t checkpoint_ns = 0;     // between two checkpoints; 0: none
  io::WaitStrategy wait = io::WaitStrategy::park;
  int core = -1;
  std::optional<io::SenderOptions> loop;  // the snapshot group
  std::uint64_t loop_bytes_per_second = 8 << 20;
  std::shared_ptr<ActivityLog> activities;  // null: nothing is measured
};

struct SnapshotRequest {
  std::uint64_t sequence_min = 0;          // the state includes at least this number, if retransmission cannot help
  std::uint64_t before = 0;                // not 0: one at or below this number, from a checkpoint
  std::vector<std::uint32_t> instruments;  // ascending; empty: all
};
struct SnapshotAnswer {
  std::shared_ptr<const Generation> generation;  // null: none now
  std::uint32_t wait_ms = 0;                     // then come back after this; 0: there will be none
};

// Threads: any. Callbacks come on the replica's thread and must be short; after stop() none comes any more.
class ReplicaThread {
 public:
  using OnSnapshot = std::function<void(SnapshotAnswer&&)>;

  // Throws std::invalid_argument, std::system_error (the snapshot group's socket), std::runtime_error (memory that is
  // no ring) or std::bad_alloc. `past` and `checkpoints` may be null.
  ReplicaThread(const ReplicaOptions& options, std::unique_ptr<PastDatagrams> past,
                std::unique_ptr<CheckpointStore> checkpoints);
  ~ReplicaThread();

  void start();
  // Ends the thread and waits for it, and for a checkpoint that is being written. Requests that wait are dropped
  // without an answer. Any number of times.
  void stop();
  // False, and nothing will come, where too many wait already.
  bool request_snapshot(SnapshotRequest request, OnSnapshot on_snapshot);
  // As it is defined now; empty: it is not.
  std::string symbol(std::uint32_t instrument) const;

  const Counters<ReplicaCounter>& counters() const { return counters_; }

 private:
  struct Waiting {
    SnapshotRequest request;
    OnSnapshot on_snapshot;
    std::int64_t since_ns = 0;
  };
  static constexpr std::size_t waiting_max = 16'384;
  // Whole generations that anyone still holds; a slow reader of an old one does not make us keep a fourth.
  static constexpr std::size_t generations_max = 3;
  // And bytes of those of chosen instruments.
  static constexpr std::size_t chosen_bytes_max = std::size_t{64} << 20;
  // A request waits so long for the replica to be where a snapshot can be taken.
  static constexpr std::int64_t patience_ns = 2'000'000'000;

  void run();
  bool follow(std::int64_t now_ns);
  // Where definitions have changed since the last time.
  void publish_symbols();
  void serve(std::int64_t now_ns);
  // False: it waits on.
  bool serve_one(Waiting& waiting, std::int64_t now_ns);
  SnapshotAnswer from_checkpoint(const SnapshotRequest& request);
  // The cached one where it will do, else a new one; null where there are too many.
  std::shared_ptr<const Generation> whole(std::uint64_t sequence_min, std::int64_t now_ns);
  std::shared_ptr<const Generation> chosen(const std::vector<std::uint32_t>& instruments, std::int64_t now_ns);
  std::shared_ptr<const Generation> take(const std::vector<std::uint32_t>& instruments, std::int64_t now_ns);
  bool joinable(const Generation& generation) const;
  void tick_checkpoint(std::int64_t now_ns);
  bool tick_loop(std::int64_t now_ns);
  void idle(std::uint32_t& idle_rounds);
  void publish_counters();

  ReplicaOptions options_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  ReplicaFollower follower_;
  encode::SnapshotWriter writer_;
  std::unique_ptr<SnapshotLoop> loop_;
  Counters<ReplicaCounter> counters_;

  // The replica's thread's own.
  std::shared_ptr<const Generation> newest_;
  std::vector<std::weak_ptr<const Generation>> alive_;
  std::vector<std::weak_ptr<const Generation>> alive_chosen_;
  std::vector<Waiting> pending_;
  std::uint64_t generation_last_ = 0;
  std::int64_t checkpoint_due_ns_ = 0;
  std::uint64_t checkpoint_session_ = 0;
  std::uint64_t checkpoint_sequence_ = 0;
  std::uint64_t symbols_session_ = 0;
  std::uint64_t symbols_version_ = 0;

  // One checkpoint at a time is written, by a thread of its own: an fsync may take longer than the ring retains.
  std::thread checkpoint_thread_;
  std::atomic<bool> checkpoint_running_{false};

  mutable std::mutex symbols_mutex_;  // guards symbols_
  std::vector<std::string> symbols_;  // by instrument

  std::mutex mutex_;  // guards requests_; the thread looks only when requested_ says so
  std::vector<Waiting> requests_;
  std::atomic<bool> requested_{false};
  std::atomic<std::size_t> waiting_{0};
  io::Parker parker_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace depthcast::run

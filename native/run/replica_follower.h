// Follows a channel's ring with the code that clients run, and catches up from journal and checkpoints.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "book/replica.h"
#include "run/archive.h"
#include "run/packet_applier.h"

namespace depthcast::run {

// One state of a channel as its datagrams, one after the other. Never changed once made.
struct Generation {
  std::vector<std::uint8_t> bytes;
  std::uint32_t channel = 0;
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;  // S
  std::uint64_t position = 0;
  std::int64_t event_time_ns = 0;
  std::uint64_t digest = 0;    // the channel's
  std::uint64_t identity = 0;  // of the session
  std::array<std::uint8_t, 16> boot_id{};
  std::uint64_t orders = 0;
  std::uint64_t datagrams = 0;
  std::int64_t taken_ns = 0;  // monotonic
};

// What checkpoints look like from here; CheckpointFiles (checkpoint_files.h) is the one that keeps files.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  // Datagrams of the newest whole checkpoint of that session at or below `sequence_max`; empty: there is none.
  virtual std::vector<std::uint8_t> newest(std::uint64_t session, std::uint64_t sequence_max) = 0;
  // On a thread of its own, while newest() may be called on another. Throws where it cannot be written.
  virtual void write(const Generation& generation) = 0;
};

// Asked before what stands in the ring is applied.
class ApplyGate {
 public:
  virtual ~ApplyGate() = default;
  // False: not yet. The follower waits, and asks again in its next step.
  virtual bool may_apply(const encode::PacketView& packet) = 0;
};

struct FollowerCounters {
  std::uint64_t lapped = 0;               // the ring went past us
  std::uint64_t datagrams_caught_up = 0;  // taken by way of the archive
  std::uint64_t checkpoints_loaded = 0;
  std::uint64_t unavailable = 0;  // holes that nothing could close: the books are not whole until digests say so
  std::uint64_t reloads = 0;      // begun anew after a digest that differed
  std::uint64_t sessions = 0;
  std::uint64_t damaged = 0;  // datagrams that did not pass the reader's checks
};

// Threads: one.
class ReplicaFollower {
 public:
  // `past`, `checkpoints` and `sink` may be null; those given must outlive it. Depth views as `limits` says: for this
  // thread, or those whom it lets.
  ReplicaFollower(const RingPlace& ring, const book::BookLimits& limits, std::uint32_t channel,
                  std::unique_ptr<PastDatagrams> past, CheckpointStore* checkpoints, book::UpdateSink* sink = nullptr);

  // Whom to ask from now on; null: nobody. It must outlive the follower. What does not come by way of the ring's order
  // (another session, a checkpoint, the archive) is not asked for: then caught_up() is false after the step.
  void set_gate(ApplyGate* gate) { gate_ = gate; }
  // Takes some of what there is; false where there was nothing to do. Bounded: about a millisecond of work.
  bool step(std::int64_t now_ns);
  ~ReplicaFollower() {
    if (followers_ != nullptr) followers_->leave(RingFollowers::Place::replica);
  }
  ReplicaFollower(const ReplicaFollower&) = delete;
  ReplicaFollower& operator=(const ReplicaFollower&) = delete;

  const book::Replica& replica() const { return replica_; }
  // Every message up to now has been applied, up to what was written meanwhile.
  bool caught_up() const { return session_ != 0 && caught_up_; }
  // Where it stands in the ring: records below that position have been applied.
  std::uint64_t position() const {
    if (!reader_ || !synced_) return 0;
    return held_ == 0 ? reader_->position() : held_position_;
  }
  const Archive& archive() const { return archive_; }
  std::uint64_t session() const { return session_; }
  // Every message up to now has been applied, up to what was written meanwhile, and the books are whole at the end of
  // an event: a snapshot may be taken.
  bool presentable() const {
    return session_ != 0 && caught_up_ && replica_.whole() && replica_.sequence() == replica_.event_sequence();
  }
  std::uint64_t lag() const;
  const FollowerCounters& counters() const { return counters_; }

 private:
  static constexpr int records_per_step = 512;
  static constexpr std::size_t catch_up_bytes = std::size_t{1} << 20;
  static constexpr std::int64_t reload_pause_ns = 10'000'000'000;
  // The journal may be behind for a moment: a hole is one only when it stays.
  static constexpr std::int64_t patience_ns = 1'000'000'000;

  void follow_ring_change();
  bool follow_ring();
  bool catch_up(std::int64_t now_ns);
  void skip_unavailable(std::uint64_t last);
  // The number that is to be applied next: behind a hole that nothing closes, the first one after it.
  std::uint64_t wanted() const { return std::max(replica_.sequence() + 1, skipped_to_); }
  bool load_checkpoint(std::uint64_t above);
  void check_mismatch(std::int64_t now_ns);
  void begin_anew();
  void apply_all(std::span<const std::uint8_t> datagrams);
  enum class Applied : std::uint8_t { yes, hole, held };  // hole: a number is missing before it
  Applied apply_one(std::span<const std::uint8_t> datagram, ApplyGate* gate = nullptr);

  std::uint32_t channel_;
  RingFollowers* followers_;
  Archive archive_;
  CheckpointStore* checkpoints_;
  book::Replica replica_;
  PacketApplier applier_;
  std::optional<BroadcastReader> reader_;
  std::uint64_t ring_version_ = 0;
  std::uint64_t session_ = 0;
  std::uint64_t skipped_to_ = 0;
  std::int64_t unavailable_since_ns_ = 0;
  bool synced_ = false;           // the reader's next numbered record follows what has been applied
  bool caught_up_ = false;        // since then the ring's end has been seen
  bool checkpoint_due_ = false;   // look for one before going through the journal
  std::uint64_t mismatches_ = 0;  // already acted upon
  std::int64_t reloaded_ns_ = 0;
  std::vector<std::uint8_t> scratch_;
  ApplyGate* gate_ = nullptr;
  std::size_t held_ = 0;  // bytes of the record in scratch_ that the gate has not let through; 0: none
  std::uint64_t held_position_ = 0;
  std::vector<std::uint8_t> caught_;
  FollowerCounters counters_;
};

}  // namespace depthcast::run

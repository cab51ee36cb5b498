#include "run/replica_follower.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "encode/packet_reader.h"
#include "encode/prefix.h"
#include "encode/snapshot_assembler.h"

namespace depthcast::run {
namespace {

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
// A checkpoint is worth loading where it saves at least so many messages.
constexpr std::uint64_t checkpoint_gain_min = 100'000;

}  // namespace

ReplicaFollower::ReplicaFollower(const RingPlace& ring, const book::BookLimits& limits, std::uint32_t channel,
                                 std::unique_ptr<PastDatagrams> past, CheckpointStore* checkpoints,
                                 book::UpdateSink* sink)
    : channel_(channel),
      followers_(ring.followers),
      archive_(ring, std::move(past)),
      checkpoints_(checkpoints),
      replica_(limits, sink),
      applier_(replica_),
      scratch_(encode::datagram_bytes_max + sizeof(RingRecord)) {}

std::uint64_t ReplicaFollower::lag() const {
  const std::uint64_t next = archive_.next();
  return next > replica_.sequence() + 1 ? next - replica_.sequence() - 1 : 0;
}

bool ReplicaFollower::step(std::int64_t now_ns) {
  archive_.refresh(now_ns);
  if (archive_.ring_version() != ring_version_) {
    // Whoever looks between two steps sees the change before anything of the new ring.
    follow_ring_change();
    return true;
  }
  if (!reader_) return false;
  const bool worked = synced_ ? follow_ring() : catch_up(now_ns);
  check_mismatch(now_ns);
  // While it catches up it is where it was when it was overtaken.
  if (followers_ != nullptr && synced_) followers_->reached(RingFollowers::Place::replica, reader_->position());
  return worked;
}

void ReplicaFollower::follow_ring_change() {
  ring_version_ = archive_.ring_version();
  held_ = 0;
  reader_ = archive_.reader();
  synced_ = caught_up_ = false;
  if (archive_.session() == session_) return;
  session_ = archive_.session();
  begin_anew();
  ++counters_.sessions;
}

void ReplicaFollower::begin_anew() {
  replica_.reset();
  synced_ = caught_up_ = false;
  held_ = 0;
  skipped_to_ = 0;
  unavailable_since_ns_ = 0;
  checkpoint_due_ = true;
}

bool ReplicaFollower::follow_ring() {
  int taken = 0;
  for (; taken < records_per_step; ++taken) {
    if (held_ == 0) {
      RingRecord record{};
      const RingPoll poll = reader_->poll(scratch_, record);
      if (poll == RingPoll::lapped) {
        ++counters_.lapped;
        synced_ = caught_up_ = false;
        return true;
      }
      if (poll != RingPoll::record) {
        caught_up_ = true;
        break;
      }
      held_ = record.length;
      held_position_ = record.position;
    }
    const Applied applied = apply_one({scratch_.data(), held_}, gate_);
    if (applied == Applied::held) return true;
    held_ = 0;
    if (applied == Applied::hole) {
      synced_ = caught_up_ = false;
      return true;
    }
  }
  return taken != 0;
}

// From the place where we stand to the ring: by the ring itself where it still has it, else by journal or checkpoint.
bool ReplicaFollower::catch_up(std::int64_t now_ns) {
  const std::uint64_t from = wanted();
  // In this order: what is written in between makes `next` greater, and is found by the next look.
  reader_->seek_newest();
  const std::uint64_t next = archive_.next();
  if (from >= next || reader_->seek(from)) {
    synced_ = true;
    unavailable_since_ns_ = 0;
    return true;
  }
  if (checkpoint_due_) {
    checkpoint_due_ = false;
    if (load_checkpoint(from + checkpoint_gain_min)) return true;
  }
  caught_.clear();
  const ArchiveRead read = archive_.read(session_, from, next - 1, catch_up_bytes, caught_);
  apply_all(caught_);
  counters_.datagrams_caught_up += read.datagrams;
  if (read.datagrams != 0) unavailable_since_ns_ = 0;
  if (read.status == ArchiveStatus::unavailable) {
    if (unavailable_since_ns_ == 0) unavailable_since_ns_ = now_ns;
    if (now_ns - unavailable_since_ns_ < patience_ns) return read.datagrams != 0;
  }
  if (read.status == ArchiveStatus::too_low || read.status == ArchiveStatus::unavailable) skip_unavailable(read.until);
  return true;
}

// Nothing gives back what lies up to `last`. A later checkpoint mends it; without one we are what any client without a
// way back is: unconfirmed until the digests agree.
void ReplicaFollower::skip_unavailable(std::uint64_t last) {
  unavailable_since_ns_ = 0;
  if (load_checkpoint(last)) return;
  ++counters_.unavailable;
  replica_.on_missing(last);
  skipped_to_ = last + 1;
}

bool ReplicaFollower::load_checkpoint(std::uint64_t above) {
  if (checkpoints_ == nullptr) return false;
  const std::vector<std::uint8_t> datagrams = checkpoints_->newest(session_, no_limit);
  encode::SnapshotLimits limits;
  limits.channel = channel_;
  limits.instruments_max = replica_.book().limits().instruments_max;
  limits.bytes_max = no_limit;
  encode::SnapshotAssembler assembler(limits);
  assembler.reset(session_);
  encode::each_datagram(datagrams, [&](std::span<const std::uint8_t> datagram) {
    encode::PacketView view;
    if (encode::read_packet(datagram, view) == encode::PacketStatus::ok) assembler.offer(view);
  });
  // Nor one from behind the end of what was published: it is another history's.
  const std::uint64_t sequence = assembler.progress().sequence;
  if (!assembler.verify() || sequence < above || sequence >= archive_.next()) return false;
  replica_.reset();
  if (assembler.load_into(replica_) != book::SnapshotRefusal::none) {
    replica_.reset();
    return false;
  }
  ++counters_.checkpoints_loaded;
  return true;
}

void ReplicaFollower::check_mismatch(std::int64_t now_ns) {
  const std::uint64_t mismatches = replica_.counters().digests_mismatched;
  if (mismatches == mismatches_) return;
  if (reloaded_ns_ != 0 && now_ns - reloaded_ns_ < reload_pause_ns) return;
  mismatches_ = mismatches;
  reloaded_ns_ = now_ns;
  ++counters_.reloads;
  begin_anew();
}

void ReplicaFollower::apply_all(std::span<const std::uint8_t> datagrams) {
  encode::each_datagram(datagrams, [&](std::span<const std::uint8_t> datagram) {
    // Those of the wire are multiples of 8 long, so that each is aligned as the first one is.
    if (reinterpret_cast<std::uintptr_t>(datagram.data()) % 8 == 0) {
      apply_one(datagram);
    } else if (datagram.size() <= scratch_.size()) {
      std::memcpy(scratch_.data(), datagram.data(), datagram.size());
      apply_one({scratch_.data(), datagram.size()});
    }
  });
}

ReplicaFollower::Applied ReplicaFollower::apply_one(std::span<const std::uint8_t> datagram, ApplyGate* gate) {
  encode::PacketView view;
  if (encode::read_packet(datagram, view) != encode::PacketStatus::ok || view.channel != channel_ ||
      view.session != session_) {
    ++counters_.damaged;
    return Applied::yes;
  }
  if (view.count == 0) {
    applier_.learn(view);
    return Applied::yes;
  }
  const std::uint64_t from = wanted();
  if (view.first_sequence > from) return Applied::hole;
  if (view.first_sequence + view.count <= from) return Applied::yes;
  if (gate != nullptr && !gate->may_apply(view)) return Applied::held;
  applier_.apply(view, static_cast<std::uint32_t>(from - view.first_sequence));
  return Applied::yes;
}

}  // namespace depthcast::run

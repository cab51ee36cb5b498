// The replica's way along the ring, and back to it by journal and checkpoint.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/shared_memory.h"
#include "run/replica_follower.h"
#include "test/ring_channel.h"
#include "test/run_scratch.h"
#include "test/snapshots.h"

namespace depthcast::test {
namespace {

using run::ReplicaFollower;

constexpr std::size_t ring_large = 1 << 22;
constexpr std::size_t ring_small = 1 << 16;

// Time of its own: a millisecond for each step.
struct Steps {
  std::int64_t now_ns = 1'000'000'000;
  void run(ReplicaFollower& follower, int idle_max = 3) {
    for (int idle = 0; idle < idle_max;) {
      idle = follower.step(now_ns += 1'000'000) ? 0 : idle + 1;
    }
  }
};

// One checkpoint in memory.
class OneCheckpoint final : public run::CheckpointStore {
 public:
  std::vector<std::uint8_t> bytes;
  std::uint64_t sequence = 0;
  int asked = 0;

  std::vector<std::uint8_t> newest(std::uint64_t, std::uint64_t sequence_max) override {
    ++asked;
    return sequence <= sequence_max ? bytes : std::vector<std::uint8_t>{};
  }
  void write(const run::Generation& generation) override {
    bytes = generation.bytes;
    sequence = generation.sequence;
  }
  void keep(const ReplicaFollower& follower) {
    encode::SnapshotWriter writer;
    bytes.clear();
    sequence = follower.replica().sequence();
    const encode::SnapshotStamp stamp{RingChannel::channel,
                                      follower.session(),
                                      1,
                                      sequence,
                                      follower.replica().position(),
                                      follower.replica().event_time_ns(),
                                      0};
    writer.write(follower.replica(), stamp, {},
                 [&](std::span<const std::uint8_t> one) { bytes.insert(bytes.end(), one.begin(), one.end()); });
  }
};

void check_equal(const ReplicaFollower& follower, const RingChannel& channel) {
  CHECK_EQUAL(follower.replica().sequence(), channel.next() - 1);
  CHECK_EQUAL(follower.replica().book().digest(), channel.book().digest());
  CHECK(follower.presentable());
  CHECK_EQUAL(follower.lag(), 0U);
}

TEST(replicaFollowsTheRingAndComparesDigests) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  ReplicaFollower follower(channel.place(), channel_limits(), 1, nullptr, nullptr);
  Steps steps;
  for (int round = 0; round < 20; ++round) {
    channel.take(200);
    channel.heartbeat();
    steps.run(follower);
    check_equal(follower, channel);
  }
  CHECK(follower.replica().counters().digests_checked >= 20);
  CHECK_EQUAL(follower.replica().counters().digests_mismatched, 0U);
  CHECK_EQUAL(follower.counters().lapped, 0U);
  CHECK_EQUAL(follower.counters().damaged, 0U);
}

TEST(replicaThatComesLateBeginsWhereTheRingBegins) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(5'000);
  ReplicaFollower follower(channel.place(), channel_limits(), 1, nullptr, nullptr);
  Steps().run(follower);
  check_equal(follower, channel);
}

TEST(lappedReplicaCatchesUpFromTheJournal) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  ReplicaFollower follower(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                           nullptr);
  Steps steps;
  for (int round = 0; round < 5; ++round) {
    channel.take(5'000);  // several times the ring
    steps.run(follower);
    check_equal(follower, channel);
  }
  CHECK(follower.counters().lapped > 0);
  CHECK(follower.counters().datagrams_caught_up > 0);
  CHECK_EQUAL(follower.counters().unavailable, 0U);
  CHECK(follower.replica().whole());
}

TEST(lappedReplicaWithoutAJournalIsNotPresentable) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  ReplicaFollower follower(channel.place(), channel_limits(), 1, nullptr, nullptr);
  Steps steps;
  channel.take(500);
  steps.run(follower);
  check_equal(follower, channel);
  channel.take(10'000);
  steps.run(follower, 5);
  CHECK_EQUAL(follower.replica().sequence(), channel.next() - 1);  // it goes on, as any client would
  CHECK(!follower.presentable());
  CHECK(follower.counters().unavailable > 0);
}

TEST(replicaLoadsACheckpointWhereThatIsShorterAndGoesOnFromThere) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  OneCheckpoint checkpoints;
  {
    ReplicaFollower first(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                          nullptr);
    channel.take(130'000);
    Steps().run(first);
    check_equal(first, channel);
    checkpoints.keep(first);
  }
  channel.take(10'000);
  ReplicaFollower second(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                         &checkpoints);
  Steps().run(second);
  check_equal(second, channel);
  CHECK_EQUAL(second.counters().checkpoints_loaded, 1U);
  const auto before = second.counters().datagrams_caught_up;
  CHECK(before < channel.journal().size() / 2);

  // The journal's beginning is gone: a checkpoint is the only way in.
  channel.journal().erase(channel.journal().begin(), channel.journal().upper_bound(checkpoints.sequence / 2));
  ReplicaFollower third(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                        &checkpoints);
  Steps().run(third);
  check_equal(third, channel);

  // A damaged one is none.
  checkpoints.bytes[checkpoints.bytes.size() / 2] ^= 1;
  ReplicaFollower fourth(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                         &checkpoints);
  Steps().run(fourth, 5);
  CHECK_EQUAL(fourth.counters().checkpoints_loaded, 0U);
  CHECK(!fourth.presentable());
}

TEST(replicaWaitsForAJournalThatIsBehind) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  std::map<std::uint64_t, Datagram> behind;
  ReplicaFollower follower(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(behind, 7), nullptr);
  Steps steps;
  channel.take(1'000);
  behind = channel.journal();
  steps.run(follower);
  channel.take(10'000);
  for (int step = 0; step < 500; ++step) follower.step(steps.now_ns += 1'000'000);
  CHECK_EQUAL(follower.counters().unavailable, 0U);
  CHECK(!follower.presentable());
  behind = channel.journal();
  steps.run(follower);
  check_equal(follower, channel);
}

TEST(replicaWhoseDigestDiffersBeginsAnewByItself) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  ReplicaFollower follower(channel.place(), channel_limits(), 1, std::make_unique<MemoryPast>(channel.journal(), 7),
                           nullptr);
  Steps steps;
  channel.take(3'000);
  steps.run(follower);
  channel.heartbeat(1);
  steps.run(follower);
  CHECK_EQUAL(follower.replica().counters().digests_mismatched, 1U);
  CHECK_EQUAL(follower.counters().reloads, 1U);
  channel.take(100);
  channel.heartbeat();
  steps.run(follower);
  check_equal(follower, channel);
}

TEST(replicaGoesOverToTheNextSessionOfARingFile) {
  const ScratchFolder scratch;
  const std::string path = scratch / "ring";
  ReplicaFollower follower({nullptr, 0, path}, channel_limits(), 1, nullptr, nullptr);
  Steps steps;
  steps.run(follower);
  CHECK(!follower.presentable());
  for (std::uint64_t session = 1; session <= 3; ++session) {
    std::filesystem::remove(path);
    io::SharedMemory memory = io::SharedMemory::create(path, ring_bytes(ring_large));
    RingChannel channel(ring_large, session, small_flow(session, 0), memory.data());
    channel.take(2'000);
    channel.heartbeat();
    for (int step = 0; step < 300; ++step) follower.step(steps.now_ns += 1'000'000);
    CHECK_EQUAL(follower.session(), session);
    check_equal(follower, channel);
  }
  CHECK_EQUAL(follower.counters().sessions, 3U);
}

}  // namespace
}  // namespace depthcast::test

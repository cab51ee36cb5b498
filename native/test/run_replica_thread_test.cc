// The replica's thread beside a running publisher: snapshots on request and in the loop, checkpoints, ends.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "encode/prefix.h"
#include "run/journal_past.h"
#include "run/replica_thread.h"
#include "test/ring_channel.h"
#include "test/run_scratch.h"
#include "test/snapshots.h"

namespace depthcast::test {
namespace {

using run::ReplicaCounter;
using run::ReplicaThread;
using run::SnapshotAnswer;

constexpr std::size_t ring_large = 1 << 22;

run::ReplicaOptions options_of(RingChannel& channel) {
  run::ReplicaOptions options;
  options.ring = channel.place();
  options.limits = channel_limits();
  return options;
}

SnapshotAnswer ask(ReplicaThread& replica, run::SnapshotRequest request = {}) {
  auto promise = std::make_shared<std::promise<SnapshotAnswer>>();
  auto future = promise->get_future();
  REQUIRE(replica.request_snapshot(std::move(request),
                                   [promise](SnapshotAnswer&& answer) { promise->set_value(std::move(answer)); }));
  REQUIRE(future.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  return future.get();
}

// Loads it into a replica of its own, as a client does; empty where that went well.
std::string load(const std::vector<std::uint8_t>& bytes, book::Replica& replica, std::uint64_t session) {
  encode::SnapshotLimits limits;
  encode::SnapshotAssembler assembler(limits);
  assembler.reset(session);
  std::span<const std::uint8_t> left = bytes;
  while (const std::size_t length = encode::datagram_length(left)) {
    encode::PacketView view;
    if (encode::read_packet(left.first(length), view) != encode::PacketStatus::ok) return "a datagram is damaged";
    assembler.offer(view);
    left = left.subspan(length);
  }
  if (!left.empty()) return "bytes are left over";
  if (!assembler.verify()) return "not verified";
  return assembler.load_into(replica) == book::SnapshotRefusal::none ? "" : "refused";
}

TEST(replicaThreadGivesASnapshotOfWhatThePublisherHolds) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(3'000);
  ReplicaThread replica(options_of(channel), nullptr, nullptr);
  replica.start();
  const SnapshotAnswer answer = ask(replica, {channel.next() - 1, 0, {}});
  REQUIRE(answer.generation != nullptr);
  CHECK_EQUAL(answer.generation->sequence, channel.next() - 1);
  CHECK_EQUAL(answer.generation->digest, channel.book().digest());
  book::Replica loaded(channel_limits(), nullptr);
  CHECK_EQUAL(load(answer.generation->bytes, loaded, 7), "");
  CHECK_EQUAL(loaded.book().digest(), channel.book().digest());
}

TEST(oneGenerationServesAllWhoAskWithinItsAge) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(1'000);
  auto options = options_of(channel);
  options.age_ns = 3'600'000'000'000;
  ReplicaThread replica(options, nullptr, nullptr);
  replica.start();
  const SnapshotAnswer first = ask(replica);
  REQUIRE(first.generation != nullptr);
  channel.take(1'000);
  for (int index = 0; index < 20; ++index) CHECK(ask(replica).generation == first.generation);
  CHECK_EQUAL(replica.counters().get(ReplicaCounter::snapshots), 1U);
  // From a later number, retransmission closes the distance: the same will do.
  CHECK(ask(replica, {channel.next() - 1, 0, {}}).generation == first.generation);
  // Chosen instruments are always made for the asker.
  const SnapshotAnswer chosen = ask(replica, {0, 0, {2, 3}});
  REQUIRE(chosen.generation != nullptr);
  CHECK(chosen.generation != first.generation && chosen.generation->bytes.size() < first.generation->bytes.size());
}

TEST(generationsThatAreHeldAreBoundedInNumber) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  auto options = options_of(channel);
  options.age_ns = 0;
  ReplicaThread replica(options, nullptr, nullptr);
  replica.start();
  std::vector<SnapshotAnswer> held;
  std::uint64_t numbers = 0;
  for (int round = 0; round < 8; ++round) {
    channel.take(500);
    held.push_back(ask(replica, {channel.next() - 1, 0, {}}));
    REQUIRE(held.back().generation != nullptr);
    numbers = std::max(numbers, held.back().generation->number);
  }
  CHECK_EQUAL(replica.counters().get(ReplicaCounter::snapshots), 3U);
  CHECK(held[7].generation == held[2].generation);  // old, but retransmission goes on from there
  held.clear();
  const SnapshotAnswer again = ask(replica, {channel.next() - 1, 0, {}});
  CHECK(again.generation->number > numbers);
  CHECK_EQUAL(again.generation->sequence, channel.next() - 1);
}

TEST(snapshotThatCannotBeHadSaysWhenToComeBack) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(100);
  ReplicaThread replica(options_of(channel), nullptr, nullptr);
  replica.start();
  const SnapshotAnswer future = ask(replica, {channel.next() + 1'000, 0, {}});
  CHECK(future.generation == nullptr && future.wait_ms > 0);
  const SnapshotAnswer past = ask(replica, {0, 5, {}});
  CHECK(past.generation == nullptr && past.wait_ms == 0);  // no checkpoints are kept
}

TEST(replicaThreadWritesCheckpointsAndGivesThemBack) {
  const ScratchFolder scratch;
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  auto options = options_of(channel);
  options.checkpoint_ns = 1'000'000;
  options.age_ns = 0;
  ReplicaThread replica(options, nullptr, std::make_unique<run::CheckpointFiles>(scratch / "checkpoints", 2));
  replica.start();
  std::uint64_t first = 0;
  for (std::uint64_t round = 1; round <= 4; ++round) {
    channel.take(500);
    const std::uint64_t last = channel.next() - 1;
    REQUIRE(wait_until([&] { return replica.counters().get(ReplicaCounter::checkpoint_sequence) == last; }));
    if (round == 3) first = last;
  }
  CHECK_EQUAL(replica.counters().get(ReplicaCounter::checkpoints_failed), 0U);
  CHECK_EQUAL(run::list_checkpoints(scratch / "checkpoints").size(), 2U);
  const SnapshotAnswer answer = ask(replica, {0, channel.next() - 2, {}});
  REQUIRE(answer.generation != nullptr);
  // Another one may have been written while the channel went on.
  CHECK(answer.generation->sequence >= first && answer.generation->sequence <= channel.next() - 2);
  book::Replica loaded(channel_limits(), nullptr);
  CHECK_EQUAL(load(answer.generation->bytes, loaded, 7), "");
  CHECK_EQUAL(loaded.sequence(), answer.generation->sequence);
  replica.stop();
  // What it left is where another one begins.
  run::CheckpointFiles files(scratch / "checkpoints", 2);
  CHECK(!files.newest(7, ~std::uint64_t{0}).empty());
  CHECK(files.newest(8, ~std::uint64_t{0}).empty());
  CHECK(files.newest(7, 10).empty());
}

TEST(checkpointsThatCannotBeWrittenAreCountedAndHarmNobody) {
  const ScratchFolder scratch;
  write_file(scratch / "file", {1});
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  auto options = options_of(channel);
  options.checkpoint_ns = 1'000'000;
  ReplicaThread replica(options, nullptr, std::make_unique<run::CheckpointFiles>(scratch / "file/checkpoints", 2));
  replica.start();
  channel.take(500);
  REQUIRE(wait_until([&] { return replica.counters().get(ReplicaCounter::checkpoints_failed) > 0; }));
  CHECK(ask(replica).generation != nullptr);
}

TEST(snapshotLoopSendsWholeGenerationsAtItsPace) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(3'000);
  auto options = options_of(channel);
  options.age_ns = 0;
  options.loop.emplace();
  options.loop->address = fresh_line();
  options.loop_bytes_per_second = 400'000;
  io::ReceiverOptions receiver_options;
  receiver_options.address = options.loop->address;
  io::UdpReceiver receiver(receiver_options);
  ReplicaThread replica(options, nullptr, nullptr);
  const auto start = std::chrono::steady_clock::now();
  replica.start();
  encode::SnapshotAssembler assembler({});
  assembler.reset(7);
  std::uint64_t bytes = 0;
  REQUIRE(wait_until([&] {
    receiver.receive([&](std::span<const std::uint8_t> datagram) {
      encode::PacketView view;
      REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
      bytes += datagram.size();
      assembler.offer(view);
    });
    return assembler.complete() && replica.counters().get(ReplicaCounter::loop_rounds) >= 1;
  }));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(assembler.verify());
  book::Replica loaded(channel_limits(), nullptr);
  CHECK(assembler.load_into(loaded) == book::SnapshotRefusal::none);
  CHECK_EQUAL(loaded.book().digest(), channel.book().digest());
  // Never faster than told, but for the burst that it may catch up with.
  const auto sent = static_cast<double>(replica.counters().get(ReplicaCounter::loop_bytes));
  CHECK(sent <= (took.count() + 0.1) * 400'000 + 20'000);
  CHECK(bytes > 0);
}

TEST(replicaThreadStandsBesideARunningPublisher) {
  run::PublisherOptions publisher_settings = publisher_options();
  run::Publisher publisher(publisher_settings, nullptr);
  run::ReplicaOptions options;
  options.ring = {publisher.ring_memory().data(), publisher.ring_memory().bytes(), {}};
  options.limits = publisher_settings.limits;
  options.channel = publisher_settings.channel;
  options.age_ns = 0;
  ReplicaThread replica(options, nullptr, nullptr);
  replica.start();
  publisher.start();
  const auto source = simulated(publisher, small_flow(seed(), work(200'000)));
  source->start();
  std::uint64_t taken = 0;
  while (figure(publisher, run::PublisherCounter::sequence) < 100) std::this_thread::yield();
  while (taken < 20) {
    const SnapshotAnswer answer = ask(replica);
    if (answer.generation == nullptr) continue;  // lapped, on a machine that is busy elsewhere
    book::Replica loaded(channel_limits(), nullptr);
    CHECK_EQUAL(load(answer.generation->bytes, loaded, publisher_settings.session), "");
    ++taken;
  }
  source->join();
  publisher.join();
  REQUIRE(wait_until([&] {
    return replica.counters().get(ReplicaCounter::sequence) == figure(publisher, run::PublisherCounter::sequence);
  }));
  CHECK_EQUAL(replica.counters().get(ReplicaCounter::digest), figure(publisher, run::PublisherCounter::digest));
  CHECK(replica.counters().get(ReplicaCounter::digests_checked) > 0);
  CHECK_EQUAL(replica.counters().get(ReplicaCounter::mismatched), 0U);
}

TEST(replicaThreadStopsWithRequestsStillWaiting) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  channel.take(100);
  auto count = std::make_shared<std::atomic<int>>(0);
  for (int round = 0; round < 20; ++round) {
    ReplicaThread replica(options_of(channel), nullptr, nullptr);
    replica.start();
    for (int index = 0; index < 50; ++index) {
      replica.request_snapshot({channel.next() + 5, 0, {}}, [count](SnapshotAnswer&&) { ++*count; });
    }
    replica.stop();
    replica.stop();
  }
  CHECK_EQUAL(run::replica_counter_names().size(), run::Counters<ReplicaCounter>::size);
}

TEST(journalFolderServesArchiveAndReplica) {
  const ScratchFolder scratch;
  run::JournalPast nothing(scratch / "journal");
  CHECK_EQUAL(nothing.oldest(7), 0U);
  CHECK(!nothing.seek(7, 1));
  CHECK(run::journal_past("") == nullptr);
}

}  // namespace
}  // namespace depthcast::test

#include "run/ring_followers.h"

#include <chrono>
#include <memory>
#include <thread>

#include "run/state_folder.h"
#include "test/run_channel.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::FollowerPatience;
using run::RingFollowers;

TEST(ringFollowersTellTheSlowest) {
  RingFollowers followers;
  CHECK_EQUAL(followers.slowest(), RingFollowers::nobody);
  followers.reached(RingFollowers::Place::replica, 500);
  CHECK_EQUAL(followers.slowest(), 500U);
  followers.reached(RingFollowers::Place::journal, 300);
  CHECK_EQUAL(followers.slowest(), 300U);
  followers.leave(RingFollowers::Place::journal);
  CHECK_EQUAL(followers.slowest(), 500U);
  followers.leave(RingFollowers::Place::replica);
  CHECK_EQUAL(followers.slowest(), RingFollowers::nobody);
}

TEST(ringFollowerIsWaitedForAsLongAsItMoves) {
  constexpr std::int64_t second = 1'000'000'000;
  FollowerPatience patience;
  CHECK(!patience.waits(RingFollowers::nobody, 10'000, 100, 1));
  CHECK(!patience.waits(900, 1'000, 100, 1));
  CHECK(!patience.waits(1'001, 1'000, 100, 1));
  CHECK(patience.waits(899, 1'000, 100, 1));
  CHECK(patience.waits(899, 1'000, 100, second));
  CHECK(patience.waits(900, 1'001, 100, second + 1));  // it has moved
  CHECK(patience.waits(900, 1'001, 100, 2 * second));
  CHECK(!patience.waits(900, 1'001, 100, 2 * second + 1));  // not for a second
  CHECK(!patience.waits(900, 5'000, 100, 9 * second));
  CHECK(patience.waits(901, 5'000, 100, 9 * second));  // it lives
  CHECK(!patience.waits(4'950, 5'000, 100, 9 * second));
  CHECK(patience.waits(901, 5'100, 100, 20 * second));
}

TEST(theJournalIsWaitedForFromItsStartThoughItsThreadHasNotHadATurn) {
  const ScratchFolder folder("/dev/shm");
  run::Publisher publisher(publisher_options(), {});
  run::JournalOptions journaled;
  journaled.folder = folder / "journal";
  journaled.followers = &publisher.followers();
  run::JournalWriter journal(journaled, publisher.ring_memory().data(), publisher.ring_memory().bytes());
  CHECK_EQUAL(publisher.followers().slowest(), RingFollowers::nobody);
  journal.start();
  CHECK(publisher.followers().slowest() != RingFollowers::nobody);
  journal.stop();
  CHECK_EQUAL(publisher.followers().slowest(), RingFollowers::nobody);
}

// A disk that takes its time.
class SlowStorage final : public io::Storage {
 public:
  std::ptrdiff_t write(int file, const void* bytes, std::size_t size, std::uint64_t offset) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return io::Storage::write(file, bytes, size, offset);
  }
};

TEST(sourceWithoutAScheduleLetsTheJournalKeepUp) {
  const ScratchFolder folder("/dev/shm");
  SlowStorage storage;
  run::PublisherOptions options = publisher_options();
  options.ring_bytes = std::size_t{1} << 20;
  run::Publisher publisher(options, {});
  run::JournalOptions journaled;
  journaled.folder = folder / "journal";
  journaled.fsync = run::FsyncPolicy::never;
  journaled.storage = &storage;
  journaled.followers = &publisher.followers();
  run::JournalWriter journal(journaled, publisher.ring_memory().data(), publisher.ring_memory().bytes());
  const auto source = simulated(publisher, small_flow(seed(), 100'000));  // more than four rings
  journal.start();
  publisher.start();
  source->start();
  source->join();
  publisher.join();
  journal.stop();
  CHECK_EQUAL(journal.counters().get(static_cast<std::size_t>(run::JournalCounter::holes)), 0U);
  CHECK_EQUAL(journal.counters().get(static_cast<std::size_t>(run::JournalCounter::sequence)),
              figure(publisher, run::PublisherCounter::sequence));
  CHECK(figure(publisher, run::PublisherCounter::sequence) > 100'000);
}

}  // namespace
}  // namespace depthcast::test

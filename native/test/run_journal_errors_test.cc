// A disk that is full or broken: the feed goes on, the operator is told, and what is lost is named.
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "run/journal_tools.h"
#include "test/journal_scratch.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::JournalCounter;
using run::JournalWriter;

const std::atomic<bool> go_on{false};

// Fails as it is told, deterministically. Set before, or from another thread while, it is used.
class FaultyStorage final : public io::Storage {
 public:
  std::atomic<std::uint64_t> bytes_free{std::numeric_limits<std::uint64_t>::max()};
  std::atomic<int> sync_errors{0};  // how many more syncs fail
  std::atomic<bool> read_only{false};
  std::atomic<bool> no_rewriting{false};
  std::uint64_t drop_from = 0;  // a sync that fails drops the file's bytes from there on; 0: none
  bool index_full = false;

  int create(const std::string& path) override {
    if (read_only.load() || (no_rewriting.load() && path.find("rewrite.tmp") != std::string::npos)) {
      errno = EROFS;
      return -1;
    }
    const int file = Storage::create(path);
    if (path.ends_with(".dci")) index_file_ = file;
    return file;
  }
  std::ptrdiff_t write(int file, const void* bytes, std::size_t size, std::uint64_t offset) override {
    const std::uint64_t free = index_full && file == index_file_ ? 0 : bytes_free.load();
    if (free == 0) {
      errno = ENOSPC;
      return -1;
    }
    // As much as there is room for, as a file system does.
    const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, free));
    if (free != std::numeric_limits<std::uint64_t>::max()) bytes_free.store(free - taken);
    return Storage::write(file, bytes, taken, offset);
  }
  int sync(int file) override {
    if (sync_errors.load() == 0) return Storage::sync(file);
    sync_errors.fetch_sub(1);
    if (drop_from != 0) drop(file);
    errno = EIO;
    return -1;
  }

 private:
  void drop(int file) {
    struct stat status {};
    if (fstat(file, &status) != 0) return;
    const std::vector<std::uint8_t> zeros(static_cast<std::size_t>(status.st_size) - drop_from);
    static_cast<void>(io::write_all(Storage::system(), file, zeros.data(), zeros.size(), drop_from));
  }

  int index_file_ = -1;
};

std::uint64_t faults(const std::string& folder) {
  return run::verify_journal(run::journal_places(folder), go_on).faults_total;
}

TEST(journalLosesNothingWhereADiskIsFullForLessThanTheRingHolds) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  FaultyStorage storage;
  run::JournalOptions options = journal_options(folder / "journal");
  options.storage = &storage;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  ring.write(packets.numbered(2));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) == 2; }));
  storage.bytes_free.store(100);  // part of a record
  ring.write(packets.numbered(3));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::write_errors) >= 2; }));
  CHECK_EQUAL(figure(writer, JournalCounter::failing), 1U);
  CHECK_EQUAL(figure(writer, JournalCounter::last_error), static_cast<std::uint64_t>(ENOSPC));
  CHECK_EQUAL(told(folder / "journal"), "1-2");
  ring.write(packets.numbered(4));
  storage.bytes_free.store(std::numeric_limits<std::uint64_t>::max());
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) == 9; }));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::failing) == 0; }));
  writer.stop();
  CHECK_EQUAL(told(folder / "journal"), "1-2 3-5 6-9");
  CHECK_EQUAL(figure(writer, JournalCounter::missing_messages), 0U);
  CHECK_EQUAL(run::list_segments(folder / "journal").size(), 2U);
  CHECK_EQUAL(faults(folder / "journal"), 0U);
}

TEST(journalRecordsAHoleWhereADiskIsFullForLonger) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring(1 << 16);
  FaultyStorage storage;
  run::JournalOptions options = journal_options(folder / "journal");
  options.storage = &storage;
  options.batch_bytes = 4'096;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  ring.write(packets.numbered(2));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) == 2; }));
  storage.bytes_free.store(0);
  ring.write(packets.numbered(1));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::failing) == 1; }));
  for (int count = 0; count < 400; ++count) ring.write(packets.numbered(5));
  storage.bytes_free.store(std::numeric_limits<std::uint64_t>::max());
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) == 2'003; }));
  writer.stop();
  CHECK_EQUAL(faults(folder / "journal"), 0U);
  const auto verification = run::verify_journal(run::journal_places(folder / "journal"), go_on);
  // More than one where the ring came round while a batch was being filled.
  CHECK(!verification.holes.empty());
  std::uint64_t missing = 0;
  for (const auto& found : verification.holes) {
    CHECK(found.hole.reason == journal::HoleReason::write_error);
    missing += found.hole.last - found.hole.first + 1;
  }
  CHECK_EQUAL(figure(writer, JournalCounter::missing_messages), missing);
  CHECK_EQUAL(verification.messages + missing, 2'003U);
}

TEST(journalBeginsANewSegmentWhereFsyncFails) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  FaultyStorage storage;
  run::JournalOptions options = journal_options(folder / "journal");
  options.storage = &storage;
  options.fsync = run::FsyncPolicy::every_batch;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  ring.write(packets.numbered(1));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence_durable) == 1; }));
  storage.sync_errors.store(1);
  ring.write(packets.numbered(1));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::write_errors) == 1; }));
  CHECK_EQUAL(figure(writer, JournalCounter::last_error), static_cast<std::uint64_t>(EIO));
  ring.write(packets.numbered(1));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence_durable) == 3; }));
  writer.stop();
  CHECK_EQUAL(told(folder / "journal"), "1 2 3");
  CHECK_EQUAL(run::list_segments(folder / "journal").size(), 2U);
  CHECK_EQUAL(faults(folder / "journal"), 0U);
}

// A journal of which packet 1 is durable, and an fsync of packet 2 has failed.
struct FailedSync {
  explicit FailedSync(run::FsyncPolicy policy = run::FsyncPolicy::every_batch) {
    options.storage = &storage;
    options.fsync = policy;
    options.fsync_ns = 1'000'000;
    writer.emplace(options, ring.data(), ring.size());
    writer->start();
    ring.write(packets.numbered(1));
    CHECK(wait_until([&] { return durable() == 1; }));
    storage.drop_from = std::filesystem::file_size(first_segment(options.folder));
  }

  void fail() {
    storage.sync_errors.store(1);
    ring.write(packets.numbered(1));
    CHECK(wait_until([&] { return figure(*writer, JournalCounter::write_errors) >= 1; }));
  }
  std::uint64_t durable() const { return figure(*writer, JournalCounter::sequence_durable); }

  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  FaultyStorage storage;
  run::JournalOptions options = journal_options(folder / "journal");
  std::optional<JournalWriter> writer;
};

TEST(journalCallsNothingDurableBehindAFailedFsyncUntilThatIsWrittenAnew) {
  for (const run::FsyncPolicy policy : {run::FsyncPolicy::every_batch, run::FsyncPolicy::interval}) {
    FailedSync failed(policy);
    failed.storage.drop_from = 0;
    failed.storage.no_rewriting.store(true);
    failed.fail();
    const std::uint64_t synced = figure(*failed.writer, JournalCounter::fsyncs);
    failed.ring.write(failed.packets.numbered(1));
    CHECK(wait_until([&] { return figure(*failed.writer, JournalCounter::fsyncs) > synced; }));
    CHECK(wait_until([&] { return figure(*failed.writer, JournalCounter::write_errors) >= 3; }));  // of rewriting
    CHECK_EQUAL(failed.durable(), 1U);
    CHECK_EQUAL(figure(*failed.writer, JournalCounter::unsynced_segments), 1U);
    failed.storage.no_rewriting.store(false);
    CHECK(wait_until([&] { return failed.durable() == 3; }));
    CHECK_EQUAL(figure(*failed.writer, JournalCounter::unsynced_segments), 0U);
    CHECK_EQUAL(figure(*failed.writer, JournalCounter::segments_rewritten), 1U);
    failed.writer->stop();
    CHECK_EQUAL(told(failed.options.folder), "1 2 3");
    CHECK_EQUAL(faults(failed.options.folder), 0U);
  }
}

TEST(journalRecordsAsMissingWhatTheSystemDroppedAfterAFailedFsync) {
  FailedSync failed;
  failed.fail();
  failed.ring.write(failed.packets.numbered(1));
  CHECK(wait_until([&] { return failed.durable() == 3; }));
  failed.writer->stop();
  CHECK_EQUAL(told(failed.options.folder), "1 hole 2 3");
  CHECK_EQUAL(figure(*failed.writer, JournalCounter::missing_messages), 1U);
  const auto verification = run::verify_journal(run::journal_places(failed.options.folder), go_on);
  CHECK_EQUAL(verification.faults_total, 0U);
  REQUIRE_EQUAL(verification.holes.size(), 1U);
  CHECK(verification.holes[0].hole.reason == journal::HoleReason::write_error);
}

// Nothing follows the failed segment, or the disk takes it only after a restart.
TEST(journalKnowsOfAFailedFsyncAfterARestart) {
  for (const bool followed : {false, true}) {
    FailedSync failed;
    failed.storage.drop_from = 0;
    failed.storage.no_rewriting.store(true);
    failed.fail();
    if (followed) {
      failed.ring.write(failed.packets.numbered(1));
      CHECK(wait_until([&] { return figure(*failed.writer, JournalCounter::sequence) == 3; }));
    }
    failed.writer->stop();
    CHECK_EQUAL(failed.durable(), 1U);
    const std::uint64_t last = followed ? 3 : 2;
    failed.options.resume = true;
    failed.writer.reset();
    failed.writer.emplace(failed.options, failed.ring.data(), failed.ring.size());
    failed.writer->start();
    CHECK(wait_until([&] { return figure(*failed.writer, JournalCounter::write_errors) >= 1; }));
    CHECK(failed.durable() < 2);
    failed.storage.no_rewriting.store(false);
    CHECK(wait_until([&] { return failed.durable() == last; }));
    failed.ring.write(failed.packets.numbered(1));
    CHECK(wait_until([&] { return failed.durable() == last + 1; }));
    failed.writer->stop();
    CHECK_EQUAL(told(failed.options.folder), followed ? "1 2 3 4" : "1 2 3");
    CHECK_EQUAL(faults(failed.options.folder), 0U);
  }
}

TEST(journalGivesUpAtItsEndWhatItCannotWrite) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  FaultyStorage storage;
  run::JournalOptions options = journal_options(folder / "journal");
  options.storage = &storage;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  storage.read_only.store(true);
  ring.write(packets.numbered(7));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::failing) == 1; }));
  writer.stop();
  CHECK_EQUAL(figure(writer, JournalCounter::missing_messages), 7U);
  CHECK_EQUAL(figure(writer, JournalCounter::last_error), static_cast<std::uint64_t>(EROFS));
  CHECK_THROWS(
      [&] {
        JournalWriter other(options, nullptr, 0);
        other.append(JournalPackets().numbered(1));
        other.flush();
      }(),
      std::system_error, "write the journal");
}

TEST(journalGoesOnWithoutAnIndexThatCannotBeWritten) {
  const ScratchFolder folder;
  JournalPackets packets;
  FaultyStorage storage;
  storage.index_full = true;
  run::JournalOptions options = journal_options(folder / "journal");
  options.storage = &storage;
  JournalWriter writer(options, nullptr, 0);
  for (int count = 0; count < 1'000; ++count) writer.append(packets.numbered(3));
  writer.stop();
  CHECK_EQUAL(figure(writer, JournalCounter::write_errors), 1U);
  CHECK_EQUAL(figure(writer, JournalCounter::messages), 3'000U);
  CHECK(run::list_indexes(folder / "journal").empty());
  run::JournalReader reader(folder / "journal");
  CHECK(reader.seek(journal_session, 2'500));
  CHECK_EQUAL(faults(folder / "journal"), 1U);
  REQUIRE_EQUAL(run::repair_journal(run::journal_places(folder / "journal"), true, go_on).size(), 1U);
  CHECK_EQUAL(faults(folder / "journal"), 0U);
}

TEST(journalIsReadWhileItIsWritten) {
  const ScratchFolder folder;
  JournalRing ring;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_bytes = 50'000;
  options.batch_bytes = 3'000;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  const std::uint64_t wanted = work(20'000);
  std::atomic<std::uint64_t> read_upto{0};  // figures only
  std::string problem;
  std::thread follower([&] {
    run::JournalReader reader(folder / "journal");
    run::JournalRecord record;
    while (!reader.seek(journal_session, 1)) std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t next = 1;
    while (next <= wanted && problem.empty()) {
      const run::JournalRead read = reader.next(record);
      if (read == run::JournalRead::end) {
        if (std::chrono::steady_clock::now() - start > std::chrono::seconds(60)) problem = "nothing more came";
        std::this_thread::yield();
        continue;
      }
      if (read == run::JournalRead::damaged) problem = "damaged at " + std::to_string(record.offset);
      if (record.first_sequence != next) problem = "wrong number after " + std::to_string(next);
      next = record.last_sequence + 1;
      read_upto.store(next, std::memory_order_relaxed);
    }
  });
  JournalPackets packets;
  while (packets.next() <= wanted) {
    // Not lapped: the reader's work is the matter here.
    CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) + 3'000 > packets.next(); }));
    ring.write(packets.numbered(1 + static_cast<std::uint32_t>(packets.next() % 9)));
  }
  follower.join();
  CHECK_EQUAL(problem, "");
  writer.stop();
  CHECK(figure(writer, JournalCounter::segments) > 1);
  CHECK_EQUAL(faults(folder / "journal"), 0U);
}

}  // namespace
}  // namespace depthcast::test

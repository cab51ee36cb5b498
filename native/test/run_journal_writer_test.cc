#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

#include "run/journal_retention.h"
#include "test/journal_scratch.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::JournalCounter;
using run::JournalRead;
using run::JournalReader;
using run::JournalRecord;
using run::JournalWriter;

TEST(journalGivesBackTheVeryDatagramsThatWereAppended) {
  const ScratchFolder folder;
  JournalPackets packets;
  std::vector<Datagram> sent;
  {
    JournalWriter writer(journal_options(folder / "journal"), nullptr, 0);
    for (std::uint32_t count = 1; count <= 20; ++count) {
      sent.push_back(packets.numbered(count));
      writer.append(sent.back());
    }
    writer.flush();
    CHECK_EQUAL(figure(writer, JournalCounter::messages), 210U);
    CHECK_EQUAL(figure(writer, JournalCounter::sequence), 210U);
  }
  JournalReader reader(folder / "journal");
  REQUIRE(reader.seek_oldest(journal_session));
  JournalRecord record;
  for (const Datagram& datagram : sent) {
    REQUIRE(reader.next(record) == JournalRead::packet);
    CHECK(std::equal(record.datagram.begin(), record.datagram.end(), datagram.begin(), datagram.end()));
  }
  CHECK(reader.next(record) == JournalRead::end);
  const auto sessions = reader.sessions();
  REQUIRE_EQUAL(sessions.size(), 1U);
  CHECK_EQUAL(sessions[0].session, journal_session);
  CHECK_EQUAL(sessions[0].first_sequence, 1U);
  CHECK_EQUAL(sessions[0].next_sequence, 211U);
  CHECK_EQUAL(sessions[0].first_time_ns, journal_time_ns + 1'000'000);
  CHECK_EQUAL(sessions[0].last_time_ns, journal_time_ns + 210'000'000);
  CHECK_EQUAL(sessions[0].identity, 9U);
  CHECK(sessions[0].closed);
}

TEST(journalKeepsHeartbeatsOnlyWhereTheyTellSomethingNew) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalWriter writer(journal_options(folder / "journal"), nullptr, 0);
  writer.append(packets.heartbeat(1));
  writer.append(packets.heartbeat(1));
  writer.append(packets.numbered(2));
  writer.append(packets.heartbeat(5));
  writer.append(packets.heartbeat(5));
  writer.append(packets.heartbeat(6));
  writer.append(packets.heartbeat(6, true));
  writer.append(packets.heartbeat(6, true));
  writer.stop();
  CHECK_EQUAL(told(folder / "journal"), "heartbeat(1) 1-2 heartbeat(3) heartbeat(3) heartbeat(3)");
}

TEST(journalRefusesWhatIsNotOfItsSession) {
  const ScratchFolder folder;
  JournalWriter writer(journal_options(folder / "journal"), nullptr, 0);
  JournalPackets other(journal_session + 1);
  CHECK_THROWS(writer.append(other.numbered()), std::invalid_argument, "no packet of this");
  Datagram damaged = JournalPackets().numbered();
  damaged[40] ^= 1;
  CHECK_THROWS(writer.append(damaged), std::invalid_argument, "no packet of this");
  CHECK_EQUAL(figure(writer, JournalCounter::refused), 2U);
  writer.stop();
  CHECK_EQUAL(run::list_segments(folder / "journal").size(), 0U);
}

TEST(journalWithoutRecordsLeavesNoFile) {
  const ScratchFolder folder;
  { JournalWriter writer(journal_options(folder / "journal"), nullptr, 0); }
  CHECK(std::filesystem::is_empty(folder / "journal"));
  JournalReader reader(folder / "journal");
  CHECK_EQUAL(reader.sessions().size(), 0U);
  CHECK(!reader.seek(journal_session, 1));
  JournalReader missing(folder / "nowhere");
  CHECK_EQUAL(missing.sessions().size(), 0U);
}

TEST(journalGoesOnInANewSegmentWhenOneIsFull) {
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_bytes = 8'000;
  options.batch_bytes = 20'000;
  JournalWriter writer(options, nullptr, 0);
  for (int count = 0; count < 100; ++count) writer.append(packets.numbered(3));
  writer.stop();
  const auto segments = run::list_segments(folder / "journal");
  CHECK(segments.size() > 3);
  for (const run::SegmentFile& segment : segments) CHECK(segment.bytes <= 8'000);
  CHECK_EQUAL(figure(writer, JournalCounter::segments), segments.size());
  JournalReader reader(folder / "journal");
  for (std::uint64_t sequence = 1; sequence <= 300; ++sequence) {
    REQUIRE(reader.seek(journal_session, sequence));
    JournalRecord record;
    REQUIRE(reader.next(record) == JournalRead::packet);
    CHECK_EQUAL(record.first_sequence, (sequence - 1) / 3 * 3 + 1);
    CHECK_EQUAL(record.last_sequence, record.first_sequence + 2);
  }
  CHECK(reader.seek(journal_session, 301));
  CHECK(!reader.seek(journal_session, 302));
  CHECK(!reader.seek(journal_session + 1, 1));
}

TEST(journalGoesOnInANewSegmentWhenOneIsOld) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_ns = 1'000'000;
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  std::string expected;
  CHECK(wait_until([&] {
    ring.write(packets.numbered());
    expected += (expected.empty() ? "" : " ") + std::to_string(packets.next() - 1);
    return figure(writer, JournalCounter::segments) >= 3;
  }));
  writer.stop();
  CHECK_EQUAL(told(folder / "journal"), expected);
}

TEST(journalSeeksByEventTime) {
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_bytes = 200'000;
  JournalWriter writer(options, nullptr, 0);
  for (int count = 0; count < 1'000; ++count) writer.append(packets.numbered(10));
  writer.stop();
  CHECK(run::list_segments(folder / "journal").size() > 2);
  JournalReader reader(folder / "journal");
  JournalRecord record;
  for (const std::uint64_t sequence : {1U, 10U, 11U, 500U, 4'321U, 10'000U}) {
    REQUIRE(reader.seek_time(journal_session, journal_time_ns + static_cast<std::int64_t>(sequence) * 1'000'000));
    REQUIRE(reader.next(record) == JournalRead::packet);
    CHECK_EQUAL(record.first_sequence, (sequence - 1) / 10 * 10 + 1);
  }
  CHECK(reader.seek_time(journal_session, 0));
  CHECK(!reader.seek_time(journal_session, journal_time_ns + 10'001'000'000));
}

TEST(journalWritesWhatTheRingHolds) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring;
  run::JournalOptions options = journal_options(folder / "journal");
  options.fsync = run::FsyncPolicy::every_batch;
  ring.write(packets.numbered(2));  // before the writer is there
  JournalWriter writer(options, ring.data(), ring.size());
  writer.start();
  ring.write(packets.numbered(3));
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence_durable) == 5; }));
  CHECK(figure(writer, JournalCounter::fsyncs) >= 1);
  JournalReader reader(folder / "journal");
  REQUIRE(reader.seek_oldest(journal_session));
  CHECK_EQUAL(told(reader), "1-2 3-5");
  ring.write(packets.numbered(1));
  writer.stop();
  CHECK_EQUAL(told(reader), "6");
  writer.stop();
}

TEST(journalRecordsAsAHoleExactlyWhatTheRingOverwrote) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalRing ring(1 << 16);
  run::JournalOptions options = journal_options(folder / "journal");
  JournalWriter writer(options, ring.data(), ring.size());
  writer.append(packets.numbered(4));
  for (int count = 0; count < 400; ++count) ring.write(packets.numbered(5));
  writer.start();
  CHECK(wait_until([&] { return figure(writer, JournalCounter::sequence) == 2'004; }));
  writer.stop();
  JournalReader reader(folder / "journal");
  REQUIRE(reader.seek_oldest(journal_session));
  JournalRecord record;
  REQUIRE(reader.next(record) == JournalRead::packet);
  REQUIRE(reader.next(record) == JournalRead::hole);
  CHECK_EQUAL(record.first_sequence, 5U);
  CHECK(record.reason == journal::HoleReason::lapped);
  const std::uint64_t last = record.last_sequence;
  CHECK_EQUAL(figure(writer, JournalCounter::missing_messages), last - 4);
  CHECK_EQUAL(figure(writer, JournalCounter::holes), 1U);
  REQUIRE(reader.next(record) == JournalRead::packet);
  CHECK_EQUAL(record.first_sequence, last + 1);
  // A number of the hole is found as one.
  REQUIRE(reader.seek(journal_session, 7));
  CHECK(reader.next(record) == JournalRead::hole);
}

TEST(journalNamesAsMissingWhatNeverCame) {
  const ScratchFolder folder;
  JournalPackets packets;
  JournalWriter writer(journal_options(folder / "journal"), nullptr, 0);
  packets.skip(4);
  writer.append(packets.numbered(2));
  packets.skip(10);
  writer.append(packets.heartbeat(3));
  writer.append(packets.numbered(1));
  writer.stop();
  CHECK_EQUAL(told(folder / "journal"), "hole 1-4 5-6 hole 7-16 heartbeat(17) 17");
}

TEST(journalGoesOnBehindItsLastRecord) {
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  std::vector<std::uint8_t> open_segment;
  {
    JournalWriter writer(options, nullptr, 0);
    writer.append(packets.numbered(3));
    writer.append(packets.numbered(2));
    writer.flush();
    open_segment = read_file(first_segment(folder / "journal"));
  }
  // As kill -9 leaves it: without an end record.
  write_file(first_segment(folder / "journal"), open_segment);
  options.resume = true;
  {
    JournalWriter writer(options, nullptr, 0);
    CHECK_EQUAL(writer.next_sequence(), 6U);
    CHECK_EQUAL(writer.bytes_cut(), 0U);
    writer.append(JournalPackets().numbered(3));  // the ring's tail holds what stands there already
    writer.append(packets.numbered(4));
  }
  CHECK_EQUAL(told(folder / "journal"), "1-3 4-5 6-9");
  CHECK_EQUAL(run::list_segments(folder / "journal").size(), 1U);
  // After an end record a new segment begins.
  {
    JournalWriter writer(options, nullptr, 0);
    CHECK_EQUAL(writer.next_sequence(), 10U);
    writer.append(packets.numbered(1));
  }
  CHECK_EQUAL(told(folder / "journal"), "1-3 4-5 6-9 10");
  CHECK_EQUAL(run::list_segments(folder / "journal").size(), 2U);
  options.identity = 10;
  CHECK_THROWS(JournalWriter(options, nullptr, 0), std::runtime_error, "another channel or identity");
}

// An engine whose events are all refused after a restart waits for this: nothing new comes that could bring it.
TEST(journalKnowsAfterResumingThatWhatItClosedIsDurable) {
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  {
    JournalWriter writer(options, nullptr, 0);
    writer.append(packets.numbered(5));
  }
  options.resume = true;
  {
    const JournalWriter writer(options, nullptr, 0);
    CHECK_EQUAL(figure(writer, JournalCounter::sequence), 5U);
    CHECK_EQUAL(figure(writer, JournalCounter::sequence_durable), 0U);  // nobody asks
  }
  options.fsync = run::FsyncPolicy::every_batch;
  const JournalWriter writer(options, nullptr, 0);
  CHECK_EQUAL(figure(writer, JournalCounter::sequence_durable), 5U);
}

// Who closed them asked for no fsync: the last one on the disk says nothing of those before it.
TEST(journalSyncsAllThatWasClosedBeforeItSaysThatItIsDurable) {
  class NotingStorage final : public io::Storage {
   public:
    int open(const std::string& path) override {
      const int file = Storage::open(path);
      paths_[file] = path;
      return file;
    }
    int sync(int file) override {
      synced.insert(paths_[file]);
      return Storage::sync(file);
    }
    std::set<std::string> synced;

   private:
    std::map<int, std::string> paths_;
  };
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_bytes = 4'000;
  options.batch_bytes = 4'000;
  {
    JournalWriter writer(options, nullptr, 0);
    for (int count = 0; count < 100; ++count) writer.append(packets.numbered(2));
  }
  const auto segments = run::list_segments(folder / "journal");
  REQUIRE(segments.size() > 2);
  NotingStorage storage;
  options.storage = &storage;
  options.resume = true;
  options.fsync = run::FsyncPolicy::every_batch;
  const JournalWriter writer(options, nullptr, 0);
  CHECK_EQUAL(figure(writer, JournalCounter::sequence_durable), 200U);
  CHECK_EQUAL(storage.synced.size(), segments.size());
}

TEST(journalRemovesOldSegmentsButNeverTheNewest) {
  const ScratchFolder folder;
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder / "journal");
  options.segment_bytes = 4'000;
  options.retain_bytes = 10'000;
  options.batch_bytes = 4'000;
  JournalWriter writer(options, nullptr, 0);
  for (int count = 0; count < 200; ++count) writer.append(packets.numbered(2));
  writer.stop();
  const auto segments = run::list_segments(folder / "journal");
  std::uint64_t bytes = 0;
  for (const run::SegmentFile& segment : segments) bytes += segment.bytes;
  CHECK(bytes <= 14'000);
  CHECK(!segments.empty());
  CHECK_EQUAL(figure(writer, JournalCounter::segments) - segments.size(),
              figure(writer, JournalCounter::segments_removed));
  CHECK_EQUAL(run::list_indexes(folder / "journal").size(), segments.size());
  JournalReader reader(folder / "journal");
  CHECK(reader.oldest_sequence(journal_session) > 1);
  CHECK(!reader.seek(journal_session, 1));
  CHECK(reader.seek(journal_session, 400));
  run::Retention all;
  all.retain_bytes = 1;
  CHECK_EQUAL(run::segments_to_remove(folder / "journal", all, 0).size(), segments.size() - 1);
  run::Retention before;
  before.before_sequence = reader.oldest_sequence(journal_session);
  CHECK_EQUAL(run::segments_to_remove(folder / "journal", before, 0).size(), 0U);
  before.before_sequence = 400;
  CHECK_EQUAL(run::segments_to_remove(folder / "journal", before, 0).size(), segments.size() - 1);
}

}  // namespace
}  // namespace depthcast::test

// What a power cut, a kill or a bad disk can do to a journal, and that all of it is seen.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>

#include "run/checkpoint_file.h"
#include "run/journal_tools.h"
#include "test/journal_scratch.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

const std::atomic<bool> go_on{false};

// Every byte, every bit; under a sanitizer, where it takes long, one in so many.
constexpr std::size_t byte_step = sanitized ? 5 : 1;
constexpr std::size_t bit_step = sanitized ? 13 : 1;

run::JournalVerification verify(const std::string& folder) {
  return run::verify_journal(run::journal_places(folder), go_on);
}

std::string faults_of(const run::JournalVerification& verification) {
  std::string text;
  for (const run::JournalFault& fault : verification.faults) {
    text += fault.file + '@' + std::to_string(fault.offset) + ' ' + fault.fault + '\n';
  }
  return text;
}

// For tests with thousands of small files.
class QuickStorage final : public io::Storage {
 public:
  int sync(int) override { return 0; }
  int sync_folder(const std::string&) override { return 0; }
};

// A segment as kill -9 leaves it (`closed` false), and where its records begin.
struct Segment {
  Bytes bytes;
  Bytes index;
  std::vector<std::uint64_t> offsets;    // of the records
  std::vector<std::uint64_t> sequences;  // the last number of each
};

Segment make_segment(const std::string& folder, int records, bool closed, std::uint32_t messages = 2) {
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder);
  run::JournalWriter writer(options, nullptr, 0);
  Segment segment;
  for (int record = 0; record < records; ++record) {
    if (record == records / 2) packets.skip(3);
    segment.offsets.push_back(record == 0 ? sizeof(journal::SegmentHeader)
                                          : std::filesystem::file_size(first_segment(folder)));
    writer.append(packets.numbered(messages));
    writer.flush();
    segment.sequences.push_back(packets.next() - 1);
  }
  if (closed) writer.stop();
  segment.bytes = read_file(first_segment(folder));
  segment.index = read_file(first_index(folder));
  writer.stop();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return segment;
}

void put(const std::string& folder, const Segment& segment, const Bytes& bytes) {
  write_file(first_segment(folder), bytes);
  write_file(first_index(folder), segment.index);
}

// The number after the last whole record of the first `size` bytes.
std::uint64_t next_after(const Segment& segment, std::size_t size) {
  std::uint64_t next = 1;
  for (std::size_t record = 0; record < segment.offsets.size(); ++record) {
    const std::uint64_t end = record + 1 < segment.offsets.size() ? segment.offsets[record + 1] : segment.bytes.size();
    if (end <= size) next = segment.sequences[record] + 1;
  }
  return next;
}

TEST(journalCutAtAnyByteLosesOnlyTheRecordThatWasCut) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  const Segment segment = make_segment(folder, 6, false);
  run::JournalOptions options = journal_options(folder);
  options.resume = true;
  options.batch_bytes = 4'096;
  QuickStorage storage;
  options.storage = &storage;
  for (std::size_t size = 0; size <= segment.bytes.size(); size += byte_step) {
    put(folder, segment, Bytes(segment.bytes.begin(), segment.bytes.begin() + static_cast<std::ptrdiff_t>(size)));
    // The hole stands before its packet: cut between the two, it is whole and counts.
    std::uint64_t next = next_after(segment, size);
    run::JournalReader reader(folder);
    const std::string before = reader.seek_oldest(journal_session) ? told(reader) : "";
    CHECK(before.find("damaged") == std::string::npos);
    {
      run::JournalWriter writer(options, nullptr, 0);
      CHECK(writer.next_sequence() == next || writer.next_sequence() == next + 3);
      next = writer.next_sequence();
      JournalPackets packets(journal_session, next);
      writer.append(packets.numbered(1));
    }
    const std::string after = told(folder);
    CHECK(after == before + (before.empty() ? "" : " ") + std::to_string(next));
    const auto verification = verify(folder);
    if (verification.faults_total != 0) fail(__FILE__, __LINE__, std::to_string(size) + ": " + faults_of(verification));
    for (const auto& file : std::filesystem::directory_iterator(folder)) std::filesystem::remove(file);
  }
}

TEST(journalVerifyFindsEveryFlippedBitWithItsPlace) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  for (const bool closed : {true, false}) {
    const Segment segment = make_segment(folder, 3, closed, 1);
    put(folder, segment, segment.bytes);
    REQUIRE_EQUAL(verify(folder).faults_total, 0U);
    Bytes bytes = segment.bytes;
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += bit_step) {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
      write_file(first_segment(folder), bytes);
      bytes[bit / 8] = segment.bytes[bit / 8];
      const auto verification = verify(folder);
      // The offset is that of the header or record the bit stands in.
      const bool found =
          std::any_of(verification.faults.begin(), verification.faults.end(), [&](const run::JournalFault& fault) {
            return fault.file == run::segment_file_name({journal_session, 1}) && fault.offset <= bit / 8 &&
                   bit / 8 - fault.offset < 1'500;
          });
      if (!found) fail(__FILE__, __LINE__, "bit " + std::to_string(bit) + " of " + std::to_string(bytes.size() * 8));
    }
    write_file(first_segment(folder), segment.bytes);
    Bytes index = segment.index;
    for (std::size_t bit = 0; bit < index.size() * 8; bit += bit_step) {
      index[bit / 8] = static_cast<std::uint8_t>(index[bit / 8] ^ (1U << (bit % 8)));
      write_file(first_index(folder), index);
      index[bit / 8] = segment.index[bit / 8];
      const auto verification = verify(folder);
      REQUIRE_EQUAL(verification.faults_total, 1U);
      CHECK_EQUAL(verification.faults[0].file, run::index_file_name({journal_session, 1}));
      CHECK_EQUAL(verification.faults[0].offset, bit / 8);
    }
    std::filesystem::remove_all(folder);
  }
}

TEST(journalReaderGoesOnBehindAFlippedBitAndNamesWhatItTook) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  const Segment segment = make_segment(folder, 6, true);  // 1-2 3-4 5-6 hole 7-9 10-11 12-13 14-15
  Bytes bytes = segment.bytes;
  bytes[segment.offsets[1] + 60] ^= 4;
  bytes[segment.offsets[4] + 2] ^= 4;  // a length
  put(folder, segment, bytes);
  CHECK_EQUAL(told(folder), "1-2 damaged 3-4 5-6 hole 7-9 10-11 damaged 12-13 14-15");
  run::JournalReader reader(folder);
  run::JournalRecord record;
  REQUIRE(reader.seek(journal_session, 4));
  REQUIRE(reader.next(record) == run::JournalRead::damaged);
  CHECK_EQUAL(record.offset, segment.offsets[1]);
  CHECK_EQUAL(told(reader), "5-6 hole 7-9 10-11 damaged 12-13 14-15");
  REQUIRE(reader.seek(journal_session, 14));
  CHECK_EQUAL(told(reader), "14-15");
}

TEST(journalVerifySeesRecordsThatWereRemovedSwappedOrRepeated) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  const Segment segment = make_segment(folder, 6, true);
  const auto begin = [&](std::size_t record) {
    return segment.bytes.begin() + static_cast<std::ptrdiff_t>(segment.offsets[record]);
  };
  Bytes removed = segment.bytes;
  removed.erase(removed.begin() + (begin(1) - segment.bytes.begin()),
                removed.begin() + (begin(2) - segment.bytes.begin()));
  Bytes swapped = segment.bytes;
  std::swap_ranges(swapped.begin() + (begin(0) - segment.bytes.begin()),
                   swapped.begin() + (begin(1) - segment.bytes.begin()),
                   swapped.begin() + (begin(1) - segment.bytes.begin()));
  Bytes repeated = segment.bytes;
  repeated.insert(repeated.begin() + (begin(1) - segment.bytes.begin()), begin(0), begin(1));
  Bytes longer = segment.bytes;
  longer.push_back(0);
  for (const Bytes& bytes : {removed, swapped, repeated, longer}) {
    put(folder, segment, bytes);
    CHECK(verify(folder).faults_total > 0);
  }
}

TEST(journalSeesPagesThatAPowerCutDidNotKeep) {
  constexpr std::size_t page = 4'096;
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  const Segment segment = make_segment(folder, 120, false);
  const std::size_t pages = (segment.bytes.size() + page - 1) / page;
  REQUIRE(pages > 4);
  run::JournalOptions options = journal_options(folder);
  options.resume = true;
  Random random(seed());
  for (std::uint64_t round = 0; round < work(60); ++round) {
    // Any pages but the last never reached the disk: there are zeros, with sound pages behind them.
    Bytes bytes = segment.bytes;
    std::size_t first_lost = bytes.size();
    for (std::uint64_t lost = 1 + random.below(3); lost != 0; --lost) {
      const std::size_t at = static_cast<std::size_t>(random.below(pages - 1)) * page;
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + page),
                std::uint8_t{0});
      first_lost = std::min(first_lost, at);
    }
    put(folder, segment, bytes);
    const auto verification = verify(folder);
    CHECK(verification.faults_total > 0);
    if (first_lost != 0) {
      CHECK(told(folder).find("damaged") != std::string::npos);
      // Whoever goes on all the same keeps what stands whole before it, and what stood behind it aside.
      const std::uint64_t next = next_after(segment, first_lost);
      run::JournalWriter writer(options, nullptr, 0);
      CHECK(writer.next_sequence() == next || writer.next_sequence() == next + 3);
      writer.stop();
      CHECK(std::filesystem::exists(first_segment(folder) + ".cut"));
      CHECK_EQUAL(verify(folder).faults_total, 0U);
    } else {
      CHECK_THROWS(run::JournalWriter(options, nullptr, 0), std::runtime_error, "damaged header");
    }
    // And repair makes a sound journal of what is left, or there was nothing left.
    for (const auto& file : std::filesystem::directory_iterator(folder)) std::filesystem::remove(file);
    put(folder, segment, bytes);
    run::repair_journal(run::journal_places(folder), true, go_on);
    const auto repaired = verify(folder);
    if (repaired.faults_total != 0) fail(__FILE__, __LINE__, faults_of(repaired));
    CHECK(read_file(first_segment(folder) + ".damaged") == bytes);
    CHECK(told(folder).find("damaged") == std::string::npos);
    for (const auto& file : std::filesystem::directory_iterator(folder)) std::filesystem::remove(file);
  }
}

TEST(journalRepairTurnsDamageIntoHolesAndKeepsEveryPacket) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  const Segment segment = make_segment(folder, 6, true);
  Bytes bytes = segment.bytes;
  bytes[segment.offsets[1] + 60] ^= 4;
  put(folder, segment, bytes);
  const auto repairs = run::repair_journal(run::journal_places(folder), true, go_on);
  REQUIRE_EQUAL(repairs.size(), 1U);
  CHECK_EQUAL(repairs[0].action, "rewritten");
  CHECK_EQUAL(repairs[0].packets, 5U);
  CHECK_EQUAL(repairs[0].missing, 2U);
  CHECK_EQUAL(told(folder), "1-2 hole 3-4 5-6 hole 7-9 10-11 12-13 14-15");
  CHECK_EQUAL(verify(folder).faults_total, 0U);
  CHECK(read_file(first_segment(folder) + ".damaged") == bytes);
  CHECK(run::repair_journal(run::journal_places(folder), true, go_on).empty());

  // The header gone: the packets tell what it said of them.
  bytes = segment.bytes;
  bytes[20] ^= 1;
  put(folder, segment, bytes);
  run::repair_journal(run::journal_places(folder), false, go_on);
  CHECK_EQUAL(told(folder), "1-2 3-4 5-6 hole 7-9 10-11 12-13 14-15");
  CHECK_EQUAL(verify(folder).faults_total, 0U);

  // The index gone or wrong.
  std::filesystem::remove(first_index(folder));
  CHECK_EQUAL(faults_of(verify(folder)), run::index_file_name({journal_session, 1}) + "@0 index_incomplete\n");
  CHECK_EQUAL(run::repair_journal(run::journal_places(folder), false, go_on).size(), 1U);
  CHECK_EQUAL(verify(folder).faults_total, 0U);
}

TEST(journalVerifyNamesNumbersThatAreMissingBetweenSegments) {
  const ScratchFolder scratch;
  const std::string folder = scratch / "journal";
  JournalPackets packets;
  run::JournalOptions options = journal_options(folder);
  options.segment_bytes = 4'000;
  options.batch_bytes = 4'000;
  {
    run::JournalWriter writer(options, nullptr, 0);
    for (int count = 0; count < 60; ++count) writer.append(packets.numbered(2));
  }
  const auto segments = run::list_segments(folder);
  REQUIRE(segments.size() > 3);
  run::remove_segment(folder, segments[1].name, io::Storage::system());
  const auto verification = verify(folder);
  REQUIRE_EQUAL(verification.faults_total, 1U);
  CHECK_EQUAL(verification.faults[0].fault, "missing_numbers");
  CHECK_EQUAL(verification.faults[0].file, run::segment_file_name(segments[2].name));
  const std::uint64_t missing = verification.faults[0].last - verification.faults[0].first + 1;
  run::JournalReader reader(folder);
  REQUIRE(reader.seek(journal_session, verification.faults[0].first));
  run::JournalRecord record;
  REQUIRE(reader.next(record) == run::JournalRead::damaged);
  CHECK_EQUAL(record.last_sequence, verification.faults[0].last);
  CHECK(reader.seek(journal_session, 120));
  const auto repairs = run::repair_journal(run::journal_places(folder), false, go_on);
  REQUIRE_EQUAL(repairs.size(), 1U);
  CHECK_EQUAL(repairs[0].missing, missing);
  CHECK_EQUAL(verify(folder).faults_total, 0U);
  REQUIRE_EQUAL(verify(folder).holes.size(), 1U);
}

TEST(journalToolsLeaveAFolderAloneThatIsInUse) {
  const ScratchFolder scratch;
  std::filesystem::create_directories(scratch / "journal");
  const Segment segment = make_segment(scratch / "journal", 3, false);
  // A record is being written.
  put(scratch / "journal", segment, Bytes(segment.bytes.begin(), segment.bytes.end() - 5));
  const run::JournalPlaces places = run::journal_places(scratch / "");
  CHECK_EQUAL(run::verify_journal(places, go_on).faults_total, 1U);
  {
    io::FileDescriptor lock;
    REQUIRE(!run::take_lock(places.lock, lock));
    CHECK_THROWS(run::repair_journal(places, true, go_on), std::runtime_error, "a distributor is running");
    CHECK_THROWS(run::prune_journal(places, {}, false), std::runtime_error, "a distributor is running");
    CHECK(run::prune_journal(places, {}, true).empty());
    const auto verification = run::verify_journal(places, go_on);
    CHECK(verification.in_use);
    CHECK_EQUAL(verification.faults_total, 0U);
  }
  CHECK_EQUAL(run::repair_journal(places, true, go_on).size(), 1U);
  CHECK_EQUAL(run::verify_journal(places, go_on).faults_total, 0U);
}

}  // namespace
}  // namespace depthcast::test

// Datagrams of a range: from the ring, then from the journal, and what is said where neither has them.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/clock.h"
#include "io/shared_memory.h"
#include "run/archive.h"
#include "test/ring_records.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Archive;
using run::ArchiveRead;
using run::ArchiveStatus;
using run::PastDatagrams;

constexpr std::size_t capacity = 65'536;
constexpr std::uint64_t session = 77;

// Datagrams that tell their own first number and count; their length depends on both.
std::vector<std::uint8_t> datagram_of(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint8_t> bytes(64 + 8 * (first % 5));
  std::memcpy(bytes.data(), &first, sizeof first);
  std::memcpy(bytes.data() + 8, &count, sizeof count);
  const std::uint64_t length = bytes.size();
  std::memcpy(bytes.data() + 16, &length, sizeof length);
  return bytes;
}

struct Piece {
  std::uint64_t first;
  std::uint64_t count;
  bool operator==(const Piece&) const = default;
};

std::vector<Piece> pieces_of(const std::vector<std::uint8_t>& out) {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < out.size();) {
    Piece piece{};
    std::uint64_t length = 0;
    REQUIRE(at + 24 <= out.size());
    std::memcpy(&piece.first, out.data() + at, 8);
    std::memcpy(&piece.count, out.data() + at + 8, 8);
    std::memcpy(&length, out.data() + at + 16, 8);
    REQUIRE(length >= 64 && at + length <= out.size());
    const auto expected = datagram_of(piece.first, piece.count);
    CHECK(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<std::ptrdiff_t>(at)));
    pieces.push_back(piece);
    at += length;
  }
  return pieces;
}

// A journal in memory: datagrams and holes by first number.
class FakePast final : public PastDatagrams {
 public:
  struct Entry {
    std::uint64_t count;
    bool hole;
  };
  explicit FakePast(std::map<std::uint64_t, Entry> all) : all_(std::move(all)) {}

  bool seek(std::uint64_t wanted, std::uint64_t sequence) override {
    if (wanted != session) return false;
    for (at_ = all_.begin(); at_ != all_.end(); ++at_) {
      if (at_->first + at_->second.count > sequence) return at_->first <= sequence;
    }
    return false;
  }
  Step next(Found& found) override {
    if (at_ == all_.end()) return Step::end;
    bytes_ = datagram_of(at_->first, at_->second.count);
    found = {bytes_, at_->first, at_->second.count};
    const bool hole = at_->second.hole;
    ++at_;
    return hole ? Step::hole : Step::datagram;
  }
  std::uint64_t oldest(std::uint64_t wanted) override {
    return wanted != session || all_.empty() ? 0 : all_.begin()->first;
  }

 private:
  std::map<std::uint64_t, Entry> all_;
  std::map<std::uint64_t, Entry>::iterator at_ = all_.end();
  std::vector<std::uint8_t> bytes_;
};

struct Ring {
  RingMemory memory{capacity};
  BroadcastWriter writer;
  std::uint64_t next;
  explicit Ring(std::uint64_t first = 1)
      : writer(memory.data(), capacity, 3, session, 1, 1, {0, {}, first}), next(first) {}
  void write(std::uint64_t count) {
    const auto bytes = datagram_of(next, count);
    writer.write({bytes.data(), 16}, {bytes.data() + 16, bytes.size() - 16}, bytes.size(), next, count);
    next += count;
  }
  // Heartbeats and the like.
  void write_unnumbered() {
    const auto bytes = datagram_of(next, 0);
    writer.write({bytes.data(), 16}, {bytes.data() + 16, bytes.size() - 16}, bytes.size(), next, 0);
  }
  run::RingPlace place() { return {memory.data(), memory.size(), {}}; }
};

void check_read(Archive& archive, std::uint64_t first, std::uint64_t last, std::size_t bytes_max, ArchiveStatus status,
                std::uint64_t next, std::uint64_t until, const std::vector<Piece>& expected) {
  std::vector<std::uint8_t> out;
  const ArchiveRead result = archive.read(session, first, last, bytes_max, out);
  CHECK_EQUAL(std::string(name_of(result.status)), std::string(name_of(status)));
  CHECK_EQUAL(result.next, next);
  if (result.status != ArchiveStatus::ok) CHECK_EQUAL(result.until, until);
  CHECK(pieces_of(out) == expected);
  CHECK_EQUAL(result.datagrams, expected.size());
}

constexpr std::size_t much = 1 << 20;

TEST(archiveGivesEachDatagramOfARangeOnceAndNoUnnumberedOnes) {
  Ring ring;
  ring.write_unnumbered();
  for (int index = 0; index < 10; ++index) {
    ring.write(3);
    ring.write_unnumbered();
  }
  Archive archive(ring.place());
  CHECK_EQUAL(archive.session(), session);
  CHECK_EQUAL(archive.next(), 31U);
  CHECK_EQUAL(archive.oldest(), 1U);
  check_read(archive, 1, 3, much, ArchiveStatus::ok, 4, 0, {{1, 3}});
  check_read(archive, 2, 2, much, ArchiveStatus::ok, 4, 0, {{1, 3}});  // the datagram that holds it, whole
  check_read(archive, 3, 7, much, ArchiveStatus::ok, 10, 0, {{1, 3}, {4, 3}, {7, 3}});
  check_read(archive, 28, 30, much, ArchiveStatus::ok, 31, 0, {{28, 3}});
  check_read(archive, 28, 40, much, ArchiveStatus::too_high, 31, 40, {{28, 3}});
  check_read(archive, 31, 40, much, ArchiveStatus::too_high, 31, 40, {});
  ring.write(1);
  check_read(archive, 31, 31, much, ArchiveStatus::ok, 32, 0, {{31, 1}});
  std::vector<std::uint8_t> out;
  CHECK(archive.read(session + 1, 1, 1, much, out).status == ArchiveStatus::wrong_session);
}

TEST(archiveStopsAtTheByteBoundAndGoesOnFromThere) {
  Ring ring;
  for (int index = 0; index < 20; ++index) ring.write(2);
  Archive archive(ring.place());
  std::vector<Piece> all;
  std::uint64_t next = 1;
  std::size_t reads = 0;
  while (next <= 40) {
    std::vector<std::uint8_t> out;
    const ArchiveRead result = archive.read(session, next, 40, 200, out);
    REQUIRE(result.status == ArchiveStatus::ok);
    CHECK(out.size() <= 200);
    for (const Piece& piece : pieces_of(out)) all.push_back(piece);
    REQUIRE(result.next > next);
    next = result.next;
    ++reads;
  }
  CHECK(reads > 5);
  REQUIRE_EQUAL(all.size(), 20U);
  for (std::size_t index = 0; index < all.size(); ++index) CHECK(all[index] == (Piece{2 * index + 1, 2}));
  // One always fits, however small the bound is.
  check_read(archive, 1, 40, 1, ArchiveStatus::ok, 3, 0, {{1, 2}});
}

TEST(archiveSaysTooLowForWhatTheRingHasForgotten) {
  Ring ring;
  for (int index = 0; index < 2'000; ++index) ring.write(1);
  Archive archive(ring.place());
  const std::uint64_t oldest = archive.oldest();
  CHECK(oldest > 1 && oldest < 2'001);
  check_read(archive, 1, 5, much, ArchiveStatus::too_low, 1, 5, {});
  check_read(archive, 1, 2'000, much, ArchiveStatus::too_low, 1, oldest - 1, {});
  std::vector<std::uint8_t> out;
  const ArchiveRead result = archive.read(session, oldest, 2'000, much, out);
  CHECK(result.status == ArchiveStatus::ok && result.next == 2'001);
  CHECK_EQUAL(pieces_of(out).size(), 2'001 - oldest);
}

TEST(archiveGoesFromTheJournalOverToTheRing) {
  Ring ring(101);
  for (int index = 0; index < 10; ++index) ring.write(5);
  std::map<std::uint64_t, FakePast::Entry> past;
  for (std::uint64_t first = 11; first < 101; first += 5) past[first] = {5, false};
  Archive archive(ring.place(), std::make_unique<FakePast>(past));
  CHECK_EQUAL(archive.oldest(), 11U);
  check_read(archive, 3, 20, much, ArchiveStatus::too_low, 3, 10, {});
  check_read(archive, 12, 17, much, ArchiveStatus::ok, 21, 0, {{11, 5}, {16, 5}});
  check_read(archive, 92, 107, much, ArchiveStatus::ok, 111, 0, {{91, 5}, {96, 5}, {101, 5}, {106, 5}});
  CHECK(archive.past_datagrams() == 4 && archive.ring_datagrams() == 2);
}

TEST(archiveNamesHolesOfTheJournalAsUnavailable) {
  Ring ring(101);
  for (int index = 0; index < 10; ++index) ring.write(5);
  // A recorded hole, one that nobody recorded, and an end before the ring begins.
  std::map<std::uint64_t, FakePast::Entry> past = {
      {11, {5, false}}, {16, {10, true}}, {26, {5, false}}, {41, {5, false}}};
  Archive archive(ring.place(), std::make_unique<FakePast>(past));
  check_read(archive, 12, 30, much, ArchiveStatus::unavailable, 16, 25, {{11, 5}});
  check_read(archive, 20, 22, much, ArchiveStatus::unavailable, 20, 22, {});
  check_read(archive, 26, 45, much, ArchiveStatus::unavailable, 31, 40, {{26, 5}});
  check_read(archive, 41, 110, much, ArchiveStatus::unavailable, 46, 100, {{41, 5}});
  check_read(archive, 101, 110, much, ArchiveStatus::ok, 111, 0, {{101, 5}, {106, 5}});
}

TEST(archiveKeepsUpWithAWriterThatLapsIt) {
  Ring ring;
  std::vector<std::uint8_t> out;
  for (int index = 0; index < 100; ++index) ring.write(1);
  Archive archive(ring.place());
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t from = archive.oldest();
    for (int index = 0; index < 700; ++index) ring.write(1);
    out.clear();
    const ArchiveRead result = archive.read(session, from, ring.next - 1, much, out);
    CHECK(result.status == ArchiveStatus::ok || result.status == ArchiveStatus::too_low);
    const auto pieces = pieces_of(out);
    CHECK(result.status != ArchiveStatus::ok || pieces.size() == ring.next - from);
  }
}

TEST(archiveNoticesThatTheRingFileIsAnotherOne) {
  const ScratchFolder scratch;
  const std::string path = scratch / "ring";
  Archive archive({nullptr, 0, path});
  CHECK_EQUAL(archive.session(), 0U);
  CHECK_EQUAL(archive.next(), 1U);
  std::vector<std::uint8_t> out;
  CHECK(archive.read(session, 1, 2, much, out).status == ArchiveStatus::wrong_session);
  std::int64_t now_ns = 1'000'000'000;
  for (std::uint64_t number = session; number < session + 3; ++number) {
    std::filesystem::remove(path);
    io::SharedMemory memory = io::SharedMemory::create(path, ring_bytes(capacity));
    BroadcastWriter writer(memory.data(), capacity, 3, number, 1, static_cast<std::uint64_t>(now_ns));
    const auto bytes = datagram_of(1, number);
    writer.write({bytes.data(), 16}, {bytes.data() + 16, bytes.size() - 16}, bytes.size(), 1, number);
    archive.refresh(now_ns += 200'000'000);
    CHECK_EQUAL(archive.session(), number);
    CHECK_EQUAL(archive.next(), number + 1);
    out.clear();
    CHECK(archive.read(number, 1, 1, much, out).status == ArchiveStatus::ok);
    CHECK(pieces_of(out) == (std::vector<Piece>{{1, number}}));
  }
  // The last writer is gone, and so is its file; what it left is still to be had.
  archive.refresh(now_ns += 200'000'000);
  CHECK(archive.ended());
  out.clear();
  CHECK(archive.read(session + 2, 1, 1, much, out).status == ArchiveStatus::ok);
}

}  // namespace
}  // namespace depthcast::test

#include "core/broadcast_ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "test/ring_records.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

constexpr std::size_t capacity = 65'536;
using Buffer = std::array<std::uint8_t, capacity / 8>;

// Writes `payload_bytes` zero bytes behind a 16-byte first part: a record of payload_bytes + 32.
void write_plain(BroadcastWriter& writer, std::size_t payload_bytes, std::uint64_t number) {
  const std::array<std::uint8_t, 16> first{};
  writer.write(first, {}, payload_bytes, number, 1);
}

TEST(ringDeliversRecordsInOrderOverManyWraps) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 3, 77, 1'234, 5'678);
  BroadcastReader reader(memory.data(), memory.size());
  CHECK_EQUAL(reader.header().channel, 3U);
  CHECK_EQUAL(reader.header().session, 77U);
  CHECK_EQUAL(reader.header().writer_pid, 1'234U);
  CHECK_EQUAL(reader.header().created_time_ns, 5'678U);
  Random random(seed());
  auto payload = std::make_unique<RingPayload>(writer.record_bytes_max() - sizeof(RingRecord));
  auto out = std::make_unique<Buffer>();
  RingRecord record{};
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  std::uint64_t position = 0;
  while (read < 20'000) {
    // Seven records of at most an eighth, and a filler of less than one, cannot lap.
    const std::uint64_t burst = random.between(1, 6);
    for (std::uint64_t index = 0; index < burst; ++index) {
      const std::uint8_t* placed = payload->write(writer, ++written);
      REQUIRE(std::equal(payload->bytes().begin(), payload->bytes().end(), placed));
    }
    while (read < written) {
      REQUIRE(reader.poll(*out, record) == RingPoll::record);
      REQUIRE_EQUAL(record.first_sequence, ++read);
      REQUIRE(is_whole(record, *out));
      REQUIRE(record.position >= position);
      position = record.position;
      payload->make(read);
      REQUIRE_EQUAL(record.length, payload->bytes().size());
      REQUIRE(std::equal(payload->bytes().begin(), payload->bytes().end(), out->begin()));
    }
    REQUIRE(reader.poll(*out, record) == RingPoll::empty);
  }
  CHECK_EQUAL(reader.lapped_count(), 0U);
  CHECK(position > 100 * capacity);
}

TEST(ringFillsUpTheEndBeforeItWraps) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  // Ten records of 6,528 bytes leave 256 bytes; the next one of 288 does not fit there.
  for (std::uint64_t number = 1; number <= 10; ++number) write_plain(writer, 6'528 - 32, number);
  for (std::uint64_t number = 1; number <= 10; ++number) REQUIRE(reader.poll(out, record) == RingPoll::record);
  write_plain(writer, 256, 11);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 11U);
  CHECK_EQUAL(record.position, capacity);
  const auto* filler = reinterpret_cast<const RingRecord*>(memory.words_at(65'280));
  CHECK_EQUAL(filler->type, ring_type_filler);
  CHECK_EQUAL(filler->length, 256U - 32U);
  // The smallest remainder holds a filler's header and no more.
  for (std::uint64_t number = 12; number < 12 + 9; ++number) write_plain(writer, 6'528 - 32, number);
  write_plain(writer, capacity - 288 - 9 * std::size_t{6'528} - 32 - 32, 21);
  write_plain(writer, 64, 22);
  BroadcastReader late(memory.data(), memory.size());
  for (std::uint64_t number = 12; number <= 22; ++number) {
    REQUIRE(reader.poll(out, record) == RingPoll::record);
    CHECK_EQUAL(record.first_sequence, number);
  }
  CHECK_EQUAL(record.position, 2 * capacity);
  CHECK(late.poll(out, record) == RingPoll::empty);
}

TEST(ringNeedsNoFillerWhenARecordEndsAtTheEnd) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  for (std::uint64_t number = 1; number <= 17; ++number) {
    write_plain(writer, 4'096 - 32, number);
    REQUIRE(reader.poll(out, record) == RingPoll::record);
    CHECK_EQUAL(record.position, (number - 1) * 4'096);
  }
}

TEST(ringTellsALappedReaderAndGoesOnWithTheNewest) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  // 64 records of 1,024 bytes fill the ring exactly: the oldest is still whole.
  for (std::uint64_t number = 1; number <= 64; ++number) write_plain(writer, 1'024 - 32, number);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 1U);
  write_plain(writer, 1'024 - 32, 65);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 2U);
  write_plain(writer, 1'024 - 32, 66);
  write_plain(writer, 1'024 - 32, 67);
  CHECK(reader.poll(out, record) == RingPoll::lapped);
  CHECK_EQUAL(reader.lapped_count(), 1U);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 67U);
  CHECK(reader.poll(out, record) == RingPoll::empty);
  write_plain(writer, 100, 68);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 68U);
}

// The writer says what it is about to overwrite before it does; a reader standing there must leave at once.
TEST(ringReaderLeavesARecordThatIsAboutToBeOverwritten) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  for (std::uint64_t number = 1; number <= 64; ++number) write_plain(writer, 1'024 - 32, number);
  memory.header().intent.store(capacity + 1'024);
  CHECK(reader.poll(out, record) == RingPoll::lapped);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 64U);
}

// `latest` is stored before `tail`, so a lapped reader may find a record that is not committed yet: it must wait.
TEST(ringReaderWaitsForTheCommitOfTheRecordItWasLappedTo) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  for (std::uint64_t number = 1; number <= 80; ++number) write_plain(writer, 1'024 - 32, number);
  // 48 x 1,024 bytes to the end of the buffer: number 128 leaves 512 bytes there, 129 stands behind a filler.
  for (std::uint64_t number = 81; number <= 127; ++number) write_plain(writer, 1'024 - 32, number);
  write_plain(writer, 512 - 32, 128);
  const std::uint64_t committed = memory.header().tail.load();
  write_plain(writer, 1'024 - 32, 129);
  const std::uint64_t tail = memory.header().tail.load();
  REQUIRE_EQUAL(tail, committed + 512 + 1'024);
  memory.header().tail.store(committed);
  CHECK(reader.poll(out, record) == RingPoll::lapped);
  CHECK(reader.poll(out, record) == RingPoll::empty);
  memory.header().tail.store(tail);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 129U);
  CHECK(reader.poll(out, record) == RingPoll::empty);
}

TEST(ringLateReaderStartsBehindTheNewestRecord) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  for (std::uint64_t number = 1; number <= 1'000; ++number) write_plain(writer, 500, number);
  BroadcastReader reader(memory.data(), memory.size());
  Buffer out{};
  RingRecord record{};
  CHECK(reader.poll(out, record) == RingPoll::empty);
  write_plain(writer, 500, 1'001);
  REQUIRE(reader.poll(out, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 1'001U);
}

TEST(ringReaderGetsEverythingBeforeItHearsOfTheEnd) {
  RingMemory memory(capacity);
  Buffer out{};
  RingRecord record{};
  std::unique_ptr<BroadcastReader> reader;
  {
    BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 50);
    reader = std::make_unique<BroadcastReader>(memory.data(), memory.size());
    CHECK_EQUAL(reader->writer_heartbeat_ns(), 50U);
    writer.heartbeat(60);
    CHECK_EQUAL(reader->writer_heartbeat_ns(), 60U);
    CHECK(reader->poll(out, record) == RingPoll::empty);
    write_plain(writer, 500, 1);
    write_plain(writer, 500, 2);
  }
  CHECK(reader->poll(out, record) == RingPoll::record);
  CHECK(reader->poll(out, record) == RingPoll::record);
  CHECK(reader->poll(out, record) == RingPoll::writer_ended);
  CHECK(reader->poll(out, record) == RingPoll::writer_ended);
  BroadcastReader late(memory.data(), memory.size());
  CHECK(late.poll(out, record) == RingPoll::writer_ended);
}

TEST(ringWriterRefusesABadCapacity) {
  RingMemory memory(capacity);
  const auto make = [&](std::size_t bytes) { BroadcastWriter(memory.data(), bytes, 1, 1, 1, 1); };
  CHECK_THROWS(make(0), std::invalid_argument, "power of two");
  CHECK_THROWS(make(32'768), std::invalid_argument, "32768");
  CHECK_THROWS(make(65'537), std::invalid_argument, "65537");
  CHECK_THROWS(make(98'304), std::invalid_argument, "98304");
}

TEST(ringReaderRefusesWhatIsNotARing) {
  RingMemory memory(capacity);
  const auto open = [&](std::size_t bytes) { BroadcastReader(memory.data(), bytes); };
  CHECK_THROWS(open(memory.size()), std::runtime_error, "not started");
  const BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  open(memory.size());
  CHECK_THROWS(open(0), std::runtime_error, "smaller");
  CHECK_THROWS(open(ring_data_offset - 1), std::runtime_error, "smaller");
  CHECK_THROWS(open(ring_data_offset), std::runtime_error, "capacity");
  CHECK_THROWS(open(memory.size() - 1), std::runtime_error, "capacity");
  RingHeader& header = memory.header();
  header.magic ^= 1;
  CHECK_THROWS(open(memory.size()), std::runtime_error, "magic");
  header.magic ^= 1;
  header.layout_version += 1;
  CHECK_THROWS(open(memory.size()), std::runtime_error, "version 3, expected 2");
  header.layout_version -= 1;
  // 1 to 32: powers of two that no writer makes and that do not hold a record.
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{32}, std::uint64_t{65'535},
                                    std::uint64_t{131'072}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    header.capacity = wrong;
    CHECK_THROWS(open(memory.size()), std::runtime_error, "capacity");
  }
  header.capacity = capacity;
  open(memory.size());
}

// Plants a record's header where the reader stands.
void plant(RingMemory& memory, std::uint64_t at, const RingRecord& record) {
  store_words(memory.words_at(at & (capacity - 1)), &record, sizeof record);
}

TEST(ringReaderSurvivesHostileRecords) {
  Random random(seed());
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  Buffer out{};
  RingRecord record{};
  constexpr std::uint32_t lengths[] = {0,          1,          31,         8'160,     8'161,   8'192,
                                       65'504,     65'505,     65'536,     65'537,    131'072, 0x7fffffff,
                                       0x80000000, 0xffffffdf, 0xffffffe0, 0xffffffff};
  for (std::uint64_t round = 1; round <= 2'000; ++round) {
    write_plain(writer, 800, 2 * round - 1);
    BroadcastReader reader(memory.data(), memory.size());
    const std::uint64_t at = memory.header().tail.load();
    write_plain(writer, 800, 2 * round);
    if (memory.header().latest.load() != at) continue;  // behind a filler
    const std::uint32_t length = random.chance(1, 2) ? random.pick(lengths) : static_cast<std::uint32_t>(random.next());
    const auto type = static_cast<std::uint32_t>(random.between(0, 3));
    plant(memory, at, {length, type, 1, 1, random.chance(1, 8) ? random.next() : at});
    // Whatever is said, it is said after a bounded number of steps, and no byte outside is touched (sanitizer).
    for (int poll = 0; poll < 4; ++poll) static_cast<void>(reader.poll(out, record));
  }
}

// A ring whose last byte is followed by a page that must not be touched.
struct GuardedRing {
  GuardedRing() {
    memory = static_cast<std::uint8_t*>(
        mmap(nullptr, bytes + 4'096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED) throw std::bad_alloc();
    if (mprotect(memory + bytes, 4'096, PROT_NONE) != 0) throw std::bad_alloc();
  }
  GuardedRing(const GuardedRing&) = delete;
  GuardedRing& operator=(const GuardedRing&) = delete;
  ~GuardedRing() { munmap(memory, bytes + 4'096); }

  static constexpr std::size_t bytes = ring_data_offset + capacity;
  std::uint8_t* memory;
};

TEST(ringReaderDoesNotReadPastTheEndOfTheMapping) {
  GuardedRing ring;
  BroadcastWriter writer(ring.memory, capacity, 1, 1, 1, 1);
  Buffer out{};
  RingRecord record{};
  for (std::uint64_t number = 1; number <= 63; ++number) write_plain(writer, 1'024 - 32, number);
  BroadcastReader reader(ring.memory, GuardedRing::bytes);
  write_plain(writer, 1'024 - 32, 64);
  // The last kilobyte of the buffer claims to hold eight.
  const std::uint64_t at = capacity - 1'024;
  const RingRecord planted{8'160, ring_type_packet, 64, 1, at};
  store_words(reinterpret_cast<Word*>(ring.memory + ring_data_offset + at), &planted, sizeof planted);
  CHECK(reader.poll(out, record) == RingPoll::lapped);
}

// Positions in a damaged header that no writer can have stored.
TEST(ringReaderSurvivesHostilePositions) {
  GuardedRing ring;
  BroadcastWriter writer(ring.memory, capacity, 1, 1, 1, 1);
  auto& header = *reinterpret_cast<RingHeader*>(ring.memory);
  Buffer out{};
  RingRecord record{};
  for (std::uint64_t number = 1; number <= 64; ++number) write_plain(writer, 1'024 - 32, number);
  for (const std::uint64_t position : {capacity - 1, capacity - 8, capacity - 31, std::size_t{3}, ~std::size_t{0}}) {
    header.tail.store(position);
    header.latest.store(position);
    BroadcastReader reader(ring.memory, GuardedRing::bytes);
    header.tail.store(position + 4'096);
    for (int poll = 0; poll < 4; ++poll) CHECK(reader.poll(out, record) != RingPoll::record);
  }
}

TEST(ringReaderRefusesARecordLargerThanItsBuffer) {
  RingMemory memory(capacity);
  BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 1);
  BroadcastReader reader(memory.data(), memory.size());
  std::vector<std::uint8_t> small(96);
  RingRecord record{};
  write_plain(writer, 97, 1);
  write_plain(writer, 96, 2);
  CHECK(reader.poll(small, record) == RingPoll::lapped);
  REQUIRE(reader.poll(small, record) == RingPoll::record);
  CHECK_EQUAL(record.first_sequence, 2U);
}

// Records of one to five numbers each, among them some without.
struct NumberedRing {
  NumberedRing() : writer(memory.data(), capacity, 1, 1, 1, 1, {9, {1, 2, 3}, 101}) {}
  void write(Random& random) {
    const std::array<std::uint8_t, 16> first{};
    const std::uint64_t count = random.between(0, 5);
    writer.write(first, {}, 16 + 8 * random.between(0, 150), next, count);
    for (std::uint64_t number = next; number < next + count; ++number) starts.push_back(next);
    next += count;
  }
  // First number of the record that holds `number`.
  std::uint64_t start_of(std::uint64_t number) const { return starts[number - 101]; }

  RingMemory memory{capacity};
  BroadcastWriter writer;
  std::uint64_t next = 101;
  std::vector<std::uint64_t> starts;
};

TEST(ringFindsEveryNumberThatItRetains) {
  Random random(seed());
  NumberedRing ring;
  BroadcastReader reader(ring.memory.data(), ring.memory.size());
  Buffer out{};
  RingRecord record{};
  CHECK(!reader.seek(101));
  CHECK(!reader.seek_oldest());
  CHECK_EQUAL(reader.oldest_sequence(), 101U);
  CHECK_EQUAL(reader.next_sequence(), 101U);
  CHECK_EQUAL(reader.header().identity, 9U);
  CHECK_EQUAL(reader.header().boot_id[2], 3);
  for (int round = 0; round < 2'000; ++round) {
    ring.write(random);
    CHECK_EQUAL(reader.next_sequence(), ring.next);
    if (round % 50 != 0) continue;
    const std::uint64_t oldest = reader.oldest_sequence();
    // What was written first is found for most of the ring's length, and nothing below the oldest is.
    if (round > 300) REQUIRE(ring.next - oldest > capacity / 1'400);
    for (std::uint64_t number = 101; number < ring.next; ++number) {
      if (number < oldest) {
        REQUIRE(!reader.seek(number));
        continue;
      }
      REQUIRE(reader.seek(number));
      REQUIRE(reader.poll(out, record) == RingPoll::record);
      REQUIRE_EQUAL(record.first_sequence, ring.start_of(number));
    }
    CHECK(!reader.seek(ring.next));
    if (ring.next == 101) continue;
    REQUIRE(reader.seek_oldest());
    REQUIRE(reader.poll(out, record) == RingPoll::record);
    CHECK(record.first_sequence <= oldest);
    reader.seek_newest();
    CHECK(reader.poll(out, record) == RingPoll::empty);
  }
}

TEST(ringSearchSurvivesDamagedMemory) {
  Random random(seed());
  for (int round = 0; round < 300; ++round) {
    NumberedRing ring;
    for (int written = 0; written < 200; ++written) ring.write(random);
    auto* words = reinterpret_cast<Word*>(static_cast<std::uint8_t*>(ring.memory.data()) + 128);
    const std::size_t count = (ring_data_offset + capacity - 128) / 8;
    for (int damage = 0; damage < 200; ++damage) words[random.between(0, count - 1)].store(random.next());
    try {
      BroadcastReader reader(ring.memory.data(), ring.memory.size());
      Buffer out{};
      RingRecord record{};
      for (std::uint64_t number = 95; number < ring.next + 5; ++number) {
        if (reader.seek(number)) static_cast<void>(reader.poll(out, record));
      }
      if (reader.seek_oldest()) static_cast<void>(reader.poll(out, record));
      static_cast<void>(reader.oldest_sequence());
    } catch (const std::runtime_error&) {
      // The header itself was hit.
    }
  }
}

TEST(ringTellsWhatWasHandedToTheKernel) {
  NumberedRing ring;
  Random random(seed());
  const BroadcastReader reader(ring.memory.data(), ring.memory.size());
  CHECK_EQUAL(reader.sent_position(), 0U);
  ring.write(random);
  CHECK_EQUAL(reader.sent_position(), 0U);
  ring.writer.mark_sent();
  CHECK_EQUAL(reader.sent_position(), ring.memory.header().tail.load());
}

}  // namespace
}  // namespace depthcast::test

// A reader that is stopped in the middle of a copy while the writer goes round the ring. Chance hits such a moment
// rarely; here a page of the ring is taken away, and the fault that the reader runs into lets the writer work.
#include <sys/mman.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "core/broadcast_ring.h"
#include "test/ring_records.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

constexpr std::size_t capacity = 65'536;
constexpr std::size_t page = 4'096;
constexpr std::size_t bytes = ring_bytes(capacity);

// What happens at the fault. The handler runs on the reader's own thread, between two of its loads.
struct Stall {
  std::uint8_t* memory = nullptr;
  BroadcastWriter* writer = nullptr;
  RingPayload* payload = nullptr;
  std::uint64_t* number = nullptr;
  std::uint64_t records = 0;  // written during the stall
  int stalls = 0;
};
Stall stall;

void on_fault(int /*signal*/) {
  if (mprotect(stall.memory, bytes, PROT_READ | PROT_WRITE) != 0) std::abort();
  ++stall.stalls;
  for (std::uint64_t record = 0; record < stall.records; ++record) stall.payload->write(*stall.writer, ++*stall.number);
}

class StalledRing {
 public:
  StalledRing() {
    memory_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    struct sigaction action {};
    action.sa_handler = on_fault;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, &before_) != 0) throw std::bad_alloc();
    writer = std::make_unique<BroadcastWriter>(memory_, capacity, 1, 1, 1, 1);
    reader = std::make_unique<BroadcastReader>(memory_, bytes);
  }
  StalledRing(const StalledRing&) = delete;
  StalledRing& operator=(const StalledRing&) = delete;
  ~StalledRing() {
    sigaction(SIGSEGV, &before_, nullptr);
    writer.reset();
    munmap(memory_, bytes);
  }

  void write() { payload.write(*writer, ++number); }
  // Polls; at the first access to page `index` of the ring's data the writer writes `records` records.
  RingPoll poll_stalled(std::size_t index, std::uint64_t records) {
    auto* start = static_cast<std::uint8_t*>(memory_);
    stall = {start, writer.get(), &payload, &number, records, 0};
    if (mprotect(start + ring_data_offset + index * page, page, PROT_NONE) != 0) throw std::bad_alloc();
    const RingPoll polled = reader->poll(out, record);
    if (mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    return polled;
  }

  std::unique_ptr<BroadcastWriter> writer;
  std::unique_ptr<BroadcastReader> reader;
  RingPayload payload{capacity / 8 - sizeof(RingRecord)};
  std::array<std::uint8_t, capacity / 8> out{};
  RingRecord record{};
  std::uint64_t number = 0;

 private:
  void* memory_ = nullptr;
  struct sigaction before_ {};
};

TEST(ringReaderStoppedInsideACopyNeverGivesAMixedRecord) {
  std::uint64_t stalled = 0;
  std::uint64_t laps = 0;
  std::uint64_t delivered = 0;
  StalledRing ring;
  Random random(seed());
  for (std::uint64_t round = 0; round < work(3'000); ++round) {
    // Some records to stand between, then a stall at any page, during which the writer comes close, laps, or both.
    while (ring.reader->poll(ring.out, ring.record) != RingPoll::empty) {
    }
    for (std::uint64_t count = random.between(1, 6); count > 0; --count) ring.write();
    const RingPoll polled =
        ring.poll_stalled(static_cast<std::size_t>(random.below(capacity / page)), random.between(8, 40));
    stalled += static_cast<std::uint64_t>(stall.stalls);
    laps += polled == RingPoll::lapped ? 1U : 0U;
    if (polled != RingPoll::record) continue;
    ++delivered;
    REQUIRE(is_whole(ring.record, ring.out));
  }
  note(std::to_string(stalled) + " stalls, " + std::to_string(laps) + " laps, " + std::to_string(delivered) +
       " delivered");
  CHECK(stalled > work(3'000) / 10);
  CHECK(laps > work(3'000) / 20);
  CHECK(delivered > work(3'000) / 20);
}

}  // namespace
}  // namespace depthcast::test

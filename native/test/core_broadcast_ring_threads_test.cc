#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/broadcast_ring.h"
#include "test/ring_records.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

constexpr std::size_t capacity = 65'536;
constexpr std::size_t readers_count = 3;
// How many records each reader takes before it sleeps for a moment; 0: it never does.
constexpr std::uint64_t pauses[readers_count] = {0, 200, 2'000};

struct Reader {
  std::uint64_t torn = 0;
  std::uint64_t out_of_order = 0;  // went back, or missed a record without having been told
  std::uint64_t last = 0;
  // Read by the writer while the test runs; pairs with nothing, figures only.
  std::atomic<std::uint64_t> records{0};
  std::atomic<std::uint64_t> laps{0};
};

void follow(RingMemory& memory, std::uint64_t pause_every, std::atomic<std::size_t>& ready, Reader& outcome) {
  BroadcastReader reader(memory.data(), memory.size());
  ready.fetch_add(1, std::memory_order_relaxed);
  std::array<std::uint8_t, capacity / 8> out{};
  RingRecord record{};
  bool lapped = false;
  for (std::uint64_t records = 0;;) {
    switch (reader.poll(out, record)) {
      case RingPoll::writer_ended: return;
      case RingPoll::empty: std::this_thread::yield(); break;
      case RingPoll::lapped:
        lapped = true;
        outcome.laps.store(reader.lapped_count(), std::memory_order_relaxed);
        break;
      case RingPoll::record:
        outcome.torn += is_whole(record, out) ? 0U : 1U;
        outcome.out_of_order += record.first_sequence <= outcome.last ? 1U : 0U;
        outcome.out_of_order += !lapped && record.first_sequence != outcome.last + 1 ? 1U : 0U;
        lapped = false;
        outcome.last = record.first_sequence;
        outcome.records.store(++records, std::memory_order_relaxed);
        if (pause_every != 0 && records % pause_every == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        break;
    }
  }
}

TEST(ringNeverGivesATornRecordToThreeReadersOfAFullSpeedWriter) {
  const std::uint64_t records_wanted = work(50'000);
  constexpr std::uint64_t laps_wanted = 20;
  RingMemory memory(capacity);
  auto writer = std::make_unique<BroadcastWriter>(memory.data(), capacity, 1, 1, 1, 1);
  std::array<Reader, readers_count> readers;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> ready{0};
  for (std::size_t index = 0; index < readers_count; ++index) {
    threads.emplace_back([&, index] { follow(memory, pauses[index], ready, readers[index]); });
  }
  while (ready.load(std::memory_order_relaxed) != readers_count) std::this_thread::yield();
  const auto content = [&](const Reader& reader) {
    return reader.records.load(std::memory_order_relaxed) >= records_wanted &&
           reader.laps.load(std::memory_order_relaxed) >= laps_wanted;
  };
  auto payload = std::make_unique<RingPayload>(1'400);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::uint64_t number = 0;
  while (!std::all_of(readers.begin(), readers.end(), content) && std::chrono::steady_clock::now() < end) {
    // Short bursts that a reader can follow, and long ones that lap it; then a breath, in which a reader without a
    // processor of its own gets one.
    const int burst = number % 3 == 0 ? 500 : 61;
    for (int record = 0; record < burst; ++record) payload->write(*writer, ++number);
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  writer.reset();  // ended
  for (std::thread& thread : threads) thread.join();
  note(std::to_string(number) + " records written");
  for (const Reader& reader : readers) {
    note(std::to_string(reader.records.load()) + " records read, " + std::to_string(reader.laps.load()) + " laps");
    CHECK_EQUAL(reader.torn, 0U);
    CHECK_EQUAL(reader.out_of_order, 0U);
    CHECK_EQUAL(reader.last, number);
    CHECK(content(reader));
  }
}

}  // namespace
}  // namespace depthcast::test

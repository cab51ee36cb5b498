// The broadcast ring: one writer at full speed, N reader threads; what each reader got and what it was lapped by.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "core/broadcast_ring.h"
#include "core/digest.h"
#include "core/memory.h"
#include "perf_support.h"

namespace depthcast::perf {

int ring_broadcast(Options& options) {
  const std::uint64_t runs = options.number("runs", 7);
  const std::uint64_t records = options.number("records", 500'000);
  const auto record_bytes = static_cast<std::size_t>(options.number("record-bytes", 1'384));
  const auto capacity = static_cast<std::size_t>(options.number("capacity", std::size_t{16} << 20));
  const std::uint64_t readers = options.number("readers", 1);
  options.finish();

  for (std::uint64_t run = 0; run < runs; ++run) {
    FixedArray<std::uint64_t> memory(ring_bytes(capacity) / 8, true);
    BroadcastWriter writer(memory.data(), capacity, 1, 1, 1, 0);
    std::atomic<std::uint64_t> ready{0};
    std::vector<std::uint64_t> got(readers);
    std::vector<std::uint64_t> lapped(readers);
    std::vector<std::thread> threads;
    for (std::uint64_t index = 0; index < readers; ++index) {
      threads.emplace_back([&, index] {
        BroadcastReader reader(memory.data(), ring_bytes(capacity));
        std::vector<std::uint64_t> buffer(capacity / 64);
        RingRecord record;
        ready.fetch_add(1);
        while (true) {
          const RingPoll poll =
              reader.poll({reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size() * 8}, record);
          if (poll == RingPoll::writer_ended) break;
          if (poll == RingPoll::record) ++got[index];
        }
        lapped[index] = reader.lapped_count();
      });
    }
    while (ready.load() != readers) std::this_thread::yield();
    std::vector<std::uint8_t> payload(record_bytes, 0x5a);
    std::uint64_t digest = 0;
    const Stopwatch watch;
    for (std::uint64_t sequence = 1; sequence <= records; ++sequence) {
      payload[0] = static_cast<std::uint8_t>(sequence);
      const std::uint8_t* at =
          writer.write(std::span(payload).first(16), std::span(payload).subspan(16), record_bytes, sequence, 1);
      digest += at[0];
    }
    const double elapsed_ns = watch.ns();
    writer.end();
    for (std::thread& thread : threads) thread.join();
    std::uint64_t total_got = 0;
    std::uint64_t total_lapped = 0;
    for (std::uint64_t index = 0; index < readers; ++index) {
      total_got += got[index];
      total_lapped += lapped[index];
    }
    JsonLine()
        .add("write_ns_per_record", elapsed_ns / static_cast<double>(records))
        .add("records", records)
        .add("record_bytes", std::uint64_t{record_bytes})
        .add("readers", readers)
        .add("read_share", readers == 0 ? 0.0 : static_cast<double>(total_got) / static_cast<double>(records * readers))
        .add("lapped", total_lapped)
        .add_text("digest", hex(digest::mix64(digest)))
        .print();
  }
  return 0;
}

}  // namespace depthcast::perf

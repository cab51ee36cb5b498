// ITCH bytes in memory as a publisher's source on the publisher's own thread: a core of its own for the source is then
// not needed, and no disk is measured.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "ingest/itch_parser.h"
#include "io/thread_use.h"
#include "run/publisher_probe.h"

namespace depthcast::perf {

// `bytes` with a delete for every order that is live at their end: then they can be given again and again.
void close_books(std::vector<std::uint8_t>& bytes);

struct PreloadedOptions {
  std::uint64_t passes = 1;
  double rate = 0;  // messages a second, open loop: due by the clock, whatever became of the ones before; 0: at once
  std::size_t batch_messages = 512;
  std::uint64_t warm_messages = 0;  // as fast as they go, before the clock starts
};

// Threads: the calls of a probe by the publisher's; the others by any. `bytes` must outlive it.
class PreloadedItch final : public run::PublisherProbe {
 public:
  PreloadedItch(const std::vector<std::uint8_t>& bytes, const PreloadedOptions& options)
      : bytes_(bytes), options_(options) {}

  // Every message has been put in. Pairs with the store in before_batch(): so have been its cells.
  bool done() const { return done_.load(std::memory_order_acquire); }
  // Of what came after the warm messages: how long it took, by the clock and of the thread's time.
  double seconds() const { return static_cast<double>(end_ns_ - begin_ns_) / 1e9; }
  double cpu_seconds() const { return static_cast<double>(end_cpu_ns_ - begin_cpu_ns_) / 1e9; }
  std::uint64_t messages() const { return position_ - begin_position_; }
  // Furthest behind its schedule that it was.
  double behind_seconds() const { return static_cast<double>(behind_ns_max_) / 1e9; }

  void started() override;
  void before_batch(SpscRing<ingest::InputCell>& input) override;
  void sequenced(std::uint64_t /*position*/, std::uint64_t /*sequence*/) override {}
  void packet(std::size_t /*length*/, std::uint32_t /*count*/) override {}
  void before_send() override {}
  void after_send() override {}

 private:
  std::size_t due();
  void begin();
  void finish();

  const std::vector<std::uint8_t>& bytes_;
  PreloadedOptions options_;
  ingest::ItchParser parser_{0};
  std::size_t offset_ = 0;
  std::uint64_t pass_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t begin_position_ = 0;
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = 0;
  std::int64_t begin_cpu_ns_ = 0;
  std::int64_t end_cpu_ns_ = 0;
  std::int64_t behind_ns_max_ = 0;
  std::atomic<bool> done_{false};
};

}  // namespace depthcast::perf

// The publisher thread in its steady state: nothing allocated, no page touched for the first time, never asleep.
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "io/thread_use.h"
#include "test/allocations.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

struct Use {
  std::uint64_t allocations;
  io::ThreadUse thread;
};

// Puts cells in from the publisher's thread, some at every third look, so that it waits in between as well; notes what
// the thread has used when `warm` of them are in, and when all have been published.
class WatchedSource final : public run::PublisherProbe {
 public:
  WatchedSource(std::vector<ingest::InputCell> cells, std::size_t warm) : cells_(std::move(cells)), warm_(warm) {}

  bool done() const { return done_.load(std::memory_order_acquire); }  // pairs with the store in before_batch()
  const Use& before() const { return before_; }
  const Use& after() const { return after_; }

  void started() override {
    reader_.emplace();
    before_ = {thread_allocations(), reader_->read()};  // what reading itself touches for the first time is no fault
  }
  void before_batch(SpscRing<ingest::InputCell>& input) override {
    if (done()) return;
    if (next_ == cells_.size()) {
      after_ = {thread_allocations(), reader_->read()};
      done_.store(true, std::memory_order_release);  // pairs with the load in done()
      return;
    }
    if (++looks_ % 3 != 0) return;
    if (next_ >= warm_ && !watched_) {
      before_ = {thread_allocations(), reader_->read()};
      watched_ = true;
    }
    // Few and many, so that packets and batches of every size come up.
    const std::size_t wanted = looks_ % 1'000 == 0 ? 3'000 : looks_ % 60;
    const std::size_t most = std::min(input.claim(wanted), cells_.size() - next_);
    std::size_t filled = 0;
    while (filled < most) {
      const std::uint32_t count = ingest::cells_of(cells_[next_].event.kind);
      if (filled + count > most) break;
      for (std::uint32_t cell = 0; cell < count; ++cell) input.at_tail(filled++) = cells_[next_++];
    }
    input.publish(filled);
  }
  void sequenced(std::uint64_t /*position*/, std::uint64_t /*sequence*/) override {}
  void packet(std::size_t /*length*/, std::uint32_t /*count*/) override {}
  void before_send() override {}
  void after_send() override {}

 private:
  std::vector<ingest::InputCell> cells_;
  std::size_t warm_;
  std::size_t next_ = 0;
  std::uint64_t looks_ = 0;
  bool watched_ = false;
  std::optional<io::ThreadUseReader> reader_;
  Use before_{};
  Use after_{};
  std::atomic<bool> done_{false};
};

std::vector<ingest::InputCell> cells_of_flow(const ingest::SimulatedExchangeOptions& flow) {
  const auto source = run::make_simulated_source(flow);
  const std::atomic<bool> running{false};
  run::ItchFraming framing(*source);
  ingest::ItchParser parser(midnight_ns);
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  std::vector<ingest::InputCell> all;
  std::span<const std::uint8_t> message;
  for (std::uint64_t position = 1; framing.next(message, running) == run::ItchFraming::Next::message; ++position) {
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser.parse(message, position, cells, fault);
    all.insert(all.end(), cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

// As the profile `low-latency` sets it up: spin, memory touched at start, and locked where that is allowed.
TEST(publisherThreadInSteadyStateAllocatesNothingFaultsOnNothingAndNeverSleeps) {
  run::PublisherOptions options = publisher_options(io::WaitStrategy::spin);
  options.limits.prefault = true;
  options.lock_memory = true;
  options.ring_bytes = std::size_t{4} << 20;
  const std::vector<ingest::InputCell> cells = cells_of_flow(small_flow(7, 300'000));
  const auto source = std::make_shared<WatchedSource>(cells, cells.size() / 3);
  options.probe = source;
  run::Publisher publisher(options, nullptr);
  const bool locked = figure(publisher, run::PublisherCounter::lock_error) == 0;
  CHECK_EQUAL(figure(publisher, run::PublisherCounter::locked_bytes) > options.ring_bytes, locked);
  publisher.start();
  const bool ended = wait_until([&] { return source->done(); });
  publisher.end_input();
  publisher.join();
  REQUIRE(ended);
  CHECK(figure(publisher, run::PublisherCounter::heartbeats) > 100);
  CHECK(figure(publisher, run::PublisherCounter::sequence) > 300'000);
  CHECK_EQUAL(source->after().allocations - source->before().allocations, 0U);
  CHECK_EQUAL(source->after().thread.switches_voluntary - source->before().thread.switches_voluntary, 0U);
  const std::uint64_t faults = source->after().thread.faults - source->before().thread.faults;
  // What is not locked the system may take away at any time, and a sanitizer has memory of its own.
  if (locked && !sanitized) CHECK_EQUAL(faults, 0U);
  if (!locked) note("memory could not be locked; page faults: " + std::to_string(faults));
}

TEST(threadAllocationsCountMallocAndNew) {
  if (allocations() == 0) return;  // a sanitizer's own
  const std::uint64_t before = thread_allocations();
  const auto one = std::make_unique<std::vector<int>>(100);
  CHECK(one->data() != nullptr);
  CHECK_EQUAL(thread_allocations() - before, 2U);
}

}  // namespace
}  // namespace depthcast::test

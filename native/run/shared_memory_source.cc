#include "run/shared_memory_source.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <system_error>

#include "ingest/engine_event.h"

namespace depthcast::run {
namespace {

using engine::RingFile;
using engine::RingHeader;
using engine::RingSide;

constexpr std::uint32_t rounds_before_sleep = 256;
constexpr std::chrono::microseconds sleep_min{20};
constexpr std::chrono::microseconds sleep_max{500};
// So many rounds of one length, then twice as long.
constexpr std::uint32_t rounds_of_a_length = 64;
// How often it is looked whether the file is still there: about twice a second.
constexpr std::uint32_t rounds_before_look = 1'024;
constexpr std::uint32_t rounds_before_look_awake = 1U << 20;

// The engine may write the slot while it is copied, if it does not keep to the rules: each word is read once.
engine::Event copy_of(const engine::Event* slot) {
  std::array<std::uint64_t, sizeof(engine::Event) / 8> words;
  const auto* from = reinterpret_cast<const std::uint64_t*>(slot);
  for (std::size_t index = 0; index < words.size(); ++index) {
    words[index] = __atomic_load_n(from + index, __ATOMIC_RELAXED);
  }
  engine::Event event;
  static_assert(std::is_trivially_copyable_v<engine::Event>);
  std::memcpy(static_cast<void*>(&event), words.data(), sizeof event);
  return event;
}

}  // namespace

std::optional<EventRingInfo> look_at_event_ring(const std::string& path) {
  try {
    const RingFile file = RingFile::open(path, RingSide::reader);
    const RingHeader& header = file.header();
    // Figures: the one who takes events loads them again.
    return EventRingInfo{header.stream, header.published.load(std::memory_order_relaxed),
                         header.committed.load(std::memory_order_relaxed)};
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOENT) return std::nullopt;
    throw;
  }
}

SharedMemorySource::SharedMemorySource(const std::string& path, std::uint64_t stream, io::WaitStrategy wait)
    : file_(RingFile::open(path, RingSide::reader)), header_(&file_.header()), wait_(wait) {
  if (header_->stream != stream) throw std::runtime_error(path + " was begun anew while the distributor started");
}

bool SharedMemorySource::fail(const std::string& expected) {
  if (fault_.empty()) fault_ = expected;
  return false;
}

bool SharedMemorySource::begin(const SourceInput& input) {
  published_ = header_->published.load(std::memory_order_acquire);  // pairs with Publisher::publish()
  committed_ = header_->committed.load(std::memory_order_relaxed);  // this side's own, of an earlier run
  taken_ = input.first_position() - 1;
  if (committed_ > published_ || published_ - committed_ > file_.slots()) {
    return fail("a ring that does not contradict itself, but " + std::to_string(published_) +
                " events are published and " + std::to_string(committed_) + " committed");
  }
  if (taken_ < committed_) {
    return fail("event " + std::to_string(taken_ + 1) + ", but the engine was told that events up to " +
                std::to_string(committed_) +
                " are kept for good: a distributor that does not know them needs a fresh stream from the engine");
  }
  if (taken_ > published_) {
    return fail("an engine that has not forgotten events: " + std::to_string(taken_) + " were taken, it has " +
                std::to_string(published_));
  }
  return true;
}

SourceEnd SharedMemorySource::run(SourceInput& input) {
  SourceEnd end;
  if (wait_ == io::WaitStrategy::park) prctl(PR_SET_TIMERSLACK, 1'000UL);  // of this thread: sleeps end on time
  Step last = begin(input) ? Step::nothing : Step::broken;
  const std::uint32_t look_every = wait_ == io::WaitStrategy::park ? rounds_before_look : rounds_before_look_awake;
  std::uint32_t idle_rounds = 0;
  while (last != Step::broken && last != Step::ended && !input.stopping()) {
    commit(input);
    last = step(input);
    input.hand_on();
    if (last == Step::took) {
      idle_rounds = 0;
      if (!input.wait_for_followers()) break;
    } else if (last == Step::nothing) {
      wait(++idle_rounds);
      if (idle_rounds % look_every == 0 && !file_.in_place()) {
        fail("the ring's file to stay, but it was removed or replaced");
        last = Step::broken;
      }
    }
  }
  if (last == Step::ended) end.reason = SourceEndReason::end;
  if (last == Step::broken) {
    end.reason = SourceEndReason::fault;
    end.fault = {0, fault_};
  }
  end.position = taken_;
  return end;
}

SharedMemorySource::Step SharedMemorySource::step(SourceInput& input) {
  // Pairs with Publisher::end(), and is read first: who sees it sees the last event too.
  const bool ended = header_->ended.load(std::memory_order_acquire) != 0;
  const std::uint64_t published = header_->published.load(std::memory_order_acquire);  // pairs with publish()
  if (published < published_ || published - committed_ > file_.slots()) {
    fail("a number of events that can be, but it went from " + std::to_string(published_) + " to " +
         std::to_string(published) + " with " + std::to_string(committed_) + " committed");
    return Step::broken;
  }
  published_ = published;
  if (taken_ == published_) return ended ? Step::ended : Step::nothing;
  const std::uint64_t until = std::min(published_, taken_ + SourceInput::claim_cells / 2);
  while (taken_ < until && input.room(ingest::engine_cells_max)) {
    const Taken taken = take_one(input, ended);
    if (taken == Taken::broken) return Step::broken;
    if (taken == Taken::half) break;
  }
  taken_told_.store(taken_, std::memory_order_relaxed);  // a figure only
  return input.waiting() != 0 ? Step::took : Step::nothing;
}

bool SharedMemorySource::read(std::uint64_t number, engine::Event& event) {
  event = copy_of(file_.slot(number));
  if (event.number == number) return true;
  return fail("event " + std::to_string(number) + " in its slot, but it is numbered " + std::to_string(event.number));
}

SharedMemorySource::Taken SharedMemorySource::take_one(SourceInput& input, bool ended) {
  const std::uint64_t number = taken_ + 1;
  engine::Event event;
  if (!read(number, event)) return Taken::broken;
  engine::Event fields;
  bool with_fields = (event.flags & engine::has_fields) != 0;
  if (with_fields) [[unlikely]] {
    // The engine has published the first half alone: the other one comes, or there is nothing more to come.
    if (number == published_ && !ended) return Taken::half;
    if (number != published_ && !read(number + 1, fields)) return Taken::broken;
    with_fields = fields.kind == engine::EventKind::fields && engine::well_formed(fields);
  }
  std::array<ingest::InputCell, ingest::engine_cells_max> cells;
  const std::size_t count = ingest::to_cells(event, cells, with_fields ? &fields : nullptr);
  if (cells[0].event.kind == ingest::InputKind::none) malformed_.fetch_add(1, std::memory_order_relaxed);  // a figure
  for (std::size_t index = 0; index < count; ++index) input.cell(index) = cells[index];
  input.put(count);
  taken_ = cells[0].event.position;
  return Taken::whole;
}

void SharedMemorySource::commit(const SourceInput& input) {
  const std::uint64_t committed = std::min(input.committed_position(), taken_);
  if (committed <= committed_) return;
  committed_ = committed;
  // Pairs with the loads of Publisher::committed() and look_for_room(): these slots are not read any more.
  header_->committed.store(committed, std::memory_order_release);
}

void SharedMemorySource::wait(std::uint32_t idle_rounds) const {
  switch (wait_) {
    case io::WaitStrategy::spin: return io::pause_core();
    case io::WaitStrategy::yield: sched_yield(); return;
    case io::WaitStrategy::park: break;
  }
  if (idle_rounds < rounds_before_sleep) return io::pause_core();
  const std::uint32_t doublings = std::min((idle_rounds - rounds_before_sleep) / rounds_of_a_length, 10U);
  std::this_thread::sleep_for(std::min(sleep_min * (1U << doublings), sleep_max));
}

std::vector<SourceFigure> SharedMemorySource::figures() const {
  return {{"published", header_->published.load(std::memory_order_relaxed)},
          {"taken", taken_told_.load(std::memory_order_relaxed)},
          {"committed", header_->committed.load(std::memory_order_relaxed)},
          {"malformed", malformed_.load(std::memory_order_relaxed)},
          {"slots", file_.slots()}};
}

}  // namespace depthcast::run

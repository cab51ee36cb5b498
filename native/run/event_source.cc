#include "run/event_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "io/clock.h"
#include "io/waiting.h"
#include "run/journal_writer.h"
#include "run/publisher.h"

namespace depthcast::run {
namespace {

constexpr std::chrono::microseconds full_ring_pause{20};
constexpr std::chrono::microseconds followers_pause{200};

}  // namespace

std::vector<std::uint32_t> SourceInput::source_codes() const { return publisher_.source_codes_before(); }

std::uint64_t SourceInput::first_position() const { return publisher_.first_position(); }

std::uint64_t SourceInput::committed_position() const { return publisher_.committed_position(); }

std::uint64_t SourceInput::committed_sequence() const { return publisher_.committed_sequence(); }

std::uint64_t SourceInput::journal_sequence(bool durable) const {
  if (journal_ == nullptr) return 0;
  return journal_->counters().get(durable ? JournalCounter::sequence_durable : JournalCounter::sequence);
}

bool SourceInput::followers_need_time() { return publisher_.followers_need_time(io::monotonic_ns()); }

ingest::InputCell& SourceInput::cell(std::size_t offset) { return publisher_.input().at_tail(filled_ + offset); }

void SourceInput::hand_on() {
  if (filled_ == 0) return;
  publisher_.input().publish(filled_);
  claimed_ -= filled_;
  filled_ = 0;
  publisher_.wake();
}

bool SourceInput::room(std::size_t cells) {
  if (claimed_ - filled_ >= cells) return true;
  claimed_ = publisher_.input().claim(filled_ + claim_cells);
  return claimed_ - filled_ >= cells;
}

bool SourceInput::wait_for_room(std::size_t cells) {
  if (claimed_ - filled_ >= cells) return true;
  hand_on();
  while (!stopping()) {
    if (room(cells)) return true;
    std::this_thread::sleep_for(full_ring_pause);
  }
  return false;
}

bool SourceInput::wait_for_followers() {
  while (followers_need_time()) {
    if (stopping()) return false;
    std::this_thread::sleep_for(followers_pause);
  }
  return true;
}

bool SourceInput::wait_until(std::int64_t monotonic_ns) {
  constexpr std::int64_t slice_ns = 20'000'000;
  std::int64_t left = monotonic_ns - io::monotonic_ns();
  if (left <= 0) return true;
  hand_on();
  for (; left > 0; left = monotonic_ns - io::monotonic_ns()) {
    if (stopping()) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left, slice_ns)));
  }
  return true;
}

SourceThread::SourceThread(Publisher& publisher, std::unique_ptr<EventSource> source, const JournalWriter* journal)
    : publisher_(publisher), input_(publisher, journal), source_(std::move(source)) {}

SourceThread::~SourceThread() {
  stop();
  join();
}

void SourceThread::start() {
  thread_ = std::thread([this] { run(); });
}

void SourceThread::stop() {
  input_.stop();
  source_->interrupt();
}

void SourceThread::join() {
  if (thread_.joinable()) thread_.join();
}

void SourceThread::run() {
  io::name_thread("dc-source");
  end_ = source_->run(input_);
  input_.hand_on();
  publisher_.end_input(end_.reason == SourceEndReason::stopped);
}

}  // namespace depthcast::run

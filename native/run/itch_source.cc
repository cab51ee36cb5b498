#include "run/itch_source.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "io/clock.h"
#include "io/waiting.h"
#include "run/publisher.h"

namespace depthcast::run {
namespace {

// A share of cells asked for at once, so that the ring's shared indices are touched seldom.
constexpr std::size_t claim_cells = 256;
constexpr std::chrono::microseconds full_ring_pause{20};
constexpr std::chrono::microseconds followers_pause{200};

}  // namespace

std::string describe(ingest::ItchFault fault, std::span<const std::uint8_t> message) {
  switch (fault) {
    case ingest::ItchFault::none: return {};
    case ingest::ItchFault::empty: return "a message, but it is empty";
    case ingest::ItchFault::unknown_type:
      return "an ITCH 5.0 message type, but it is 0x" +
             std::string{"0123456789abcdef"[message[0] >> 4], "0123456789abcdef"[message[0] & 15]};
    default:
      return std::string("a message of type ") + static_cast<char>(message[0]) + " with " +
             std::to_string(ingest::itch_length(message[0])) + " bytes, but it has " + std::to_string(message.size());
  }
}

ItchSource::ItchSource(Publisher& publisher, std::unique_ptr<ByteSource> bytes, const Pacing& pacing,
                       std::int64_t midnight_ns)
    : publisher_(publisher), bytes_(std::move(bytes)), framing_(*bytes_), parser_(midnight_ns), pacer_(pacing) {}

ItchSource::~ItchSource() {
  stop();
  join();
}

void ItchSource::start() {
  thread_ = std::thread([this] { run(); });
}

void ItchSource::stop() {
  // Pairs with the loads in run() and in the byte sources.
  stop_.store(true, std::memory_order_release);
}

void ItchSource::join() {
  if (thread_.joinable()) thread_.join();
}

void ItchSource::hand_on() {
  if (filled_ == 0) return;
  publisher_.input().publish(filled_);
  claimed_ -= filled_;
  filled_ = 0;
  publisher_.wake();
}

bool ItchSource::wait_for_room() {
  if (claimed_ - filled_ >= ingest::ItchParser::cells_max) return true;
  hand_on();
  while (!stop_.load(std::memory_order_acquire)) {  // pairs with stop()
    claimed_ = publisher_.input().claim(claim_cells);
    if (claimed_ >= ingest::ItchParser::cells_max) return true;
    std::this_thread::sleep_for(full_ring_pause);
  }
  return false;
}

bool ItchSource::wait_for_followers() {
  while (publisher_.followers_need_time(io::monotonic_ns())) {
    if (stop_.load(std::memory_order_acquire)) return false;  // pairs with stop()
    std::this_thread::sleep_for(followers_pause);
  }
  return true;
}

bool ItchSource::wait_until(std::int64_t due_ns) {
  constexpr std::int64_t slice_ns = 20'000'000;
  std::int64_t left = due_ns - io::monotonic_ns();
  if (left <= 0) return true;
  hand_on();
  for (; left > 0; left = due_ns - io::monotonic_ns()) {
    if (stop_.load(std::memory_order_acquire)) return false;  // pairs with stop()
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(left, slice_ns)));
  }
  return true;
}

void ItchSource::run() {
  io::name_thread("dc-source");
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  std::span<const std::uint8_t> message;
  const std::uint64_t first_position = publisher_.first_position();
  std::uint64_t position = 0;
  while (true) {
    if (stop_.load(std::memory_order_acquire)) break;  // pairs with stop()
    if (!framing_.buffered()) hand_on();               // reading may take long
    const ItchFraming::Next next = framing_.next(message, stop_);
    if (next == ItchFraming::Next::end) {
      if (!stop_.load(std::memory_order_acquire)) end_.reason = SourceEndReason::end;  // pairs with stop()
      break;
    }
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = next == ItchFraming::Next::fault ? 0 : parser_.parse(message, position + 1, cells, fault);
    if (fault != ingest::ItchFault::none) framing_.fail(describe(fault, message));
    if (next == ItchFraming::Next::fault || fault != ingest::ItchFault::none) {
      end_.reason = SourceEndReason::fault;
      end_.fault = framing_.fault();
      break;
    }
    if (position + 1 < first_position) {  // an earlier run has taken it
      ++position;
      continue;
    }
    if (pacer_.paced()) {
      const std::uint64_t index = position + 1 - first_position;
      if (!wait_until(pacer_.due_ns(index, cells[0].event.time_ns, io::monotonic_ns()))) break;
    }
    if (!wait_for_room()) break;
    ++position;
    for (std::size_t index = 0; index < count; ++index) publisher_.input().at_tail(filled_ + index) = cells[index];
    filled_ += count;
    if (filled_ < claim_cells / 2) continue;
    hand_on();
    if (!pacer_.paced() && !wait_for_followers()) break;
  }
  hand_on();
  end_.position = position;
  publisher_.end_input();
}

}  // namespace depthcast::run

#include "preloaded_itch.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <unordered_map>

#include "io/clock.h"

namespace depthcast::perf {
namespace {

constexpr std::size_t prefix_bytes = 2;
constexpr std::size_t delete_bytes = 19;  // type D

std::size_t length_at(const std::uint8_t* at) { return static_cast<std::size_t>(at[0]) << 8 | at[1]; }

struct Live {
  std::uint64_t quantity;
  std::uint32_t source_code;
};
using LiveOrders = std::unordered_map<std::uint64_t, Live>;

void reduce(LiveOrders& live, std::uint64_t order_id, std::uint64_t quantity) {
  const auto found = live.find(order_id);
  if (found == live.end()) return;
  found->second.quantity -= std::min(quantity, found->second.quantity);
  if (found->second.quantity == 0) live.erase(found);
}

void follow(LiveOrders& live, const ingest::InputEvent& event) {
  switch (event.kind) {
    case ingest::InputKind::add: live[event.order_id] = {event.quantity, event.source_code}; break;
    case ingest::InputKind::execute:
    case ingest::InputKind::cancel: reduce(live, event.order_id, event.quantity); break;
    case ingest::InputKind::delete_order: live.erase(event.order_id); break;
    case ingest::InputKind::replace: {
      const auto found = live.find(event.order_id);
      if (found == live.end()) break;
      const std::uint32_t source_code = found->second.source_code;
      live.erase(found);
      live[event.detail] = {event.quantity, source_code};
      break;
    }
    default: break;
  }
}

void put_big_endian(std::uint8_t* to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t index = bytes; index-- > 0; value >>= 8) to[index] = static_cast<std::uint8_t>(value);
}

}  // namespace

void close_books(std::vector<std::uint8_t>& bytes) {
  ingest::ItchParser parser(0);
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  LiveOrders live;
  std::int64_t time_ns = 0;
  for (std::size_t offset = 0; offset + prefix_bytes <= bytes.size();) {
    const std::size_t length = length_at(&bytes[offset]);
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser.parse({&bytes[offset + prefix_bytes], length}, 1, cells, fault);
    for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells[cell].event.kind)) {
      follow(live, cells[cell].event);
      time_ns = cells[cell].event.time_ns;
    }
    offset += prefix_bytes + length;
  }
  for (const auto& [order_id, order] : live) {
    std::array<std::uint8_t, prefix_bytes + delete_bytes> message{0, delete_bytes, 'D'};
    put_big_endian(&message[3], order.source_code, 2);
    put_big_endian(&message[7], static_cast<std::uint64_t>(time_ns), 6);
    put_big_endian(&message[13], order_id, 8);
    bytes.insert(bytes.end(), message.begin(), message.end());
  }
}

void PreloadedItch::started() {
  if (options_.warm_messages == 0) begin();
}

void PreloadedItch::begin() {
  begin_position_ = position_;
  begin_cpu_ns_ = io::clock_ns(CLOCK_THREAD_CPUTIME_ID);
  begin_ns_ = io::monotonic_ns();
}

void PreloadedItch::finish() {
  end_ns_ = io::monotonic_ns();
  end_cpu_ns_ = io::clock_ns(CLOCK_THREAD_CPUTIME_ID);
  done_.store(true, std::memory_order_release);  // pairs with the load in done()
}

// Messages that may go in now.
std::size_t PreloadedItch::due() {
  if (position_ < options_.warm_messages) {
    return std::min<std::size_t>(options_.batch_messages, options_.warm_messages - position_);
  }
  if (begin_ns_ == 0) begin();
  if (options_.rate == 0) return options_.batch_messages;
  const auto passed = static_cast<double>(io::monotonic_ns() - begin_ns_);
  const auto wanted = static_cast<std::uint64_t>(passed * options_.rate / 1e9);
  const std::uint64_t given = messages();
  if (wanted <= given) return 0;
  const auto behind_ns = static_cast<std::int64_t>(static_cast<double>(wanted - given) * 1e9 / options_.rate);
  behind_ns_max_ = std::max(behind_ns_max_, behind_ns);
  return std::min<std::size_t>(options_.batch_messages, wanted - given);
}

void PreloadedItch::before_batch(SpscRing<ingest::InputCell>& input) {
  if (pass_ == options_.passes) {
    if (!done()) finish();  // the last of them have been published by now
    return;
  }
  std::size_t left = due();
  const std::size_t granted = input.claim(left + 2 * ingest::ItchParser::cells_max);
  std::size_t filled = 0;
  while (left != 0 && filled + ingest::ItchParser::cells_max <= granted) {
    if (offset_ + prefix_bytes > bytes_.size()) {
      offset_ = 0;
      if (++pass_ == options_.passes) break;
    }
    const std::uint8_t* at = &bytes_[offset_];
    const std::size_t length = length_at(at);
    std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser_.parse({at + prefix_bytes, length}, ++position_, cells, fault);
    for (std::size_t cell = 0; cell < count; ++cell) input.at_tail(filled + cell) = cells[cell];
    filled += count;
    offset_ += prefix_bytes + length;
    --left;
  }
  input.publish(filled);
}

}  // namespace depthcast::perf

#include "run/itch_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "io/clock.h"

namespace depthcast::run {

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

ItchSource::ItchSource(std::unique_ptr<ByteSource> bytes, const Pacing& pacing, std::int64_t midnight_ns)
    : bytes_(std::move(bytes)), framing_(*bytes_), parser_(midnight_ns), pacer_(pacing) {}

SourceEnd ItchSource::run(SourceInput& input) {
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  std::span<const std::uint8_t> message;
  const std::uint64_t first_position = input.first_position();
  std::uint64_t position = 0;
  SourceEnd end;
  while (!input.stopping()) {
    if (!framing_.buffered()) input.hand_on();  // reading may take long
    const ItchFraming::Next next = framing_.next(message, input.stop_flag());
    if (next == ItchFraming::Next::end) {
      if (!input.stopping()) end.reason = SourceEndReason::end;
      break;
    }
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = next == ItchFraming::Next::fault ? 0 : parser_.parse(message, position + 1, cells, fault);
    if (fault != ingest::ItchFault::none) framing_.fail(describe(fault, message));
    if (next == ItchFraming::Next::fault || fault != ingest::ItchFault::none) {
      end.reason = SourceEndReason::fault;
      end.fault = framing_.fault();
      break;
    }
    if (position + 1 < first_position) {  // an earlier run has taken it
      ++position;
      continue;
    }
    if (pacer_.paced()) {
      const std::uint64_t index = position + 1 - first_position;
      if (!input.wait_until(pacer_.due_ns(index, cells[0].event.time_ns, io::monotonic_ns()))) break;
    }
    if (!input.wait_for_room(ingest::ItchParser::cells_max)) break;
    ++position;
    for (std::size_t index = 0; index < count; ++index) input.cell(index) = cells[index];
    input.put(count);
    if (input.waiting() < SourceInput::claim_cells / 2) continue;
    input.hand_on();
    if (!pacer_.paced() && !input.wait_for_followers()) break;
  }
  end.position = position;
  return end;
}

}  // namespace depthcast::run

#include "run/itch_feed_source.h"

#include <array>
#include <utility>

#include "io/clock.h"
#include "run/itch_source.h"

namespace depthcast::run {

ItchFeedSource::ItchFeedSource(std::unique_ptr<FeedStream> stream, const Pacing& pacing, std::int64_t midnight_ns)
    : stream_(std::move(stream)), parser_(midnight_ns), pacer_(pacing) {}

SourceEnd ItchFeedSource::run(SourceInput& input) {
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  const std::uint64_t first_position = input.first_position();
  for (const std::uint32_t code : input.source_codes()) parser_.set_defined(code);
  stream_->begin(first_position);
  FeedMessage message;
  SourceEnd end;
  end.position = first_position - 1;
  const auto fail = [&](std::string expected) {
    end.reason = SourceEndReason::fault;
    end.fault = {0, std::move(expected)};
  };
  std::uint64_t index = 0;
  while (!input.stopping()) {
    const FeedNext next = stream_->next(message);
    if (next == FeedNext::idle) {
      input.hand_on();
      stream_->wait();
      continue;
    }
    if (input.stopping()) break;  // a read that was ended so is no end of the source
    if (next == FeedNext::end) {
      end.reason = SourceEndReason::end;
      break;
    }
    if (next == FeedNext::fault) {
      fail(stream_->fault());
      break;
    }
    ingest::ItchFault fault = ingest::ItchFault::none;
    const std::size_t count = parser_.parse(message.bytes, message.sequence, cells, fault);
    if (fault != ingest::ItchFault::none) {
      fail("as message " + std::to_string(message.sequence) + ' ' + describe(fault, message.bytes));
      break;
    }
    const bool paced = pacer_.paced() && message.capture_ns != 0;
    if (paced && !input.wait_until(pacer_.due_ns(index, message.capture_ns, io::monotonic_ns()))) break;
    if (!input.wait_for_room(ingest::ItchParser::cells_max)) break;
    ++index;
    end.position = message.sequence;
    for (std::size_t cell = 0; cell < count; ++cell) input.cell(cell) = cells[cell];
    input.put(count);
    if (input.waiting() < SourceInput::claim_cells / 2) continue;
    input.hand_on();
    // A capture at full speed has no clock to keep.
    if (message.capture_ns != 0 && !paced && !input.wait_for_followers()) break;
  }
  stream_->leave();
  return end;
}

}  // namespace depthcast::run

#include "book/depth_view.h"

#include <algorithm>

namespace depthcast::book {

DepthViews::DepthViews(std::uint32_t instruments_max, std::uint32_t levels, bool prefault)
    : instruments_max_(instruments_max),
      levels_(std::min(levels, depth_levels_max)),
      stride_((words_header + 2 * std::size_t{levels_} * words_level + 7) / 8 * 8),
      words_(levels_ == 0 ? 0 : (std::size_t{instruments_max} + 1) * stride_, prefault) {}

void DepthViews::copy_out(std::uint32_t instrument, std::uint32_t levels_wanted, Depth& out) const {
  const Word* words = slot(instrument);
  out.sequence = load_word(words[word_sequence]);
  out.event_time_ns = static_cast<std::int64_t>(load_word(words[word_time]));
  const std::uint64_t state = load_word(words[word_state]);
  out.instrument_sequence = static_cast<std::uint32_t>(state);
  out.status = static_cast<TradingStatus>(state >> 32);
  const std::uint64_t counts = load_word(words[word_counts]);
  for (const Side side : {Side::bid, Side::ask}) {
    const std::size_t index = side == Side::ask ? 1 : 0;
    const auto held = static_cast<std::uint32_t>(counts >> (index << 5));
    // A torn count may be anything; the version check throws the state away, but the copy must stay in bounds.
    out.counts[index] = std::min({held, levels_wanted, levels_});
    const Word* level = level_words(instrument, side, 0);
    for (std::uint32_t rank = 0; rank < out.counts[index]; ++rank, level += words_level) {
      out.levels[index][rank] = {static_cast<std::int64_t>(load_word(level[0])), load_word(level[1]),
                                 load_word(level[2])};
    }
  }
}

}  // namespace depthcast::book

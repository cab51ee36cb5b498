#include "book/depth_view.h"

#include <algorithm>

namespace depthcast::book {
DepthViews::DepthViews(std::uint32_t instruments_max, std::uint32_t levels, bool prefault)
    : instruments_max_(instruments_max),
      levels_(std::min(levels, depth_levels_max)),
      stride_((words_header + 2 * std::size_t{levels_} * words_level + 7) / 8 * 8),
      words_(levels_ == 0 ? 0 : (std::size_t{instruments_max} + 1) * stride_, prefault) {}

void DepthViews::set_count(std::uint32_t instrument, Side side, std::uint32_t count) {
  Word& word = slot(instrument)[word_counts];
  const std::uint64_t other = own(word) & (0xffffffffULL << (32 - count_shift(side)));
  store_word(word, other | static_cast<std::uint64_t>(count) << count_shift(side));
}

std::int64_t DepthViews::worst_price(std::uint32_t instrument, Side side) const {
  return price_of(side, static_cast<std::int64_t>(own(level_words(instrument, side, count(instrument, side) - 1)[0])));
}

void DepthViews::store_level(Word* words, std::int64_t rank, const DepthLevel& level) {
  store_word(words[0], static_cast<std::uint64_t>(rank));
  store_word(words[1], level.quantity);
  store_word(words[2], level.orders);
}

void DepthViews::copy_level(Word* to, const Word* from) {
  for (std::size_t word = 0; word < words_level; ++word) store_word(to[word], own(from[word]));
}

void DepthViews::insert_level(Word* words, std::uint32_t place, std::uint32_t kept, std::int64_t rank,
                              const DepthLevel& level) {
  for (std::uint32_t index = kept; index > place; --index) {
    copy_level(words + index * words_level, words + (index - 1) * words_level);
  }
  store_level(words + place * words_level, rank, level);
}

bool DepthViews::change_window(std::uint32_t instrument, Side side, std::int64_t rank, std::uint32_t place,
                               bool present, const DepthLevel& level) {
  const std::uint32_t levels = count(instrument, side);
  Word* words = level_words(instrument, side, 0);
  if (level.orders == 0) {
    if (!present) return false;
    for (std::uint32_t index = place; index + 1 < levels; ++index) {
      copy_level(words + index * words_level, words + (index + 1) * words_level);
    }
    set_count(instrument, side, levels - 1);
    return levels == levels_;
  }
  if (place < levels_) {
    const std::uint32_t kept = std::min(levels, levels_ - 1);
    insert_level(words, place, kept, rank, level);
    if (kept == levels) set_count(instrument, side, levels + 1);
  }
  return false;
}

void DepthViews::append(std::uint32_t instrument, Side side, const DepthLevel& level) {
  const std::uint32_t levels = count(instrument, side);
  store_level(level_words(instrument, side, levels), rank_of(side, level.price), level);
  set_count(instrument, side, levels + 1);
}

void DepthViews::clear_side(std::uint32_t instrument, Side side) { set_count(instrument, side, 0); }

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
    const auto held = static_cast<std::uint32_t>(counts >> count_shift(side));
    // A torn count may be anything; the version check throws the state away, but the copy must stay in bounds.
    out.counts[index] = std::min({held, levels_wanted, levels_});
    const Word* level = level_words(instrument, side, 0);
    for (std::uint32_t rank = 0; rank < out.counts[index]; ++rank, level += words_level) {
      out.levels[index][rank] = {price_of(side, static_cast<std::int64_t>(load_word(level[0]))), load_word(level[1]),
                                 load_word(level[2])};
    }
  }
}

}  // namespace depthcast::book

// What the depth views do not show yet. An instrument that many events of a batch touch is published once, at its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "book/price_index.h"
#include "core/memory.h"
#include "core/message.h"

namespace depthcast::book {

// One instrument's. The header is that of the last event which changed the instrument, whatever came after it.
struct alignas(cache_line) ViewChange {
  std::uint64_t sequence;
  std::int64_t event_time_ns;
  // Of bids and asks: the ranks between which levels differ from the view; first > last: none. Where a level has come
  // or gone all behind it have moved, and `last` is the worst rank.
  std::int64_t first[2];
  std::int64_t last[2];
  std::uint32_t instrument;
  std::uint32_t instrument_sequence;
  TradingStatus status;
  bool open;  // by an event that has not ended yet

  void touch(std::uint32_t side, std::int64_t from, std::int64_t to) {
    first[side] = std::min(first[side], from);
    last[side] = std::max(last[side], to);
  }
  void touch_all() {
    for (const std::uint32_t side : {0U, 1U}) touch(side, std::numeric_limits<std::int64_t>::min(), rank_worst);
  }
};
static_assert(sizeof(ViewChange) == cache_line);

// Threads: the book's writer only.
class ViewChanges {
 public:
  explicit ViewChanges(std::size_t instruments) : changes_(instruments), open_(instruments) {}

  // The instrument's change, opened for the event that is going on. `index` is the instrument's own note of where its
  // change stands, no_index where it has none; clear() does not reset it.
  ViewChange& of(std::uint32_t instrument, std::uint32_t& index) {
    if (index == no_index) {
      index = static_cast<std::uint32_t>(count_++);
      constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
      changes_[index] = {0, 0, {rank_worst, rank_worst}, {least, least}, instrument, 0, TradingStatus::unknown, false};
    }
    ViewChange& change = changes_[index];
    if (!change.open) {
      change.open = true;
      open_[open_count_++] = index;
    }
    return change;
  }
  // Calls `complete` for each change that the event has made, which sets what the instrument itself knows.
  template <typename Complete>
  void close_event(std::uint64_t sequence, std::int64_t event_time_ns, Complete complete) {
    for (std::size_t at = 0; at < open_count_; ++at) {
      ViewChange& change = changes_[open_[at]];
      change.sequence = sequence;
      change.event_time_ns = event_time_ns;
      change.open = false;
      complete(change);
    }
    open_count_ = 0;
  }
  std::span<ViewChange> all() { return {changes_.data(), count_}; }
  void clear() { count_ = 0; }

  std::size_t bytes() const { return changes_.size() * sizeof(ViewChange) + open_.size() * sizeof(std::uint32_t); }

 private:
  std::vector<ViewChange> changes_;
  std::vector<std::uint32_t> open_;  // indices of what the event that is going on has changed
  std::size_t count_ = 0;
  std::size_t open_count_ = 0;
};

}  // namespace depthcast::book

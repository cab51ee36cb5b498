// The numbers that are known to have been sent and have not come: ranges with the time since when they are known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory_resource>
#include <utility>
#include <vector>

namespace depthcast::arbitrate {

struct SequenceRange {
  std::uint64_t first;
  std::uint64_t last;  // included
};

// What came of a hole that had been known since then.
struct FilledRange {
  std::uint64_t first;
  std::uint64_t last;
  std::int64_t since_ns;
  bool closes;  // nothing is left of the hole
};

// Threads: one. Each step costs O(log holes); memory comes from a pool that keeps what it once had.
class HoleSet {
 public:
  struct Hole {
    std::uint64_t first;
    std::int64_t since_ns;
  };
  using Holes = std::pmr::map<std::uint64_t, Hole>;  // by the number behind its last one

  bool empty() const { return holes_.empty(); }
  std::size_t size() const { return holes_.size(); }
  // Numbers missing in all.
  std::uint64_t messages() const { return messages_; }
  Holes::const_iterator begin() const { return holes_.begin(); }
  Holes::const_iterator end() const { return holes_.end(); }
  // The first hole of which some number is not below `number`.
  Holes::const_iterator behind(std::uint64_t number) const { return holes_.upper_bound(number); }
  // The end of the last hole; there must be one.
  std::uint64_t end_last() const { return std::prev(holes_.end())->first; }

  // [first, end) are missing; none of them, and nothing behind them, may be.
  void add_last(std::uint64_t first, std::uint64_t end, std::int64_t since_ns) {
    holes_.emplace_hint(holes_.end(), end, Hole{first, since_ns});
    messages_ += end - first;
  }
  // The same, where nothing before them may be.
  void add_first(std::uint64_t first, std::uint64_t end, std::int64_t since_ns) {
    holes_.emplace_hint(holes_.begin(), end, Hole{first, since_ns});
    messages_ += end - first;
  }
  // The last hole grows to `end`, and its time starts again.
  void extend_last(std::uint64_t end, std::int64_t since_ns) {
    auto node = holes_.extract(std::prev(holes_.end()));
    messages_ += end - node.key();
    node.key() = end;
    node.mapped().since_ns = since_ns;
    holes_.insert(holes_.end(), std::move(node));
  }
  // Is any of [first, end) missing?
  bool touches(std::uint64_t first, std::uint64_t end) const {
    const auto hole = holes_.upper_bound(first);
    return hole != holes_.end() && hole->second.first < end;
  }
  // [first, end) have come. Appends to `filled` what that was of each hole.
  void fill(std::uint64_t first, std::uint64_t end, std::vector<FilledRange>& filled) {
    auto hole = holes_.upper_bound(first);
    while (hole != holes_.end() && hole->second.first < end) {
      const std::uint64_t hole_first = hole->second.first;
      const std::uint64_t hole_end = hole->first;
      const std::uint64_t from = std::max(first, hole_first);
      const std::uint64_t to = std::min(end, hole_end);
      messages_ -= to - from;
      filled.push_back({from, to - 1, hole->second.since_ns, from == hole_first && to == hole_end});
      // What is left before, a hole of its own.
      if (hole_first < first) holes_.emplace_hint(hole, first, Hole{hole_first, hole->second.since_ns});
      if (hole_end > end) {
        hole->second.first = end;
        return;
      }
      hole = holes_.erase(hole);
    }
  }
  // Nothing below `end` is missed any more.
  void drop_below(std::uint64_t end) {
    while (!holes_.empty() && holes_.begin()->second.first < end) {
      const auto hole = holes_.begin();
      if (hole->first > end) {
        messages_ -= end - hole->second.first;
        hole->second.first = end;
        return;
      }
      messages_ -= hole->first - hole->second.first;
      holes_.erase(hole);
    }
  }
  void clear() {
    holes_.clear();
    messages_ = 0;
  }

 private:
  std::pmr::unsynchronized_pool_resource pool_;
  Holes holes_{&pool_};
  std::uint64_t messages_ = 0;
};

}  // namespace depthcast::arbitrate

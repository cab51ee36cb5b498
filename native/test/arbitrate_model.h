// Line arbitration by sets of numbers: obviously right, and slow. It knows
// nothing of packets, slots or limits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "arbitrate/arbiter.h"

namespace depthcast::test {

class ArbiterModel {
 public:
  explicit ArbiterModel(std::int64_t gap_wait_ns, std::uint64_t first_sequence = 1)
      : gap_wait_ns_(gap_wait_ns), next_(first_sequence) {}

  // Some line brought these numbers. Whoever sends a number has sent every one
  // below it.
  void receive(std::uint64_t first, std::uint64_t count, std::int64_t now_ns) {
    for (std::uint64_t number = std::max(first, next_); number < first + count; ++number) held_.insert(number);
    announce(first + count, now_ns);
    deliver();
  }
  void announce(std::uint64_t next_sequence, std::int64_t now_ns) {
    for (std::uint64_t number = next_; number < next_sequence; ++number) known_ns_.try_emplace(number, now_ns);
  }
  // Numbers that were known to be sent long enough and have not come, up to the
  // first that has.
  std::optional<arbitrate::SequenceRange> expire(std::int64_t now_ns) {
    const std::uint64_t first = next_;
    while (held_.count(next_) == 0) {
      const auto known = known_ns_.find(next_);
      if (known == known_ns_.end() || now_ns - known->second < gap_wait_ns_) break;
      ++next_;
    }
    if (next_ == first) return std::nullopt;
    const arbitrate::SequenceRange range{first, next_ - 1};
    deliver();
    return range;
  }
  std::int64_t deadline_ns() const {
    const auto known = known_ns_.find(next_);
    return known == known_ns_.end() ? 0 : known->second + gap_wait_ns_;
  }
  std::uint64_t next_sequence() const { return next_; }

  std::vector<std::uint64_t> delivered;

 private:
  void deliver() {
    for (; held_.erase(next_) != 0; ++next_) delivered.push_back(next_);
    known_ns_.erase(known_ns_.begin(), known_ns_.lower_bound(next_));
  }

  std::int64_t gap_wait_ns_;
  std::uint64_t next_;
  std::set<std::uint64_t> held_;
  std::map<std::uint64_t, std::int64_t> known_ns_;  // since when a number is known to have been sent
};

}  // namespace depthcast::test

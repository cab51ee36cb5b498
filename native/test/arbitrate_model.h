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

  // Holes that stay open: all of them whose time is over.
  std::vector<arbitrate::SequenceRange> overdue(std::int64_t now_ns) const {
    std::vector<arbitrate::SequenceRange> ranges;
    for (const auto& [number, since_ns] : known_ns_) {
      if (held_.count(number) != 0 || now_ns - since_ns < gap_wait_ns_) continue;
      if (!ranges.empty() && ranges.back().last + 1 == number) {
        ranges.back().last = number;
      } else {
        ranges.push_back({number, number});
      }
    }
    return ranges;
  }
  std::uint64_t missing() const {
    std::uint64_t count = 0;
    for (const auto& [number, since_ns] : known_ns_) count += held_.count(number) == 0 ? 1 : 0;
    return count;
  }
  bool held(std::uint64_t number) const { return held_.count(number) != 0; }
  // Forgets what it holds; all of it is missing as long as the oldest.
  void drop_held() {
    if (held_.empty()) return;
    held_.clear();
    const std::int64_t since_ns = known_ns_.begin()->second;
    for (auto& [number, known_ns] : known_ns_) known_ns = since_ns;
  }
  void go_on_at(std::uint64_t sequence, std::int64_t now_ns) {
    if (sequence < next_) {
      const std::int64_t oldest_ns = known_ns_.empty() ? now_ns : known_ns_.begin()->second;
      for (std::uint64_t number = sequence; number < next_; ++number) {
        known_ns_[number] = std::min(now_ns - gap_wait_ns_, oldest_ns);
      }
      next_ = sequence;
      return;
    }
    next_ = sequence;
    held_.erase(held_.begin(), held_.lower_bound(next_));
    known_ns_.erase(known_ns_.begin(), known_ns_.lower_bound(next_));
    deliver();
  }
  void give_up_below(std::uint64_t end) {
    while (next_ < end && held_.count(next_) == 0 && known_ns_.count(next_) != 0) ++next_;
    deliver();
  }

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

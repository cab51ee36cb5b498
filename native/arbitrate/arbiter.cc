#include "arbitrate/arbiter.h"

#include <algorithm>
#include <cstring>

namespace depthcast::arbitrate {

Arbiter::Arbiter(const ArbiterOptions& options, std::uint64_t first_sequence)
    : options_(options),
      slot_bytes_((std::size_t{options.datagram_bytes_max} + 7) / 8 * 8),
      next_(first_sequence),
      known_end_(first_sequence),
      bytes_(slot_bytes_ * options.parked_max, false) {
  order_.reserve(2 * std::size_t{options.parked_max});
  free_slots_.reserve(options.parked_max);
  reset(first_sequence);
}

void Arbiter::reset(std::uint64_t first_sequence) {
  next_ = first_sequence;
  known_end_ = first_sequence;
  since_ns_ = 0;
  order_.clear();
  head_ = 0;
  free_slots_.clear();
  for (std::uint32_t slot = options_.parked_max; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

Arbiter::Decision Arbiter::offer(std::uint64_t first_sequence, std::uint32_t count,
                                 std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  const std::uint64_t end = first_sequence + count;
  if (end <= next_) return {Verdict::duplicate};
  if (first_sequence <= next_) {
    const auto skip = static_cast<std::uint32_t>(next_ - first_sequence);
    next_ = end;
    known_end_ = std::max(known_end_, end);
    moved();
    return {Verdict::apply, skip};
  }
  const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto place = std::lower_bound(begin, order_.end(), first_sequence,
                                      [](const Entry& entry, std::uint64_t first) { return entry.first < first; });
  if (place != order_.end() && place->first == first_sequence && place->end >= end) return {Verdict::duplicate};
  if (place != begin && std::prev(place)->end >= end) return {Verdict::duplicate};
  if (free_slots_.empty() || datagram.size() > slot_bytes_) return {Verdict::overflow};
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  std::memcpy(bytes_.data() + slot * slot_bytes_, datagram.data(), datagram.size());
  order_.insert(place, {first_sequence, end, slot, static_cast<std::uint32_t>(datagram.size()), now_ns});
  if (!hole()) since_ns_ = now_ns;
  known_end_ = std::max(known_end_, end);
  return {Verdict::parked};
}

void Arbiter::announce(std::uint64_t next_sequence, std::int64_t now_ns) {
  if (next_sequence <= known_end_) return;
  if (!hole()) since_ns_ = now_ns;
  known_end_ = next_sequence;
  announced_ns_ = now_ns;
}

std::optional<Arbiter::Parked> Arbiter::next_parked() {
  while (!nothing_parked() && front().first <= next_) {
    const Entry entry = front();
    drop_front();
    free_slots_.push_back(entry.slot);  // its bytes stay untouched until offer() takes the slot again
    if (entry.end <= next_) continue;
    const auto skip = static_cast<std::uint32_t>(next_ - entry.first);
    next_ = entry.end;
    moved();
    return Parked{{bytes_.data() + entry.slot * slot_bytes_, entry.length}, skip};
  }
  return std::nullopt;
}

// The taken entries are swept away when they are as many as can be kept, so that draining is O(1) each.
void Arbiter::drop_front() {
  if (++head_ == order_.size() || head_ == options_.parked_max) {
    order_.erase(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Arbiter::moved() {
  if (!hole()) return;
  since_ns_ = nothing_parked() ? announced_ns_ : front().arrival_ns;
}

std::optional<SequenceRange> Arbiter::expire(std::int64_t now_ns) {
  if (!hole() || now_ns - since_ns_ < options_.gap_wait_ns) return std::nullopt;
  return give_up();
}

std::optional<SequenceRange> Arbiter::give_up() {
  if (!hole()) return std::nullopt;
  const std::uint64_t end = nothing_parked() ? known_end_ : std::min(known_end_, front().first);
  if (end <= next_) return std::nullopt;  // what follows is kept and can be applied: no hole in front
  const SequenceRange range{next_, end - 1};
  next_ = end;
  moved();
  return range;
}

}  // namespace depthcast::arbitrate

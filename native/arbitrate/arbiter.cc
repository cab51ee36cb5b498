#include "arbitrate/arbiter.h"

#include <algorithm>
#include <cstring>

namespace depthcast::arbitrate {

Arbiter::Arbiter(const ArbiterOptions& options, std::uint64_t first_sequence)
    : options_(options),
      slot_bytes_((std::size_t{options.datagram_bytes_max} + 7) / 8 * 8),
      next_(first_sequence),
      parked_(options.parked_max),
      known_(std::size_t{options.parked_max} + announced_max),
      bytes_(slot_bytes_ * options.parked_max, false) {
  free_slots_.reserve(options.parked_max);
  reset(first_sequence);
}

void Arbiter::reset(std::uint64_t first_sequence) {
  next_ = first_sequence;
  parked_.clear();
  known_.clear();
  free_slots_.clear();
  for (std::uint32_t slot = options_.parked_max; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

Arbiter::Decision Arbiter::offer(std::uint64_t first_sequence, std::uint32_t count,
                                 std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  const std::uint64_t end = first_sequence + count;
  if (end <= next_) return {Verdict::duplicate};
  if (first_sequence <= next_) {
    const auto skip = static_cast<std::uint32_t>(next_ - first_sequence);
    advance(end);
    return {Verdict::apply, skip};
  }
  const auto place = std::lower_bound(parked_.begin(), parked_.end(), first_sequence,
                                      [](const Entry& entry, std::uint64_t first) { return entry.first < first; });
  if (place != parked_.end() && place->first == first_sequence && place->end >= end) return {Verdict::duplicate};
  if (place != parked_.begin() && std::prev(place)->end >= end) return {Verdict::duplicate};
  if (free_slots_.empty() || datagram.size() > slot_bytes_) return {Verdict::overflow};
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  std::memcpy(bytes_.data() + slot * slot_bytes_, datagram.data(), datagram.size());
  parked_.insert(place, {first_sequence, end, slot, static_cast<std::uint32_t>(datagram.size())});
  learn(end, now_ns);
  return {Verdict::parked};
}

void Arbiter::announce(std::uint64_t next_sequence, std::int64_t now_ns) { learn(next_sequence, now_ns); }

void Arbiter::learn(std::uint64_t end, std::int64_t now_ns) {
  if (end <= (known_.empty() ? next_ : known_.back().end)) return;
  if (known_.full()) {
    known_.back() = {end, now_ns};  // rather too late than too early
  } else {
    known_.insert(known_.end(), {end, now_ns});
  }
}

void Arbiter::advance(std::uint64_t end) {
  next_ = end;
  while (!known_.empty() && known_.front().end <= end) known_.drop_front();
}

std::optional<Arbiter::Parked> Arbiter::next_parked() {
  while (!parked_.empty() && parked_.front().first <= next_) {
    const Entry entry = parked_.front();
    parked_.drop_front();
    free_slots_.push_back(entry.slot);  // its bytes stay untouched until offer() takes the slot again
    if (entry.end <= next_) continue;
    const auto skip = static_cast<std::uint32_t>(next_ - entry.first);
    advance(entry.end);
    return Parked{{bytes_.data() + entry.slot * slot_bytes_, entry.length}, skip};
  }
  return std::nullopt;
}

std::optional<SequenceRange> Arbiter::expire(std::int64_t now_ns) {
  std::uint64_t end = next_;
  for (const Known& known : known_) {
    if (now_ns - known.since_ns < options_.gap_wait_ns) break;
    end = known.end;
    if (!parked_.empty() && end >= parked_.front().first) break;
  }
  return skip_to(end);
}

std::optional<SequenceRange> Arbiter::give_up() { return skip_to(known_.empty() ? next_ : known_.back().end); }

std::optional<SequenceRange> Arbiter::skip_to(std::uint64_t end) {
  if (!parked_.empty()) end = std::min(end, parked_.front().first);
  if (end <= next_) return std::nullopt;
  const SequenceRange range{next_, end - 1};
  advance(end);
  return range;
}

}  // namespace depthcast::arbitrate

#include "arbitrate/arbiter.h"

#include <algorithm>

namespace depthcast::arbitrate {

Arbiter::Arbiter(const ArbiterOptions& options, std::uint64_t first_sequence)
    : options_(options),
      next_(first_sequence),
      known_end_(first_sequence),
      parked_(options.parked_max, options.parked_bytes_max) {}

void Arbiter::reset(std::uint64_t first_sequence) {
  next_ = first_sequence;
  known_end_ = first_sequence;
  parked_.clear();
  holes_.clear();
  filled_.clear();
}

Arbiter::Decision Arbiter::offer(std::uint64_t first_sequence, std::uint32_t count,
                                 std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  const std::uint64_t end = first_sequence + count;
  if (end <= next_) return {Verdict::duplicate};
  if (first_sequence <= next_) {
    const auto skip = static_cast<std::uint32_t>(next_ - first_sequence);
    if (!holes_.empty()) holes_.fill(next_, end, filled_);
    advance(end);
    return {Verdict::apply, skip};
  }
  if (end <= known_end_ && !holes_.touches(first_sequence, end)) return {Verdict::duplicate};
  if (!parked_.add(first_sequence, end, datagram)) return {Verdict::overflow};
  holes_.fill(first_sequence, end, filled_);
  if (first_sequence > known_end_) holes_.add_last(known_end_, first_sequence, now_ns);
  known_end_ = std::max(known_end_, end);
  return {Verdict::parked};
}

void Arbiter::announce(std::uint64_t next_sequence, std::int64_t now_ns) {
  if (next_sequence <= known_end_) return;
  const bool crowded = holes_.size() >= parked_.size() + announced_max && holes_.end_last() == known_end_;
  if (crowded) {
    holes_.extend_last(next_sequence, now_ns);  // rather too late than too early
  } else {
    holes_.add_last(known_end_, next_sequence, now_ns);
  }
  known_end_ = next_sequence;
}

void Arbiter::advance(std::uint64_t end) {
  next_ = end;
  known_end_ = std::max(known_end_, end);
}

std::optional<Arbiter::Parked> Arbiter::next_parked() {
  while (!parked_.empty() && parked_.begin()->first <= next_) {
    const std::uint64_t first = parked_.begin()->first;
    const ParkedPackets::Packet packet = parked_.take_first();
    if (packet.end <= next_) continue;
    const auto skip = static_cast<std::uint32_t>(next_ - first);
    advance(packet.end);
    return Parked{{packet.data, packet.length}, skip};
  }
  return std::nullopt;
}

void Arbiter::overdue(std::int64_t now_ns, std::size_t max, std::vector<SequenceRange>& out, std::uint64_t from) const {
  const std::size_t size_before = out.size();
  for (auto at = holes_.behind(from); at != holes_.end(); ++at) {
    const auto& [end, hole] = *at;
    if (now_ns - hole.since_ns < options_.gap_wait_ns) return;
    const std::uint64_t first = std::max(hole.first, from);
    if (out.size() != size_before && out.back().last + 1 == first) {
      out.back().last = end - 1;
    } else if (out.size() - size_before == max) {
      return;
    } else {
      out.push_back({first, end - 1});
    }
  }
}

std::optional<SequenceRange> Arbiter::expire(std::int64_t now_ns, std::int64_t wait_ns) {
  std::uint64_t given_up_end = next_;
  for (const auto& [end, hole] : holes_) {
    if (hole.first != given_up_end || now_ns - hole.since_ns < wait_ns) break;
    given_up_end = end;
  }
  return skip_to(given_up_end);
}

std::optional<SequenceRange> Arbiter::give_up(std::uint64_t end) {
  std::uint64_t given_up_end = next_;
  for (const auto& [hole_end, hole] : holes_) {
    if (hole.first != given_up_end || hole.first >= end) break;
    given_up_end = std::min(end, hole_end);
  }
  return skip_to(given_up_end);
}

std::optional<SequenceRange> Arbiter::skip_to(std::uint64_t end) {
  if (end <= next_) return std::nullopt;
  const SequenceRange range{next_, end - 1};
  holes_.drop_below(end);
  advance(end);
  return range;
}

std::size_t Arbiter::drop_parked() {
  const std::size_t dropped = parked_.size();
  if (dropped == 0) return 0;
  const std::int64_t since_ns = oldest_ns();
  parked_.clear();
  holes_.clear();
  holes_.add_last(next_, known_end_, since_ns);
  return dropped;
}

void Arbiter::go_on_at(std::uint64_t sequence, std::int64_t now_ns) {
  if (sequence < next_) {
    const std::int64_t since_ns = now_ns - options_.gap_wait_ns;
    holes_.add_first(sequence, next_, holes_.empty() ? since_ns : std::min(since_ns, oldest_ns()));
    next_ = sequence;
    return;
  }
  holes_.fill(next_, sequence, filled_);
  advance(sequence);
}

}  // namespace depthcast::arbitrate

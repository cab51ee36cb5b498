// Line arbitration by message number: first copy wins; what has not come is known as a hole, since when, and either
// given up after a while or kept open for whoever can bring it.
// Pure: positions, bytes and now_ns in, verdicts and ranges out (the shape of Aeron's loss detector).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "arbitrate/hole_set.h"
#include "arbitrate/parked_packets.h"

namespace depthcast::arbitrate {

struct ArbiterOptions {
  std::int64_t gap_wait_ns = 10'000'000;     // how long a hole may wait for the other line, or for a reordered packet
  std::uint32_t parked_max = 262'144;        // packets kept while a hole is open
  std::size_t parked_bytes_max = 256 << 20;  // and their bytes, in whole blocks of ParkedPackets
};

enum class Verdict : std::uint8_t {
  apply,      // apply the messages from `skip` on, then drain next_parked()
  duplicate,  // nothing new
  parked,     // kept until the hole before it is closed or given up
  overflow,   // no room to keep it: call give_up() and drain next_parked(), or drop_parked(); then offer it again
};

// Threads: one. A feed without holes allocates nothing.
class Arbiter {
 public:
  explicit Arbiter(const ArbiterOptions& options, std::uint64_t first_sequence = 1);

  struct Decision {
    Verdict verdict;
    std::uint32_t skip = 0;
  };
  // A packet with `count` numbered messages, of a line or brought back. The datagram is copied where it has to wait.
  Decision offer(std::uint64_t first_sequence, std::uint32_t count, std::span<const std::uint8_t> datagram,
                 std::int64_t now_ns);
  // Told by an unnumbered packet: every number below `next_sequence` has been sent.
  void announce(std::uint64_t next_sequence, std::int64_t now_ns);

  // The next kept packet that can be applied now, with the messages to skip; it counts as taken.
  struct Parked {
    std::span<const std::uint8_t> datagram;  // aligned to 8; valid until the next call of anything that changes this
    std::uint32_t skip;
  };
  std::optional<Parked> next_parked();

  // When the first hole that is not below `from`, or the first part of it, will have waited for gap_wait_ns; 0 when
  // there is none.
  std::int64_t deadline_ns(std::uint64_t from = 0) const {
    const auto hole = holes_.behind(from);
    return hole == holes_.end() ? 0 : hole->second.since_ns + options_.gap_wait_ns;
  }
  // Since when the oldest hole is known; 0 when there is none.
  std::int64_t oldest_ns() const { return holes_.empty() ? 0 : holes_.begin()->second.since_ns; }
  // Holes whose time for the other line is over, ascending, and what of them is not below `from`: at most `max` are
  // appended to `out`.
  void overdue(std::int64_t now_ns, std::size_t max, std::vector<SequenceRange>& out, std::uint64_t from = 0) const;
  bool has_overdue(std::int64_t now_ns) const {
    return !holes_.empty() && now_ns - holes_.begin()->second.since_ns >= options_.gap_wait_ns;
  }

  // What is given up at `now_ns`: the numbers from next_sequence() on that have all been known for `wait_ns`. Drain
  // next_parked() afterwards, then ask again.
  std::optional<SequenceRange> expire(std::int64_t now_ns, std::int64_t wait_ns);
  std::optional<SequenceRange> expire(std::int64_t now_ns) { return expire(now_ns, options_.gap_wait_ns); }
  // The whole first hole, without waiting; or as much of it as lies below `end`.
  std::optional<SequenceRange> give_up(std::uint64_t end = ~std::uint64_t{0});
  // Forgets every packet kept: the holes become one, as old as the oldest. Returns how many packets.
  std::size_t drop_parked();
  // A snapshot holds everything below `sequence`: goes on there. Drain next_parked() afterwards. Numbers from
  // `sequence` on that were taken before are missing again, and overdue.
  void go_on_at(std::uint64_t sequence, std::int64_t now_ns);

  std::uint64_t next_sequence() const { return next_; }
  // Every number below it is known to have been sent.
  std::uint64_t known_end() const { return known_end_; }
  const HoleSet& holes() const { return holes_; }
  std::size_t parked_count() const { return parked_.size(); }
  std::size_t parked_bytes() const { return parked_.bytes(); }
  // The first number that is kept; 0 where there is none.
  std::uint64_t parked_first() const { return parked_.empty() ? 0 : parked_.begin()->first; }
  // What offer() has brought of holes, or go_on_at() has covered; the caller clears it.
  std::vector<FilledRange>& filled() { return filled_; }
  // Starts again, for a new session.
  void reset(std::uint64_t first_sequence);

 private:
  // Announcements that may each have a time of their own; the rest share the last.
  static constexpr std::size_t announced_max = 64;

  // Up to `end` everything has come, or will not come any more.
  void advance(std::uint64_t end);
  std::optional<SequenceRange> skip_to(std::uint64_t end);

  ArbiterOptions options_;
  std::uint64_t next_;
  std::uint64_t known_end_;
  ParkedPackets parked_;
  // What is missing from next_ to known_end_. Times ascend: whoever sends a number has sent every one below it. Each
  // packet kept ends at most one of them; besides, announcements do.
  HoleSet holes_;
  std::vector<FilledRange> filled_;
};

}  // namespace depthcast::arbitrate

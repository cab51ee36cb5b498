// Line arbitration by message number: first copy wins; what both lines failed to bring is named.
// Pure: positions, bytes and now_ns in, verdicts and ranges out (the shape of Aeron's loss detector).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/memory.h"

namespace depthcast::arbitrate {

struct SequenceRange {
  std::uint64_t first;
  std::uint64_t last;  // included
};

struct ArbiterOptions {
  std::int64_t gap_wait_ns = 10'000'000;  // how long a hole may wait for the other line, or for a reordered packet
  std::uint32_t parked_max = 4'096;       // packets kept while a hole is open; one more gives the hole up at once
  std::uint32_t datagram_bytes_max = 8'952;
};

enum class Verdict : std::uint8_t {
  apply,      // apply the messages from `skip` on, then drain next_parked()
  duplicate,  // nothing new
  parked,     // kept until the hole before it is closed or given up
  overflow,   // no room to keep it: call give_up(), drain next_parked(), then offer it again
};

// Threads: one.
class Arbiter {
 public:
  explicit Arbiter(const ArbiterOptions& options, std::uint64_t first_sequence = 1);

  struct Decision {
    Verdict verdict;
    std::uint32_t skip = 0;
  };
  // A packet with `count` numbered messages. The datagram is copied where it has to wait.
  Decision offer(std::uint64_t first_sequence, std::uint32_t count, std::span<const std::uint8_t> datagram,
                 std::int64_t now_ns);
  // Told by an unnumbered packet: every number below `next_sequence` has been sent.
  void announce(std::uint64_t next_sequence, std::int64_t now_ns);

  // The next kept packet that can be applied now, with the messages to skip; it counts as taken.
  struct Parked {
    std::span<const std::uint8_t> datagram;  // aligned to 8; valid until the next call of offer()
    std::uint32_t skip;
  };
  std::optional<Parked> next_parked();

  // When the oldest hole will have waited long enough; 0 when there is none.
  std::int64_t deadline_ns() const { return hole() ? since_ns_ + options_.gap_wait_ns : 0; }
  // The hole that is given up at `now_ns`, if its time is over; drain next_parked() afterwards.
  std::optional<SequenceRange> expire(std::int64_t now_ns);
  // The same without waiting.
  std::optional<SequenceRange> give_up();

  std::uint64_t next_sequence() const { return next_; }
  std::size_t parked_count() const { return order_.size() - head_; }
  // Starts again, for a new session.
  void reset(std::uint64_t first_sequence);

 private:
  struct Entry {
    std::uint64_t first;
    std::uint64_t end;
    std::uint32_t slot;
    std::uint32_t length;
    std::int64_t arrival_ns;
  };
  bool hole() const { return known_end_ > next_; }
  // Called when next_ has moved: the hole now open, if any, is known since the packet behind it came.
  void moved();

  ArbiterOptions options_;
  std::size_t slot_bytes_;
  std::uint64_t next_;
  std::uint64_t known_end_;  // numbers below this were sent
  std::int64_t since_ns_ = 0;
  std::int64_t announced_ns_ = 0;
  bool nothing_parked() const { return head_ == order_.size(); }
  const Entry& front() const { return order_[head_]; }
  void drop_front();

  std::vector<Entry> order_;  // by first sequence; those before head_ have been taken
  std::size_t head_ = 0;
  std::vector<std::uint32_t> free_slots_;
  FixedArray<std::uint8_t> bytes_;
};

}  // namespace depthcast::arbitrate

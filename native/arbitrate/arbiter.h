// Line arbitration by message number: first copy wins; what both lines failed to bring is named.
// Pure: positions, bytes and now_ns in, verdicts and ranges out (the shape of Aeron's loss detector).
#pragma once

#include <cstddef>
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

// A queue in one piece of memory. What was taken is swept away when it is as much as can be kept: O(1) for each.
template <typename T>
class SweptQueue {
 public:
  explicit SweptQueue(std::size_t size_max) : size_max_(size_max) { items_.reserve(2 * size_max); }

  bool empty() const { return head_ == items_.size(); }
  bool full() const { return size() == size_max_; }
  std::size_t size() const { return items_.size() - head_; }
  auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  auto end() { return items_.end(); }
  const T& front() const { return items_[head_]; }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }
  void insert(typename std::vector<T>::iterator place, const T& item) { items_.insert(place, item); }
  void drop_front() {
    if (++head_ != items_.size() && head_ != size_max_) return;
    items_.erase(items_.begin(), begin());
    head_ = 0;
  }
  void clear() {
    items_.clear();
    head_ = 0;
  }

 private:
  std::size_t size_max_;
  std::vector<T> items_;
  std::size_t head_ = 0;
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

  // When the first hole, or the first part of it, will have waited long enough; 0 when there is none.
  std::int64_t deadline_ns() const { return known_.empty() ? 0 : known_.front().since_ns + options_.gap_wait_ns; }
  // What is given up at `now_ns`: numbers that follow each other and have all been known for as long as a hole may
  // wait. Drain next_parked() afterwards, then ask again.
  std::optional<SequenceRange> expire(std::int64_t now_ns);
  // The whole first hole, without waiting.
  std::optional<SequenceRange> give_up();

  std::uint64_t next_sequence() const { return next_; }
  std::size_t parked_count() const { return parked_.size(); }
  // Starts again, for a new session.
  void reset(std::uint64_t first_sequence);

 private:
  struct Entry {
    std::uint64_t first;
    std::uint64_t end;
    std::uint32_t slot;
    std::uint32_t length;
  };
  // Numbers below `end`, and not below the `end` of the entry before, are known to have been sent since then.
  struct Known {
    std::uint64_t end;
    std::int64_t since_ns;
  };
  static constexpr std::size_t announced_max = 64;

  void learn(std::uint64_t end, std::int64_t now_ns);
  void advance(std::uint64_t end);
  // Gives up the numbers below `end`, but none that is kept.
  std::optional<SequenceRange> skip_to(std::uint64_t end);

  ArbiterOptions options_;
  std::size_t slot_bytes_;
  std::uint64_t next_;
  SweptQueue<Entry> parked_;  // by first sequence
  // Ascending in both fields; empty where nothing beyond next_ is known. Each packet kept has at most one entry, all
  // announcements beyond announced_max share the last.
  SweptQueue<Known> known_;
  std::vector<std::uint32_t> free_slots_;
  FixedArray<std::uint8_t> bytes_;
};

}  // namespace depthcast::arbitrate

// What the subscriptions of one channel look at: the replica's depth views, where each instrument stands at the last
// end of an event, and the prints.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "book/replica.h"
#include "generated/gateway_generated.h"

namespace depthcast::gateway {

// An instrument at the end of an event.
struct Standing {
  std::uint64_t sequence = 0;  // its last message
  std::int64_t time_ns = 0;
  // Counts its messages: two standings' difference is what lay between (mod 2^32).
  std::uint32_t instrument_sequence = 0;
};

// Threads: one, the replica's. Everything shown is the state at an end of event, though events may span packets.
class Market : public book::UpdateSink {
 public:
  // Keeps the last `prints_max` prints.
  Market(std::uint32_t instruments_max, std::size_t prints_max);

  // Once, before anything is applied: the replica that tells us. It must outlive us.
  void follow(const book::Replica& replica) { replica_ = &replica; }

  void on_update(const book::Update& update) override;
  void on_snapshot(std::uint64_t sequence) override;
  // Everything begins anew: another session.
  void reset();

  const book::Replica& replica() const { return *replica_; }
  const Standing& standing(std::uint32_t instrument) const { return standings_[instrument]; }
  // By instrument; valid until the next call that changes something.
  std::span<const std::uint32_t> instrument_sequences() const {
    counted_.clear();
    for (const Standing& standing : standings_) counted_.push_back(standing.instrument_sequence);
    return counted_;
  }
  // Last number of the last whole event.
  std::uint64_t sequence() const { return sequence_; }
  std::uint32_t instruments_max() const { return static_cast<std::uint32_t>(standings_.size() - 1); }
  // The whole window of an instrument; its `sequence` is 0 where nothing was ever published.
  book::Depth depth(std::uint32_t instrument, std::uint32_t levels) const;

  // Prints have indexes of their own, ascending from 0.
  std::uint64_t prints_end() const { return prints_end_; }
  std::uint64_t prints_begin() const { return prints_end_ > prints_.size() ? prints_end_ - prints_.size() : 0; }
  const Print& print(std::uint64_t index) const { return prints_[index % prints_.size()]; }

 private:
  struct Pending {
    std::uint32_t instrument;
    Standing standing;
  };
  void add_print(const Print& print);

  const book::Replica* replica_ = nullptr;
  std::vector<Standing> standings_;
  std::vector<Pending> pending_;       // of the event that is open
  std::vector<Print> pending_prints_;  // likewise
  std::vector<Print> prints_;
  mutable std::vector<std::uint32_t> counted_;
  std::uint64_t prints_end_ = 0;
  std::uint64_t print_last_ = 0;  // number of the last print: a replica that begins anew goes through them again
  std::uint64_t sequence_ = 0;
};

// Whether messages of that kind are prints; is_book_kind() others are not.
constexpr bool is_print(Kind kind) {
  return kind == Kind::execute || kind == Kind::trade || kind == Kind::cross || kind == Kind::trade_break;
}

}  // namespace depthcast::gateway

// What every kind of subscription has in common: which instruments, and what became of their messages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/frame_writer.h"
#include "gateway/market.h"

namespace depthcast::gateway {

// Instruments that a subscription names, or all there are and will be. The channel itself (0) is never among them.
class InstrumentSet {
 public:
  // All.
  InstrumentSet() = default;
  // `chosen` in any order; 0 and repetitions are dropped.
  explicit InstrumentSet(std::vector<std::uint32_t> chosen);

  bool all() const { return all_; }
  bool contains(std::uint32_t instrument) const {
    if (instrument == channel_instrument) return false;
    if (all_) return true;
    return instrument / 64 < bits_.size() && (bits_[instrument / 64] >> instrument % 64 & 1U) != 0;
  }
  // How many there are now, and which they are: at() of 0 … count() - 1 ascends.
  std::uint32_t count(const Market& market) const {
    if (!all_) return static_cast<std::uint32_t>(chosen_.size());
    return std::min(market.replica().instrument_last(), market.instruments_max());
  }
  std::uint32_t at(std::uint32_t place) const { return all_ ? place + 1 : chosen_[place]; }
  const std::vector<std::uint32_t>& chosen() const { return chosen_; }

 private:
  bool all_ = true;
  std::vector<std::uint32_t> chosen_;  // ascending
  std::vector<std::uint64_t> bits_;
};

// What became of the messages of a subscription's instruments: docs/gateway.md, "Counted, never silent".
struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t conflated = 0;
  std::uint64_t refused = 0;

  std::uint64_t covered() const { return sent + conflated + refused; }
};

enum class Compose : std::uint8_t {
  idle,     // there is nothing to send now
  more,     // the room is used up; call again
  overrun,  // it was too slow: what it needs is no longer there
};

// Threads: the market's. Every call gets the same market.
class Subscription {
 public:
  virtual ~Subscription() = default;
  // From now on messages count. Without it they do from the first compose() on, or the first snapshot.
  virtual void join(const Market& market) = 0;
  // Appends blocks to the frame until it is `room` bytes long, or a little more. `flush`: whatever is due later as
  // well.
  virtual Compose compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                          bool flush) = 0;
  // What it needs next is no longer there. For those who cannot be sent anything now.
  virtual bool overrun(const Market& /*market*/) const { return false; }
  // Messages of its instruments since it began.
  virtual std::uint64_t published(const Market& market) const = 0;
  // Another session begins: what was not sent never will be. Before the market forgets the old one.
  virtual void end_session(const Market& market) = 0;
  // The ring that readers were opened on is about to be another one, of the same session.
  virtual void lose_ring() {}
  // The client wants everything anew: full frames, or a snapshot.
  virtual void restart() = 0;
  // Whether `other`, made by the same request, would be sent the same from here on, but for its number. Not level with
  // itself: what it sends now is for its client alone.
  virtual bool level(const Subscription& /*other*/) const { return false; }
  // One that goes on from here. Only where it is level with itself.
  virtual std::unique_ptr<Subscription> copy() const { return nullptr; }

  const Tally& tally() const { return tally_; }
  // The last number that was sent or covered.
  std::uint64_t sequence() const { return sequence_; }

 protected:
  Tally tally_;
  std::uint64_t sequence_ = 0;
};

}  // namespace depthcast::gateway

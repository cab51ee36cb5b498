// Subscriptions `depth` and `bbo`: the newest state of each instrument, with what led to it left out.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/subscription.h"
#include "gateway/window.h"

namespace depthcast::gateway {

// Bytes that windows of all subscriptions of a worker may take. A subscription that cannot keep what it has sent sends
// full windows. Threads: one.
struct WindowBudget {
  std::size_t bytes_max;
  std::size_t bytes = 0;
};

struct ConflatedOptions {
  std::uint32_t levels = 10;
  std::int64_t interval_ns = 100'000'000;  // between two frames; 0: whenever something has changed
};

class Conflated : public Subscription {
 public:
  // `budget` must outlive it.
  Conflated(InstrumentSet instruments, const ConflatedOptions& options, WindowBudget& budget);
  ~Conflated() override;
  Conflated(const Conflated&) = delete;
  Conflated& operator=(const Conflated&) = delete;

  void join(const Market& market) override { grow(market); }
  Compose compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                  bool flush) override;
  std::uint64_t published(const Market& market) const override;
  void end_session(const Market& market) override;
  void restart() override;
  bool level(const Subscription& other) const override;
  std::unique_ptr<Subscription> copy() const override;

 private:
  // What the client has of one instrument.
  struct Held {
    std::uint64_t sequence = 0;
    std::uint32_t instrument_sequence = 0;
    book::InstrumentState state = book::InstrumentState::live;
    bool full = true;  // the next frame is
    std::unique_ptr<Window> window;
  };
  std::int64_t due_after(std::int64_t now_ns) const;
  void grow(const Market& market);
  bool changed(const Market& market, std::uint32_t instrument, const Held& held) const;
  void add_entry(const Market& market, std::uint32_t instrument, Held& held);
  void keep(Held& held);
  void forget(Held& held);
  void write(FrameWriter& frame, const FrameStamp& stamp);

  InstrumentSet instruments_;
  ConflatedOptions options_;
  WindowBudget& budget_;
  std::vector<Held> held_;
  std::uint64_t published_before_ = 0;  // in sessions that have ended
  std::uint64_t published_held_ = 0;    // in this one, up to what is held
  bool joining_ = true;                 // what was there before is not counted
  std::uint32_t place_ = 0;             // where the pass through the instruments stands
  std::int64_t due_ns_ = 0;
  // Frames are due at fixed times, which are the same for all who ask for the same: they can be given one frame.
  std::int64_t phase_ns_ = 0;
  Window window_;
  std::vector<DepthEntry> entries_;
  std::vector<DepthLevel> levels_;
};

}  // namespace depthcast::gateway

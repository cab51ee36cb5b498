// Subscription `trades`: every print of the chosen instruments.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/subscription.h"

namespace depthcast::gateway {

class Prints : public Subscription {
 public:
  explicit Prints(InstrumentSet instruments) : instruments_(std::move(instruments)) {}

  void join(const Market& market) override;
  Compose compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                  bool flush) override;
  bool overrun(const Market& market) const override { return joined_ && !skip_ && next_ < market.prints_begin(); }
  std::uint64_t published(const Market& market) const override;
  void end_session(const Market& market) override;
  // There is no state to begin anew: what it missed is refused, and it goes on from now.
  void restart() override { skip_ = true; }
  bool level(const Subscription& other) const override;
  std::unique_ptr<Subscription> copy() const override { return std::make_unique<Prints>(*this); }

 private:
  // Messages of its instruments up to now that were not looked at yet.
  std::uint64_t advance(const Market& market);

  InstrumentSet instruments_;
  std::vector<std::uint32_t> counted_;  // by place: the instrument sequence up to which all is accounted for
  std::uint64_t next_ = 0;              // index of the next print
  std::uint64_t ahead_ = 0;             // prints sent that are not in counted_ yet
  std::uint64_t untold_ = 0;            // refused since the last frame
  std::uint64_t published_before_ = 0;
  bool joined_ = false;
  bool skip_ = false;
  std::vector<Print> chosen_;
};

}  // namespace depthcast::gateway

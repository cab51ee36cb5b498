// The best levels of one book as a conflated subscription holds them: their hash, and what leads from one to the next.
#pragma once

#include <cstdint>
#include <vector>

#include "book/depth_view.h"
#include "generated/gateway_generated.h"

namespace depthcast::gateway {

// Both sides' levels, best first: bids, then asks. Threads: one.
class Window {
 public:
  // At most `levels` levels a side of what was read.
  void take(const book::Depth& depth, std::uint32_t levels);
  bool same_levels(const Window& other) const;
  // docs/gateway.md, "DepthFrame".
  std::uint64_t hash() const;
  TradingStatus status() const { return status_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(levels_.size()); }
  std::size_t bytes() const { return levels_.capacity() * sizeof(DepthLevel); }

  // Appends every level.
  void write_full(std::vector<DepthLevel>& out) const;
  // Appends what turns `before` into this: levels that entered or changed, then, with quantity 0, those that left.
  void write_delta(const Window& before, std::vector<DepthLevel>& out) const;

 private:
  std::vector<DepthLevel> levels_;
  std::uint32_t bids_ = 0;
  TradingStatus status_ = TradingStatus::unknown;
};

}  // namespace depthcast::gateway

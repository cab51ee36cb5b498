#include "gateway/subscription.h"

namespace depthcast::gateway {

InstrumentSet::InstrumentSet(std::vector<std::uint32_t> chosen) : all_(false), chosen_(std::move(chosen)) {
  std::sort(chosen_.begin(), chosen_.end());
  chosen_.erase(std::unique(chosen_.begin(), chosen_.end()), chosen_.end());
  std::erase(chosen_, channel_instrument);
  bits_.resize(chosen_.empty() ? 0 : chosen_.back() / 64 + 1);
  for (const std::uint32_t instrument : chosen_) bits_[instrument / 64] |= std::uint64_t{1} << instrument % 64;
}

}  // namespace depthcast::gateway

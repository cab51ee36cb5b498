#include "run/jitter_schedule.h"

#include <algorithm>
#include <stdexcept>

#include "core/digest.h"

namespace depthcast::run {

LoadPattern load_pattern_of(const std::string& name) {
  if (name == "constant") return LoadPattern::constant;
  if (name == "poisson") return LoadPattern::poisson;
  if (name == "bursts") return LoadPattern::bursts;
  if (name == "file") return LoadPattern::timing;
  throw std::invalid_argument("pattern is \"" + name + "\", expected constant, poisson, bursts or file");
}

// With mean 1, from the inverse of its distribution.
double JitterSchedule::exponential() {
  random_ += 0x9e3779b97f4a7c15ULL;
  const std::uint64_t bits = digest::mix64(random_) >> 11;
  return -std::log((static_cast<double>(bits) + 0.5) * 0x1p-53);
}

std::int64_t JitterSchedule::next(std::int64_t event_time_ns) {
  const std::uint64_t index = index_++;
  const double step_ns = 1e9 / options_.rate;
  std::int64_t due_ns = 0;
  switch (options_.pattern) {
    case LoadPattern::constant: due_ns = static_cast<std::int64_t>(static_cast<double>(index) * step_ns); break;
    case LoadPattern::poisson:
      poisson_ns_ += exponential() * step_ns;
      due_ns = static_cast<std::int64_t>(poisson_ns_);
      break;
    case LoadPattern::bursts: {
      const std::uint64_t burst_first = index - index % options_.burst;
      due_ns = static_cast<std::int64_t>(static_cast<double>(burst_first) * step_ns);
      break;
    }
    case LoadPattern::timing:
      if (index == 0) first_event_ns_ = event_time_ns;
      due_ns = static_cast<std::int64_t>(static_cast<double>(event_time_ns - first_event_ns_) / options_.speed);
      break;
  }
  last_ns_ = std::max(last_ns_, due_ns);
  return last_ns_;
}

}  // namespace depthcast::run

#include "gateway/window.h"

#include <algorithm>

#include "book/price_index.h"
#include "core/digest.h"

namespace depthcast::gateway {
namespace {

constexpr std::uint64_t hash_seed = 0x9e37'79b9'7f4a'7c15ULL;

bool equal(const DepthLevel& left, const DepthLevel& right) {
  return left.price() == right.price() && left.quantity() == right.quantity() && left.orders() == right.orders();
}

std::int64_t rank(const DepthLevel& level) { return book::rank_of(static_cast<Side>(level.side()), level.price()); }

// Both lists are sorted by rank: one pass finds what is only in one of them, or different.
void write_side(const DepthLevel* before, const DepthLevel* before_end, const DepthLevel* after,
                const DepthLevel* after_end, std::vector<DepthLevel>& out) {
  while (before != before_end || after != after_end) {
    const bool left = after == after_end || (before != before_end && rank(*before) < rank(*after));
    if (left) {
      out.emplace_back(before->price(), 0, 0, before->side(), 0, 0);
      ++before;
    } else {
      const bool stayed = before != before_end && rank(*before) == rank(*after);
      if (!stayed || !equal(*before, *after)) out.push_back(*after);
      if (stayed) ++before;
      ++after;
    }
  }
}

}  // namespace

void Window::take(const book::Depth& depth, std::uint32_t levels) {
  levels_.clear();
  for (const Side side : {Side::bid, Side::ask}) {
    const std::size_t index = side == Side::ask ? 1 : 0;
    const std::uint32_t count = std::min(depth.counts[index], levels);
    for (std::uint32_t place = 0; place < count; ++place) {
      const book::DepthLevel& level = depth.levels[index][place];
      levels_.emplace_back(level.price, level.quantity, static_cast<std::uint32_t>(level.orders),
                           static_cast<std::uint8_t>(side), 0, 0);
    }
    if (side == Side::bid) bids_ = count;
  }
  status_ = depth.status;
}

bool Window::same_levels(const Window& other) const {
  return bids_ == other.bids_ && status_ == other.status_ &&
         std::equal(levels_.begin(), levels_.end(), other.levels_.begin(), other.levels_.end(), equal);
}

std::uint64_t Window::hash() const {
  std::uint64_t hash = hash_seed;
  for (const DepthLevel& level : levels_) {
    hash = digest::mix64(hash ^ static_cast<std::uint64_t>(level.price()));
    hash = digest::mix64(hash ^ level.quantity());
    hash = digest::mix64(hash ^ (level.orders() | static_cast<std::uint64_t>(level.side()) << 32));
  }
  return digest::mix64(hash ^ static_cast<std::uint64_t>(status_));
}

void Window::write_full(std::vector<DepthLevel>& out) const { out.insert(out.end(), levels_.begin(), levels_.end()); }

void Window::write_delta(const Window& before, std::vector<DepthLevel>& out) const {
  const DepthLevel* old = before.levels_.data();
  const DepthLevel* now = levels_.data();
  write_side(old, old + before.bids_, now, now + bids_, out);
  write_side(old + before.bids_, old + before.levels_.size(), now + bids_, now + levels_.size(), out);
}

}  // namespace depthcast::gateway

// The levels of one side of one book, ordered best first: a B+ tree whose nodes come from a pool shared by all books.
// Bounded: O(log levels) whatever the prices are, no allocation after construction.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/memory.h"
#include "core/message.h"

namespace depthcast::book {

constexpr std::uint32_t no_index = 0xffffffffU;

// Ascending rank is best first on either side; ~ turns the order round without overflow. Without a branch: which side
// comes next cannot be predicted.
constexpr std::int64_t rank_of(Side side, std::int64_t price) {
  return price ^ -static_cast<std::int64_t>(side == Side::bid);
}
constexpr std::int64_t rank_worst = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t price_of(Side side, std::int64_t rank) { return rank_of(side, rank); }

// Root of one side; zero-filled memory is not a valid one, hence the initializers.
struct SideIndex {
  std::uint32_t root = no_index;
  std::uint32_t first_leaf = no_index;
  std::uint32_t levels = 0;
  std::uint32_t height = 0;  // 0: empty; 1: the root is a leaf
};

// Threads: the book's writer only.
class PriceIndex {
 public:
  static constexpr std::uint32_t fanout = 15;
  static constexpr std::uint32_t fill_min = 6;

  struct alignas(cache_line) Node {
    std::uint32_t count;
    std::uint32_t next;  // leaves: the next worse one
    std::uint32_t previous;
    std::uint32_t values[fanout];  // leaf: level; inner: node
    // Leaf: rank of each level. Inner node: least rank below each child; keys[0] is not compared.
    // From `count` on: rank_worst, so that a search takes the same steps whatever the count.
    std::int64_t keys[fanout];
  };
  static_assert(sizeof(Node) == 192);

  // A place in the leaves; `leaf` is no_index behind the last level.
  struct Cursor {
    std::uint32_t leaf = no_index;
    std::uint32_t slot = 0;
  };

  // Enough nodes for `levels_max` levels over `sides` sides: each node but a root holds at least fill_min entries.
  static std::size_t nodes_for(std::size_t levels_max, std::size_t sides) {
    return levels_max / fill_min + levels_max / (fill_min * fill_min - fill_min) + 2 * sides + 16;
  }

  PriceIndex(std::size_t levels_max, std::size_t sides, bool prefault);

  // The level of that rank, or no_index.
  std::uint32_t find(const SideIndex& side, std::int64_t rank) const {
    if (side.height == 0) return no_index;
    std::uint32_t node = near_leaf(side, rank);
    if (node == no_index) node = descend(side, rank, nullptr);
    const Node& leaf = nodes_[node];
    // Without a branch: whether there is such a level cannot be predicted, and the caller asks anyway.
    const std::uint32_t slot = std::min(count_below(leaf, rank), fanout - 1);
    const bool found = slot < leaf.count && leaf.keys[slot] == rank;
    return leaf.values[slot] | (static_cast<std::uint32_t>(found) - 1U);
  }
  // `rank` must not be present.
  void insert(SideIndex& side, std::int64_t rank, std::uint32_t level);
  // `rank` must be present.
  void remove(SideIndex& side, std::int64_t rank);

  // Forgets every side; the caller makes their roots empty.
  void clear() {
    free_ = no_index;
    fresh_ = 0;
    nodes_used_ = 0;
  }

  Cursor first(const SideIndex& side) const { return {side.first_leaf, 0}; }
  // The first level whose rank is not below `rank`, if it is among the first `places`; `place`: how many are before it.
  // Walks the leaves: for places near the best.
  Cursor at_least(const SideIndex& side, std::int64_t rank, std::uint32_t places, std::uint32_t& place) const {
    std::uint32_t leaf = side.first_leaf;
    for (place = 0; leaf != no_index && place < places; leaf = nodes_[leaf].next) {
      const std::uint32_t below = count_below(nodes_[leaf], rank);
      place += below;
      if (below < nodes_[leaf].count) return {leaf, below};
    }
    return {};
  }
  void advance(Cursor& cursor) const {
    const Node& node = nodes_[cursor.leaf];
    if (++cursor.slot == node.count) cursor = {node.next, 0};
  }
  std::uint32_t level_at(const Cursor& cursor) const { return nodes_[cursor.leaf].values[cursor.slot]; }
  std::int64_t rank_at(const Cursor& cursor) const { return nodes_[cursor.leaf].keys[cursor.slot]; }

  void prefetch(const SideIndex& side) const {
    if (side.first_leaf == no_index) return;
    const auto* line = reinterpret_cast<const char*>(&nodes_[side.first_leaf]);
    for (std::size_t offset = 0; offset < sizeof(Node); offset += cache_line) prefetch_line(line + offset);
  }

  std::size_t nodes_used() const { return nodes_used_; }
  std::size_t bytes() const { return nodes_.bytes(); }

 private:
  // fill_min entries and more below the root: 16 steps are past 2^32 levels.
  static constexpr std::uint32_t height_max = 17;
  struct Path {
    std::uint32_t node[height_max];
    std::uint32_t slot[height_max];
  };

  // The first leaf where `rank` can only stand there, which is so for most of what happens; else no_index.
  std::uint32_t near_leaf(const SideIndex& side, std::int64_t rank) const {
    if (side.height == 1) return side.first_leaf;
    const Node& leaf = nodes_[side.first_leaf];
    return rank <= leaf.keys[leaf.count - 1] ? side.first_leaf : no_index;
  }
  // Entries below `rank`. Four steps without a branch: where in the node it ends cannot be predicted.
  static std::uint32_t count_below(const Node& node, std::int64_t rank) {
    static_assert(fanout == 15);
    std::uint32_t below = std::uint32_t{node.keys[7] < rank} << 3;
    below += std::uint32_t{node.keys[below + 3] < rank} << 2;
    below += std::uint32_t{node.keys[below + 1] < rank} << 1;
    return below + std::uint32_t{node.keys[below] < rank};
  }
  std::uint32_t take_node();
  void give_node(std::uint32_t node);
  std::uint32_t descend(const SideIndex& side, std::int64_t rank, Path* path) const;
  void insert_at(Node& node, std::uint32_t slot, std::int64_t key, std::uint32_t value);
  void remove_at(Node& node, std::uint32_t slot);
  std::uint32_t split(std::uint32_t node, bool leaf);
  // Mends child `slot` of `parent` with a sibling; returns true when a child was merged away.
  bool rebalance(Node& parent, std::uint32_t slot, bool leaf);

  FixedArray<Node> nodes_;
  std::uint32_t free_ = no_index;
  std::uint32_t fresh_ = 0;  // nodes from here on were never used
  std::size_t nodes_used_ = 0;
};

}  // namespace depthcast::book

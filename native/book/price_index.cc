#include "book/price_index.h"

#include <algorithm>

namespace depthcast::book {
namespace {

// The child that may hold `rank`: the last whose least rank is not above it. The same steps as in count_below.
std::uint32_t child_slot(const PriceIndex::Node& node, std::int64_t rank) {
  constexpr std::uint32_t last = PriceIndex::fanout - 1;
  std::uint32_t slot = std::uint32_t{node.keys[8] <= rank} << 3;
  slot += std::uint32_t{node.keys[slot + 4] <= rank} << 2;
  slot += std::uint32_t{node.keys[slot + 2] <= rank} << 1;
  slot += std::uint32_t{node.keys[std::min(slot + 1, last)] <= rank};
  return std::min(slot, node.count - 1);  // unused keys are not above the worst rank
}

// Unused keys come after every rank.
void forget_keys(PriceIndex::Node& node, std::uint32_t from) {
  std::fill(node.keys + from, node.keys + PriceIndex::fanout, rank_worst);
}

void move_entries(const PriceIndex::Node& from, std::uint32_t from_slot, PriceIndex::Node& to, std::uint32_t to_slot,
                  std::uint32_t count) {
  std::copy_n(from.keys + from_slot, count, to.keys + to_slot);
  std::copy_n(from.values + from_slot, count, to.values + to_slot);
}

}  // namespace

PriceIndex::PriceIndex(std::size_t levels_max, std::size_t sides, bool prefault)
    : nodes_(nodes_for(levels_max, sides), prefault) {}

std::uint32_t PriceIndex::take_node() {
  ++nodes_used_;
  std::uint32_t node = free_;
  if (node == no_index) {
    node = fresh_++;  // nodes_for is the proof that there is one
  } else {
    free_ = nodes_[node].next;
  }
  nodes_[node].count = 0;
  nodes_[node].next = no_index;
  nodes_[node].previous = no_index;
  forget_keys(nodes_[node], 0);
  return node;
}

void PriceIndex::give_node(std::uint32_t node) {
  --nodes_used_;
  nodes_[node].next = free_;
  free_ = node;
}

std::uint32_t PriceIndex::descend(const SideIndex& side, std::int64_t rank, Path* path) const {
  std::uint32_t node = side.root;
  for (std::uint32_t depth = 0; depth + 1 < side.height; ++depth) {
    const std::uint32_t slot = child_slot(nodes_[node], rank);
    if (path != nullptr) {
      path->node[depth] = node;
      path->slot[depth] = slot;
    }
    node = nodes_[node].values[slot];
  }
  return node;
}

void PriceIndex::insert_at(Node& node, std::uint32_t slot, std::int64_t key, std::uint32_t value) {
  std::copy_backward(node.keys + slot, node.keys + node.count, node.keys + node.count + 1);
  std::copy_backward(node.values + slot, node.values + node.count, node.values + node.count + 1);
  node.keys[slot] = key;
  node.values[slot] = value;
  ++node.count;
}

void PriceIndex::remove_at(Node& node, std::uint32_t slot) {
  std::copy(node.keys + slot + 1, node.keys + node.count, node.keys + slot);
  std::copy(node.values + slot + 1, node.values + node.count, node.values + slot);
  --node.count;
  node.keys[node.count] = rank_worst;
}

// Moves the upper half of a full node to a new right sibling and returns that.
std::uint32_t PriceIndex::split(std::uint32_t node, bool leaf) {
  const std::uint32_t right = take_node();
  Node& from = nodes_[node];
  Node& to = nodes_[right];
  constexpr std::uint32_t kept = fanout / 2;
  to.count = fanout - kept;
  move_entries(from, kept, to, 0, to.count);
  from.count = kept;
  forget_keys(from, kept);
  if (leaf) {
    to.next = from.next;
    to.previous = node;
    if (to.next != no_index) nodes_[to.next].previous = right;
    from.next = right;
  }
  return right;
}

void PriceIndex::insert(SideIndex& side, std::int64_t rank, std::uint32_t level) {
  ++side.levels;
  if (side.height == 0) {
    const std::uint32_t node = take_node();
    insert_at(nodes_[node], 0, rank, level);
    side.root = node;
    side.first_leaf = node;
    side.height = 1;
    return;
  }
  if (const std::uint32_t near = near_leaf(side, rank); near != no_index && nodes_[near].count < fanout) {
    insert_at(nodes_[near], count_below(nodes_[near], rank), rank, level);
    return;
  }
  Path path;
  std::uint32_t node = descend(side, rank, &path);
  std::int64_t key = rank;
  std::uint32_t value = level;
  std::uint32_t slot = count_below(nodes_[node], rank);
  bool leaf = true;
  for (std::uint32_t depth = side.height - 1;; --depth) {
    if (nodes_[node].count < fanout) {
      insert_at(nodes_[node], slot, key, value);
      return;
    }
    const std::uint32_t right = split(node, leaf);
    const std::uint32_t kept = nodes_[node].count;
    if (slot > kept || (slot == kept && !leaf)) {
      insert_at(nodes_[right], slot - kept, key, value);
    } else {
      insert_at(nodes_[node], slot, key, value);
    }
    // Leaf or inner, the first key of the right node is the least rank below it.
    key = nodes_[right].keys[0];
    value = right;
    leaf = false;
    if (depth == 0) break;
    node = path.node[depth - 1];
    slot = path.slot[depth - 1] + 1;
  }
  const std::uint32_t root = take_node();
  Node& top = nodes_[root];
  top.count = 2;
  top.keys[0] = nodes_[side.root].keys[0];
  top.values[0] = side.root;
  top.keys[1] = key;
  top.values[1] = value;
  side.root = root;
  ++side.height;
}

bool PriceIndex::rebalance(Node& parent, std::uint32_t slot, bool leaf) {
  const std::uint32_t left_slot = slot + 1 < parent.count ? slot : slot - 1;
  const std::uint32_t left_node = parent.values[left_slot];
  const std::uint32_t right_node = parent.values[left_slot + 1];
  Node& left = nodes_[left_node];
  Node& right = nodes_[right_node];
  // An inner node's keys[0] may be out of date; the parent knows the right one's.
  if (!leaf) right.keys[0] = parent.keys[left_slot + 1];
  const std::uint32_t total = left.count + right.count;
  if (total <= fanout) {
    move_entries(right, 0, left, left.count, right.count);
    left.count = total;
    if (leaf) {
      left.next = right.next;
      if (right.next != no_index) nodes_[right.next].previous = left_node;
    }
    give_node(right_node);
    remove_at(parent, left_slot + 1);
    return true;
  }
  const std::uint32_t wanted = total / 2;
  if (left.count < wanted) {
    const std::uint32_t moved = wanted - left.count;
    move_entries(right, 0, left, left.count, moved);
    std::copy(right.keys + moved, right.keys + right.count, right.keys);
    std::copy(right.values + moved, right.values + right.count, right.values);
    right.count -= moved;
    forget_keys(right, right.count);
    left.count = wanted;
  } else {
    const std::uint32_t moved = left.count - wanted;
    std::copy_backward(right.keys, right.keys + right.count, right.keys + right.count + moved);
    std::copy_backward(right.values, right.values + right.count, right.values + right.count + moved);
    move_entries(left, wanted, right, 0, moved);
    right.count += moved;
    left.count = wanted;
    forget_keys(left, wanted);
  }
  parent.keys[left_slot + 1] = right.keys[0];
  return false;
}

void PriceIndex::remove(SideIndex& side, std::int64_t rank) {
  if (const std::uint32_t near = near_leaf(side, rank); near != no_index && nodes_[near].count > fill_min) {
    remove_at(nodes_[near], count_below(nodes_[near], rank));
    --side.levels;
    return;
  }
  Path path;
  std::uint32_t node = descend(side, rank, &path);
  Node& leaf = nodes_[node];
  remove_at(leaf, count_below(leaf, rank));
  --side.levels;
  bool is_leaf = true;
  for (std::uint32_t depth = side.height - 1; depth > 0; --depth) {
    if (nodes_[node].count >= fill_min) return;
    Node& parent = nodes_[path.node[depth - 1]];
    if (!rebalance(parent, path.slot[depth - 1], is_leaf)) return;
    node = path.node[depth - 1];
    is_leaf = false;
  }
  // Here `node` is the root.
  if (side.height == 1) {
    if (nodes_[node].count == 0) {
      give_node(node);
      side = {};
    }
  } else if (nodes_[node].count == 1) {
    side.root = nodes_[node].values[0];
    --side.height;
    give_node(node);
  }
}

}  // namespace depthcast::book

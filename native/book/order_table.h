// Order id -> place in the order pool. Open addressing, linear probing, deletion by shifting back (no tombstones),
// at most half full. Sized at start.
//
// An entry knows whether a probe ever went past it to a later place. Neighbouring ids stand side by side, so that a
// removal would have to look through them all to learn that none of them has to move; where nothing went past, it
// writes one word. The mark may outlive its reason, but not its entry: an empty place was never gone past.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "book/price_index.h"
#include "core/memory.h"

namespace depthcast::book {

class OrderTable {
 public:
  OrderTable(std::size_t orders_max, bool prefault)
      : bits_(static_cast<std::uint32_t>(std::bit_width(orders_max < 32 ? 63 : 2 * orders_max - 1))),
        entries_(std::size_t{1} << bits_, prefault),
        mask_(entries_.size() - 1) {}

  // Calls `is_id(slot)` only where the hash agrees. Returns the pool slot, or no_index.
  template <typename IsId>
  std::uint32_t find(std::uint64_t id, IsId is_id) const {
    const std::uint32_t hash = hash_of(id);
    for (std::size_t place = home(hash);; place = (place + 1) & mask_) {
      const Entry entry = entries_[place];
      if (entry.hash == hash && !entry.is_empty() && is_id(entry.slot())) return entry.slot();
      if (!entry.passed()) return no_index;
    }
  }

  // Where `id` belongs if it is not present yet, for insert_at(); no_place if it is.
  static constexpr std::size_t no_place = ~std::size_t{0};
  template <typename IsId>
  std::size_t place_for(std::uint64_t id, IsId is_id) const {
    const std::uint32_t hash = hash_of(id);
    for (std::size_t place = home(hash);; place = (place + 1) & mask_) {
      const Entry entry = entries_[place];
      if (entry.is_empty()) return place;
      if (entry.hash == hash && is_id(entry.slot())) return no_place;
    }
  }
  // `place` comes from place_for(id), with no change since; fewer than orders_max ids may be present.
  void insert_at(std::size_t place, std::uint64_t id, std::uint32_t slot) {
    const std::uint32_t hash = hash_of(id);
    for (std::size_t before = home(hash); before != place; before = (before + 1) & mask_) {
      entries_[before].state |= passed_bit;
    }
    entries_[place] = {hash, slot + 1};
  }
  // `id` must not be present, and fewer than orders_max ids may be.
  void insert(std::uint64_t id, std::uint32_t slot) {
    insert_at(place_for(id, [](std::uint32_t) { return false; }), id, slot);
  }

  // `id` must be present at `slot`.
  void remove(std::uint64_t id, std::uint32_t slot) {
    std::size_t hole = home(hash_of(id));
    while (entries_[hole].slot() != slot) hole = (hole + 1) & mask_;
    if (entries_[hole].passed()) hole = close_gap(hole);
    entries_[hole] = {0, 0};
  }

  // Forgets every id: writes the whole table.
  void clear() { std::memset(static_cast<void*>(entries_.data()), 0, entries_.bytes()); }

  void prefetch(std::uint64_t id) const { prefetch_line(&entries_[home(hash_of(id))]); }
  // The slot that `id` probably has, by its hash alone, or no_index: to fetch its order ahead of time.
  std::uint32_t guess(std::uint64_t id) const {
    return find(id, [](std::uint32_t) { return true; });
  }
  std::size_t bytes() const { return entries_.bytes(); }

 private:
  static constexpr std::uint32_t passed_bit = 1U << 31;  // a slot is below 2^30
  struct Entry {
    std::uint32_t hash;
    std::uint32_t state;  // slot + 1, and passed_bit; 0: empty

    bool is_empty() const { return state == 0; }
    bool passed() const { return (state & passed_bit) != 0; }
    std::uint32_t slot() const { return (state & ~passed_bit) - 1; }
  };
  static_assert(sizeof(Entry) == 8);

  // Moves entries back until none stands behind a gap that it went past; returns the place that is free in the end.
  std::size_t close_gap(std::size_t hole) {
    for (std::size_t place = (hole + 1) & mask_; !entries_[place].is_empty(); place = (place + 1) & mask_) {
      // An entry may move back to the hole unless that would put it before its home.
      if (((place - home(entries_[place].hash)) & mask_) >= ((place - hole) & mask_)) {
        entries_[hole] = {entries_[place].hash, entries_[place].state | passed_bit};
        hole = place;
      }
    }
    return hole;
  }

  // Exchanges hand out ids in order. Eight neighbours share a cache line of the table (the low three bits are kept),
  // so that a run of adds costs one miss for eight; the lines themselves are spread by Fibonacci hashing
  // (Knuth, The Art of Computer Programming 3, 6.4).
  static std::uint32_t hash_of(std::uint64_t id) {
    std::uint64_t group = id >> 3;
    group ^= group >> 32;
    const auto high = static_cast<std::uint32_t>((group * 0x9e3779b97f4a7c15ULL) >> 32);
    return (high & ~7U) | static_cast<std::uint32_t>(id & 7U);
  }
  std::size_t home(std::uint32_t hash) const {
    const std::size_t group = static_cast<std::uint64_t>(hash) >> (35 - bits_);
    return (group << 3) | (hash & 7U);
  }

  std::uint32_t bits_;  // 6 … 32
  FixedArray<Entry> entries_;
  std::size_t mask_;
};

}  // namespace depthcast::book

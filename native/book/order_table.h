// Order id -> place in the order pool. Open addressing, linear probing, deletion by shifting back (no tombstones),
// at most half full. Sized at start.
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
      if (entry.slot_plus_one == 0) return no_index;
      if (entry.hash == hash && is_id(entry.slot_plus_one - 1)) return entry.slot_plus_one - 1;
    }
  }

  // Where `id` belongs if it is not present yet, for insert_at(); no_place if it is.
  static constexpr std::size_t no_place = ~std::size_t{0};
  template <typename IsId>
  std::size_t place_for(std::uint64_t id, IsId is_id) const {
    const std::uint32_t hash = hash_of(id);
    for (std::size_t place = home(hash);; place = (place + 1) & mask_) {
      const Entry entry = entries_[place];
      if (entry.slot_plus_one == 0) return place;
      if (entry.hash == hash && is_id(entry.slot_plus_one - 1)) return no_place;
    }
  }
  // `place` comes from place_for(id), with no change since; fewer than orders_max ids may be present.
  void insert_at(std::size_t place, std::uint64_t id, std::uint32_t slot) { entries_[place] = {hash_of(id), slot + 1}; }
  // `id` must not be present, and fewer than orders_max ids may be.
  void insert(std::uint64_t id, std::uint32_t slot) {
    insert_at(place_for(id, [](std::uint32_t) { return false; }), id, slot);
  }

  // `id` must be present at `slot`.
  void remove(std::uint64_t id, std::uint32_t slot) {
    std::size_t hole = home(hash_of(id));
    while (entries_[hole].slot_plus_one != slot + 1) hole = (hole + 1) & mask_;
    for (std::size_t place = (hole + 1) & mask_; entries_[place].slot_plus_one != 0; place = (place + 1) & mask_) {
      // An entry may move back to the hole unless that would put it before its home.
      if (((place - home(entries_[place].hash)) & mask_) >= ((place - hole) & mask_)) {
        entries_[hole] = entries_[place];
        hole = place;
      }
    }
    entries_[hole] = {0, 0};
  }

  // Forgets every id: writes the whole table.
  void clear() { std::memset(static_cast<void*>(entries_.data()), 0, entries_.bytes()); }

  void prefetch(std::uint64_t id) const { __builtin_prefetch(&entries_[home(hash_of(id))]); }
  // The slot that `id` probably has, by its hash alone, or no_index: to fetch its order ahead of time.
  std::uint32_t guess(std::uint64_t id) const {
    const std::uint32_t hash = hash_of(id);
    std::size_t place = home(hash);
    for (int step = 0; step < 8; ++step, place = (place + 1) & mask_) {
      const Entry entry = entries_[place];
      if (entry.hash == hash || entry.slot_plus_one == 0) return entry.slot_plus_one - 1;  // 0 becomes no_index
    }
    return no_index;
  }
  std::size_t bytes() const { return entries_.bytes(); }

 private:
  struct Entry {
    std::uint32_t hash;
    std::uint32_t slot_plus_one;  // 0: empty
  };
  static_assert(sizeof(Entry) == 8);

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

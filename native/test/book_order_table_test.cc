#include "book/order_table.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::no_index;
using book::OrderTable;

// The table with a pool of ids as a book keeps it, beside a std::unordered_map.
class Pair {
 public:
  explicit Pair(std::size_t orders_max) : table_(orders_max, false), ids_(orders_max) {
    for (std::size_t slot = orders_max; slot > 0; --slot) free_.push_back(static_cast<std::uint32_t>(slot - 1));
  }
  std::uint32_t find(std::uint64_t id) const {
    return table_.find(id, [&](std::uint32_t slot) { return ids_[slot] == id; });
  }
  bool agrees(std::uint64_t id) const {
    const auto found = model_.find(id);
    return find(id) == (found == model_.end() ? no_index : found->second);
  }
  bool has_place(std::uint64_t id) const {
    return table_.place_for(id, [&](std::uint32_t slot) { return ids_[slot] == id; }) != OrderTable::no_place;
  }
  // A hint: any slot or none, but no access outside, and right nearly always.
  bool guessed(std::uint64_t id) const { return table_.guess(id) == find(id); }
  bool agrees_all() const {
    for (const auto& [id, slot] : model_) {
      if (find(id) != slot) return false;
    }
    return true;
  }
  bool full() const { return free_.empty(); }
  std::size_t size() const { return model_.size(); }
  bool has(std::uint64_t id) const { return model_.contains(id); }
  void insert(std::uint64_t id) {
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    ids_[slot] = id;
    // Both ways in, in turn.
    const auto is_id = [&](std::uint32_t other) { return other != slot && ids_[other] == id; };
    if (slot % 2 == 0) {
      table_.insert(id, slot);
    } else {
      table_.insert_at(table_.place_for(id, is_id), id, slot);
    }
    model_[id] = slot;
  }
  void remove(std::uint64_t id) {
    const std::uint32_t slot = model_[id];
    table_.remove(id, slot);
    model_.erase(id);
    // The pool keeps the id of a freed slot, as the book's does.
    free_.push_back(slot);
  }

 private:
  OrderTable table_;
  std::vector<std::uint64_t> ids_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::uint64_t, std::uint32_t> model_;
};

// Ids as exchanges give them out, and as nobody should.
struct Ids {
  const char* name;
  std::uint64_t start;
  std::uint64_t stride;
};
constexpr Ids patterns[] = {
    {"sequential", 1, 1},
    {"from zero, stride 8", 0, 8},
    {"stride 64", 7, 64},
    {"stride 2^20", 3, 1ULL << 20},
    {"stride 2^32", 5, 1ULL << 32},
    {"stride 2^35", 5, 1ULL << 35},
    {"stride 2^32 + 1", 5, (1ULL << 32) + 1},
    {"stride 2^56", 1, 1ULL << 56},
    {"stride of the golden ratio's inverse", 0, 8 * 0xf1de83e19937733dULL},
    {"downwards from the top", ~0ULL, ~0ULL},
};

TEST(orderTableFindsEveryIdAtFullFill) {
  for (const Ids& pattern : patterns) {
    // 2^56 repeats after 256 ids.
    const std::size_t count = pattern.stride == 1ULL << 56 ? 256 : 3'000;
    Pair pair(count);
    for (std::size_t index = 0; index < count; ++index) pair.insert(pattern.start + index * pattern.stride);
    REQUIRE(pair.full());
    REQUIRE(pair.agrees_all());
    for (std::size_t index = 0; index < count; ++index) {
      const std::uint64_t id = pattern.start + index * pattern.stride;
      REQUIRE(pair.has(id + 3) || pair.find(id + 3) == no_index);
      if (index % 3 != 0) pair.remove(id);
      if (index % 100 == 0) REQUIRE(pair.agrees_all());
    }
    REQUIRE(pair.agrees_all());
    for (std::size_t index = 0; index < count; ++index) REQUIRE(pair.agrees(pattern.start + index * pattern.stride));
  }
}

TEST(orderTableAgreesWithAMapUnderRandomChanges) {
  Random random(seed());
  for (const std::size_t orders_max : {1U, 5U, 32U, 33U, 100U, 1'000U}) {
    for (const std::uint64_t spread : {1U, 8U, 4'096U}) {
      Pair pair(orders_max);
      const std::uint64_t ids = 3 * orders_max;
      for (std::uint64_t step = 0; step < work(30'000); ++step) {
        const std::uint64_t id = random.below(ids) * spread;
        if (pair.has(id)) {
          pair.remove(id);
        } else if (!pair.full()) {
          pair.insert(id);
        }
        REQUIRE(pair.agrees(id));
        REQUIRE(pair.has_place(id) == !pair.has(id));
        REQUIRE(pair.agrees(random.below(ids) * spread));
        if (step % 64 == 0) REQUIRE(pair.agrees_all());
      }
    }
  }
}

TEST(orderTableEntriesAreAtMostHalfFull) {
  for (const std::size_t orders_max : {1U, 31U, 32U, 33U, 64U, 65U, 1'000'000U}) {
    const OrderTable table(orders_max, false);
    CHECK(table.bytes() >= std::size_t{16} * orders_max);
    CHECK(table.bytes() <= (orders_max < 32 ? std::size_t{512} : std::size_t{32} * orders_max + huge_page));
  }
}

TEST(orderTableGuessesNearlyAlwaysRight) {
  Pair pair(10'000);
  for (std::uint64_t id = 1; id <= 10'000; ++id) pair.insert(id);
  std::uint64_t right = 0;
  for (std::uint64_t id = 1; id <= 20'000; ++id) right += pair.guessed(id) ? 1U : 0U;
  CHECK(right > 19'000);
}

TEST(orderTableEmptiesFullyAndFillsAgain) {
  Pair pair(500);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t base = static_cast<std::uint64_t>(round) * 0x123456789ULL;
    for (std::uint64_t id = 0; id < 500; ++id) pair.insert(base + id);
    REQUIRE(pair.agrees_all());
    for (std::uint64_t id = 500; id > 0; --id) pair.remove(base + id - 1);
    for (std::uint64_t id = 0; id < 500; ++id) REQUIRE_EQUAL(pair.find(base + id), no_index);
  }
}

}  // namespace
}  // namespace depthcast::test

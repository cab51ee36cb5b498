#include "book/price_index.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::no_index;
using book::PriceIndex;
using book::SideIndex;

constexpr std::int64_t rank_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t rank_max = std::numeric_limits<std::int64_t>::max();

// One side of the index beside a std::map.
class Pair {
 public:
  explicit Pair(PriceIndex& index) : index_(index) {}

  void insert(std::int64_t rank) {
    const std::uint32_t level = next_level_++;
    index_.insert(side_, rank, level);
    model_.emplace(rank, level);
  }
  void remove(std::int64_t rank) {
    index_.remove(side_, rank);
    model_.erase(rank);
  }
  bool has(std::int64_t rank) const { return model_.contains(rank); }
  const std::map<std::int64_t, std::uint32_t>& model() const { return model_; }
  const SideIndex& side() const { return side_; }

  bool agrees_at(std::int64_t rank) const {
    const auto found = model_.find(rank);
    if (index_.find(side_, rank) != (found == model_.end() ? no_index : found->second)) return false;
    constexpr std::uint32_t places = 40;
    const auto next = model_.lower_bound(rank);
    const auto before = static_cast<std::uint32_t>(std::distance(model_.begin(), next));
    std::uint32_t place = 0;
    const PriceIndex::Cursor cursor = index_.at_least(side_, rank, places, place);
    if (next == model_.end() || before >= places) return cursor.leaf == no_index || place >= places;
    return cursor.leaf != no_index && place == before && index_.rank_at(cursor) == next->first &&
           index_.level_at(cursor) == next->second;
  }
  bool agrees_in_order() const {
    if (side_.levels != model_.size()) return false;
    PriceIndex::Cursor cursor = index_.first(side_);
    for (const auto& [rank, level] : model_) {
      if (cursor.leaf == no_index || index_.rank_at(cursor) != rank || index_.level_at(cursor) != level) return false;
      index_.advance(cursor);
    }
    return cursor.leaf == no_index;
  }
  bool agrees(std::int64_t changed) const {
    if (!agrees_in_order()) return false;
    for (const std::int64_t rank : {changed, changed - 1, changed + 1, rank_min, rank_max}) {
      if (!agrees_at(rank)) return false;
    }
    return true;
  }

 private:
  PriceIndex& index_;
  SideIndex side_;
  std::map<std::int64_t, std::uint32_t> model_;
  std::uint32_t next_level_ = 0;
};

void random_walk(Random& random, std::uint64_t ranks, std::uint64_t operations) {
  PriceIndex index(static_cast<std::size_t>(2 * ranks), 2, false);
  Pair sides[2] = {Pair(index), Pair(index)};
  bool growing = true;
  for (std::uint64_t operation = 0; operation < operations; ++operation) {
    if (random.below(2 * ranks) == 0) growing = !growing;
    Pair& side = sides[random.below(2)];
    const auto rank = static_cast<std::int64_t>(random.below(ranks)) - static_cast<std::int64_t>(ranks / 2);
    if (side.has(rank)) {
      if (growing && random.chance(3, 4)) continue;
      side.remove(rank);
    } else {
      if (!growing && random.chance(3, 4)) continue;
      side.insert(rank);
    }
    REQUIRE(side.agrees(rank));
    REQUIRE(side.agrees_at(static_cast<std::int64_t>(random.below(ranks)) - static_cast<std::int64_t>(ranks / 2)));
    REQUIRE(index.nodes_used() <= PriceIndex::nodes_for(sides[0].model().size() + sides[1].model().size(), 2));
  }
  REQUIRE(sides[0].agrees_in_order());
  REQUIRE(sides[1].agrees_in_order());
  for (Pair& side : sides) {
    while (!side.model().empty()) side.remove(side.model().begin()->first);
    REQUIRE_EQUAL(side.side().height, 0U);
    REQUIRE_EQUAL(side.side().root, no_index);
    REQUIRE_EQUAL(side.side().first_leaf, no_index);
  }
  REQUIRE_EQUAL(index.nodes_used(), 0U);
}

TEST(priceIndexAgreesWithAMapUnderRandomChanges) {
  Random random(seed());
  random_walk(random, 6, work(100'000));
  random_walk(random, 40, work(200'000));
  random_walk(random, 300, work(100'000));
  random_walk(random, 4'000, work(20'000));
}

TEST(priceIndexAnswersForAnEmptySide) {
  PriceIndex index(10, 1, false);
  const SideIndex side;
  CHECK_EQUAL(index.find(side, 0), no_index);
  CHECK_EQUAL(index.first(side).leaf, no_index);
  std::uint32_t place = 1;
  CHECK_EQUAL(index.at_least(side, rank_min, 10, place).leaf, no_index);
  CHECK_EQUAL(place, 0U);
  CHECK_EQUAL(index.nodes_used(), 0U);
}

TEST(priceIndexHoldsTheLeastAndGreatestRank) {
  PriceIndex index(1'000, 1, false);
  Pair pair(index);
  for (std::int64_t step = 0; step < 100; ++step) {
    pair.insert(rank_min + step);
    pair.insert(rank_max - step);
    pair.insert(step);
    REQUIRE(pair.agrees_in_order());
  }
  for (const std::int64_t rank :
       {rank_min, rank_max, std::int64_t{0}, rank_min + 99, rank_max - 99, std::int64_t{99}}) {
    CHECK(pair.agrees_at(rank));
  }
}

TEST(rankOrdersEitherSideBestFirst) {
  for (const std::int64_t price : {rank_min, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, rank_max}) {
    CHECK_EQUAL(book::price_of(Side::bid, book::rank_of(Side::bid, price)), price);
    CHECK_EQUAL(book::price_of(Side::ask, book::rank_of(Side::ask, price)), price);
  }
  CHECK(book::rank_of(Side::bid, rank_max) < book::rank_of(Side::bid, rank_min));
  CHECK(book::rank_of(Side::ask, rank_min) < book::rank_of(Side::ask, rank_max));
}

// 0 … count - 1 in an order that trees dislike.
std::vector<std::int64_t> ranks_in(const std::string& order, std::int64_t count) {
  std::vector<std::int64_t> ranks(static_cast<std::size_t>(count));
  std::iota(ranks.begin(), ranks.end(), std::int64_t{0});
  if (order == "descending") std::reverse(ranks.begin(), ranks.end());
  if (order == "alternating") {
    for (std::int64_t index = 0; index < count; ++index) {
      ranks[static_cast<std::size_t>(index)] = index % 2 == 0 ? index / 2 : count - 1 - index / 2;
    }
  }
  if (order == "middle") {
    for (std::int64_t index = 0; index < count; ++index) {
      ranks[static_cast<std::size_t>(index)] = count / 2 + (index % 2 == 0 ? index / 2 : -1 - index / 2);
    }
  }
  return ranks;
}

TEST(priceIndexSurvivesAdversarialOrders) {
  constexpr std::int64_t count = 1'000;
  const char* orders[] = {"ascending", "descending", "alternating", "middle"};
  for (const char* filling : orders) {
    for (const char* emptying : orders) {
      PriceIndex index(count, 1, false);
      Pair pair(index);
      for (const std::int64_t rank : ranks_in(filling, count)) {
        pair.insert(rank);
        REQUIRE(pair.agrees(rank));
      }
      for (const std::int64_t rank : ranks_in(emptying, count)) {
        pair.remove(rank);
        REQUIRE(pair.agrees(rank));
      }
      REQUIRE_EQUAL(index.nodes_used(), 0U);
    }
  }
}

// Takes levels out of every leaf until it holds no more than the tree lets it have.
void thin_out(PriceIndex& index, SideIndex& side, std::size_t& live) {
  std::vector<std::int64_t> surplus;
  std::uint32_t leaf = no_index;
  std::uint32_t kept = 0;
  for (auto cursor = index.first(side); cursor.leaf != no_index; index.advance(cursor)) {
    kept = cursor.leaf == leaf ? kept + 1 : 1;
    leaf = cursor.leaf;
    if (kept > PriceIndex::fill_min) surplus.push_back(index.rank_at(cursor));
  }
  for (const std::int64_t rank : surplus) index.remove(side, rank);
  live -= surplus.size();
}

// Fills, thins out, fills up behind, thins out … : leaves at their least fill all over, all levels in use.
double worst_fill(std::size_t levels, std::size_t sides_count, bool descending) {
  PriceIndex index(levels, sides_count, false);
  std::vector<SideIndex> sides(sides_count);
  const std::size_t bound = PriceIndex::nodes_for(levels, sides_count);
  std::size_t live = 0;
  std::size_t used_max = 0;
  std::int64_t next = 0;
  for (int round = 0; round < 60; ++round) {
    for (std::size_t side = 0; live < levels; side = (side + 1) % sides_count, ++live) {
      index.insert(sides[side], descending ? -next : next, 0);
      ++next;
    }
    used_max = std::max(used_max, index.nodes_used());
    if (index.nodes_used() > bound) break;
    if (round == 59) break;
    for (SideIndex& side : sides) thin_out(index, side, live);
  }
  REQUIRE(index.nodes_used() <= bound);
  for (SideIndex& side : sides) {
    while (side.levels != 0) index.remove(side, index.rank_at(index.first(side)));
  }
  REQUIRE_EQUAL(index.nodes_used(), 0U);
  return static_cast<double>(used_max) / static_cast<double>(bound);
}

TEST(priceIndexNeverNeedsMoreNodesThanItsBound) {
  double worst = 0;
  for (const bool descending : {false, true}) {
    for (const std::size_t levels : {1U, 4U, 15U, 16U, 64U, 1'000U, 20'000U}) {
      for (const std::size_t sides : {1U, 2U, 7U, 200U}) worst = std::max(worst, worst_fill(levels, sides, descending));
    }
  }
  note("fullest pool: " + std::to_string(worst * 100) + " % of the bound");
}

// As above, by chance: fills up, then takes out what hurts least, preferring leaves that stay.
TEST(priceIndexKeepsItsBoundUnderRandomThinning) {
  Random random(seed());
  for (int round = 0; round < 10; ++round) {
    const std::size_t levels = static_cast<std::size_t>(random.between(50, 3'000));
    PriceIndex index(levels, 1, false);
    SideIndex side;
    std::vector<std::int64_t> live;
    for (std::uint64_t step = 0; step < work(60'000); ++step) {
      if (live.size() < levels && random.chance(5, 9)) {
        const auto rank = static_cast<std::int64_t>(random.next());
        if (index.find(side, rank) != no_index) continue;
        index.insert(side, rank, 0);
        live.push_back(rank);
      } else if (!live.empty()) {
        const auto place = static_cast<std::size_t>(random.below(live.size()));
        index.remove(side, live[place]);
        live[place] = live.back();
        live.pop_back();
      }
      REQUIRE(index.nodes_used() <= PriceIndex::nodes_for(live.size(), 1));
    }
  }
}

}  // namespace
}  // namespace depthcast::test

// The book against its model: random operations, every query compared.
#include <array>
#include <cstdint>
#include <string>

#include "test/book_walk.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::ApplyResult;

using Results = std::array<std::uint64_t, book::apply_results>;

void walk(const WalkOptions& options, std::uint64_t seed, std::uint64_t operations, Results& results) {
  BookWalk one(options, seed);
  for (std::uint64_t operation = 0; operation < operations; ++operation) {
    if (const std::string fault = one.step(); !fault.empty()) {
      fail_and_stop(__FILE__, __LINE__, "operation " + std::to_string(operation) + ": " + fault);
    }
  }
  if (const std::string fault = one.empty(); !fault.empty()) fail_and_stop(__FILE__, __LINE__, "emptied: " + fault);
  for (std::size_t index = 0; index < results.size(); ++index) results[index] += one.results()[index];
}

// Books so small that everything is compared after every one of two million operations, and every limit is met.
TEST(smallBooksAgreeWithTheModelAfterEveryOperation) {
  Results results{};
  const std::uint64_t operations = work(100'000);
  for (std::uint64_t round = 0; round < 20; ++round) {
    Random random(seed() + round);
    WalkOptions options;
    options.limits.orders_max = static_cast<std::uint32_t>(random.between(3, random.chance(1, 2) ? 20 : 150));
    options.limits.levels_max = random.chance(1, 2) ? 0 : options.limits.orders_max / 2 + 1;
    options.limits.instruments_max = static_cast<std::uint32_t>(random.between(1, 3));
    options.limits.depth_levels = static_cast<std::uint32_t>(random.below(7));
    options.order_ids = std::uint64_t{2} * options.limits.orders_max;
    options.order_id_stride = random.chance(1, 2) ? 1 : 0x100000008ULL;
    options.prices = random.between(1, 16);
    options.event_messages = random.between(1, 12);
    walk(options, random.next(), operations, results);
  }
  std::string line = std::to_string(20 * operations) + " operations:";
  for (std::size_t index = 0; index < results.size(); ++index) {
    line += ' ' + std::string(book::name_of(static_cast<ApplyResult>(index))) + ' ' + std::to_string(results[index]);
    CHECK((results[index] > 0) == (index <= static_cast<std::size_t>(ApplyResult::unknown_kind)));
  }
  note(line);
}

// One instrument of many levels: deep trees, windows far from their ends.
TEST(deepBookAgreesWithTheModel) {
  Results results{};
  WalkOptions options;
  options.limits.orders_max = 4'000;
  options.limits.instruments_max = 2;
  options.limits.depth_levels = 20;
  options.order_ids = 6'000;
  options.prices = 3'000;
  options.price_step = 1;
  options.compare_every = 1'024;
  options.audit_every = 8'192;
  walk(options, seed(), work(100'000), results);
}

// Long queues: twelve prices for thousands of orders.
TEST(crowdedLevelsAgreeWithTheModel) {
  Results results{};
  WalkOptions options;
  options.limits.orders_max = 1'500;
  options.limits.instruments_max = 1;
  options.limits.depth_levels = 10;
  options.order_ids = 4'000;
  options.prices = 6;
  options.event_messages = 2;
  options.compare_every = 1'024;
  walk(options, seed(), work(30'000), results);
}

TEST(manyInstrumentsAgreeWithTheModel) {
  Results results{};
  WalkOptions options;
  options.limits.orders_max = 3'000;
  options.limits.instruments_max = 200;
  options.limits.depth_levels = 5;
  options.order_ids = 5'000;
  options.prices = 10;
  options.event_messages = 6;
  options.compare_every = 1'024;
  walk(options, seed(), work(100'000), results);
}

}  // namespace
}  // namespace depthcast::test

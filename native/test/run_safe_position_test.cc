#include "run/safe_position.h"

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

TEST(positionsAreSafeOnceTheJournalHasWhatCameOfThem) {
  run::SafePosition safe;
  CHECK_EQUAL(safe.reached(100), 0U);
  safe.committed(10, 25);
  safe.committed(10, 30);  // nothing new
  safe.committed(20, 40);
  CHECK_EQUAL(safe.reached(24), 0U);
  CHECK_EQUAL(safe.reached(25), 10U);
  CHECK_EQUAL(safe.reached(39), 10U);
  safe.committed(30, 40);  // events that left no message
  CHECK_EQUAL(safe.reached(40), 30U);
  CHECK_EQUAL(safe.reached(1'000), 30U);
}

TEST(positionsWaitForAJournalThatLagsWithoutMemoryThatGrows) {
  run::SafePosition safe;
  for (std::uint64_t position = 1; position <= 10'000; ++position) safe.committed(position, position * 2);
  CHECK_EQUAL(safe.reached(100), 50U);
  const std::uint64_t all = safe.reached(20'000);
  CHECK(all > 50 && all < 10'000);
  // What did not fit is said by what comes next.
  safe.committed(10'000, 20'000);
  CHECK_EQUAL(safe.reached(20'000), 10'000U);
}

}  // namespace
}  // namespace depthcast::test

#include "run/pacer.h"

#include <cstdint>

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Pacer;

constexpr std::int64_t second = 1'000'000'000;

TEST(pacerKnowsWhetherThereIsAnythingToWaitFor) {
  CHECK(!Pacer({0, 0}).paced());
  CHECK(Pacer({0.001, 0}).paced());
  CHECK(Pacer({0, 1}).paced());
}

TEST(pacerByRateSpacesMessagesEvenlyFromTheFirst) {
  Pacer pacer({0, 250'000});
  CHECK_EQUAL(pacer.due_ns(0, 999, 5'000), 5'000);
  CHECK_EQUAL(pacer.due_ns(1, 0, 70'000),
              5'000 + 4'000);  // neither the event's time nor the clock's matter
  CHECK_EQUAL(pacer.due_ns(2, 123'456'789, 0), 5'000 + 8'000);
  // After a day of messages it is still exact: no step is rounded again and
  // again.
  CHECK_EQUAL(pacer.due_ns(std::uint64_t{250'000} * 86'400, 0, 0), 5'000 + 86'400 * second);
}

TEST(pacerBySpeedKeepsTheDistancesOfTheEvents) {
  constexpr std::int64_t first = 34'200 * second;
  Pacer real({1, 0});
  CHECK_EQUAL(real.due_ns(0, first, 7'000), 7'000);
  CHECK_EQUAL(real.due_ns(1, first + 1'500, 8'000), 7'000 + 1'500);
  CHECK_EQUAL(real.due_ns(2, first, 9'000),
              7'000);  // the same time as the first: due at once
  CHECK_EQUAL(real.due_ns(3, first - 500, 9'000),
              7'000 - 500);  // a time that goes back is over already
  CHECK_EQUAL(real.due_ns(9, first + 23'400 * second, 0), 7'000 + 23'400 * second);
  Pacer fast({100, 0});
  CHECK_EQUAL(fast.due_ns(0, first, 0), 0);
  CHECK_EQUAL(fast.due_ns(1, first + second, 0), second / 100);
  Pacer slow({0.25, 0});
  CHECK_EQUAL(slow.due_ns(0, first, 0), 0);
  CHECK_EQUAL(slow.due_ns(1, first + second, 0), 4 * second);
}

TEST(pacerGoesByRateWhereBothAreGiven) {
  Pacer pacer({1, 1'000});
  CHECK_EQUAL(pacer.due_ns(0, 0, 100), 100);
  CHECK_EQUAL(pacer.due_ns(3, 77 * second, 100), 100 + 3'000'000);
}

TEST(pacerStartsAnewWithMessageZero) {
  Pacer pacer({1, 0});
  CHECK_EQUAL(pacer.due_ns(0, 1'000, 10), 10);
  CHECK_EQUAL(pacer.due_ns(0, 5'000, 90), 90);
  CHECK_EQUAL(pacer.due_ns(1, 5'001, 95), 91);
}

}  // namespace
}  // namespace depthcast::test

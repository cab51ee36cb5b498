#include "run/jitter_schedule.h"

#include <cmath>
#include <stdexcept>
#include <vector>

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::JitterSchedule;
using run::LoadOptions;
using run::LoadPattern;

std::vector<std::int64_t> due_times(const LoadOptions& options, std::size_t count) {
  JitterSchedule schedule(options);
  std::vector<std::int64_t> due;
  for (std::size_t index = 0; index < count; ++index) due.push_back(schedule.next(0));
  return due;
}

TEST(jitterScheduleConstantIsEvenAndExactAfterMillionsOfMessages) {
  LoadOptions options;
  options.rate = 250'000;
  const auto due = due_times(options, 2'500'001);
  CHECK_EQUAL(due[0], 0);
  CHECK_EQUAL(due[1], 4'000);
  CHECK_EQUAL(due[2'500'000], 10'000'000'000);
}

TEST(jitterSchedulePoissonKeepsTheRateAndIsTheSameForTheSameSeed) {
  LoadOptions options;
  options.pattern = LoadPattern::poisson;
  options.rate = 1'000'000;
  const auto due = due_times(options, 200'000);
  CHECK(due == due_times(options, 200'000));
  options.seed = 2;
  CHECK(due != due_times(options, 200'000));
  // Mean and variance of the gaps of an exponential distribution are 1 and 1.
  double sum = 0;
  double squares = 0;
  for (std::size_t index = 1; index < due.size(); ++index) {
    const double gap = static_cast<double>(due[index] - due[index - 1]) / 1'000.0;
    CHECK(gap >= 0);
    sum += gap;
    squares += gap * gap;
  }
  const auto count = static_cast<double>(due.size() - 1);
  CHECK(std::fabs(sum / count - 1) < 0.02);
  CHECK(std::fabs(squares / count - 2) < 0.1);
}

TEST(jitterScheduleBurstsAreDueAtOneInstant) {
  LoadOptions options;
  options.pattern = LoadPattern::bursts;
  options.rate = 1'000;
  options.burst = 3;
  CHECK(due_times(options, 7) == (std::vector<std::int64_t>{0, 0, 0, 3'000'000, 3'000'000, 3'000'000, 6'000'000}));
}

TEST(jitterScheduleFollowsTheSourcesOwnTimesAndNeverGoesBack) {
  LoadOptions options;
  options.pattern = LoadPattern::timing;
  options.speed = 2;
  JitterSchedule schedule(options);
  CHECK_EQUAL(schedule.next(5'000), 0);
  CHECK_EQUAL(schedule.next(7'000), 1'000);
  CHECK_EQUAL(schedule.next(6'000), 1'000);
  CHECK_EQUAL(schedule.next(9'000), 2'000);
}

TEST(jitterScheduleNamesThePatternsThatThereAre) {
  CHECK(run::load_pattern_of("poisson") == LoadPattern::poisson);
  CHECK(run::load_pattern_of("file") == LoadPattern::timing);
  CHECK_THROWS(run::load_pattern_of("steady"), std::invalid_argument, "constant, poisson, bursts or file");
}

}  // namespace
}  // namespace depthcast::test

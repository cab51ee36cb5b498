#include "run/latency_histogram.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::LatencyHistogram;

constexpr std::int64_t value_max = (std::int64_t{1} << LatencyHistogram::value_bits) - 1;

TEST(histogramBucketsCoverTheWholeRangeInOrderWithoutHoles) {
  std::uint64_t next = 0;  // the smallest value that no bucket before has
  for (std::size_t bucket = 0; bucket < LatencyHistogram::buckets; ++bucket) {
    const std::uint64_t largest = LatencyHistogram::bucket_value(bucket);
    REQUIRE(largest >= next);
    REQUIRE_EQUAL(LatencyHistogram::bucket_of(static_cast<std::int64_t>(next)), bucket);
    REQUIRE_EQUAL(LatencyHistogram::bucket_of(static_cast<std::int64_t>(largest)), bucket);
    // Three significant digits: what is reported is less than 1/1,000 above
    // what was recorded.
    REQUIRE((largest - next) * 1'000 <= largest);
    next = largest + 1;
  }
  CHECK_EQUAL(next, static_cast<std::uint64_t>(value_max) + 1);
}

TEST(histogramValuesFallIntoTheBucketOfTheirSize) {
  Random random(seed());
  for (std::uint64_t round = 0; round < work(200'000); ++round) {
    const auto value = static_cast<std::int64_t>(random.next() >> random.between(24, 63));
    const std::size_t bucket = LatencyHistogram::bucket_of(value);
    REQUIRE(bucket < LatencyHistogram::buckets);
    const auto reported = static_cast<std::int64_t>(LatencyHistogram::bucket_value(bucket));
    REQUIRE(reported >= value);
    REQUIRE((reported - value) * 1'000 <= value);
    REQUIRE(LatencyHistogram::bucket_of(value + 1) <= bucket + 1);
  }
}

TEST(histogramTakesNegativeValuesForZeroAndHugeOnesForTheLargest) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    CHECK_EQUAL(LatencyHistogram::bucket_of(value), 0U);
  }
  for (const std::int64_t value : {value_max, value_max + 1, std::numeric_limits<std::int64_t>::max()}) {
    CHECK_EQUAL(LatencyHistogram::bucket_of(value), LatencyHistogram::buckets - 1);
  }
  CHECK_EQUAL(LatencyHistogram::bucket_value(LatencyHistogram::buckets - 1), static_cast<std::uint64_t>(value_max));
}

TEST(histogramCountsWhatItIsGiven) {
  LatencyHistogram histogram;
  Random random(seed());
  std::uint64_t counts[LatencyHistogram::buckets] = {};
  histogram.record(-5);
  histogram.record(1'500, 7);
  ++counts[0];
  counts[1'500] += 7;
  for (std::uint64_t round = 0; round < 100'000; ++round) {
    const auto value = static_cast<std::int64_t>(random.next() >> random.between(20, 63));
    histogram.record(value);
    ++counts[LatencyHistogram::bucket_of(value)];
  }
  for (std::size_t bucket = 0; bucket < LatencyHistogram::buckets; ++bucket) {
    REQUIRE_EQUAL(histogram.count(bucket), counts[bucket]);
  }
}

}  // namespace
}  // namespace depthcast::test

#include "arbitrate/session_tracker.h"

#include <cstdint>

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using arbitrate::SessionTracker;
using arbitrate::SessionVerdict;

constexpr std::int64_t silence_ns = 1'000;

TEST(sessionTrackerFollowsTheFirstSessionItSees) {
  SessionTracker tracker(0, silence_ns);
  CHECK_EQUAL(tracker.current(), 0U);
  CHECK(tracker.offer(7, 5) == SessionVerdict::adopted);
  CHECK_EQUAL(tracker.current(), 7U);
  CHECK(tracker.offer(7, 6) == SessionVerdict::current);
  CHECK(!tracker.ended());
}

TEST(sessionTrackerTakesSessionZeroForNone) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(0, 5) == SessionVerdict::foreign);
  CHECK_EQUAL(tracker.current(), 0U);
  CHECK(tracker.offer(7, 6) == SessionVerdict::adopted);
  tracker.end();
  CHECK(tracker.offer(0, 100'000) == SessionVerdict::foreign);
  CHECK_EQUAL(tracker.current(), 7U);
}

TEST(sessionTrackerStaysWithASessionThatIsNotSilent) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(7, 0) == SessionVerdict::adopted);
  for (std::int64_t now_ns = 0; now_ns < 20 * silence_ns; now_ns += silence_ns - 1) {
    CHECK(tracker.offer(7, now_ns) == SessionVerdict::current);
    CHECK(tracker.offer(8, now_ns + silence_ns - 1) == SessionVerdict::foreign);
  }
}

TEST(sessionTrackerGoesOverToANewerSessionAfterSilence) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(7, 100) == SessionVerdict::adopted);
  CHECK(tracker.offer(9, 100 + silence_ns - 1) == SessionVerdict::foreign);
  CHECK(tracker.offer(9, 100 + silence_ns) == SessionVerdict::adopted);
  CHECK(tracker.offer(7, 100 + silence_ns + 1) == SessionVerdict::foreign);
  CHECK(tracker.offer(9, 100 + silence_ns + 2) == SessionVerdict::current);
}

// The silence of a session is its own: what others say in between does not end
// it.
TEST(sessionTrackerIsNotKeptAwakeByForeignSessions) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(7, 0) == SessionVerdict::adopted);
  for (std::int64_t now_ns = 1; now_ns < silence_ns; ++now_ns) {
    CHECK(tracker.offer(now_ns % 2 == 0 ? 9 : 3, now_ns) == SessionVerdict::foreign);
  }
  CHECK(tracker.offer(9, silence_ns) == SessionVerdict::adopted);
}

TEST(sessionTrackerGoesOverAtOnceWhenTheSessionHasEnded) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(7, 0) == SessionVerdict::adopted);
  tracker.end();
  CHECK(tracker.ended());
  CHECK(tracker.offer(7, 1) == SessionVerdict::current);  // its last packets, repeated
  CHECK(tracker.ended());
  CHECK(tracker.offer(8, 2) == SessionVerdict::adopted);
  CHECK(!tracker.ended());
  CHECK(tracker.offer(9, 3) == SessionVerdict::foreign);  // the end of the old one does not speak for
                                                          // the new one
}

TEST(sessionTrackerNeverGoesBackToALowerSession) {
  SessionTracker tracker(0, silence_ns);
  CHECK(tracker.offer(7, 0) == SessionVerdict::adopted);
  CHECK(tracker.offer(6, 100 * silence_ns) == SessionVerdict::foreign);
  tracker.end();
  CHECK(tracker.offer(6, 200 * silence_ns) == SessionVerdict::foreign);
  CHECK_EQUAL(tracker.current(), 7U);
}

TEST(sessionTrackerFollowsOnlyTheSessionThatIsWanted) {
  SessionTracker tracker(7, silence_ns);
  CHECK(tracker.offer(6, 0) == SessionVerdict::foreign);
  CHECK(tracker.offer(8, 0) == SessionVerdict::foreign);
  CHECK(tracker.offer(7, 1) == SessionVerdict::adopted);
  tracker.end();
  CHECK(tracker.offer(8, 100 * silence_ns) == SessionVerdict::foreign);
  CHECK(tracker.offer(7, 100 * silence_ns) == SessionVerdict::current);
}

}  // namespace
}  // namespace depthcast::test

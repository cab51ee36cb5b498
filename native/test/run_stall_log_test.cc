#include "run/stall_log.h"

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using io::ThreadUse;
using run::StallLog;

// A thread whose counts the test sets.
struct Thread {
  StallLog log{4, 20'000, 5'000'000};
  ThreadUse use;
  std::int64_t now_ns = 1'000'000'000;
  int reads = 0;

  // So much time, and as much on the core but for `off_ns`.
  void pass(std::int64_t ns, std::int64_t off_ns = 0) {
    const std::int64_t before_ns = now_ns;
    now_ns += ns;
    use.cpu_ns += ns - off_ns;
    log.waited(before_ns, now_ns, [this] {
      ++reads;
      return use;
    });
  }
};

TEST(stallLogGivesAGapToTheMachineOnlyWhereNoCountMoved) {
  Thread thread;
  thread.log.record(true);
  thread.pass(1'000);
  thread.pass(20'000);  // no gap yet
  thread.pass(25'000);
  thread.use.switches_forced += 1;
  thread.pass(3'000'000);
  thread.use.faults += 2;
  thread.pass(30'000);
  thread.use.run_delay_ns += 500;
  thread.pass(40'000);
  const auto& stalls = thread.log.stalls();
  REQUIRE_EQUAL(stalls.size(), 4U);
  CHECK(stalls[0].machine());
  CHECK_EQUAL(stalls[0].end_ns - stalls[0].begin_ns, 25'000);
  CHECK(!stalls[1].machine());
  CHECK_EQUAL(stalls[1].switches_forced, 1U);
  CHECK(!stalls[2].machine());
  CHECK_EQUAL(stalls[2].faults, 2U);
  CHECK(!stalls[3].machine());
  CHECK_EQUAL(stalls[3].run_delay_ns, 500U);
}

TEST(stallLogDoesNotGiveTheMachineWhatTheThreadWasOffItsCore) {
  Thread thread;
  thread.log.record(true);
  thread.pass(1'000);  // the counts are read for the first time
  thread.pass(1'000'000);
  thread.pass(1'000'000, 40'000);   // an interrupt of some us among it
  thread.pass(1'000'000, 700'000);  // interrupts, and no switch
  thread.use.switches_voluntary += 1;
  thread.use.blocks += 8;
  thread.pass(500'000, 480'000);
  const auto& stalls = thread.log.stalls();
  REQUIRE_EQUAL(stalls.size(), 4U);
  CHECK(stalls[0].machine());
  CHECK(stalls[1].machine());
  CHECK(!stalls[2].machine());
  CHECK_EQUAL(stalls[2].off_core_ns, 700'000);
  CHECK(!stalls[3].machine());
  CHECK_EQUAL(stalls[3].switches_voluntary, 1U);
  CHECK_EQUAL(stalls[3].blocks, 8U);
  CHECK_EQUAL(stalls[3].off_core_ns, 480'000);
}

TEST(stallLogReadsTheCountsNowAndThenSoThatOldOnesExplainNothing) {
  Thread thread;
  thread.log.record(true);
  thread.pass(10);
  thread.use.switches_voluntary += 7;  // without a gap
  for (int look = 0; look < 600; ++look) thread.pass(10'000);
  CHECK(thread.reads >= 2 && thread.reads <= 4);
  thread.pass(50'000);
  REQUIRE_EQUAL(thread.log.stalls().size(), 1U);
  CHECK(thread.log.stalls()[0].machine());
}

TEST(stallLogKeepsOfWorkOnlyWhatTheSchedulerInterrupted) {
  Thread thread;
  thread.log.record(true);
  const auto read = [&] { return thread.use; };
  thread.log.worked(1'000, 9'000'000, read);  // long, but nobody else's
  CHECK_EQUAL(thread.log.stalls().size(), 0U);
  thread.use.switches_forced += 1;
  thread.log.worked(9'000'000, 9'040'000, read);  // too short to be looked at
  CHECK_EQUAL(thread.log.stalls().size(), 0U);
  thread.log.worked(9'040'000, 13'000'000, read);
  REQUIRE_EQUAL(thread.log.stalls().size(), 1U);
  CHECK(!thread.log.stalls()[0].machine());
  CHECK(thread.log.stalls()[0].work);
}

TEST(stallLogCountsWhatItHasNoRoomForAndBeginsAnew) {
  Thread thread;
  thread.pass(99'000);  // it does not record yet
  CHECK_EQUAL(thread.log.stalls().size(), 0U);
  thread.log.record(true);
  for (int gap = 0; gap < 6; ++gap) thread.pass(100'000);
  CHECK_EQUAL(thread.log.stalls().size(), 4U);
  CHECK_EQUAL(thread.log.lost(), 2U);
  thread.log.record(false);
  CHECK_EQUAL(thread.log.stalls().size(), 4U);
  thread.log.record(true);
  CHECK_EQUAL(thread.log.stalls().size(), 0U);
  CHECK_EQUAL(thread.log.lost(), 0U);
}

}  // namespace
}  // namespace depthcast::test

#include <cstdint>
#include <thread>

#include "core/spsc_ring.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

TEST(spscRingRoundsItsCapacityUp) {
  CHECK_EQUAL(SpscRing<std::uint64_t>(0).capacity(), 2U);
  CHECK_EQUAL(SpscRing<std::uint64_t>(2).capacity(), 2U);
  CHECK_EQUAL(SpscRing<std::uint64_t>(5).capacity(), 8U);
  CHECK_EQUAL(SpscRing<std::uint64_t>(1'024, true).capacity(), 1'024U);
}

TEST(spscRingKeepsOrderOverManyWraps) {
  Random random(seed());
  SpscRing<std::uint64_t> ring(16);
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (read < 100'000) {
    const std::size_t granted = ring.claim(static_cast<std::size_t>(random.between(1, 20)));
    for (std::size_t index = 0; index < granted; ++index) ring.at_tail(index) = written++;
    ring.publish(granted);
    REQUIRE_EQUAL(ring.size(), written - read);
    const std::size_t ready = random.chance(1, 2) ? ring.available() : ring.available_now();
    REQUIRE(ready <= written - read);
    const auto taken = static_cast<std::size_t>(random.below(ready + 1));
    for (std::size_t index = 0; index < taken; ++index) REQUIRE_EQUAL(ring.at_head(index), read++);
    ring.release(taken);
  }
}

TEST(spscRingSaysWhenItIsFullAndOverwritesNothing) {
  SpscRing<std::uint64_t> ring(4);
  REQUIRE_EQUAL(ring.claim(10), 4U);
  for (std::size_t index = 0; index < 4; ++index) ring.at_tail(index) = index + 100;
  ring.publish(4);
  CHECK_EQUAL(ring.claim(1), 0U);
  CHECK_EQUAL(ring.claim(4), 0U);
  CHECK_EQUAL(ring.available(), 4U);
  ring.release(1);
  CHECK_EQUAL(ring.claim(4), 1U);
  ring.at_tail(0) = 104;
  ring.publish(1);
  CHECK_EQUAL(ring.claim(1), 0U);
  // Cells that are not released stay as they were; available_now sees the new one behind them.
  CHECK_EQUAL(ring.available_now(), 4U);
  for (std::size_t index = 0; index < 4; ++index) CHECK_EQUAL(ring.at_head(index), index + 101);
  ring.release(4);
  CHECK_EQUAL(ring.available(), 0U);
  CHECK_EQUAL(ring.size(), 0U);
  CHECK_EQUAL(ring.claim(9), 4U);
}

TEST(spscRingShowsNothingBeforePublish) {
  SpscRing<std::uint64_t> ring(8);
  REQUIRE_EQUAL(ring.claim(3), 3U);
  ring.at_tail(0) = 1;
  CHECK_EQUAL(ring.available(), 0U);
  CHECK_EQUAL(ring.available_now(), 0U);
  ring.publish(1);
  CHECK_EQUAL(ring.available(), 1U);
}

// Three words each, so that a cell seen too early would show.
struct Cell {
  std::uint64_t number;
  std::uint64_t inverse;
  std::uint64_t square;
};

void produce(SpscRing<Cell>& ring, std::uint64_t count) {
  Random random(1);
  for (std::uint64_t number = 0; number < count;) {
    const std::size_t granted = ring.claim(static_cast<std::size_t>(random.between(1, 64)));
    if (granted == 0) std::this_thread::yield();
    std::size_t filled = 0;
    for (; filled < granted && number < count; ++filled, ++number) {
      ring.at_tail(filled) = {number, ~number, number * number};
    }
    ring.publish(filled);
  }
}

TEST(spscRingPassesAMillionCellsBetweenTwoThreads) {
  constexpr std::uint64_t count = 1'000'000;
  SpscRing<Cell> ring(1'024);
  std::thread producer(produce, std::ref(ring), count);
  std::uint64_t expected = 0;
  std::uint64_t wrong = 0;
  while (expected < count) {
    const std::size_t ready = ring.available();
    if (ready == 0) std::this_thread::yield();
    for (std::size_t index = 0; index < ready; ++index, ++expected) {
      const Cell& cell = ring.at_head(index);
      const bool whole = cell.number == expected && cell.inverse == ~expected && cell.square == expected * expected;
      wrong += whole ? 0U : 1U;
    }
    ring.release(ready);
  }
  producer.join();
  CHECK_EQUAL(wrong, 0U);
  CHECK_EQUAL(ring.available_now(), 0U);
}

}  // namespace
}  // namespace depthcast::test

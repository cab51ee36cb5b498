#include "io/waiting.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/spsc_ring.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using io::Parker;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::int64_t far_ns = 20'000'000'000;  // a lost wake-up shows as a test of 20 s

TEST(waitStrategiesHaveNames) {
  CHECK(io::wait_strategy_of("spin") == io::WaitStrategy::spin);
  CHECK(io::wait_strategy_of("yield") == io::WaitStrategy::yield);
  CHECK(io::wait_strategy_of("park") == io::WaitStrategy::park);
  for (const char* name : {"", "Spin", "sleep", "park "}) {
    CHECK_THROWS(io::wait_strategy_of(name), std::invalid_argument, "expected spin, yield or park");
  }
}

TEST(parkerSleepsUntilItsTimeIsOver) {
  Parker parker;
  const auto start = steady_clock::now();
  parker.prepare();
  parker.sleep(30'000'000);
  CHECK(steady_clock::now() - start >= milliseconds(30));
  CHECK(steady_clock::now() - start < milliseconds(5'000));
  parker.prepare();
  parker.sleep(0);
}

TEST(parkerDoesNotSleepWhenItWasWokenBefore) {
  Parker parker;
  const auto start = steady_clock::now();
  parker.prepare();
  parker.wake();  // between the sleeper's last look and its sleep
  parker.sleep(far_ns);
  parker.sleep(far_ns);  // nor without having said so
  parker.prepare();
  parker.cancel();
  parker.sleep(far_ns);
  CHECK(steady_clock::now() - start < milliseconds(5'000));
}

// A wake-up is for who sleeps then, not for who will.
TEST(parkerKeepsNoWakeUpForLater) {
  Parker parker;
  parker.wake();
  parker.wake();
  const auto start = steady_clock::now();
  parker.prepare();
  parker.sleep(20'000'000);
  CHECK(steady_clock::now() - start >= milliseconds(20));
}

TEST(parkerIsWokenFromItsSleep) {
  Parker parker;
  std::thread waker([&] {
    std::this_thread::sleep_for(milliseconds(20));
    parker.wake();
  });
  const auto start = steady_clock::now();
  parker.prepare();
  parker.sleep(far_ns);
  const auto took = steady_clock::now() - start;
  waker.join();
  CHECK(took < milliseconds(10'000));
}

// One side of a game of ball: waits for the number, hands on the next.
class Player {
 public:
  void throw_to(Player& other, std::uint64_t number) {
    other.ball_.store(number, std::memory_order_release);  // pairs with the load in wait_for()
    other.parker_.wake();
  }
  void wait_for(std::uint64_t number) {
    while (true) {
      parker_.prepare();
      if (ball_.load(std::memory_order_acquire) >= number) return parker_.cancel();  // pairs with throw_to()
      parker_.sleep(far_ns);
    }
  }

 private:
  std::atomic<std::uint64_t> ball_{0};
  Parker parker_;
};

// Both sides sleep between any two of 100,000 hand-overs: one lost wake-up and
// the game stands still.
TEST(parkerLosesNoWakeUpInManyHandOvers) {
  const std::uint64_t rounds = work(100'000);
  Player here;
  Player there;
  const auto start = steady_clock::now();
  std::thread other([&] {
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      there.wait_for(round);
      there.throw_to(here, round);
    }
  });
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    here.throw_to(there, round);
    here.wait_for(round);
  }
  other.join();
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start).count();
  note(std::to_string(2 * rounds) + " hand-overs, " +
       std::to_string(took * 1'000 / static_cast<long long>(2 * rounds)) + " ns each");
}

// As the publisher waits for its source: bursts of every length, the consumer
// asleep or not.
TEST(parkerLosesNoWorkOfARing) {
  const std::uint64_t cells = work(2'000'000);
  SpscRing<std::uint64_t> ring(256);
  Parker parker;
  std::thread producer([&] {
    Random random(seed());
    for (std::uint64_t sent = 0; sent < cells;) {
      const std::uint64_t wanted = std::min(cells - sent, random.between(1, random.chance(1, 4) ? 200 : 2));
      const std::size_t granted = ring.claim(static_cast<std::size_t>(wanted));
      if (granted == 0) {
        std::this_thread::yield();
        continue;
      }
      for (std::size_t index = 0; index < granted; ++index) ring.at_tail(index) = ++sent;
      ring.publish(granted);
      parker.wake();
      if (random.chance(1, 200)) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  std::uint64_t taken = 0;
  std::uint64_t sleeps = 0;
  while (taken < cells) {
    std::size_t ready = ring.available_now();
    if (ready == 0) {
      parker.prepare();
      ready = ring.available_now();
      if (ready == 0) {
        parker.sleep(far_ns);
        ++sleeps;
        continue;
      }
      parker.cancel();
    }
    for (std::size_t index = 0; index < ready; ++index) {
      if (ring.at_head(index) != ++taken) fail(__FILE__, __LINE__, "cell " + std::to_string(taken) + " is another one");
    }
    ring.release(ready);
  }
  producer.join();
  note(std::to_string(cells) + " cells, " + std::to_string(sleeps) + " sleeps");
}

}  // namespace
}  // namespace depthcast::test

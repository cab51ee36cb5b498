#include "arbitrate/arbiter.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "test/allocations.h"
#include "test/arbitrate_lines.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using arbitrate::Arbiter;
using arbitrate::ArbiterOptions;
using arbitrate::Verdict;

constexpr std::int64_t wait_ns = 100;

ArbiterOptions options_with(std::uint32_t parked_max) { return {wait_ns, parked_max, std::size_t{8} << 20}; }

// An arbiter, what it did, as text: "apply +2", "1-3 missing".
class Bench {
 public:
  explicit Bench(const ArbiterOptions& options = options_with(16), std::uint64_t first = 1) : arbiter(options, first) {}

  std::string offer(std::uint64_t first, std::uint32_t count, std::int64_t now_ns = 0) {
    const std::vector<std::uint64_t> content = content_of(first, count);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size() * 8);
    const Arbiter::Decision decision = arbiter.offer(first, count, bytes, now_ns);
    switch (decision.verdict) {
      case Verdict::apply: return decision.skip == 0 ? "apply" : "apply +" + std::to_string(decision.skip);
      case Verdict::duplicate: return "duplicate";
      case Verdict::parked: return "parked";
      default: return "overflow";
    }
  }
  // The kept packets that can be applied now: "5", "7 +1".
  std::string drain() {
    std::string text;
    while (const auto parked = arbiter.next_parked()) {
      std::uint64_t word = 0;
      std::memcpy(&word, parked->datagram.data(), sizeof word);
      const std::uint64_t first = arbiter.next_sequence() - parked->datagram.size() / 8;
      CHECK_EQUAL(word, content_of(first));
      text += (text.empty() ? "" : ", ") + std::to_string(first);
      if (parked->skip != 0) text += " +" + std::to_string(parked->skip);
    }
    return text;
  }
  std::string expire(std::int64_t now_ns) { return text_of(arbiter.expire(now_ns)); }
  std::string give_up() { return text_of(arbiter.give_up()); }

  Arbiter arbiter;

 private:
  static std::string text_of(const std::optional<arbitrate::SequenceRange>& range) {
    return range ? std::to_string(range->first) + '-' + std::to_string(range->last) : "nothing";
  }
};

TEST(arbiterTakesTheFirstCopyOfEachMessageWhateverThePackets) {
  Bench bench;
  CHECK_EQUAL(bench.offer(1, 5), "apply");
  CHECK_EQUAL(bench.offer(1, 5), "duplicate");
  CHECK_EQUAL(bench.offer(2, 3), "duplicate");
  CHECK_EQUAL(bench.offer(1, 8), "apply +5");
  CHECK_EQUAL(bench.offer(8, 3), "apply +1");
  CHECK_EQUAL(bench.offer(10, 1), "duplicate");
  CHECK_EQUAL(bench.offer(11, 1), "apply");
  CHECK_EQUAL(bench.arbiter.next_sequence(), 12U);
  CHECK_EQUAL(bench.arbiter.parked_count(), 0U);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
  CHECK_EQUAL(bench.expire(std::numeric_limits<std::int64_t>::max()), "nothing");
  CHECK_EQUAL(bench.give_up(), "nothing");
}

TEST(arbiterKeepsWhatComesEarlyAndAppliesItInOrder) {
  Bench bench;
  CHECK_EQUAL(bench.offer(7, 2, 10), "parked");
  CHECK_EQUAL(bench.offer(3, 2, 11), "parked");
  CHECK_EQUAL(bench.offer(5, 1, 12), "parked");
  CHECK_EQUAL(bench.drain(), "");
  CHECK_EQUAL(bench.arbiter.parked_count(), 3U);
  CHECK_EQUAL(bench.offer(1, 2, 13), "apply");
  CHECK_EQUAL(bench.drain(), "3, 5");
  CHECK_EQUAL(bench.arbiter.next_sequence(), 6U);
  CHECK_EQUAL(bench.offer(6, 1, 14), "apply");
  CHECK_EQUAL(bench.drain(), "7");
  CHECK_EQUAL(bench.arbiter.next_sequence(), 9U);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
}

TEST(arbiterAppliesOnlyWhatIsNewOfKeptPacketsThatOverlap) {
  Bench bench;
  CHECK_EQUAL(bench.offer(4, 4), "parked");
  CHECK_EQUAL(bench.offer(4, 4), "duplicate");
  CHECK_EQUAL(bench.offer(4, 2),
              "duplicate");  // within a kept one that starts with it
  CHECK_EQUAL(bench.offer(5, 3),
              "duplicate");  // within a kept one that starts before it
  CHECK_EQUAL(bench.offer(4, 6), "parked");
  CHECK_EQUAL(bench.offer(6, 5), "parked");
  CHECK_EQUAL(bench.offer(20, 1), "parked");
  CHECK_EQUAL(bench.offer(1, 4), "apply");
  CHECK_EQUAL(bench.drain(), "4 +1, 6 +4");  // 4-9 covers 4-7
  CHECK_EQUAL(bench.arbiter.next_sequence(), 11U);
  CHECK_EQUAL(bench.arbiter.parked_count(), 1U);
}

TEST(arbiterNamesAHoleWhenItsTimeIsOverAndNotBefore) {
  Bench bench;
  CHECK_EQUAL(bench.offer(5, 1, 1'000), "parked");
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'000 + wait_ns);
  CHECK_EQUAL(bench.expire(1'000 + wait_ns - 1), "nothing");
  CHECK_EQUAL(bench.expire(1'000 + wait_ns), "1-4");
  CHECK_EQUAL(bench.drain(), "5");
  CHECK_EQUAL(bench.offer(1, 4, 1'200), "duplicate");  // too late
  CHECK_EQUAL(bench.arbiter.next_sequence(), 6U);
}

TEST(arbiterForgetsAHoleThatClosesJustBeforeItsTime) {
  Bench bench;
  CHECK_EQUAL(bench.offer(5, 1, 1'000), "parked");
  CHECK_EQUAL(bench.offer(1, 4, 1'000 + wait_ns - 1), "apply");
  CHECK_EQUAL(bench.drain(), "5");
  CHECK_EQUAL(bench.expire(1'000 + wait_ns), "nothing");
  CHECK_EQUAL(bench.expire(1'000'000), "nothing");
}

TEST(arbiterTimesEachHoleFromWhenItBecameKnown) {
  Bench bench;
  CHECK_EQUAL(bench.offer(3, 1, 1'000), "parked");
  CHECK_EQUAL(bench.offer(6, 1, 1'030), "parked");
  CHECK_EQUAL(bench.offer(9, 1, 1'060), "parked");
  CHECK_EQUAL(bench.expire(1'100), "1-2");
  CHECK_EQUAL(bench.drain(), "3");
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'130);
  CHECK_EQUAL(bench.expire(1'129), "nothing");
  CHECK_EQUAL(bench.expire(1'200), "4-5");
  CHECK_EQUAL(bench.drain(), "6");
  CHECK_EQUAL(bench.expire(1'200), "7-8");
  CHECK_EQUAL(bench.drain(), "9");
}

// What comes into the middle of a hole does not start its time again.
TEST(arbiterKeepsTheTimeOfAHoleThatClosesInPart) {
  Bench bench;
  CHECK_EQUAL(bench.offer(10, 1, 1'000), "parked");
  CHECK_EQUAL(bench.offer(5, 1, 1'090), "parked");
  CHECK_EQUAL(bench.offer(1, 2, 1'095), "apply");
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'100);
  CHECK_EQUAL(bench.expire(1'100), "3-4");
  CHECK_EQUAL(bench.drain(), "5");
  CHECK_EQUAL(bench.expire(1'100), "6-9");
  CHECK_EQUAL(bench.drain(), "10");
}

// 5-6 is covered by 1-7 before it could be applied: the hole behind it has its
// own, later time.
TEST(arbiterDoesNotTakeTheTimeOfAPacketThatWasNotNeeded) {
  Bench bench;
  CHECK_EQUAL(bench.offer(5, 2, 1'000), "parked");
  CHECK_EQUAL(bench.offer(20, 1, 1'050), "parked");
  CHECK_EQUAL(bench.offer(1, 7, 1'060), "apply");
  CHECK_EQUAL(bench.drain(), "");
  CHECK_EQUAL(bench.arbiter.parked_count(), 1U);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'150);
  CHECK_EQUAL(bench.expire(1'149), "nothing");
  CHECK_EQUAL(bench.expire(1'150), "8-19");
  CHECK_EQUAL(bench.drain(), "20");
}

TEST(arbiterLearnsOfAHoleFromAnAnnouncementAlone) {
  Bench bench;
  bench.arbiter.announce(1, 1'000);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
  CHECK_EQUAL(bench.offer(1, 4, 1'000), "apply");
  bench.arbiter.announce(5, 1'010);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
  bench.arbiter.announce(8, 1'020);
  bench.arbiter.announce(8, 1'070);  // the other line's copy
  bench.arbiter.announce(6, 1'080);  // an old one
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'120);
  CHECK_EQUAL(bench.expire(1'119), "nothing");
  CHECK_EQUAL(bench.expire(1'120), "5-7");
  CHECK_EQUAL(bench.arbiter.next_sequence(), 8U);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
  CHECK_EQUAL(bench.offer(7, 2, 1'130), "apply +1");
}

// What was announced just now may still come: only the numbers whose time is
// over are given up.
TEST(arbiterGivesEveryAnnouncementItsOwnTime) {
  Bench bench;
  bench.arbiter.announce(4, 1'000);
  bench.arbiter.announce(9, 1'090);
  CHECK_EQUAL(bench.offer(12, 1, 1'095), "parked");
  CHECK_EQUAL(bench.expire(1'100), "1-3");
  CHECK_EQUAL(bench.expire(1'100), "nothing");
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'190);
  CHECK_EQUAL(bench.offer(4, 5, 1'150), "apply");
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 1'195);
  CHECK_EQUAL(bench.expire(1'195), "9-11");
  CHECK_EQUAL(bench.drain(), "12");
}

TEST(arbiterNeedsBoundedMemoryForAnnouncements) {
  Bench bench(options_with(4));
  std::int64_t now_ns = 0;
  for (std::uint64_t next = 2; next <= 10'000; ++next) bench.arbiter.announce(next, ++now_ns);
  std::uint64_t told = 1;
  for (; bench.arbiter.deadline_ns() != 0; ++now_ns) {
    const auto range = bench.arbiter.expire(now_ns);
    if (!range) continue;
    CHECK_EQUAL(range->first, told);
    told = range->last + 1;
  }
  CHECK_EQUAL(told, 10'000U);
  CHECK(now_ns <= 9'999 + wait_ns + 1);
}

TEST(arbiterSaysWhenItHasNoRoomLeft) {
  Bench bench(options_with(3));
  CHECK_EQUAL(bench.offer(3, 1), "parked");
  CHECK_EQUAL(bench.offer(5, 1), "parked");
  CHECK_EQUAL(bench.offer(9, 2), "parked");
  CHECK_EQUAL(bench.offer(5, 1), "duplicate");  // needs no room
  CHECK_EQUAL(bench.offer(12, 1), "overflow");
  CHECK_EQUAL(bench.arbiter.parked_count(), 3U);
  CHECK_EQUAL(bench.give_up(), "1-2");
  CHECK_EQUAL(bench.give_up(), "nothing");  // 3 is kept
  CHECK_EQUAL(bench.drain(), "3");
  CHECK_EQUAL(bench.offer(12, 1), "parked");
  CHECK_EQUAL(bench.offer(1, 4), "apply +3");
  CHECK_EQUAL(bench.drain(), "5");
  CHECK_EQUAL(bench.offer(6, 1), "apply");
  CHECK_EQUAL(bench.give_up(), "7-8");
  CHECK_EQUAL(bench.drain(), "9");
  CHECK_EQUAL(bench.give_up(), "11-11");
  CHECK_EQUAL(bench.drain(), "12");
  CHECK_EQUAL(bench.give_up(), "nothing");
}

TEST(arbiterFollowsHugeJumps) {
  constexpr std::uint64_t far = std::uint64_t{1} << 62;
  Bench bench;
  CHECK_EQUAL(bench.offer(far, 10, 1'000), "parked");
  CHECK_EQUAL(bench.offer(std::uint64_t{1} << 40, 1, 1'010), "parked");
  CHECK_EQUAL(bench.expire(1'100), "1-" + std::to_string((std::uint64_t{1} << 40) - 1));
  CHECK_EQUAL(bench.drain(), std::to_string(std::uint64_t{1} << 40));
  CHECK_EQUAL(bench.expire(1'100), std::to_string((std::uint64_t{1} << 40) + 1) + '-' + std::to_string(far - 1));
  CHECK_EQUAL(bench.drain(), std::to_string(far));
  CHECK_EQUAL(bench.arbiter.next_sequence(), far + 10);
  CHECK_EQUAL(bench.offer(1, 30), "duplicate");
  bench.arbiter.announce((std::uint64_t{1} << 63) - 1, 2'000);
  CHECK_EQUAL(bench.expire(2'100), std::to_string(far + 10) + '-' + std::to_string((std::uint64_t{1} << 63) - 2));
  CHECK_EQUAL(bench.offer((std::uint64_t{1} << 63) - 1, 30), "apply");
}

TEST(arbiterForgetsEverythingOnReset) {
  Bench bench(options_with(3), 50);
  CHECK_EQUAL(bench.offer(60, 2, 1'000), "parked");
  CHECK_EQUAL(bench.offer(65, 2, 1'000), "parked");
  CHECK_EQUAL(bench.offer(70, 2, 1'000), "parked");
  bench.arbiter.announce(90, 1'000);
  bench.arbiter.reset(1);
  CHECK_EQUAL(bench.arbiter.next_sequence(), 1U);
  CHECK_EQUAL(bench.arbiter.parked_count(), 0U);
  CHECK_EQUAL(bench.arbiter.deadline_ns(), 0);
  CHECK_EQUAL(bench.drain(), "");
  CHECK_EQUAL(bench.give_up(), "nothing");
  CHECK_EQUAL(bench.expire(5'000), "nothing");
  CHECK_EQUAL(bench.offer(1, 1, 6'000), "apply");
  for (const std::uint64_t first : {7, 5, 3}) CHECK_EQUAL(bench.offer(first, 1, 6'000), "parked");  // all room is back
  CHECK_EQUAL(bench.expire(6'100), "2-2");
  CHECK_EQUAL(bench.drain(), "3");
}

// Its pools have what they need once holes have been open.
TEST(arbiterDoesNotAllocateOnItsWay) {
  Random random(seed());
  LineFaults faults;
  faults.loss_per_mille = 100;
  faults.delay_per_mille = 300;
  faults.delay_ns_max = 3'000;
  const std::vector<LinePacket> packets = make_line(random, faults, 1, 40'000);
  const std::vector<std::uint64_t> content(64);
  const std::span all(reinterpret_cast<const std::uint8_t*>(content.data()), content.size() * 8);
  Arbiter arbiter(options_with(16));
  const auto take = [&](const LinePacket& packet) {
    if (packet.count == 0) {
      arbiter.announce(packet.first, packet.arrival_ns);
    } else if (arbiter.offer(packet.first, packet.count, all.first(packet.count * 8), packet.arrival_ns).verdict ==
               Verdict::overflow) {
      static_cast<void>(arbiter.give_up());
    }
    while (arbiter.next_parked()) {
    }
    while (arbiter.expire(packet.arrival_ns)) {
      while (arbiter.next_parked()) {
      }
    }
    arbiter.filled().clear();
  };
  const std::size_t warm = packets.size() / 2;
  for (std::size_t index = 0; index < warm; ++index) take(packets[index]);
  const std::uint64_t before = allocations();
  for (std::size_t index = warm; index < packets.size(); ++index) take(packets[index]);
  CHECK_EQUAL(allocations(), before);
  CHECK(arbiter.next_sequence() > 39'000);
}

}  // namespace
}  // namespace depthcast::test

// Holes that stay open until somebody brings what is missing, a snapshot covers it, or it is given up.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arbitrate/arbiter.h"
#include "test/arbitrate_lines.h"
#include "test/arbitrate_model.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using arbitrate::Arbiter;
using arbitrate::ArbiterOptions;
using arbitrate::SequenceRange;
using arbitrate::Verdict;

std::string text_of(const std::vector<SequenceRange>& ranges) {
  std::string text;
  for (const SequenceRange& range : ranges) {
    text += std::to_string(range.first) + '-' + std::to_string(range.last) + ' ';
  }
  return text;
}

std::string overdue(const Arbiter& arbiter, std::int64_t now_ns, std::size_t max = 1'000'000) {
  std::vector<SequenceRange> ranges;
  arbiter.overdue(now_ns, max, ranges);
  return text_of(ranges);
}

// Offers packets as a line or the recovery service does, and takes what becomes free.
class Follower {
 public:
  explicit Follower(const ArbiterOptions& options) : arbiter(options) {}

  Verdict offer(std::uint64_t first, std::uint32_t count, std::int64_t now_ns) {
    const std::vector<std::uint64_t> content = content_of(first, count);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size() * 8);
    Arbiter::Decision decision = arbiter.offer(first, count, bytes, now_ns);
    if (decision.verdict == Verdict::overflow) {
      dropped += arbiter.drop_parked();
      ++overflows;
      decision = arbiter.offer(first, count, bytes, now_ns);
      REQUIRE(decision.verdict != Verdict::overflow);
    }
    if (decision.verdict == Verdict::apply) {
      apply(first, content, decision.skip);
      drain();
    }
    return decision.verdict;
  }
  void drain() {
    while (const auto parked = arbiter.next_parked()) {
      std::vector<std::uint64_t> words(parked->datagram.size() / 8);
      std::memcpy(words.data(), parked->datagram.data(), parked->datagram.size());
      apply(arbiter.next_sequence() - words.size(), words, parked->skip);
    }
  }

  Arbiter arbiter;
  std::vector<std::uint64_t> delivered;
  std::uint64_t dropped = 0;
  std::uint64_t overflows = 0;

 private:
  void apply(std::uint64_t first, const std::vector<std::uint64_t>& words, std::uint32_t skip) {
    REQUIRE(skip < words.size());
    for (std::size_t index = skip; index < words.size(); ++index) {
      REQUIRE_EQUAL(words[index], content_of(first + index));
      delivered.push_back(first + index);
    }
  }
};

TEST(arbiterListsHolesOnceTheirTimeForTheOtherLineIsOver) {
  Follower follower({100, 16, 1 << 20});
  follower.offer(1, 2, 1'000);
  follower.offer(5, 1, 1'000);
  follower.offer(8, 1, 1'050);
  follower.arbiter.announce(12, 1'080);
  CHECK_EQUAL(overdue(follower.arbiter, 1'099), "");
  CHECK_EQUAL(overdue(follower.arbiter, 1'100), "3-4 ");
  CHECK_EQUAL(overdue(follower.arbiter, 1'150), "3-4 6-7 ");
  CHECK_EQUAL(overdue(follower.arbiter, 2'000), "3-4 6-7 9-11 ");
  CHECK_EQUAL(overdue(follower.arbiter, 2'000, 2), "3-4 6-7 ");
  CHECK_EQUAL(follower.arbiter.holes().messages(), 7U);
  follower.offer(9, 2, 2'100);  // a retransmission begins where it likes
  follower.offer(4, 3, 2'100);
  CHECK_EQUAL(overdue(follower.arbiter, 2'100), "3-3 7-7 11-11 ");
  follower.offer(3, 1, 2'200);
  CHECK_EQUAL(follower.arbiter.next_sequence(), 7U);
  follower.offer(1, 20, 2'300);
  CHECK_EQUAL(overdue(follower.arbiter, 9'000), "");
  CHECK_EQUAL(follower.arbiter.next_sequence(), 21U);
  CHECK_EQUAL(follower.arbiter.parked_count(), 0U);
  CHECK_EQUAL(follower.delivered.size(), 20U);
  std::string filled;
  for (const arbitrate::FilledRange& one : follower.arbiter.filled()) {
    filled += std::to_string(one.first) + '-' + std::to_string(one.last) + (one.closes ? " closes " : " of ") +
              std::to_string(one.since_ns) + ", ";
  }
  CHECK_EQUAL(filled, "9-10 of 1080, 4-4 of 1000, 6-6 of 1050, 3-3 closes 1000, 7-7 closes 1050, 11-11 closes 1080, ");
}

TEST(arbiterTakesALateJoinForAHoleLikeAnyOther) {
  Follower follower({100, 16, 1 << 20});
  follower.offer(1'000, 5, 0);
  CHECK_EQUAL(overdue(follower.arbiter, 100), "1-999 ");
  follower.arbiter.go_on_at(1'002, 200);  // a snapshot of 1 to 1,001
  follower.drain();
  CHECK_EQUAL(follower.arbiter.next_sequence(), 1'005U);
  CHECK(follower.delivered == std::vector<std::uint64_t>({1'002, 1'003, 1'004}));
  CHECK_EQUAL(overdue(follower.arbiter, 9'000), "");
}

TEST(arbiterHasAHoleAgainWhereASnapshotEndsBelowWhatIsParked) {
  Follower follower({100, 16, 1 << 20});
  follower.offer(50, 5, 0);
  follower.arbiter.go_on_at(40, 200);
  follower.drain();
  CHECK_EQUAL(overdue(follower.arbiter, 200), "40-49 ");
  follower.offer(38, 12, 300);
  CHECK_EQUAL(follower.arbiter.next_sequence(), 55U);
  CHECK_EQUAL(follower.delivered.front(), 40U);
}

TEST(arbiterMissesAgainWhatWasTakenAfterASnapshotThatIsOlder) {
  Follower follower({100, 16, 1 << 20});
  follower.offer(1, 30, 0);
  follower.offer(35, 1, 10);
  follower.arbiter.go_on_at(21, 20);
  CHECK_EQUAL(overdue(follower.arbiter, 20), "21-30 ");
  CHECK_EQUAL(overdue(follower.arbiter, 110), "21-34 ");
  follower.offer(21, 10, 120);
  CHECK_EQUAL(follower.arbiter.next_sequence(), 31U);
  follower.offer(31, 4, 130);
  CHECK_EQUAL(follower.arbiter.next_sequence(), 36U);
}

TEST(arbiterGivesUpOnlyWhatItIsTold) {
  Follower follower({100, 16, 1 << 20});
  follower.offer(5, 1, 0);
  follower.offer(9, 1, 0);
  CHECK(!follower.arbiter.give_up(1));
  auto range = follower.arbiter.give_up(3);
  REQUIRE(range.has_value());
  CHECK_EQUAL(range->last, 2U);
  range = follower.arbiter.give_up(9);
  REQUIRE(range.has_value());
  CHECK_EQUAL(range->last, 4U);
  follower.drain();
  range = follower.arbiter.give_up(9);
  REQUIRE(range.has_value());
  CHECK_EQUAL(range->first, 6U);
  follower.drain();
  CHECK_EQUAL(follower.arbiter.next_sequence(), 10U);
}

// 30 % loss, one line alone, 300,000 packets behind one hole; then all of it is brought back.
TEST(arbiterKeepsHundredsOfThousandsOfPacketsAndGivesTheirMemoryBack) {
  Random random(seed());
  constexpr std::uint32_t packet_messages = 8;
  const std::uint64_t packets = work(300'000);
  Follower follower({100, 1U << 20, std::size_t{64} << 20});
  std::vector<std::uint64_t> lost{1};
  std::int64_t now_ns = 0;
  for (std::uint64_t index = 1; index < packets; ++index) {
    const std::uint64_t first = index * packet_messages + 1;
    if (random.chance(30, 100)) {
      lost.push_back(first);
    } else {
      follower.offer(first, packet_messages, ++now_ns);
    }
  }
  CHECK_EQUAL(follower.overflows, 0U);
  CHECK_EQUAL(follower.arbiter.parked_count() + lost.size(), packets);
  const std::size_t bytes = follower.arbiter.parked_bytes();
  CHECK(bytes >= follower.arbiter.parked_count() * packet_messages * 8);
  CHECK(bytes <= follower.arbiter.parked_count() * packet_messages * 8 + 2 * arbitrate::ParkedPackets::block_bytes);
  for (std::size_t index = lost.size() - 1; index > 1; --index) std::swap(lost[index], lost[random.between(1, index)]);
  for (std::size_t index = lost.size(); index > 0; --index) follower.offer(lost[index - 1], packet_messages, ++now_ns);
  follower.arbiter.announce(packets * packet_messages + 1, now_ns);
  CHECK_EQUAL(follower.arbiter.next_sequence(), packets * packet_messages + 1);
  CHECK_EQUAL(follower.delivered.size(), packets * packet_messages);
  CHECK(std::is_sorted(follower.delivered.begin(), follower.delivered.end()));
  // The one in use, a spare one, and that of the packet taken last.
  CHECK(follower.arbiter.parked_bytes() <= 3 * arbitrate::ParkedPackets::block_bytes);
  CHECK_EQUAL(follower.arbiter.holes().size(), 0U);
}

TEST(arbiterDropsWhatItKeepsWhenThereIsNoRoomAndFollowsTheNewest) {
  Follower follower({100, 1U << 20, 2 * arbitrate::ParkedPackets::block_bytes});
  const std::uint64_t fit = 2 * arbitrate::ParkedPackets::block_bytes / 64;
  for (std::uint64_t index = 1; index <= fit; ++index) follower.offer(index * 8 + 1, 8, 1'000);
  CHECK_EQUAL(follower.overflows, 0U);
  CHECK_EQUAL(overdue(follower.arbiter, 1'100), "1-8 ");
  follower.offer((fit + 1) * 8 + 1, 8, 1'050);
  CHECK_EQUAL(follower.overflows, 1U);
  CHECK_EQUAL(follower.dropped, fit);
  CHECK_EQUAL(follower.arbiter.parked_count(), 1U);
  CHECK_EQUAL(overdue(follower.arbiter, 1'100), "1-" + std::to_string((fit + 1) * 8) + ' ');
}

struct HoleFigures {
  std::uint64_t overdue = 0;
  std::uint64_t overflows = 0;
  std::uint64_t snapshots = 0;
};

// One line with faults, and somebody who brings back, covers or gives up at random.
void run_round(Random& random, HoleFigures& figures) {
  ArbiterOptions options;
  options.gap_wait_ns = static_cast<std::int64_t>(random.between(0, 2'000));
  options.parked_max = static_cast<std::uint32_t>(random.chance(1, 2) ? random.between(5, 40) : 10'000);
  Follower follower(options);
  ArbiterModel model(options.gap_wait_ns);
  LineFaults faults;
  faults.loss_per_mille = random.below(400);
  faults.burst_packets = random.between(1, 20);
  faults.packet_messages_max = random.between(1, 20);
  faults.delay_ns_max = 2'000;
  faults.announce_per_mille = random.below(100);
  std::int64_t now_ns = 0;
  const auto bring = [&](std::uint64_t first, std::uint32_t count) {
    const std::uint64_t overflows = follower.overflows;
    follower.offer(first, count, now_ns);
    if (follower.overflows != overflows) model.drop_held();
    model.receive(first, count, now_ns);
  };
  for (const LinePacket& packet : make_line(random, faults, 1, random.between(1, 1'500))) {
    now_ns = std::max(now_ns, packet.arrival_ns);
    if (packet.count == 0) {
      follower.arbiter.announce(packet.first, now_ns);
      model.announce(packet.first, now_ns);
    } else {
      bring(packet.first, packet.count);
    }
    const std::uint64_t roll = random.below(100);
    const std::vector<SequenceRange> holes = model.overdue(now_ns);
    figures.overdue += holes.size();
    if (roll < 20 && !holes.empty()) {
      const SequenceRange hole = holes[random.below(holes.size())];
      const std::uint64_t first = hole.first - std::min<std::uint64_t>(hole.first - 1, random.below(5));
      const std::uint64_t count = std::min<std::uint64_t>(hole.last - first + 1, random.between(1, 30));
      bring(first, static_cast<std::uint32_t>(count));
    } else if (roll < 22) {
      const std::uint64_t end = follower.arbiter.known_end();
      const std::uint64_t back = std::min<std::uint64_t>(model.next_sequence() - 1, random.below(40));
      const std::uint64_t at = random.between(model.next_sequence() - back, end + 3);
      follower.arbiter.go_on_at(at, now_ns);
      follower.drain();
      model.go_on_at(at, now_ns);
      ++figures.snapshots;
    } else if (roll < 24) {
      const std::uint64_t end = model.next_sequence() + random.below(20);
      while (follower.arbiter.give_up(end)) follower.drain();
      while (model.next_sequence() < end) {
        const std::uint64_t before = model.next_sequence();
        model.give_up_below(end);
        if (model.next_sequence() == before) break;
      }
    }
    follower.arbiter.filled().clear();
    REQUIRE_EQUAL(follower.arbiter.next_sequence(), model.next_sequence());
    REQUIRE_EQUAL(follower.arbiter.holes().messages(), model.missing());
    REQUIRE_EQUAL(follower.arbiter.deadline_ns(), model.deadline_ns());
    REQUIRE_EQUAL(overdue(follower.arbiter, now_ns), text_of(model.overdue(now_ns)));
  }
  REQUIRE(follower.delivered == model.delivered);
  figures.overflows += follower.overflows;
}

TEST(arbiterKeepsHolesOpenLikeItsModel) {
  Random random(seed());
  HoleFigures figures;
  const std::uint64_t rounds = work(300);
  for (std::uint64_t round = 0; round < rounds; ++round) run_round(random, figures);
  note(std::to_string(figures.overdue) + " holes seen overdue, " + std::to_string(figures.overflows) + " overflows, " +
       std::to_string(figures.snapshots) + " snapshots");
  CHECK(figures.overdue > rounds && figures.overflows > rounds / 10 && figures.snapshots > rounds);
}

}  // namespace
}  // namespace depthcast::test

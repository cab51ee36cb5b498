// The arbiter against its model: two faulty lines, every delivered number,
// every missing range, every deadline.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "test/arbitrate_lines.h"
#include "test/arbitrate_model.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

struct Figures {
  std::uint64_t messages = 0;
  std::uint64_t missing_ranges = 0;
  std::uint64_t missing = 0;
  std::uint64_t duplicates = 0;
};

LineFaults random_faults(Random& random) {
  LineFaults faults;
  faults.loss_per_mille = random.chance(1, 4) ? 0 : random.below(300);
  faults.burst_packets = random.between(1, 20);
  faults.duplicate_per_mille = random.below(100);
  faults.delay_per_mille = random.below(400);
  faults.delay_ns_max = static_cast<std::int64_t>(random.between(1, 3'000));
  faults.packet_messages_max = random.between(1, 40);
  faults.announce_per_mille = random.below(400);
  return faults;
}

std::vector<LinePacket> two_lines(Random& random, std::uint64_t first, std::uint64_t messages) {
  std::vector<LinePacket> arrivals = make_line(random, random_faults(random), first, messages);
  std::vector<LinePacket> line_b = make_line(random, random_faults(random), first, messages);
  const auto lag_ns = static_cast<std::int64_t>(random.below(2'000));
  for (LinePacket& packet : line_b) packet.arrival_ns += lag_ns;
  const auto middle = arrivals.insert(arrivals.end(), line_b.begin(), line_b.end());
  std::inplace_merge(arrivals.begin(), middle, arrivals.end(), [](const LinePacket& left, const LinePacket& right) {
    return left.arrival_ns < right.arrival_ns;
  });
  return arrivals;
}

std::string text_of(const std::vector<arbitrate::SequenceRange>& ranges) {
  std::string text;
  for (const arbitrate::SequenceRange& range : ranges) {
    text += ' ' + std::to_string(range.first) + '-' + std::to_string(range.last);
  }
  return text;
}

class Comparison {
 public:
  Comparison(const arbitrate::ArbiterOptions& options, std::uint64_t first)
      : receiver_(options, first), model_(options.gap_wait_ns, first) {}

  void take(const LinePacket& packet) {
    receiver_.take(packet);
    if (packet.count == 0) {
      model_.announce(packet.first, packet.arrival_ns);
    } else {
      model_.receive(packet.first, packet.count, packet.arrival_ns);
    }
    compare();
  }
  void tick(std::int64_t now_ns) {
    receiver_.tick(now_ns);
    while (const auto range = model_.expire(now_ns)) missing_.push_back(*range);
    compare();
  }
  std::int64_t deadline_ns() const { return receiver_.arbiter.deadline_ns(); }
  void finish(Figures& figures) {
    REQUIRE_EQUAL(text_of(receiver_.missing), text_of(missing_));
    REQUIRE_EQUAL(receiver_.arbiter.parked_count(), 0U);
    figures.messages += model_.delivered.size();
    figures.missing_ranges += missing_.size();
    for (const auto& range : missing_) figures.missing += range.last - range.first + 1;
    figures.duplicates += receiver_.duplicates;
  }

 private:
  void compare() {
    REQUIRE_EQUAL(receiver_.fault, "");
    REQUIRE_EQUAL(receiver_.arbiter.next_sequence(), model_.next_sequence());
    REQUIRE_EQUAL(receiver_.arbiter.deadline_ns(), model_.deadline_ns());
    REQUIRE_EQUAL(receiver_.delivered.size(), model_.delivered.size());
    for (; compared_ < model_.delivered.size(); ++compared_) {
      REQUIRE_EQUAL(receiver_.delivered[compared_], model_.delivered[compared_]);
    }
    REQUIRE_EQUAL(receiver_.missing.size(), missing_.size());
  }

  LineReceiver receiver_;
  ArbiterModel model_;
  std::vector<arbitrate::SequenceRange> missing_;
  std::size_t compared_ = 0;
};

void run_round(Random& random, Figures& figures) {
  arbitrate::ArbiterOptions options;
  options.gap_wait_ns = static_cast<std::int64_t>(random.between(0, 3'000));
  const std::uint64_t first = random.chance(1, 4) ? random.next() >> 2 | 1 : 1;
  Comparison both(options, first);
  std::int64_t now_ns = 0;
  const bool exact_ticks = random.chance(1, 2);  // woken at the deadline itself, or at some time after it
  for (const LinePacket& packet : two_lines(random, first, random.between(1, 2'000))) {
    while (exact_ticks && both.deadline_ns() != 0 && both.deadline_ns() < packet.arrival_ns) {
      const std::int64_t deadline_ns = std::max(both.deadline_ns(), now_ns);
      if (deadline_ns > now_ns) both.tick(deadline_ns - 1);
      both.tick(deadline_ns);
    }
    now_ns = packet.arrival_ns;
    both.take(packet);
    if (exact_ticks || random.chance(1, 3)) both.tick(now_ns);
  }
  both.tick(now_ns + 1'000'000);
  both.finish(figures);
}

TEST(arbiterDeliversEveryNumberOnceInOrderAndNamesTheRestLikeItsModel) {
  Random random(seed());
  Figures figures;
  const std::uint64_t rounds = work(600);
  for (std::uint64_t round = 0; round < rounds; ++round) run_round(random, figures);
  note(std::to_string(figures.messages) + " messages delivered, " + std::to_string(figures.duplicates) +
       " packets had nothing new, " + std::to_string(figures.missing) + " numbers in " +
       std::to_string(figures.missing_ranges) + " ranges missing");
  CHECK(figures.missing_ranges > rounds);
}

// With little room the time of giving up depends on it; what holds all the
// same: no number twice, none unnamed.
TEST(arbiterWithLittleRoomDeliversOrNamesEveryNumberExactlyOnce) {
  Random random(seed());
  std::uint64_t overflows = 0;
  const std::uint64_t rounds = work(600);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    arbitrate::ArbiterOptions options;
    options.gap_wait_ns = static_cast<std::int64_t>(random.between(0, 10'000));
    options.parked_max = static_cast<std::uint32_t>(random.between(1, 12));
    const std::uint64_t messages = random.between(1, 2'000);
    LineReceiver receiver(options);
    std::int64_t now_ns = 0;
    for (const LinePacket& packet : two_lines(random, 1, messages)) {
      now_ns = packet.arrival_ns;
      receiver.take(packet);
      if (random.chance(1, 2)) receiver.tick(now_ns);
      REQUIRE(receiver.arbiter.parked_count() <= options.parked_max);
    }
    receiver.tick(now_ns + options.gap_wait_ns);
    REQUIRE_EQUAL(receiver.fault, "");
    REQUIRE_EQUAL(receiver.arbiter.parked_count(), 0U);
    REQUIRE_EQUAL(receiver.arbiter.deadline_ns(), 0);
    std::vector<std::uint64_t> told = receiver.delivered;
    REQUIRE(std::is_sorted(told.begin(), told.end()));
    for (const auto& range : receiver.missing) {
      for (std::uint64_t number = range.first; number <= range.last; ++number) told.push_back(number);
    }
    std::sort(told.begin(), told.end());
    REQUIRE_EQUAL(told.size() + 1, receiver.arbiter.next_sequence());
    for (std::size_t index = 0; index < told.size(); ++index) REQUIRE_EQUAL(told[index], index + 1);
    overflows += receiver.overflows;
  }
  note(std::to_string(overflows) + " overflows");
  CHECK(overflows > rounds);
}

}  // namespace
}  // namespace depthcast::test

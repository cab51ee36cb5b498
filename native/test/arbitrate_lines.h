// Two lines of one feed with faults as data, and the receiver's loop around an
// Arbiter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arbitrate/arbiter.h"
#include "test/random.h"

namespace depthcast::test {

// A packet's bytes follow from its numbers, so that what is applied can be
// checked. Count 0: an announcement.
struct LinePacket {
  std::int64_t arrival_ns;
  std::uint64_t first;
  std::uint32_t count;
};

inline std::uint64_t content_of(std::uint64_t number) { return number * 0x9e3779b97f4a7c15ULL; }

inline std::vector<std::uint64_t> content_of(std::uint64_t first, std::uint32_t count) {
  std::vector<std::uint64_t> words(count);
  for (std::uint32_t index = 0; index < count; ++index) words[index] = content_of(first + index);
  return words;
}

struct LineFaults {
  std::uint64_t loss_per_mille = 20;
  std::uint64_t burst_packets = 1;  // lost in a row
  std::uint64_t duplicate_per_mille = 10;
  std::uint64_t delay_per_mille = 50;  // packets that come later than the ones behind them
  std::int64_t delay_ns_max = 500;
  std::uint64_t packet_messages_max = 30;
  std::uint64_t announce_per_mille = 30;  // after a packet
};

// What one line brings of the numbers first … first + messages - 1, one packet
// every 100 ns, in order of arrival.
inline std::vector<LinePacket> make_line(Random& random, const LineFaults& faults, std::uint64_t first,
                                         std::uint64_t messages) {
  std::vector<LinePacket> packets;
  std::int64_t sent_ns = static_cast<std::int64_t>(random.below(100));
  std::uint64_t losing = 0;
  const auto send = [&](std::uint64_t from, std::uint32_t count) {
    if (losing == 0 && random.chance(faults.loss_per_mille, 1'000)) losing = random.between(1, faults.burst_packets);
    if (losing != 0) {
      --losing;
      return;
    }
    const std::uint64_t copies = random.chance(faults.duplicate_per_mille, 1'000) ? 2 : 1;
    for (std::uint64_t copy = 0; copy < copies; ++copy) {
      std::int64_t arrival_ns = sent_ns;
      if (copy != 0 || random.chance(faults.delay_per_mille, 1'000)) {
        arrival_ns += static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(faults.delay_ns_max) + 1));
      }
      packets.push_back({arrival_ns, from, count});
    }
  };
  for (std::uint64_t number = first; number < first + messages;) {
    const std::uint64_t left = first + messages - number;
    const auto count = static_cast<std::uint32_t>(std::min(left, random.between(1, faults.packet_messages_max)));
    send(number, count);
    number += count;
    if (random.chance(faults.announce_per_mille, 1'000) || number == first + messages) send(number, 0);
    sent_ns += 100;
  }
  std::stable_sort(packets.begin(), packets.end(),
                   [](const LinePacket& left, const LinePacket& right) { return left.arrival_ns < right.arrival_ns; });
  return packets;
}

// Does what run/subscriber.cc does with the verdicts, and checks each message's
// contents.
class LineReceiver {
 public:
  explicit LineReceiver(const arbitrate::ArbiterOptions& options, std::uint64_t first_sequence = 1)
      : arbiter(options, first_sequence) {}

  void take(const LinePacket& packet) {
    if (packet.count == 0) return arbiter.announce(packet.first, packet.arrival_ns);
    const std::vector<std::uint64_t> content = content_of(packet.first, packet.count);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size() * 8);
    arbitrate::Arbiter::Decision decision = arbiter.offer(packet.first, packet.count, bytes, packet.arrival_ns);
    if (decision.verdict == arbitrate::Verdict::overflow) {
      ++overflows;
      note_missing(arbiter.give_up());
      drain();
      decision = arbiter.offer(packet.first, packet.count, bytes, packet.arrival_ns);
      if (decision.verdict == arbitrate::Verdict::overflow) fault = "no room after a hole was given up";
    }
    if (decision.verdict == arbitrate::Verdict::duplicate) ++duplicates;
    if (decision.verdict != arbitrate::Verdict::apply) return;
    apply(packet.first, bytes, decision.skip);
    drain();
  }
  void tick(std::int64_t now_ns) {
    while (const auto range = arbiter.expire(now_ns)) {
      note_missing(range);
      drain();
    }
  }
  void give_up_all() {
    while (const auto range = arbiter.give_up()) {
      note_missing(range);
      drain();
    }
  }

  arbitrate::Arbiter arbiter;
  std::vector<std::uint64_t> delivered;
  std::vector<arbitrate::SequenceRange> missing;
  std::uint64_t overflows = 0;
  std::uint64_t duplicates = 0;
  std::string fault;  // the first; empty while there is none

 private:
  void note_missing(std::optional<arbitrate::SequenceRange> range) {
    if (range) missing.push_back(*range);
  }
  void apply(std::uint64_t first, std::span<const std::uint8_t> bytes, std::uint32_t skip) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) fault = "a kept datagram is not aligned";
    for (std::size_t index = skip; index < bytes.size() / 8; ++index) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + index * 8, sizeof word);
      if (word != content_of(first + index)) fault = "the contents of " + std::to_string(first + index) + " are wrong";
      delivered.push_back(first + index);
    }
    if (skip >= bytes.size() / 8) fault = "nothing is left of a packet to apply";
  }
  void drain() {
    // What precedes the packet's first message is told by next_sequence(),
    // which stands behind its last one.
    while (const auto parked = arbiter.next_parked()) {
      apply(arbiter.next_sequence() - parked->datagram.size() / 8, parked->datagram, parked->skip);
    }
  }
};

}  // namespace depthcast::test

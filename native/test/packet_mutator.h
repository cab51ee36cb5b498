// Makes packets that nobody should send out of packets that somebody did. Shared by the fuzz test, which is bounded and
// seeded, and by the libFuzzer target (fuzz/packet_reader_fuzzer.cc), which is not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "test/packets.h"
#include "test/random.h"

namespace depthcast::test {

class PacketMutator {
 public:
  static constexpr std::size_t size_max = 2'048;

  // `corpus` must not be empty and must outlive it: splices come from there.
  PacketMutator(const std::vector<Datagram>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  // A mutated packet of the corpus; in half of the cases the prefix is made right again, so that it gets past it.
  Datagram next() {
    Datagram datagram = random_.pick(corpus_);
    mutate(datagram);
    if (random_.chance(1, 2)) repair(datagram);
    return datagram;
  }
  // One to four mutations.
  void mutate(Datagram& datagram) {
    for (std::uint64_t count = random_.between(1, 4); count > 0; --count) mutate_once(datagram);
  }

 private:
  void mutate_once(Datagram& datagram) {
    switch (random_.below(14)) {
      case 0:
      case 1: change<std::uint8_t>(datagram, [&](std::uint8_t value) { return value ^ 1U << random_.below(8); }); break;
      case 2: change<std::uint8_t>(datagram, [&](std::uint8_t) { return random_.next(); }); break;
      case 3: cut(datagram); break;
      case 4: extend(datagram); break;
      case 5: splice(datagram); break;
      case 6: move_block(datagram); break;
      case 7:
      case 8: change<std::uint32_t>(datagram, [&](std::uint32_t) { return attack(datagram.size()); }); break;
      case 9: change<std::uint16_t>(datagram, [&](std::uint16_t) { return attack(datagram.size()); }); break;
      case 10: change<std::uint64_t>(datagram, [&](std::uint64_t) { return attack(datagram.size()); }); break;
      case 11: change<std::uint16_t>(datagram, [&](std::uint16_t value) { return value + nudge(); }); break;
      case 12: change<std::uint32_t>(datagram, [&](std::uint32_t value) { return value + nudge(); }); break;
      default: change<std::uint64_t>(datagram, [&](std::uint64_t value) { return value + nudge(); }); break;
    }
  }

  // Replaces one field at an offset that such a field may have.
  template <typename Field, typename Change>
  void change(Datagram& datagram, Change to) {
    if (datagram.size() < sizeof(Field)) return;
    const auto fields = datagram.size() / sizeof(Field);
    const auto offset = static_cast<std::size_t>(random_.below(fields)) * sizeof(Field);
    Field value = 0;
    std::memcpy(&value, datagram.data() + offset, sizeof value);
    value = static_cast<Field>(to(value));
    std::memcpy(datagram.data() + offset, &value, sizeof value);
  }
  // Small steps: what offsets, lengths and counts are off by.
  std::uint64_t nudge() {
    constexpr std::int64_t steps[] = {-64, -40, -16, -8, -4, -2, -1, 1, 2, 4, 8, 16, 40, 64};
    return static_cast<std::uint64_t>(random_.pick(steps));
  }
  // Values at which arithmetic on offsets and lengths goes wrong.
  std::uint64_t attack(std::size_t size) {
    constexpr std::uint64_t values[] = {0,          1,          2,          3,          4,          5,
                                        6,          8,          16,         0x7f,       0x80,       0xff,
                                        0x7fff,     0x8000,     0xffff,     0x7fffffff, 0x80000000, 0xfffffffc,
                                        0xffffffff, 1ULL << 32, 1ULL << 62, 1ULL << 63, ~0ULL};
    if (random_.chance(1, 2)) return random_.pick(values);
    return size - 16 + random_.below(17) - 8;
  }
  void cut(Datagram& datagram) {
    const std::uint64_t size = random_.below(datagram.size() + 1);
    datagram.resize(static_cast<std::size_t>(random_.chance(1, 2) ? size / 8 * 8 : size));
    datagram.shrink_to_fit();  // so that a sanitizer sees reads behind the new end
  }
  void extend(Datagram& datagram) {
    const auto more = static_cast<std::size_t>(random_.between(1, 64));
    if (datagram.size() + more > size_max) return;
    datagram.resize(datagram.size() + more, static_cast<std::uint8_t>(random_.chance(1, 2) ? 0 : random_.next()));
  }
  // The head of one packet, the tail of another.
  void splice(Datagram& datagram) {
    const Datagram& other = random_.pick(corpus_);
    const auto head = static_cast<std::size_t>(random_.below(datagram.size() / 4 + 1)) * 4;
    const std::size_t from = random_.chance(1, 2) ? std::min(head, other.size())
                                                  : static_cast<std::size_t>(random_.below(other.size() / 4 + 1)) * 4;
    Datagram joined(std::min(head + other.size() - from, size_max));
    const std::size_t kept = std::min(head, joined.size());
    std::copy_n(datagram.begin(), kept, joined.begin());
    std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), joined.size() - kept,
                joined.begin() + static_cast<std::ptrdiff_t>(kept));
    datagram = std::move(joined);
  }
  void move_block(Datagram& datagram) {
    if (datagram.size() < 16) return;
    const std::uint64_t words = datagram.size() / 4;
    const std::uint64_t length = random_.between(1, std::min<std::uint64_t>(words, 24));
    const std::uint64_t from = random_.below(words - length + 1);
    const std::uint64_t to = random_.below(words - length + 1);
    std::memmove(datagram.data() + to * 4, datagram.data() + from * 4, length * 4);
  }

  const std::vector<Datagram>& corpus_;
  Random random_;
};

}  // namespace depthcast::test

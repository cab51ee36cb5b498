// ITCH 5.0 messages built by hand, byte by byte, from the offsets of Nasdaq's specification.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "test/random.h"

namespace depthcast::test {

class ItchMessage {
 public:
  ItchMessage(char type, std::size_t length, std::uint16_t locate, std::uint64_t time_ns) : bytes_(length) {
    number(0, 1, static_cast<std::uint8_t>(type)).number(1, 2, locate).number(3, 2, 0xabcd).number(5, 6, time_ns);
  }
  // Big-endian.
  ItchMessage& number(std::size_t offset, std::size_t size, std::uint64_t value) {
    for (std::size_t index = 0; index < size; ++index) {
      bytes_.at(offset + index) = static_cast<std::uint8_t>(value >> (8 * (size - 1 - index)));
    }
    return *this;
  }
  ItchMessage& text(std::size_t offset, std::string_view characters) {
    for (std::size_t index = 0; index < characters.size(); ++index) {
      bytes_.at(offset + index) = static_cast<std::uint8_t>(characters[index]);
    }
    return *this;
  }
  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

struct ItchType {
  char type;
  std::size_t length;
  std::size_t stock_offset;  // 0: names no stock
};
// Nasdaq TotalView-ITCH 5.0, section 1.
constexpr ItchType itch_types[] = {
    {'S', 12, 0},  {'R', 39, 11}, {'H', 25, 11}, {'Y', 20, 11}, {'L', 26, 15}, {'V', 35, 0},
    {'W', 12, 0},  {'K', 28, 11}, {'J', 35, 11}, {'h', 21, 11}, {'A', 36, 24}, {'F', 40, 24},
    {'E', 31, 0},  {'C', 36, 0},  {'X', 23, 0},  {'D', 19, 0},  {'U', 35, 0},  {'P', 44, 24},
    {'Q', 40, 19}, {'B', 19, 0},  {'I', 50, 28}, {'N', 20, 11}, {'O', 48, 11},
};

inline ItchMessage itch_directory(std::uint16_t locate, std::uint64_t time_ns, std::string_view stock,
                                  std::uint32_t lot_size = 100) {
  ItchMessage message('R', 39, locate, time_ns);
  return message.text(11, stock)
      .text(19, "QN")
      .number(21, 4, lot_size)
      .text(25, "NCZ PNN1N")
      .number(34, 4, 0)
      .text(38, "N");
}
inline ItchMessage itch_add(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t order_id, char side,
                            std::uint32_t shares, std::uint32_t price) {
  ItchMessage message('A', 36, locate, time_ns);
  message.number(11, 8, order_id).number(19, 1, static_cast<std::uint8_t>(side)).number(20, 4, shares);
  return message.text(24, "TEST    ").number(32, 4, price);
}
inline ItchMessage itch_execute(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t order_id,
                                std::uint32_t shares, std::uint64_t match) {
  ItchMessage message('E', 31, locate, time_ns);
  return message.number(11, 8, order_id).number(19, 4, shares).number(23, 8, match);
}
inline ItchMessage itch_cancel(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t order_id,
                               std::uint32_t shares) {
  ItchMessage message('X', 23, locate, time_ns);
  return message.number(11, 8, order_id).number(19, 4, shares);
}
inline ItchMessage itch_delete(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t order_id) {
  ItchMessage message('D', 19, locate, time_ns);
  return message.number(11, 8, order_id);
}
inline ItchMessage itch_replace(std::uint16_t locate, std::uint64_t time_ns, std::uint64_t order_id,
                                std::uint64_t new_order_id, std::uint32_t shares, std::uint32_t price) {
  ItchMessage message('U', 35, locate, time_ns);
  message.number(11, 8, order_id).number(19, 8, new_order_id).number(27, 4, shares);
  return message.number(31, 4, price);
}

// A random flow of messages of every type about few instruments and few orders: much of it is refused.
class ItchFlow {
 public:
  ItchFlow(std::uint64_t seed, std::uint16_t locates, std::uint64_t order_ids)
      : random_(seed), locates_(locates), order_ids_(order_ids) {}

  ItchMessage next() {
    time_ns_ += random_.below(2'000);
    // An order's locate follows from its id, so that most messages fit; some do not.
    const std::uint64_t order_id = random_.between(1, order_ids_);
    const auto locate =
        static_cast<std::uint16_t>(random_.chance(1, 200) ? random_.below(locates_ + 2U) : order_id % locates_ + 1);
    const auto shares = static_cast<std::uint32_t>(random_.chance(1, 100) ? 0 : random_.between(1, 10) * 100);
    const auto price = static_cast<std::uint32_t>(10'000 + 100 * random_.below(40));
    const char side = order_id % 2 == 0 ? 'B' : 'S';
    const std::uint64_t roll = random_.below(1'000);
    if (roll < 450) return itch_add(locate, time_ns_, order_id, random_.chance(1, 300) ? '?' : side, shares, price);
    if (roll < 600) return itch_execute(locate, time_ns_, order_id, shares, random_.next());
    if (roll < 700) return itch_cancel(locate, time_ns_, order_id, shares);
    if (roll < 800) return itch_delete(locate, time_ns_, order_id);
    if (roll < 950) {
      const std::uint64_t new_order_id = random_.between(1, order_ids_ / locates_) * locates_ + order_id % locates_;
      return itch_replace(locate, time_ns_, order_id, new_order_id, shares, price);
    }
    return noise(locate);
  }
  // A message of any type: the right length, random contents.
  ItchMessage noise(std::uint16_t locate) {
    const ItchType& type = random_.pick(itch_types);
    ItchMessage message(type.type, type.length, locate, time_ns_);
    for (std::size_t offset = 11; offset < type.length; ++offset) message.number(offset, 1, random_.next() & 0xff);
    if (type.stock_offset != 0) message.text(type.stock_offset, "NOISE   ");
    if (type.length > 19 && random_.chance(3, 4)) message.number(11, 8, random_.between(1, order_ids_));
    if (type.length > 19 && random_.chance(1, 2)) message.text(19, random_.chance(1, 2) ? "B" : "T");
    return message;
  }

 private:
  Random random_;
  std::uint16_t locates_;
  std::uint64_t order_ids_;
  std::uint64_t time_ns_ = 34'200'000'000'000;
};

}  // namespace depthcast::test

// Records for the tests of the broadcast ring: everything in them follows from their number, and a CRC closes them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/broadcast_ring.h"
#include "core/crc32c.h"
#include "core/memory.h"
#include "test/random.h"

namespace depthcast::test {

// Zeroed memory of a ring, aligned as the writer wants it.
class RingMemory {
 public:
  explicit RingMemory(std::size_t capacity) : bytes_(ring_bytes(capacity), false) {}
  void* data() { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  RingHeader& header() { return *reinterpret_cast<RingHeader*>(bytes_.data()); }
  Word* words_at(std::size_t offset) { return reinterpret_cast<Word*>(bytes_.data() + ring_data_offset + offset); }

 private:
  FixedArray<std::uint8_t> bytes_;
};

// Payload number `number`: a 16-byte first part, a second part, zeros. At most `length_max` (a multiple of 8) bytes.
class RingPayload {
 public:
  static constexpr std::size_t first_bytes = 16;

  explicit RingPayload(std::size_t length_max) : length_max_(length_max) {}

  void make(std::uint64_t number) {
    Random random(number);
    length_ = static_cast<std::size_t>(random.between(first_bytes + 8, length_max_));
    second_ = static_cast<std::size_t>(random.between(8, length_ - first_bytes));
    bytes_.fill(0);
    for (std::size_t offset = 0; offset < first_bytes + second_; offset += 8) {
      const std::uint64_t word = random.next();
      std::memcpy(bytes_.data() + offset, &word, std::min<std::size_t>(8, first_bytes + second_ - offset));
    }
    std::memcpy(bytes_.data(), &number, sizeof number);
    const std::uint32_t crc = crc32c(0, bytes_.data() + 12, length_ - 12);
    std::memcpy(bytes_.data() + 8, &crc, sizeof crc);
  }
  const std::uint8_t* write(BroadcastWriter& writer, std::uint64_t number) {
    make(number);
    return writer.write({bytes_.data(), first_bytes}, {bytes_.data() + first_bytes, second_}, length_, number,
                        number % 7);
  }
  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), length_}; }

 private:
  std::size_t length_max_;
  std::size_t length_ = 0;
  std::size_t second_ = 0;
  std::array<std::uint8_t, 8'192> bytes_{};
};

// True when the record is whole and nothing of another record is mixed into it. Cheap: no payload is made again.
inline bool is_whole(const RingRecord& record, std::span<const std::uint8_t> payload) {
  std::uint64_t number = 0;
  std::uint32_t crc = 0;
  if (record.type != ring_type_packet || record.length < 24 || record.length > payload.size()) return false;
  std::memcpy(&number, payload.data(), sizeof number);
  std::memcpy(&crc, payload.data() + 8, sizeof crc);
  return number == record.first_sequence && record.count == number % 7 &&
         crc == crc32c(0, payload.data() + 12, record.length - 12);
}

}  // namespace depthcast::test

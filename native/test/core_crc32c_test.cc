#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/crc32c.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

// Bit by bit, straight from the polynomial: nothing in common with either version under test.
std::uint32_t crc_by_definition(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t index = 0; index < size; ++index) {
    crc ^= bytes[index];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

std::vector<std::uint8_t> random_bytes(std::size_t size) {
  Random random(seed());
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  return bytes;
}

TEST(crcAgreesWithVectorsOfRfc3720) {
  std::array<std::uint8_t, 32> zeros{};
  std::array<std::uint8_t, 32> ones{};
  ones.fill(0xff);
  std::array<std::uint8_t, 32> ascending{};
  std::iota(ascending.begin(), ascending.end(), std::uint8_t{0});
  std::array<std::uint8_t, 32> descending{};
  std::iota(descending.rbegin(), descending.rend(), std::uint8_t{0});
  // RFC 3720, B.4: an iSCSI Read (10) command PDU.
  constexpr std::array<std::uint8_t, 48> command = {0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                                                    0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                                                    0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
  for (const auto function : {&crc32c, &crc32c_portable}) {
    CHECK_EQUAL(function(0, zeros.data(), zeros.size()), 0x8a9136aaU);
    CHECK_EQUAL(function(0, ones.data(), ones.size()), 0x62a8ab43U);
    CHECK_EQUAL(function(0, ascending.data(), ascending.size()), 0x46dd794eU);
    CHECK_EQUAL(function(0, descending.data(), descending.size()), 0x113fdb5cU);
    CHECK_EQUAL(function(0, command.data(), command.size()), 0xd9963a56U);
    CHECK_EQUAL(function(0, "123456789", 9), 0xe3069283U);
    CHECK_EQUAL(function(0, "", 0), 0U);
  }
}

// Lengths past two rounds of the three streams (3 x 336 bytes), at every alignment.
TEST(crcInstructionAgreesWithPortableAtEveryLengthAndOffset) {
  constexpr std::size_t length_max = 2'200;
  const std::vector<std::uint8_t> bytes = random_bytes(length_max + 8);
  for (std::size_t offset = 0; offset < 8; ++offset) {
    for (std::size_t length = 0; length <= length_max; ++length) {
      const std::uint32_t portable = crc32c_portable(0, bytes.data() + offset, length);
      REQUIRE_EQUAL(crc32c(0, bytes.data() + offset, length), portable);
      if (length % 37 == 0) REQUIRE_EQUAL(crc_by_definition(bytes.data() + offset, length), portable);
    }
  }
}

TEST(crcContinuesOverParts) {
  const std::vector<std::uint8_t> bytes = random_bytes(3'000);
  const std::uint32_t whole = crc_by_definition(bytes.data(), bytes.size());
  for (std::size_t cut = 0; cut <= bytes.size(); cut += 7) {
    for (const auto function : {&crc32c, &crc32c_portable}) {
      const std::uint32_t first = function(0, bytes.data(), cut);
      REQUIRE_EQUAL(function(first, bytes.data() + cut, bytes.size() - cut), whole);
    }
  }
}

}  // namespace
}  // namespace depthcast::test

#include "core/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace depthcast {
namespace {

constexpr std::uint32_t polynomial_reversed = 0x82f63b78U;

constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? polynomial_reversed : 0U);
    tables[0][byte] = crc;
  }
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    for (std::size_t slice = 1; slice < 8; ++slice) {
      const std::uint32_t previous = tables[slice - 1][byte];
      tables[slice][byte] = (previous >> 8) ^ tables[0][previous & 0xffU];
    }
  }
  return tables;
}

constexpr auto tables = make_tables();

std::uint64_t load_word(const unsigned char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Multiplies a CRC register by x^(8 * bytes) modulo the polynomial: moves a CRC over `bytes` zero bytes.
constexpr std::uint32_t multiply_mod(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t mask = 0x80000000U; mask != 0; mask >>= 1) {
    if ((a & mask) != 0) product ^= b;
    b = (b >> 1) ^ ((b & 1U) != 0 ? polynomial_reversed : 0U);
  }
  return product;
}

constexpr std::uint32_t power_of_x_bytes(std::size_t bytes) {
  std::uint32_t result = 0x80000000U;  // x^0 in reversed bits
  std::uint32_t square = 0x00800000U;  // x^8
  for (std::size_t remaining = bytes; remaining != 0; remaining >>= 1) {
    if ((remaining & 1U) != 0) result = multiply_mod(result, square);
    square = multiply_mod(square, square);
  }
  return result;
}

// The crc instruction has a latency of 3 cycles and a throughput of 1, so three streams run side by side. Their
// CRCs are joined by table: shift_one moves a CRC over one stream's length, shift_two over two.
constexpr std::size_t stream_bytes = 336;
using ShiftTable = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr ShiftTable make_shift_table(std::size_t bytes) {
  ShiftTable table{};
  const std::uint32_t factor = power_of_x_bytes(bytes);
  for (std::size_t part = 0; part < 4; ++part) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      table[part][byte] = multiply_mod(factor, byte << (8 * part));
    }
  }
  return table;
}

[[maybe_unused]] constexpr ShiftTable shift_one = make_shift_table(stream_bytes);
[[maybe_unused]] constexpr ShiftTable shift_two = make_shift_table(2 * stream_bytes);

[[maybe_unused]] std::uint32_t shift(const ShiftTable& table, std::uint32_t crc) {
  return table[0][crc & 0xffU] ^ table[1][(crc >> 8) & 0xffU] ^ table[2][(crc >> 16) & 0xffU] ^ table[3][crc >> 24];
}

#if defined(__x86_64__)
#define DEPTHCAST_CRC_TARGET __attribute__((target("sse4.2")))
#define DEPTHCAST_CRC_STEP(crc, word) static_cast<std::uint32_t>(_mm_crc32_u64(crc, word))
#define DEPTHCAST_CRC_STEP_BYTE(crc, byte) _mm_crc32_u8(crc, byte)
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }
#elif defined(__aarch64__)
#define DEPTHCAST_CRC_TARGET __attribute__((target("+crc")))
#define DEPTHCAST_CRC_STEP(crc, word) __crc32cd(crc, word)
#define DEPTHCAST_CRC_STEP_BYTE(crc, byte) __crc32cb(crc, byte)
bool has_instruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#if defined(DEPTHCAST_CRC_STEP)
DEPTHCAST_CRC_TARGET std::uint32_t crc32c_instruction(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t state = ~crc;
  while (size >= 3 * stream_bytes) {
    std::uint32_t second = 0;
    std::uint32_t third = 0;
    for (std::size_t offset = 0; offset < stream_bytes; offset += 8) {
      state = DEPTHCAST_CRC_STEP(state, load_word(bytes + offset));
      second = DEPTHCAST_CRC_STEP(second, load_word(bytes + stream_bytes + offset));
      third = DEPTHCAST_CRC_STEP(third, load_word(bytes + 2 * stream_bytes + offset));
    }
    state = shift(shift_two, state) ^ shift(shift_one, second) ^ third;
    bytes += 3 * stream_bytes;
    size -= 3 * stream_bytes;
  }
  for (; size >= 8; bytes += 8, size -= 8) state = DEPTHCAST_CRC_STEP(state, load_word(bytes));
  for (; size != 0; ++bytes, --size) state = DEPTHCAST_CRC_STEP_BYTE(state, *bytes);
  return ~state;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t state = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    const std::uint64_t word = load_word(bytes) ^ state;
    state = tables[7][word & 0xff] ^ tables[6][(word >> 8) & 0xff] ^ tables[5][(word >> 16) & 0xff] ^
            tables[4][(word >> 24) & 0xff] ^ tables[3][(word >> 32) & 0xff] ^ tables[2][(word >> 40) & 0xff] ^
            tables[1][(word >> 48) & 0xff] ^ tables[0][word >> 56];
  }
  for (; size != 0; ++bytes, --size) state = (state >> 8) ^ tables[0][(state ^ *bytes) & 0xffU];
  return ~state;
}

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) {
#if defined(DEPTHCAST_CRC_STEP)
  static const bool instruction = has_instruction();
  if (instruction) return crc32c_instruction(crc, data, size);
#endif
  return crc32c_portable(crc, data, size);
}

}  // namespace depthcast

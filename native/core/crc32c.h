// CRC-32C (Castagnoli; RFC 3720, appendix B.4). Uses the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace depthcast {

// Continues `crc` (0 for a new one) over `size` bytes. Any thread.
std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size);

// The table version, for the test that compares both.
std::uint32_t crc32c_portable(std::uint32_t crc, const void* data, std::size_t size);

}  // namespace depthcast

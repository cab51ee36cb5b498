#include "encode/prefix.h"

#include <cstring>

#include "core/crc32c.h"

namespace depthcast::encode {

Prefix prefix_of(std::span<const std::uint8_t> root, std::size_t length) {
  static constexpr std::uint8_t zeros[datagram_bytes_max] = {};
  Prefix prefix{prefix_magic, wire_version, 0, static_cast<std::uint32_t>(length - sizeof(Prefix)), 0};
  std::uint32_t crc = crc32c(0, &prefix, offsetof(Prefix, crc));
  crc = crc32c(crc, root.data(), root.size());
  prefix.crc = crc32c(crc, zeros, length - sizeof(Prefix) - root.size());
  return prefix;
}

std::size_t datagram_length(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < sizeof(Prefix)) return 0;
  Prefix prefix;
  std::memcpy(&prefix, bytes.data(), sizeof prefix);
  if (prefix.magic != prefix_magic || prefix.length > datagram_bytes_max - sizeof prefix) return 0;
  const std::size_t length = sizeof prefix + prefix.length;
  return length <= bytes.size() ? length : 0;
}

}  // namespace depthcast::encode

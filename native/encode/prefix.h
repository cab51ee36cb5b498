// Makes the prefix of a datagram: its length and its CRC.
#pragma once

#include <span>

#include "encode/wire_layout.h"

namespace depthcast::encode {

// The prefix of a datagram of `length` bytes in all: prefix, `root`, zeros. Any thread; allocation-free.
// length is at least 16 + root.size() and at most datagram_bytes_max.
Prefix prefix_of(std::span<const std::uint8_t> root, std::size_t length);

// Length of the datagram at the start of `bytes`, by magic and length alone; 0 where none begins there or it does not
// end within them. For walking over datagrams that stand one after the other.
std::size_t datagram_length(std::span<const std::uint8_t> bytes);

// Calls handle(std::span<const std::uint8_t> datagram) for each of the datagrams that stand one after the other in
// `bytes`, up to where none begins.
template <typename Handle>
void each_datagram(std::span<const std::uint8_t> bytes, Handle&& handle) {
  while (const std::size_t length = datagram_length(bytes)) {
    handle(bytes.first(length));
    bytes = bytes.subspan(length);
  }
}

}  // namespace depthcast::encode

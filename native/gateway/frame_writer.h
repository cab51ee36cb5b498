// Blocks of a binary frame: docs/gateway.md, "Binary frames".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "generated/gateway_generated.h"

namespace depthcast::gateway {

constexpr std::uint32_t block_magic = 0x46474344U;  // "DCGF" as bytes 44 43 47 46
constexpr std::uint16_t block_version = 1;
constexpr std::size_t block_header_bytes = 16;

// Little-endian.
struct BlockHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t subscription;
  std::uint32_t length;  // bytes behind the header
  std::uint32_t reserved;
};
static_assert(sizeof(BlockHeader) == block_header_bytes);

// What every block says of where it comes from.
struct FrameStamp {
  std::uint32_t channel = 0;
  std::uint16_t subscription = 0;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;     // the last message of the channel that the frame knows of
  std::int64_t send_time_ns = 0;  // CLOCK_REALTIME
  std::int64_t now_ns = 0;        // CLOCK_MONOTONIC, for what is due; not sent
};

// Collects the blocks of one binary frame. Threads: one. Keeps its memory from frame to frame.
class FrameWriter {
 public:
  void clear() { bytes_.clear(); }
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

  // For the payload of the next block; empty.
  flatbuffers::FlatBufferBuilder& builder() {
    builder_.Clear();
    return builder_;
  }
  // The same as it stands: parts of the payload may be in it.
  flatbuffers::FlatBufferBuilder& current() { return builder_; }
  // Ends the block whose payload was made with builder().
  void add(const FrameStamp& stamp, FramePayload type, flatbuffers::Offset<void> payload);
  // A datagram of the wire as it is.
  void add_datagram(std::span<const std::uint8_t> datagram);

 private:
  flatbuffers::FlatBufferBuilder builder_{16'384};
  std::vector<std::uint8_t> bytes_;
};

}  // namespace depthcast::gateway

// Length-prefixed ITCH messages (u16 big-endian length, then the message; Nasdaq BinaryFILE) out of a stream of bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "run/byte_source.h"

namespace depthcast::run {

struct StreamFault {
  std::uint64_t offset = 0;  // of the length prefix of the message that broke
  std::string expected;
};

// Threads: one. Allocates its buffer at construction.
class ItchFraming {
 public:
  explicit ItchFraming(ByteSource& source) : source_(source), buffer_(buffer_bytes) {}

  enum class Next : std::uint8_t { message, end, fault };
  // The next message, without its prefix: valid until the next call.
  Next next(std::span<const std::uint8_t>& message, const std::atomic<bool>& stop);
  // Whether next() can go on without reading from the source.
  bool buffered() const;

  // Offset of the message returned last.
  std::uint64_t offset() const { return message_offset_; }
  std::uint64_t bytes_taken() const { return stream_offset_; }
  const StreamFault& fault() const { return fault_; }
  Next fail(std::string expected);

 private:
  static constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

  // Makes `wanted` bytes available; false at the end of the source.
  bool fill(std::size_t wanted, const std::atomic<bool>& stop);

  ByteSource& source_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t stream_offset_ = 0;  // of buffer_[begin_]
  std::uint64_t message_offset_ = 0;
  StreamFault fault_;
  std::string read_error_;
};

}  // namespace depthcast::run

#include "gateway/frame_writer.h"

#include <cstring>

namespace depthcast::gateway {

void FrameWriter::add(const FrameStamp& stamp, FramePayload type, flatbuffers::Offset<void> payload) {
  builder_.Finish(CreateFrame(builder_, stamp.channel, stamp.subscription, stamp.session, stamp.sequence,
                              stamp.send_time_ns, type, payload));
  const std::size_t root = builder_.GetSize();
  // The next block begins aligned, as a reader in place needs it.
  const std::size_t length = (root + 7) / 8 * 8;
  const BlockHeader header{block_magic, block_version, stamp.subscription, static_cast<std::uint32_t>(length), 0};
  const std::size_t at = bytes_.size();
  bytes_.resize(at + sizeof header + length);  // zeros behind the root
  std::memcpy(bytes_.data() + at, &header, sizeof header);
  std::memcpy(bytes_.data() + at + sizeof header, builder_.GetBufferPointer(), root);
}

void FrameWriter::add_datagram(std::span<const std::uint8_t> datagram) {
  bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
}

}  // namespace depthcast::gateway

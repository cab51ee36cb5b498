#include "journal/checkpoint_format.h"

#include <cstring>

#include "core/crc32c.h"

namespace depthcast::journal {

void seal(CheckpointHeader& header) {
  header.magic = checkpoint_magic;
  header.version = format_version;
  header.crc = crc32c(0, &header, offsetof(CheckpointHeader, crc));
}

Fault read_checkpoint_header(std::span<const std::uint8_t> bytes, CheckpointHeader& header) {
  if (bytes.size() < sizeof header) return Fault::incomplete;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != checkpoint_magic) return Fault::wrong_magic;
  if (header.crc != crc32c(0, &header, offsetof(CheckpointHeader, crc))) return Fault::wrong_crc;
  return header.version == format_version ? Fault::none : Fault::wrong_version;
}

}  // namespace depthcast::journal

// A checkpoint: header, the datagrams of one snapshot generation as records, an end record. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "journal/segment_format.h"

namespace depthcast::journal {

constexpr std::uint64_t checkpoint_magic = 0x3154504b43434344ULL;  // "DCCCKPT1"

struct CheckpointHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t channel;
  std::uint64_t session;
  std::uint64_t identity;
  std::uint8_t boot_id[16];
  std::uint64_t generation;
  std::uint64_t sequence;  // the books are those after this message
  std::uint64_t position;  // in the source, consumed
  std::int64_t event_time_ns;
  std::int64_t created_ns;  // CLOCK_REALTIME
  std::uint64_t digest;     // the channel's
  std::uint8_t reserved[28];
  std::uint32_t crc;  // CRC-32C of everything before it
};
static_assert(sizeof(CheckpointHeader) == 128 && offsetof(CheckpointHeader, crc) == 124);

// Sets magic, version and CRC.
void seal(CheckpointHeader& header);
Fault read_checkpoint_header(std::span<const std::uint8_t> bytes, CheckpointHeader& header);

// Its records stand at {session, sequence, offset}; a tally of them begins with sequence + 1.
inline Place place_in(const CheckpointHeader& header, std::uint64_t offset) {
  return {header.session, header.sequence, offset};
}

}  // namespace depthcast::journal

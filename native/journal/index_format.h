// The index beside a segment: where to begin to look for a number or a time. It follows from the segment alone, byte
// for byte, so it can be made anew, and compared. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "journal/segment_format.h"

namespace depthcast::journal {

constexpr std::uint64_t index_magic = 0x315844494a434344ULL;  // "DCCJIDX1"
constexpr std::uint64_t index_step_bytes = 65'536;

struct IndexHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t channel;
  std::uint64_t session;
  std::uint64_t number;  // of the segment
  std::uint8_t reserved[28];
  std::uint32_t crc;  // CRC-32C of everything before it
};
static_assert(sizeof(IndexHeader) == 64);

// A packet with numbers: the first of the segment, then the first that begins index_step_bytes or more behind the one
// of the entry before.
struct IndexEntry {
  std::uint64_t sequence;  // its first
  std::uint64_t offset;    // of its record
  std::int64_t time_ns;    // its base time
  std::uint32_t reserved;
  std::uint32_t crc;  // CRC-32C of bytes 0 to 27, session, segment number and the entry's own number (from 0)
};
static_assert(sizeof(IndexEntry) == 32);

// Grows an index with its segment.
class IndexBuilder {
 public:
  explicit IndexBuilder(const SegmentHeader& segment);
  // The next record of the segment, in order.
  void take(const RecordView& record, std::uint64_t offset);
  // All bytes since the last call: the header, then entries.
  std::vector<std::uint8_t> take_bytes();

 private:
  std::uint64_t session_;
  std::uint64_t number_;
  std::uint64_t entries_ = 0;
  std::uint64_t next_offset_ = 0;
  std::vector<std::uint8_t> bytes_;
};

// The entries up to the first one that is not valid; none where the header is not.
std::vector<IndexEntry> read_index(std::span<const std::uint8_t> bytes, std::uint64_t session, std::uint64_t number);

// Offset of the first byte that differs from what the index has to be; `complete`: no entry may lack at the end.
std::optional<std::uint64_t> index_difference(std::span<const std::uint8_t> actual,
                                              std::span<const std::uint8_t> expected, bool complete);

}  // namespace depthcast::journal

// A journal segment: header, records, and at its end (unless it was cut short) an end record. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "journal/record_format.h"

namespace depthcast::journal {

constexpr std::uint64_t segment_magic = 0x314745534a434344ULL;  // "DCCJSEG1"
constexpr std::uint32_t format_version = 1;

using BootId = std::array<std::uint8_t, 16>;

struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t channel;
  std::uint64_t session;
  std::uint64_t identity;
  std::uint8_t boot_id[16];
  std::uint64_t number;          // of the segment within its session, from 1
  std::uint64_t first_sequence;  // the first number that stands, or is missing, here
  std::uint64_t first_position;  // of the source's message behind the first packet; 0: begins with a hole
  std::int64_t created_ns;       // CLOCK_REALTIME
  std::uint8_t reserved[44];     // zeros
  std::uint32_t crc;             // CRC-32C of everything before it
};
static_assert(sizeof(SegmentHeader) == 128 && offsetof(SegmentHeader, crc) == 124);

// Sets magic, version and CRC.
void seal(SegmentHeader& header);
// Of a segment with that session and number.
Fault read_segment_header(std::span<const std::uint8_t> bytes, std::uint64_t session, std::uint64_t number,
                          SegmentHeader& header);

// What a segment holds so far. Takes its records in order and says what does not follow from those before.
class SegmentTally {
 public:
  explicit SegmentTally(std::uint64_t first_sequence) : next_sequence_(first_sequence) {}

  // A record that contradicts the ones before is not taken, save `wrong_numbers` of a jump forward: then the tally goes
  // on behind the jump.
  Fault take(const RecordView& record);
  // The record that closes the segment as it stands.
  SegmentEnd end(std::int64_t now_ns) const;

  std::uint64_t packets() const { return packets_; }
  std::uint64_t holes() const { return holes_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t missing() const { return missing_; }  // numbers in holes
  std::uint64_t next_sequence() const { return next_sequence_; }
  std::int64_t last_time_ns() const { return last_time_ns_; }
  bool closed() const { return closed_; }

 private:
  std::uint64_t packets_ = 0;
  std::uint64_t holes_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t missing_ = 0;
  std::uint64_t next_sequence_;
  std::int64_t last_time_ns_ = 0;
  std::uint32_t check_ = 0;
  bool closed_ = false;
};

}  // namespace depthcast::journal

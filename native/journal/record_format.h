// One record of a journal segment or a checkpoint: a 16-byte header, the payload, zeros up to a multiple of 8.
// Pure: bytes in, bytes out. docs/recovery.md, "The journal", has the tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "encode/packet_reader.h"

namespace depthcast::journal {

// What is wrong with some bytes of a file. `incomplete`: they end within what they begin, as a tail does that is being
// written or was cut off; everything else is damage.
enum class Fault : std::uint8_t {
  none = 0,
  incomplete,
  wrong_magic,
  wrong_version,
  wrong_crc,
  wrong_length,
  wrong_type,
  wrong_padding,
  wrong_packet,   // the datagram does not pass encode::read_packet
  wrong_session,  // a datagram of another session or channel
  wrong_numbers,  // a number is missing without a hole record, or comes twice
  wrong_end,      // the end record contradicts what stands before it
  trailing_bytes,
};
const char* name_of(Fault fault);

enum class RecordType : std::uint8_t { packet = 1, hole = 2, end = 3 };

struct RecordHeader {
  std::uint32_t length;  // of the payload, in bytes
  std::uint8_t type;
  std::uint8_t reserved;
  std::uint16_t marker;       // record_marker: helps to find the next record behind damage
  std::uint32_t payload_crc;  // packet: the datagram's own CRC field; else CRC-32C of the payload
  std::uint32_t crc;          // CRC-32C of bytes 0 to 11 and of Place: a record is valid at one place only
};
static_assert(sizeof(RecordHeader) == 16 && offsetof(RecordHeader, crc) == 12);
constexpr std::uint16_t record_marker = 0x4a44;  // "DJ"

// Where a record stands.
struct Place {
  std::uint64_t session;
  std::uint64_t file;    // segment number; sequence of a checkpoint
  std::uint64_t offset;  // of the record's first byte
};

enum class HoleReason : std::uint32_t { lapped = 1, write_error = 2, damage = 3 };

// Payload of a hole: these numbers are not in the journal, and never will be.
struct Hole {
  std::uint64_t first;
  std::uint64_t last;
  HoleReason reason;
  std::uint32_t reserved;
};
static_assert(sizeof(Hole) == 24);

// Payload of the end record: what stands before it in this file.
struct SegmentEnd {
  std::uint64_t packets;
  std::uint64_t holes;
  std::uint64_t messages;       // numbered ones, in packets
  std::uint64_t next_sequence;  // the number after the last one, kept or lost
  std::int64_t last_time_ns;    // event time of the last message
  std::int64_t closed_ns;       // CLOCK_REALTIME
  std::uint32_t check;          // CRC-32C of all record headers before this one, in order
  std::uint32_t reserved;
};
static_assert(sizeof(SegmentEnd) == 56);

constexpr std::size_t record_payload_max = encode::datagram_bytes_max;
constexpr std::size_t record_alignment = 8;
constexpr std::size_t record_bytes(std::size_t payload) {
  return (sizeof(RecordHeader) + payload + record_alignment - 1) & ~(record_alignment - 1);
}
constexpr std::size_t record_bytes_max = record_bytes(record_payload_max);

// Appends the record as it has to stand at `place`. A packet's payload must have passed encode::read_packet.
RecordHeader append_record(std::vector<std::uint8_t>& out, const Place& place, RecordType type,
                           std::span<const std::uint8_t> payload);

// A checked record. Points into the bytes it was read from.
struct RecordView {
  RecordType type = RecordType::packet;
  RecordHeader header{};
  std::span<const std::uint8_t> payload;
  std::size_t bytes = 0;      // of the whole record
  encode::PacketView packet;  // of a packet
  Hole hole{};
  SegmentEnd end{};
};

// Reads the record at the beginning of `bytes`, which must be aligned to 8. Checks everything that can be seen from
// the record alone.
Fault read_record(std::span<const std::uint8_t> bytes, const Place& place, RecordView& record);

// CRC over the headers of the records before an end record.
std::uint32_t roll_check(std::uint32_t check, const RecordHeader& header);

// Event time of a packet's last message.
std::int64_t last_time_of(const encode::PacketView& packet);

}  // namespace depthcast::journal

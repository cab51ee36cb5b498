#include "journal/segment_format.h"

#include <algorithm>
#include <cstring>

#include "core/crc32c.h"

namespace depthcast::journal {

void seal(SegmentHeader& header) {
  header.magic = segment_magic;
  header.version = format_version;
  header.crc = crc32c(0, &header, offsetof(SegmentHeader, crc));
}

Fault read_segment_header(std::span<const std::uint8_t> bytes, std::uint64_t session, std::uint64_t number,
                          SegmentHeader& header) {
  if (bytes.size() < sizeof header) return Fault::incomplete;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != segment_magic) return Fault::wrong_magic;
  if (header.crc != crc32c(0, &header, offsetof(SegmentHeader, crc))) return Fault::wrong_crc;
  if (header.version != format_version) return Fault::wrong_version;
  if (header.session != session || header.number != number) return Fault::wrong_session;
  return header.first_sequence != 0 ? Fault::none : Fault::wrong_numbers;
}

Fault SegmentTally::take(const RecordView& record) {
  if (closed_) return Fault::trailing_bytes;
  Fault fault = Fault::none;
  if (record.type == RecordType::end) {
    SegmentEnd expected = end(record.end.closed_ns);
    if (std::memcmp(&expected, &record.end, sizeof expected) != 0) return Fault::wrong_end;
    closed_ = true;
    return Fault::none;
  }
  if (record.type == RecordType::hole) {
    if (record.hole.first < next_sequence_) return Fault::wrong_numbers;
    if (record.hole.first > next_sequence_) fault = Fault::wrong_numbers;
    ++holes_;
    missing_ += record.hole.last - record.hole.first + 1;
    next_sequence_ = record.hole.last + 1;
  } else {
    const encode::PacketView& packet = record.packet;
    // Nothing in it that was not there before; what carries no numbers stands where it belongs.
    if (packet.first_sequence + packet.count <= next_sequence_ && packet.count != 0) return Fault::wrong_numbers;
    if (packet.count == 0 && packet.first_sequence != next_sequence_) return Fault::wrong_numbers;
    if (packet.first_sequence > next_sequence_) fault = Fault::wrong_numbers;
    ++packets_;
    messages_ += packet.count;
    next_sequence_ = packet.first_sequence + packet.count;
    if (packet.count != 0) last_time_ns_ = std::max(last_time_ns_, last_time_of(packet));
  }
  check_ = roll_check(check_, record.header);
  return fault;
}

SegmentEnd SegmentTally::end(std::int64_t now_ns) const {
  return {packets_, holes_, messages_, next_sequence_, last_time_ns_, now_ns, check_, 0};
}

}  // namespace depthcast::journal

#include "journal/record_format.h"

#include <algorithm>
#include <cstring>

#include "core/crc32c.h"

namespace depthcast::journal {
namespace {

std::uint32_t header_crc(const RecordHeader& header, const Place& place) {
  static_assert(sizeof(Place) == 24);
  return crc32c(crc32c(0, &header, offsetof(RecordHeader, crc)), &place, sizeof place);
}

std::uint32_t packet_crc(std::span<const std::uint8_t> datagram) {
  encode::Prefix prefix{};
  if (datagram.size() >= sizeof prefix) std::memcpy(&prefix, datagram.data(), sizeof prefix);
  return prefix.crc;
}

Fault read_packet(const Place& place, RecordView& record) {
  if (packet_crc(record.payload) != record.header.payload_crc) return Fault::wrong_crc;
  const encode::PacketStatus status = encode::read_packet(record.payload, record.packet);
  if (status != encode::PacketStatus::ok) {
    return status == encode::PacketStatus::wrong_crc ? Fault::wrong_crc : Fault::wrong_packet;
  }
  return record.packet.session == place.session ? Fault::none : Fault::wrong_session;
}

template <typename Payload>
Fault read_payload(const RecordView& record, Payload& payload) {
  if (record.payload.size() != sizeof payload) return Fault::wrong_length;
  std::memcpy(&payload, record.payload.data(), sizeof payload);
  return crc32c(0, &payload, sizeof payload) == record.header.payload_crc ? Fault::none : Fault::wrong_crc;
}

Fault read_hole(RecordView& record) {
  const Fault fault = read_payload(record, record.hole);
  if (fault != Fault::none) return fault;
  const Hole& hole = record.hole;
  return hole.first != 0 && hole.first <= hole.last && hole.last <= (UINT64_MAX >> 1) ? Fault::none
                                                                                      : Fault::wrong_numbers;
}

Fault check_header(const Place& place, const RecordHeader& header) {
  if (header.marker != record_marker) return Fault::wrong_magic;
  if (header.crc != header_crc(header, place)) return Fault::wrong_crc;
  if (header.length > record_payload_max) return Fault::wrong_length;
  return Fault::none;
}

}  // namespace

const char* name_of(Fault fault) {
  constexpr const char* names[] = {"none",          "incomplete", "wrong_magic",   "wrong_version", "wrong_crc",
                                   "wrong_length",  "wrong_type", "wrong_padding", "wrong_packet",  "wrong_session",
                                   "wrong_numbers", "wrong_end",  "trailing_bytes"};
  return names[static_cast<std::size_t>(fault)];
}

RecordHeader append_record(std::vector<std::uint8_t>& out, const Place& place, RecordType type,
                           std::span<const std::uint8_t> payload) {
  RecordHeader header{
      static_cast<std::uint32_t>(payload.size()), static_cast<std::uint8_t>(type), 0, record_marker, 0, 0};
  header.payload_crc = type == RecordType::packet ? packet_crc(payload) : crc32c(0, payload.data(), payload.size());
  header.crc = header_crc(header, place);
  const std::size_t begin = out.size();
  out.resize(begin + record_bytes(payload.size()));  // the padding is zeros
  std::memcpy(out.data() + begin, &header, sizeof header);
  std::copy(payload.begin(), payload.end(), out.begin() + static_cast<std::ptrdiff_t>(begin + sizeof header));
  return header;
}

Fault read_record(std::span<const std::uint8_t> bytes, const Place& place, RecordView& record) {
  record = {};
  if (bytes.size() < sizeof(RecordHeader)) return Fault::incomplete;
  std::memcpy(&record.header, bytes.data(), sizeof(RecordHeader));
  if (const Fault fault = check_header(place, record.header); fault != Fault::none) return fault;
  record.bytes = record_bytes(record.header.length);
  if (bytes.size() < record.bytes) return Fault::incomplete;
  record.payload = bytes.subspan(sizeof(RecordHeader), record.header.length);
  const auto padding = bytes.subspan(sizeof(RecordHeader) + record.header.length,
                                     record.bytes - sizeof(RecordHeader) - record.header.length);
  if (std::any_of(padding.begin(), padding.end(), [](std::uint8_t byte) { return byte != 0; })) {
    return Fault::wrong_padding;
  }
  record.type = static_cast<RecordType>(record.header.type);
  switch (record.type) {
    case RecordType::packet: return read_packet(place, record);
    case RecordType::hole: return read_hole(record);
    case RecordType::end: return read_payload(record, record.end);
  }
  return Fault::wrong_type;
}

std::uint32_t roll_check(std::uint32_t check, const RecordHeader& header) {
  return crc32c(check, &header, sizeof header);
}

std::int64_t last_time_of(const encode::PacketView& packet) {
  if (!packet.book.empty()) return packet.base_time_ns + packet.book.back().time_offset;
  if (!packet.trades.empty()) return packet.base_time_ns + packet.trades.back().time_offset;
  return packet.base_time_ns;
}

}  // namespace depthcast::journal

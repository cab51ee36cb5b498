#include "ingest/pcap.h"

#include <algorithm>
#include <cstring>

namespace depthcast::ingest {
namespace {

constexpr std::uint32_t magic_us = 0xa1b2c3d4;
constexpr std::uint32_t magic_ns = 0xa1b23c4d;
constexpr std::uint32_t block_section = 0x0a0d0d0a;
constexpr std::uint32_t block_interface = 1;
constexpr std::uint32_t block_packet_simple = 3;
constexpr std::uint32_t block_packet = 6;
constexpr std::uint32_t byte_order = 0x1a2b3c4d;
constexpr std::size_t classic_header = 24;
constexpr std::size_t classic_record = 16;
constexpr std::size_t block_frame = 12;  // type, length, length again
constexpr std::size_t interfaces_max = 4'096;
constexpr std::int64_t second_ns = 1'000'000'000;

constexpr std::uint32_t link_null = 0;
constexpr std::uint32_t link_ethernet = 1;
constexpr std::uint32_t link_raw_old = 12;
constexpr std::uint32_t link_raw = 101;
constexpr std::uint32_t link_loop = 108;
constexpr std::uint32_t link_cooked = 113;
constexpr std::uint32_t link_ipv4 = 228;
constexpr std::uint32_t link_cooked_2 = 276;

std::uint32_t u32_native(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
std::uint32_t u16_be(const std::uint8_t* at) { return static_cast<std::uint32_t>(at[0]) << 8 | at[1]; }
std::uint32_t u32_be(const std::uint8_t* at) { return u16_be(at) << 16 | u16_be(at + 2); }

// Ticks of 10^-digits or 2^-digits s; what does not fit 64 bits of ns is taken for 0.
std::int64_t to_ns(std::uint64_t ticks, bool binary, std::uint8_t digits) {
  unsigned __int128 ns = 0;
  if (binary) {
    ns = digits > 63 ? 0 : (static_cast<unsigned __int128>(ticks) * second_ns) >> digits;
  } else if (digits <= 9) {
    std::uint64_t scale = 1;
    for (std::uint8_t digit = digits; digit < 9; ++digit) scale *= 10;
    ns = static_cast<unsigned __int128>(ticks) * scale;
  } else {
    std::uint64_t left = ticks;
    for (std::uint8_t digit = 9; digit < digits && left != 0; ++digit) left /= 10;
    ns = left;
  }
  return ns > static_cast<std::uint64_t>(INT64_MAX) / 2 ? 0 : static_cast<std::int64_t>(ns);
}

}  // namespace

const char* describe(PcapFault fault) {
  switch (fault) {
    case PcapFault::none: return "";
    case PcapFault::unknown_format: return "a capture (pcap or pcapng), but it begins otherwise";
    case PcapFault::unknown_version: return "version 2 of pcap or 1 of pcapng, but it is another one";
    case PcapFault::record_too_long: return "a packet of at most 1 MiB, but it says that it is longer";
    case PcapFault::bad_block: return "a block whose lengths agree, but they do not";
    case PcapFault::unknown_interface: return "a packet of an interface that was described before, but it was not";
  }
  return "";
}

std::uint16_t PcapReader::u16(const std::uint8_t* at) const {
  std::uint16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}

std::uint32_t PcapReader::u32(const std::uint8_t* at) const {
  const std::uint32_t value = u32_native(at);
  return swapped_ ? __builtin_bswap32(value) : value;
}

PcapNext PcapReader::fail(PcapFault fault) {
  fault_ = fault;
  return PcapNext::fault;
}

PcapNext PcapReader::next(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record) {
  used = 0;
  if (fault_ != PcapFault::none) return PcapNext::fault;
  switch (format_) {
    case Format::classic: return classic(bytes, used, record);
    case Format::next_generation: return block(bytes, used, record);
    default: return begin(bytes, used);
  }
}

PcapNext PcapReader::begin(std::span<const std::uint8_t> bytes, std::size_t& used) {
  if (bytes.size() < 4) return PcapNext::more;
  const std::uint32_t magic = u32_native(bytes.data());
  const std::uint32_t turned = __builtin_bswap32(magic);
  if (magic == block_section) {
    format_ = Format::next_generation;
    return PcapNext::skipped;
  }
  swapped_ = turned == magic_us || turned == magic_ns;
  nanoseconds_ = magic == magic_ns || turned == magic_ns;
  if (!swapped_ && !nanoseconds_ && magic != magic_us) return fail(PcapFault::unknown_format);
  if (bytes.size() < classic_header) return PcapNext::more;
  if (u16(bytes.data() + 4) != 2) return fail(PcapFault::unknown_version);
  format_ = Format::classic;
  link_type_ = u32(bytes.data() + 20) & 0xffffU;  // above: how long the frame check sequence is
  used = classic_header;
  return PcapNext::skipped;
}

PcapNext PcapReader::classic(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record) {
  if (bytes.size() < classic_record) return PcapNext::more;
  const std::uint32_t captured = u32(bytes.data() + 8);
  if (captured > packet_bytes_max) return fail(PcapFault::record_too_long);
  if (bytes.size() - classic_record < captured) return PcapNext::more;
  const std::int64_t fraction = u32(bytes.data() + 4);
  record.time_ns = u32(bytes.data()) * second_ns + (nanoseconds_ ? fraction : fraction * 1'000);
  record.link_type = link_type_;
  record.truncated = u32(bytes.data() + 12) > captured;
  record.frame = bytes.subspan(classic_record, captured);
  used = classic_record + captured;
  return PcapNext::record;
}

PcapNext PcapReader::block(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record) {
  if (bytes.size() < block_frame) return PcapNext::more;
  const bool section = u32_native(bytes.data()) == block_section;
  if (section) {  // which says in which order its bytes are
    const std::uint32_t order = u32_native(bytes.data() + 8);
    if (order != byte_order && __builtin_bswap32(order) != byte_order) return fail(PcapFault::unknown_format);
    swapped_ = order != byte_order;
  }
  const std::size_t length = u32(bytes.data() + 4);
  if (length > packet_bytes_max + 4'096) return fail(PcapFault::record_too_long);
  if (length < block_frame || length % 4 != 0) return fail(PcapFault::bad_block);
  if (bytes.size() < length) return PcapNext::more;
  if (u32(bytes.data() + length - 4) != length) return fail(PcapFault::bad_block);
  used = length;
  const std::span<const std::uint8_t> body = bytes.subspan(8, length - block_frame);
  if (section) {
    if (body.size() < 16) return fail(PcapFault::bad_block);
    if (u16(body.data() + 4) != 1) return fail(PcapFault::unknown_version);
    interfaces_.clear();
    return PcapNext::skipped;
  }
  switch (u32(bytes.data())) {
    case block_interface: return describe_interface(body);
    case block_packet: return packet(body, record);
    case block_packet_simple: {
      if (body.size() < 4) return fail(PcapFault::bad_block);
      if (interfaces_.empty()) return fail(PcapFault::unknown_interface);
      const std::size_t original = u32(body.data());
      const std::size_t captured = std::min(original, body.size() - 4);
      record = {0, interfaces_[0].link_type, original > captured, body.subspan(4, captured)};
      return PcapNext::record;
    }
    default: return PcapNext::skipped;
  }
}

PcapNext PcapReader::describe_interface(std::span<const std::uint8_t> body) {
  constexpr std::uint16_t option_end = 0;
  constexpr std::uint16_t option_resolution = 9;
  constexpr std::uint16_t option_offset = 14;
  if (body.size() < 8 || interfaces_.size() == interfaces_max) return fail(PcapFault::bad_block);
  Interface interface { u16(body.data()), false, 6, 0 };
  std::size_t at = 8;
  while (body.size() - at >= 4) {
    const std::uint16_t code = u16(body.data() + at);
    const std::size_t length = u16(body.data() + at + 2);
    at += 4;
    if (code == option_end) break;
    if (body.size() - at < length) return fail(PcapFault::bad_block);
    if (code == option_resolution && length == 1) {
      interface.binary = (body[at] & 0x80U) != 0;
      interface.digits = body[at] & 0x7fU;
    } else if (code == option_offset && length == 8) {
      const std::uint64_t low = u32(body.data() + at + (swapped_ ? 4 : 0));
      const std::uint64_t high = u32(body.data() + at + (swapped_ ? 0 : 4));
      interface.offset_s = static_cast<std::int64_t>(high << 32 | low);
    }
    at += std::min((length + 3) / 4 * 4, body.size() - at);
  }
  interfaces_.push_back(interface);
  return PcapNext::skipped;
}

PcapNext PcapReader::packet(std::span<const std::uint8_t> body, PcapRecord& record) {
  if (body.size() < 20) return fail(PcapFault::bad_block);
  const std::uint32_t index = u32(body.data());
  if (index >= interfaces_.size()) return fail(PcapFault::unknown_interface);
  const std::uint32_t captured = u32(body.data() + 12);
  if (captured > body.size() - 20) return fail(PcapFault::bad_block);
  const Interface& interface = interfaces_[index];
  const std::uint64_t ticks = static_cast<std::uint64_t>(u32(body.data() + 4)) << 32 | u32(body.data() + 8);
  const std::int64_t offset_s =
      interface.offset_s > -4'000'000'000 && interface.offset_s < 4'000'000'000 ? interface.offset_s : 0;
  record.time_ns = to_ns(ticks, interface.binary, interface.digits) + offset_s * second_ns;
  record.link_type = interface.link_type;
  record.truncated = u32(body.data() + 16) > captured;
  record.frame = body.subspan(20, captured);
  return PcapNext::record;
}

namespace {

constexpr std::uint32_t ether_ipv4 = 0x0800;

bool is_vlan(std::uint32_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

// Steps over the VLAN tags that begin with `type` at `offset`.
FrameKind past_vlans(std::span<const std::uint8_t> frame, std::uint32_t type, std::size_t offset,
                     std::span<const std::uint8_t>& packet) {
  constexpr int tags_max = 4;
  for (int tags = 0; is_vlan(type) && tags < tags_max; ++tags) {
    if (frame.size() < offset + 4) return FrameKind::truncated;
    type = u16_be(frame.data() + offset + 2);
    offset += 4;
  }
  if (type != ether_ipv4) return FrameKind::other;
  packet = frame.subspan(offset);
  return FrameKind::udp;
}

// What the link layer carries.
FrameKind past_link(std::uint32_t link_type, std::span<const std::uint8_t> frame,
                    std::span<const std::uint8_t>& packet) {
  const auto ether_type_at = [&](std::size_t offset, std::size_t header) {
    if (frame.size() < header) return FrameKind::truncated;
    return past_vlans(frame, u16_be(frame.data() + offset), header, packet);
  };
  switch (link_type) {
    case link_ethernet: return ether_type_at(12, 14);
    case link_cooked: return ether_type_at(14, 16);
    case link_cooked_2: return ether_type_at(0, 20);
    case link_null:
    case link_loop: {
      if (frame.size() < 4) return FrameKind::truncated;
      const std::uint32_t family = u32_native(frame.data());
      if (family != 2 && __builtin_bswap32(family) != 2) return FrameKind::other;
      packet = frame.subspan(4);
      return FrameKind::udp;
    }
    case link_raw:
    case link_raw_old:
    case link_ipv4: packet = frame; return FrameKind::udp;
    default: return FrameKind::unknown_link;
  }
}

}  // namespace

FrameKind read_frame(std::uint32_t link_type, std::span<const std::uint8_t> frame, UdpFrame& udp) {
  constexpr std::uint8_t protocol_udp = 17;
  std::span<const std::uint8_t> packet;
  if (const FrameKind kind = past_link(link_type, frame, packet); kind != FrameKind::udp) return kind;
  if (packet.empty()) return FrameKind::truncated;
  if (packet[0] >> 4 != 4) return FrameKind::other;
  if (packet.size() < 20) return FrameKind::truncated;
  const std::size_t header = std::size_t{4} * (packet[0] & 0xfU);
  const std::size_t total = u16_be(packet.data() + 2);
  if (header < 20 || total < header) return FrameKind::other;
  if (packet[9] != protocol_udp) return FrameKind::other;
  if ((u16_be(packet.data() + 6) & 0x3fffU) != 0) return FrameKind::fragment;  // more to come, or not the first
  if (packet.size() < total) return FrameKind::truncated;
  udp.source = u32_be(packet.data() + 12);
  udp.destination = u32_be(packet.data() + 16);
  const std::span<const std::uint8_t> datagram = packet.subspan(header, total - header);  // Ethernet pads short ones
  if (datagram.size() < 8) return FrameKind::other;
  const std::size_t length = u16_be(datagram.data() + 4);
  if (length < 8 || length > datagram.size()) return FrameKind::other;
  udp.source_port = static_cast<std::uint16_t>(u16_be(datagram.data()));
  udp.destination_port = static_cast<std::uint16_t>(u16_be(datagram.data() + 2));
  udp.payload = datagram.subspan(8, length - 8);
  return FrameKind::udp;
}

}  // namespace depthcast::ingest

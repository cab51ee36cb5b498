// Packet captures: classic pcap (both byte orders, microseconds and nanoseconds) and pcapng, and the UDP datagrams in
// their frames. Sources: the "PCAP Capture File Format" and "PCAP Next Generation" drafts of the IETF's opsawg, and the
// link-layer types of tcpdump.org. Pure: bytes in, records out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthcast::ingest {

enum class PcapFault : std::uint8_t {
  none,
  unknown_format,  // neither magic
  unknown_version,
  record_too_long,   // a record or block beyond packet_bytes_max
  bad_block,         // pcapng: lengths that contradict each other
  unknown_interface  // pcapng: a packet of an interface that was not described
};
const char* describe(PcapFault fault);

enum class PcapNext : std::uint8_t { more, record, skipped, fault };

struct PcapRecord {
  std::int64_t time_ns = 0;
  std::uint32_t link_type = 0;
  bool truncated = false;  // the capture kept less than there was
  std::span<const std::uint8_t> frame;
};

// Threads: one. Takes the file from its beginning, piece by piece.
class PcapReader {
 public:
  static constexpr std::size_t packet_bytes_max = std::size_t{1} << 20;

  // One record off the front of `bytes`; `used` says how many of them it took, also for what is skipped (headers and
  // blocks that hold no packet). `more`: the record is not whole yet.
  PcapNext next(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record);
  PcapFault fault() const { return fault_; }

 private:
  enum class Format : std::uint8_t { unknown, classic, next_generation };
  struct Interface {
    std::uint32_t link_type;
    bool binary;          // the resolution is a power of two, not of ten
    std::uint8_t digits;  // its exponent
    std::int64_t offset_s;
  };

  PcapNext fail(PcapFault fault);
  PcapNext begin(std::span<const std::uint8_t> bytes, std::size_t& used);
  PcapNext classic(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record);
  PcapNext block(std::span<const std::uint8_t> bytes, std::size_t& used, PcapRecord& record);
  PcapNext describe_interface(std::span<const std::uint8_t> body);
  PcapNext packet(std::span<const std::uint8_t> body, PcapRecord& record);
  std::uint16_t u16(const std::uint8_t* at) const;
  std::uint32_t u32(const std::uint8_t* at) const;

  Format format_ = Format::unknown;
  bool swapped_ = false;
  bool nanoseconds_ = false;
  std::uint32_t link_type_ = 0;
  std::vector<Interface> interfaces_;
  PcapFault fault_ = PcapFault::none;
};

enum class FrameKind : std::uint8_t {
  udp,        // an IPv4 UDP datagram, whole
  other,      // something else
  fragment,   // a part of a datagram
  truncated,  // shorter than its own headers say
  unknown_link
};

struct UdpFrame {
  std::uint32_t source = 0;  // IPv4 addresses, host order
  std::uint32_t destination = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::span<const std::uint8_t> payload;
};

// Ethernet (VLAN tags too), Linux cooked v1 and v2, raw IP, BSD loopback.
FrameKind read_frame(std::uint32_t link_type, std::span<const std::uint8_t> frame, UdpFrame& udp);

}  // namespace depthcast::ingest

// Datagrams of the tests: collected from a writer, sealed by hand, told as lines of text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "encode/packet_reader.h"
#include "encode/packet_writer.h"
#include "flatbuffers/flatbuffers.h"

namespace depthcast::test {

// From operator new: aligned to 16, as read_packet wants it at least to 8.
using Datagram = std::vector<std::uint8_t>;

// Keeps what the writer sends.
class PacketCollector final : public encode::PacketSink {
 public:
  struct Packet {
    Datagram bytes;
    std::uint64_t first_sequence;
    std::uint32_t count;
  };
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override;

  std::vector<Packet> packets;
};

// Prefix and root, filled up with zeros to `length` where that is more.
Datagram seal(std::span<const std::uint8_t> root, std::size_t length = 0);
Datagram seal(flatbuffers::FlatBufferBuilder& builder, std::size_t length = 0);
// Makes length and CRC of the prefix right again. Less than a prefix is left as it is.
void repair(Datagram& datagram);

// One line for each message of a packet, as RecordingSink writes them; digests and orders for the other payloads.
void append_lines(const encode::PacketView& view, std::vector<std::string>& lines);

}  // namespace depthcast::test

// Packets of a writer, read back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "encode/packet_reader.h"
#include "encode/packet_writer.h"
#include "test/packets.h"
#include "test/test_runner.h"

namespace depthcast::test {

constexpr std::size_t datagram_sizes[] = {512, 1'400, 8'952};

inline encode::PacketOptions options_of(std::size_t datagram_bytes) {
  encode::PacketOptions options;
  options.channel = 7;
  options.session = 99;
  options.datagram_bytes = datagram_bytes;
  return options;
}

// Reads every packet and checks what holds for all of them. Returns their lines.
inline std::vector<std::string> read_all(const PacketCollector& collector, std::size_t datagram_bytes,
                                         std::int64_t send_time = 0) {
  std::vector<std::string> lines;
  for (const PacketCollector::Packet& packet : collector.packets) {
    encode::PacketView view;
    const encode::PacketStatus status = encode::read_packet(packet.bytes, view);
    if (status != encode::PacketStatus::ok)
      fail_and_stop(__FILE__, __LINE__, std::string("packet is ") + encode::name_of(status));
    REQUIRE(packet.bytes.size() <= datagram_bytes);
    REQUIRE_EQUAL(view.channel, 7U);
    REQUIRE_EQUAL(view.session, 99U);
    REQUIRE_EQUAL(view.first_sequence, packet.first_sequence);
    REQUIRE_EQUAL(view.count, packet.count);
    if (send_time != 0) REQUIRE_EQUAL(view.send_time_ns, send_time);
    append_lines(view, lines);
  }
  return lines;
}

}  // namespace depthcast::test

// Datagrams back into messages. Any byte may be hostile: prefix, CRC, FlatBuffers' verifier and the rules of
// docs/protocol.md are checked before anything is used; what fails is named, never trusted.
#pragma once

#include <cstdint>
#include <span>

#include "encode/wire_layout.h"

namespace depthcast::encode {

enum class PacketStatus : std::uint8_t {
  ok = 0,
  too_short,
  wrong_magic,
  wrong_version,
  wrong_length,
  wrong_crc,
  malformed,     // FlatBuffers' verifier refuses it
  inconsistent,  // counts or numbers contradict each other
  unknown_payload,
};
constexpr std::size_t packet_statuses = 9;
const char* name_of(PacketStatus status);

// A checked packet. Points into the datagram: valid as long as that is.
struct PacketView {
  std::uint32_t channel = 0;
  std::uint64_t session = 0;
  std::uint64_t first_sequence = 0;
  std::uint32_t count = 0;
  std::int64_t base_time_ns = 0;
  std::int64_t send_time_ns = 0;
  std::uint64_t input_position = 0;
  std::span<const std::uint8_t> steps;  // empty: every step is 1
  wire::Payload payload = wire::Payload::NONE;
  std::span<const BookMessage> book;
  std::span<const std::uint64_t> details;
  std::span<const TradeMessage> trades;
  const wire::Definitions* definitions = nullptr;
  const wire::SnapshotOrders* snapshot = nullptr;
  const wire::Heartbeat* heartbeat = nullptr;

  // Step of the input position from message index - 1 to message index.
  std::uint64_t step_before(std::uint32_t index) const { return steps.empty() ? 1 : steps[index - 1]; }
};

// `datagram` must be aligned to 8. Any thread; allocation-free.
PacketStatus read_packet(std::span<const std::uint8_t> datagram, PacketView& view);

}  // namespace depthcast::encode

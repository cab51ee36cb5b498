// The prefix of a datagram, and the proof that the generated wire structs are the messages of core/message.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/message.h"
#include "generated/depthcast_generated.h"

namespace depthcast::encode {

constexpr std::uint32_t prefix_magic = 0x54434344U;  // "DCCT" as bytes 44 43 43 54
constexpr std::uint16_t wire_version = 1;

// Little-endian. docs/protocol.md, "Datagram prefix".
struct Prefix {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t flags;   // none yet; unknown ones are ignored
  std::uint32_t length;  // bytes behind the prefix
  std::uint32_t crc;     // CRC-32C of bytes 0 to 11 and of everything behind the prefix
};
static_assert(sizeof(Prefix) == 16 && offsetof(Prefix, crc) == 12);

constexpr std::size_t datagram_bytes_default = 1'400;
constexpr std::size_t datagram_bytes_min = 512;
constexpr std::size_t datagram_bytes_max = 8'952;  // a jumbo frame of 9,000 less IPv6 and UDP headers

// Most messages that a packet can carry, whatever its size: bounds a receiver's loops.
constexpr std::size_t packet_messages_max = datagram_bytes_max / sizeof(BookMessage);

static_assert(sizeof(wire::BookMessage) == sizeof(BookMessage));
static_assert(sizeof(wire::TradeMessage) == sizeof(TradeMessage));
static_assert(sizeof(wire::InstrumentDigest) == 16);
static_assert(sizeof(wire::SnapshotOrder) == sizeof(SnapshotOrderData));
static_assert(static_cast<int>(wire::Kind::add) == static_cast<int>(Kind::add));
static_assert(static_cast<int>(wire::Kind::reference) == static_cast<int>(Kind::reference));
static_assert(static_cast<int>(wire::Kind::trade) == static_cast<int>(Kind::trade));
static_assert(static_cast<int>(wire::Kind::retail_interest) == static_cast<int>(Kind::retail_interest));
static_assert(static_cast<int>(wire::Kind::definition) == static_cast<int>(Kind::definition));
static_assert(static_cast<int>(wire::Side::ask) == static_cast<int>(Side::ask));
static_assert(offsetof(BookMessage, time_offset) == 24 && offsetof(BookMessage, kind) == 36);
static_assert(offsetof(TradeMessage, time_offset) == 64 && offsetof(TradeMessage, code) == 80);

}  // namespace depthcast::encode

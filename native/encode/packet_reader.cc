#include "encode/packet_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/crc32c.h"

namespace depthcast::encode {
namespace {

PacketStatus check_prefix(std::span<const std::uint8_t> datagram) {
  if (datagram.size() < sizeof(Prefix)) return PacketStatus::too_short;
  Prefix prefix;
  std::memcpy(&prefix, datagram.data(), sizeof prefix);
  if (prefix.magic != prefix_magic) return PacketStatus::wrong_magic;
  if (prefix.version != wire_version) return PacketStatus::wrong_version;
  if (prefix.length != datagram.size() - sizeof prefix) return PacketStatus::wrong_length;
  std::uint32_t crc = crc32c(0, &prefix, offsetof(Prefix, crc));
  crc = crc32c(crc, datagram.data() + sizeof prefix, prefix.length);
  return crc == prefix.crc ? PacketStatus::ok : PacketStatus::wrong_crc;
}

template <typename Message>
bool kinds_fit(std::span<const Message> messages, bool (*fits)(Kind)) {
  return std::all_of(messages.begin(), messages.end(), [&](const Message& message) {
    const auto value = static_cast<std::uint8_t>(message.kind);
    // A kind of a later version is let through: the book decides by its flags.
    return fits(message.kind) || value > static_cast<std::uint8_t>(Kind::definition);
  });
}

bool check_book(const wire::BookMessages& payload, PacketView& view) {
  view.book = {reinterpret_cast<const BookMessage*>(payload.messages()->data()), payload.messages()->size()};
  if (payload.details() != nullptr) view.details = {payload.details()->data(), payload.details()->size()};
  const auto with_detail = std::count_if(view.book.begin(), view.book.end(), [](const BookMessage& message) {
    return (message.flags & flags::detail) != 0;
  });
  return view.book.size() == view.count && view.details.size() == static_cast<std::size_t>(with_detail) &&
         kinds_fit(view.book, is_book_kind);
}

bool check_trades(const wire::TradeMessages& payload, PacketView& view) {
  view.trades = {reinterpret_cast<const TradeMessage*>(payload.messages()->data()), payload.messages()->size()};
  return view.trades.size() == view.count && kinds_fit(view.trades, is_trade_kind);
}

bool check_definitions(const wire::Definitions& payload, PacketView& view) {
  view.definitions = &payload;
  // Without numbers (count 0) it is a repetition, of any length.
  return view.count == 0 || payload.definitions()->size() == view.count;
}

// Chunks count from 1; a chunk 0 is let through, since packets made before that was settled are to stay decodable.
// Whoever assembles a generation refuses it.
bool check_snapshot(const wire::SnapshotOrders& payload, PacketView& view) {
  view.snapshot = &payload;
  if (view.count != 0 || payload.chunk() > payload.chunks()) return false;
  if (payload.last_sequence() != view.first_sequence - 1) return false;
  if (payload.status() > static_cast<std::uint8_t>(TradingStatus::quotation_only)) return false;
  if (payload.instruments() != 0 && payload.instrument() >= payload.instruments()) return false;
  if (payload.orders() == nullptr) return true;
  const auto* orders = reinterpret_cast<const wire::SnapshotOrder*>(payload.orders()->Data());
  return std::all_of(orders, orders + payload.orders()->size(), [](const wire::SnapshotOrder& order) {
    return (order.side() == static_cast<std::uint8_t>(Side::bid) ||
            order.side() == static_cast<std::uint8_t>(Side::ask)) &&
           order.quantity() != 0;
  });
}

// The verifier looks at the alignment of a vector's length only. Messages are read in place, so their own counts.
template <typename Vector>
bool aligned(const Vector* vector) {
  return vector == nullptr || reinterpret_cast<std::uintptr_t>(vector->Data()) % alignof(BookMessage) == 0;
}

bool vectors_aligned(const wire::Packet& packet) {
  switch (packet.payload_type()) {
    case wire::Payload::BookMessages: {
      const wire::BookMessages& payload = *packet.payload_as_BookMessages();
      return aligned(payload.messages()) && aligned(payload.details());
    }
    case wire::Payload::TradeMessages: return aligned(packet.payload_as_TradeMessages()->messages());
    case wire::Payload::SnapshotOrders: return aligned(packet.payload_as_SnapshotOrders()->orders());
    case wire::Payload::Heartbeat: return aligned(packet.payload_as_Heartbeat()->instruments());
    default: return true;
  }
}

bool check_payload(const wire::Packet& packet, PacketView& view) {
  switch (view.payload) {
    case wire::Payload::BookMessages: return check_book(*packet.payload_as_BookMessages(), view);
    case wire::Payload::TradeMessages: return check_trades(*packet.payload_as_TradeMessages(), view);
    case wire::Payload::Definitions: return check_definitions(*packet.payload_as_Definitions(), view);
    case wire::Payload::SnapshotOrders: return check_snapshot(*packet.payload_as_SnapshotOrders(), view);
    default: view.heartbeat = packet.payload_as_Heartbeat(); return view.count == 0;
  }
}

bool check_numbers(const PacketView& view) {
  if (view.first_sequence == 0 || view.first_sequence > std::numeric_limits<std::uint64_t>::max() / 2) return false;
  if (view.input_position > std::numeric_limits<std::uint64_t>::max() / 2) return false;
  // So that adding an offset to it cannot overflow.
  constexpr std::int64_t time_max = std::numeric_limits<std::int64_t>::max() / 2;
  if (view.base_time_ns < -time_max || view.base_time_ns > time_max) return false;
  if (view.count > packet_messages_max) return false;
  return view.steps.empty() || view.steps.size() + 1 == view.count;
}

}  // namespace

const char* name_of(PacketStatus status) {
  constexpr const char* names[packet_statuses] = {
      "ok",        "too_short", "wrong_magic",  "wrong_version",  "wrong_length",
      "wrong_crc", "malformed", "inconsistent", "unknown_payload"};
  return names[static_cast<std::size_t>(status)];
}

PacketStatus read_packet(std::span<const std::uint8_t> datagram, PacketView& view) {
  if (const PacketStatus status = check_prefix(datagram); status != PacketStatus::ok) return status;
  const auto root = datagram.subspan(sizeof(Prefix));
  flatbuffers::Verifier::Options options;
  options.max_depth = 8;
  options.max_tables = datagram_bytes_max / 8;
  flatbuffers::Verifier verifier(root.data(), root.size(), options);
  if (!wire::VerifyPacketBuffer(verifier)) return PacketStatus::malformed;

  const wire::Packet& packet = *wire::GetPacket(root.data());
  if (!vectors_aligned(packet)) return PacketStatus::malformed;
  view = {};
  view.channel = packet.channel();
  view.session = packet.session();
  view.first_sequence = packet.first_sequence();
  view.count = packet.count();
  view.base_time_ns = packet.base_time();
  view.send_time_ns = packet.send_time();
  view.input_position = packet.input_position();
  if (packet.input_steps() != nullptr) view.steps = {packet.input_steps()->data(), packet.input_steps()->size()};
  view.payload = packet.payload_type();
  if (view.payload < wire::Payload::BookMessages || view.payload > wire::Payload::Heartbeat) {
    return PacketStatus::unknown_payload;
  }
  return check_numbers(view) && check_payload(packet, view) ? PacketStatus::ok : PacketStatus::inconsistent;
}

}  // namespace depthcast::encode

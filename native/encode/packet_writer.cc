#include "encode/packet_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "encode/prefix.h"

namespace depthcast::encode {
namespace {

// Everything of a packet but its messages, details and steps, at its largest: prefix 16, root offset 4, root table
// and its vtable 80, payload table and its vtable 20, three vector lengths 12, alignment of the parts 12.
constexpr std::size_t packet_overhead = 144;
// A definition of the longest symbol and all attributes: table and vtable 86, symbol 21, attributes 24, offset 4,
// alignment 17.
constexpr std::size_t definition_bytes = 152;
// Message, its detail, its step.
constexpr std::size_t book_message_bytes = sizeof(BookMessage) + 1;
constexpr std::size_t detail_bytes = sizeof(std::uint64_t);
constexpr std::size_t trade_message_bytes = sizeof(TradeMessage) + 1;
static_assert(packet_overhead + definition_bytes <= datagram_bytes_min);

std::size_t symbol_length(const ingest::DefinitionData& definition) {
  return strnlen(definition.symbol, sizeof definition.symbol);
}

}  // namespace

PacketWriter::PacketWriter(const PacketOptions& options, PacketSink& sink)
    : options_(options), sink_(sink), builder_(2 * datagram_bytes_max) {
  const std::size_t bytes = options.datagram_bytes;
  if (bytes < datagram_bytes_min || bytes > datagram_bytes_max || bytes % 8 != 0) {
    throw std::invalid_argument("datagram bytes are " + std::to_string(bytes) + ", expected a multiple of 8 from " +
                                std::to_string(datagram_bytes_min) + " to " + std::to_string(datagram_bytes_max));
  }
  definitions_max_ = (bytes - packet_overhead) / definition_bytes;
  book_.resize(bytes / sizeof(BookMessage));
  trades_.resize(bytes / sizeof(TradeMessage));
  definitions_.resize(definitions_max_);
  details_.resize(bytes / detail_bytes);
  steps_.resize(bytes);
  padding_credit_ = padding_datagrams_max * bytes;
  offsets_.resize(definitions_max_);
}

std::uint32_t PacketWriter::make_room(wire::Payload payload, std::size_t bytes, const book::Stamp& stamp) {
  if (count_ != 0) {
    const bool full = bytes_ + bytes > options_.datagram_bytes;
    const std::uint64_t step = stamp.position - last_position_;
    const std::int64_t offset = stamp.time_ns - base_time_ns_;
    if (full || payload != payload_ || step > std::numeric_limits<std::uint8_t>::max() || offset < 0 ||
        offset > std::numeric_limits<std::uint32_t>::max()) {
      close(full || (bulk_ && may_pad()));
    }
  }
  if (count_ == 0) {
    payload_ = payload;
    bytes_ = packet_overhead;
    first_sequence_ = stamp.sequence;
    base_time_ns_ = stamp.time_ns;
    first_position_ = stamp.position;
    steps_regular_ = true;
    detail_count_ = 0;
  } else {
    const auto step = static_cast<std::uint8_t>(stamp.position - last_position_);
    steps_[count_ - 1] = step;
    steps_regular_ = steps_regular_ && step == 1;
  }
  last_position_ = stamp.position;
  bytes_ += bytes;
  return static_cast<std::uint32_t>(stamp.time_ns - base_time_ns_);
}

// Padding stays below a quarter of what is sent, however often the payload's kind changes.
bool PacketWriter::may_pad() {
  const std::size_t padding = options_.datagram_bytes - std::min(bytes_, options_.datagram_bytes);
  if (padding > padding_credit_) return false;
  padding_credit_ -= padding;
  return true;
}

void PacketWriter::on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) {
  const bool has_detail = (message.flags & flags::detail) != 0;
  const std::size_t bytes = book_message_bytes + (has_detail ? detail_bytes : 0);
  const std::uint32_t offset = make_room(wire::Payload::BookMessages, bytes, stamp);
  BookMessage& placed = book_[count_++];
  placed = message;
  placed.time_offset = offset;
  if (has_detail) details_[detail_count_++] = detail;
}

void PacketWriter::on_trade(const TradeMessage& message, const book::Stamp& stamp) {
  const std::uint32_t offset = make_room(wire::Payload::TradeMessages, trade_message_bytes, stamp);
  TradeMessage& placed = trades_[count_++];
  placed = message;
  placed.time_offset = offset;
}

void PacketWriter::on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                                 const ingest::DefinitionData& definition, const book::Stamp& stamp) {
  const std::uint32_t offset = make_room(wire::Payload::Definitions, definition_bytes + 1, stamp);
  definitions_[count_++] = {instrument, instrument_sequence, source_code, offset, definition};
  if (count_ == definitions_max_) close(false);
}

flatbuffers::Offset<wire::Definition> PacketWriter::create(const PendingDefinition& pending) {
  const ingest::DefinitionData& data = pending.definition;
  const auto symbol = builder_.CreateString(data.symbol, symbol_length(data));
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> attributes = 0;
  if (data.attribute_count != 0) attributes = builder_.CreateVector(data.attributes, data.attribute_count);
  const bool numbered = pending.instrument_sequence != 0;
  return wire::CreateDefinition(builder_, pending.instrument, pending.instrument_sequence, pending.time_offset,
                                numbered ? flags::end_of_event : std::uint16_t{0}, data.price_exponent,
                                data.quantity_exponent, symbol, pending.source_code, data.lot_size, attributes,
                                data.price_increment, data.price_low, data.price_high);
}

void PacketWriter::close(bool full) {
  padding_credit_ = std::min(padding_credit_ + bytes_ / 4, padding_datagrams_max * options_.datagram_bytes);
  builder_.Clear();
  flatbuffers::Offset<void> payload = 0;
  switch (payload_) {
    case wire::Payload::BookMessages: {
      flatbuffers::Offset<flatbuffers::Vector<std::uint64_t>> details = 0;
      if (detail_count_ != 0) details = builder_.CreateVector(details_.data(), detail_count_);
      const auto messages =
          builder_.CreateVectorOfStructs(reinterpret_cast<const wire::BookMessage*>(book_.data()), count_);
      payload = wire::CreateBookMessages(builder_, messages, details).Union();
      break;
    }
    case wire::Payload::TradeMessages: {
      const auto messages =
          builder_.CreateVectorOfStructs(reinterpret_cast<const wire::TradeMessage*>(trades_.data()), count_);
      payload = wire::CreateTradeMessages(builder_, messages).Union();
      break;
    }
    default: {
      for (std::uint32_t index = 0; index < count_; ++index) offsets_[index] = create(definitions_[index]);
      payload = wire::CreateDefinitions(builder_, builder_.CreateVector(offsets_.data(), count_)).Union();
      break;
    }
  }
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> steps = 0;
  if (!steps_regular_ && count_ > 1) steps = builder_.CreateVector(steps_.data(), count_ - 1);
  const std::uint32_t count = count_;
  count_ = 0;
  finish(payload_, payload, first_sequence_, count, base_time_ns_, first_position_, steps, full);
}

void PacketWriter::finish(wire::Payload type, flatbuffers::Offset<void> payload, std::uint64_t first_sequence,
                          std::uint32_t count, std::int64_t base_time_ns, std::uint64_t input_position,
                          flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> steps, bool full) {
  builder_.Finish(wire::CreatePacket(builder_, options_.channel, options_.session, first_sequence,
                                     static_cast<std::uint16_t>(count), base_time_ns, send_time_ns_, input_position,
                                     steps, type, payload));
  const std::size_t size = builder_.GetSize();
  // Full packets are all of one length: segmentation offload cuts a buffer into equal pieces only.
  const std::size_t length = std::max(full ? options_.datagram_bytes : 0, sizeof(Prefix) + size);
  if (length > options_.datagram_bytes) throw std::logic_error("packet_overhead is too small for a packet");
  const Prefix prefix = prefix_of({builder_.GetBufferPointer(), size}, length);
  ++packets_;
  sink_.on_packet({reinterpret_cast<const std::uint8_t*>(&prefix), sizeof prefix}, {builder_.GetBufferPointer(), size},
                  length, first_sequence, count);
}

void PacketWriter::heartbeat(const HeartbeatData& data) {
  flush();
  builder_.Clear();
  flatbuffers::Offset<flatbuffers::Vector<const wire::InstrumentDigest*>> instruments = 0;
  const std::size_t room = (options_.datagram_bytes - packet_overhead) / sizeof(wire::InstrumentDigest) - 2;
  const std::size_t count = std::min(data.instruments.size(), room);
  if (count != 0) instruments = builder_.CreateVectorOfStructs(data.instruments.data(), count);
  const auto payload =
      wire::CreateHeartbeat(builder_, data.digest, data.digest_valid, data.end_of_session, data.identity, instruments);
  finish(wire::Payload::Heartbeat, payload.Union(), data.next_sequence, 0, data.event_time_ns, data.input_position, 0,
         false);
}

void PacketWriter::repeat_definitions(std::span<const Repeated> definitions, std::uint64_t next_sequence,
                                      std::uint64_t input_position, std::int64_t event_time_ns) {
  flush();
  builder_.Clear();
  const std::size_t count = std::min(definitions.size(), definitions_max_);
  for (std::size_t index = 0; index < count; ++index) {
    const book::InstrumentRecord& record = *definitions[index].record;
    offsets_[index] = create({definitions[index].instrument, 0, record.source_code, 0, record.definition});
  }
  const auto payload = wire::CreateDefinitions(builder_, builder_.CreateVector(offsets_.data(), count)).Union();
  finish(wire::Payload::Definitions, payload, next_sequence, 0, event_time_ns, input_position, 0, false);
}

}  // namespace depthcast::encode

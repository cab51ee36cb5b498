#include "encode/snapshot_writer.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "encode/prefix.h"

namespace depthcast::encode {
namespace {

// Everything of a chunk but its orders: prefix 16, root offset 4, Packet 58 and its vtable 24, SnapshotOrders 66 and
// its vtable 26, length of the vector 4, alignment of the parts 12.
constexpr std::size_t snapshot_overhead = 216;
// As in packet_writer.cc: a definition of the longest symbol and all attributes, and what stands around them.
constexpr std::size_t definitions_overhead = 144;
constexpr std::size_t definition_bytes = 120;
// ITCH symbols have 8 characters, ours at most 16; what is longer came from elsewhere, and is cut.
constexpr std::size_t symbol_max = 16;
constexpr std::size_t attributes_max = 20;
static_assert(snapshot_overhead + sizeof(wire::SnapshotOrder) <= datagram_bytes_min);
static_assert(definitions_overhead + definition_bytes <= datagram_bytes_min);

std::uint32_t chunks_for(std::uint32_t orders, std::size_t orders_max) {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>((orders + orders_max - 1) / orders_max));
}

}  // namespace

SnapshotWriter::SnapshotWriter(std::size_t datagram_bytes)
    : datagram_bytes_(datagram_bytes), builder_(2 * datagram_bytes_max), datagram_(datagram_bytes_max) {
  if (datagram_bytes < datagram_bytes_min || datagram_bytes > datagram_bytes_max || datagram_bytes % 8 != 0) {
    throw std::invalid_argument("datagram bytes are " + std::to_string(datagram_bytes) +
                                ", expected a multiple of 8 from " + std::to_string(datagram_bytes_min) + " to " +
                                std::to_string(datagram_bytes_max));
  }
  orders_max_ = (datagram_bytes - snapshot_overhead) / sizeof(wire::SnapshotOrder);
  definitions_max_ = (datagram_bytes - definitions_overhead) / definition_bytes;
  orders_.reserve(orders_max_);
  offsets_.reserve(definitions_max_);
}

void SnapshotWriter::write(const book::Replica& replica, const SnapshotStamp& stamp,
                           std::span<const std::uint32_t> instruments, const DatagramSink& sink) {
  stamp_ = stamp;
  sink_ = &sink;
  channel_digest_ = replica.book().digest();
  instruments_ = instruments.empty() ? replica.instrument_last() + 1 : 0;
  write_definitions(replica, instruments);
  if (instruments.empty()) {
    for (std::uint32_t instrument = 0; instrument < instruments_; ++instrument) {
      write_instrument(replica.book(), instrument);
    }
  }
  for (const std::uint32_t instrument : instruments) {
    if (instrument <= replica.book().limits().instruments_max) write_instrument(replica.book(), instrument);
  }
  sink_ = nullptr;
}

flatbuffers::Offset<wire::Definition> SnapshotWriter::create(std::uint32_t instrument,
                                                             const book::DefinitionRecord& record) {
  const auto symbol = builder_.CreateString(record.symbol.data(), std::min(record.symbol.size(), symbol_max));
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> attributes = 0;
  const std::size_t attribute_count = std::min(record.attributes.size(), attributes_max);
  if (attribute_count != 0) attributes = builder_.CreateVector(record.attributes.data(), attribute_count);
  return wire::CreateDefinition(builder_, instrument, 0, 0, 0, record.price_exponent, record.quantity_exponent, symbol,
                                record.source_code, record.lot_size, attributes, record.price_increment,
                                record.price_low, record.price_high);
}

void SnapshotWriter::write_definitions(const book::Replica& replica, std::span<const std::uint32_t> instruments) {
  const auto close = [&] {
    if (offsets_.empty()) return;
    const auto vector = builder_.CreateVector(offsets_);
    finish(wire::Payload::Definitions, wire::CreateDefinitions(builder_, vector).Union(), false);
    offsets_.clear();
  };
  const auto write_one = [&](std::uint32_t instrument) {
    const book::DefinitionRecord& record = replica.definition(instrument);
    if (!record.defined) return;
    if (offsets_.empty()) builder_.Clear();
    offsets_.push_back(create(instrument, record));
    if (offsets_.size() == definitions_max_) close();
  };
  offsets_.clear();
  for (std::uint32_t instrument = 1; instrument < instruments_; ++instrument) write_one(instrument);
  for (const std::uint32_t instrument : instruments) {
    if (instrument <= replica.book().limits().instruments_max) write_one(instrument);
  }
  close();
}

void SnapshotWriter::write_instrument(const book::Book& book, std::uint32_t instrument) {
  const book::Instrument& state = book.instrument(instrument);
  const std::uint32_t chunks = chunks_for(state.live_orders, orders_max_);
  std::uint32_t chunk = 1;
  orders_.clear();
  for (const Side side : {Side::bid, Side::ask}) {
    for (auto at = book.prices().first(state.side(side)); at.leaf != book::no_index; book.prices().advance(at)) {
      const book::Level& level = book.level(book.prices().level_at(at));
      for (std::uint32_t slot = level.head; slot != book::no_index; slot = book.order(slot).next) {
        const book::Order& order = book.order(slot);
        if (order.next != book::no_index) __builtin_prefetch(&book.order(order.next));
        if (orders_.size() == orders_max_) write_chunk(state, instrument, chunk++, chunks);
        orders_.emplace_back(order.id, level.price, order.quantity, order.priority, static_cast<std::uint8_t>(side),
                             std::uint8_t{0}, std::uint16_t{0}, std::uint32_t{0});
      }
    }
  }
  write_chunk(state, instrument, chunk, chunks);
}

void SnapshotWriter::write_chunk(const book::Instrument& state, std::uint32_t instrument, std::uint32_t chunk,
                                 std::uint32_t chunks) {
  builder_.Clear();
  flatbuffers::Offset<flatbuffers::Vector<const wire::SnapshotOrder*>> orders = 0;
  if (!orders_.empty()) orders = builder_.CreateVectorOfStructs(orders_.data(), orders_.size());
  const auto payload = wire::CreateSnapshotOrders(
      builder_, stamp_.generation, instrument, state.instrument_sequence, stamp_.sequence, chunk, chunks, state.digest,
      static_cast<std::uint8_t>(state.status), orders, instruments_, channel_digest_);
  finish(wire::Payload::SnapshotOrders, payload.Union(), orders_.size() == orders_max_);
  orders_.clear();
}

void SnapshotWriter::finish(wire::Payload type, flatbuffers::Offset<void> payload, bool full) {
  builder_.Finish(wire::CreatePacket(builder_, stamp_.channel, stamp_.session, stamp_.sequence + 1, 0,
                                     stamp_.event_time_ns, stamp_.send_time_ns, stamp_.position, 0, type, payload));
  const std::size_t size = builder_.GetSize();
  // Full chunks are all of one length: segmentation offload cuts a buffer into equal pieces only.
  const std::size_t length = std::max(full ? datagram_bytes_ : 0, (sizeof(Prefix) + size + 7) / 8 * 8);
  if (length > datagram_bytes_) throw std::logic_error("snapshot_overhead is too small for a chunk");
  const Prefix prefix = prefix_of({builder_.GetBufferPointer(), size}, length);
  std::memcpy(datagram_.data(), &prefix, sizeof prefix);
  std::memcpy(datagram_.data() + sizeof prefix, builder_.GetBufferPointer(), size);
  std::memset(datagram_.data() + sizeof prefix + size, 0, length - sizeof prefix - size);
  (*sink_)({datagram_.data(), length});
}

}  // namespace depthcast::encode

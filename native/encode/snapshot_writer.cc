#include "encode/snapshot_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

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
// In orders: about as long as it takes.
constexpr std::int64_t definition_work = 4;
constexpr std::int64_t instrument_work = 8;
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
  begin(replica, stamp, instruments, [&sink](std::span<const std::uint8_t> datagram) { sink(datagram); });
  while (!done()) {
    std::int64_t budget = std::numeric_limits<std::int64_t>::max();
    advance(budget);
  }
}

void SnapshotWriter::define(const book::Replica& replica, const SnapshotStamp& stamp,
                            std::span<const std::uint32_t> instruments, const DatagramSink& sink) {
  if (instruments.empty()) return;
  begin(replica, stamp, instruments, [&sink](std::span<const std::uint8_t> datagram) { sink(datagram); });
  std::int64_t budget = std::numeric_limits<std::int64_t>::max();
  write_definitions(budget);
  abandon();
}

void SnapshotWriter::begin(const book::Replica& replica, const SnapshotStamp& stamp,
                           std::span<const std::uint32_t> instruments, DatagramSink sink) {
  replica_ = &replica;
  stamp_ = stamp;
  sink_ = std::move(sink);
  channel_digest_ = replica.book().digest();
  instruments_ = instruments.empty() ? replica.instrument_last() + 1 : 0;
  chosen_.clear();
  for (const std::uint32_t instrument : instruments) {
    if (instrument <= replica.book().limits().instruments_max) chosen_.push_back(instrument);
  }
  count_ = instruments.empty() ? instruments_ : static_cast<std::uint32_t>(chosen_.size());
  written_.assign(std::size_t{replica.book().limits().instruments_max} + 1, !instruments.empty());
  for (const std::uint32_t instrument : chosen_) written_[instrument] = false;
  defined_ = place_ = 0;
  instrument_ = book::no_index;
  orders_.clear();
}

void SnapshotWriter::advance(std::int64_t& budget) {
  if (done() || !write_definitions(budget)) return;
  if (instrument_ != book::no_index && !write_instrument(instrument_, budget)) return;
  for (; place_ < count_; ++place_) {
    const std::uint32_t instrument = chosen_.empty() ? place_ : chosen_[place_];
    if (!written_[instrument] && !write_instrument(instrument, budget)) return;
  }
  replica_ = nullptr;
}

bool SnapshotWriter::keep(std::uint32_t instrument, std::int64_t& budget) {
  if (done() || instrument >= written_.size() || (instruments_ != 0 && instrument >= instruments_)) return true;
  if (written_[instrument]) return true;
  // Definitions come first, and one instrument at a time.
  if (!write_definitions(budget)) return false;
  if (instrument_ != book::no_index && !write_instrument(instrument_, budget)) return false;
  return written_[instrument] || write_instrument(instrument, budget);
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

bool SnapshotWriter::write_definitions(std::int64_t& budget) {
  const auto close = [&] {
    if (offsets_.empty()) return;
    const auto vector = builder_.CreateVector(offsets_);
    finish(wire::Payload::Definitions, wire::CreateDefinitions(builder_, vector).Union(), false);
    budget -= static_cast<std::int64_t>(offsets_.size()) * definition_work;
    offsets_.clear();
  };
  offsets_.clear();
  for (; defined_ < count_; ++defined_) {
    if (offsets_.empty() && budget <= 0) return false;
    const std::uint32_t instrument = chosen_.empty() ? defined_ : chosen_[defined_];
    if (instrument == channel_instrument) continue;
    const book::DefinitionRecord& record = replica_->definition(instrument);
    if (!record.defined) continue;
    if (offsets_.empty()) builder_.Clear();
    offsets_.push_back(create(instrument, record));
    if (offsets_.size() == definitions_max_) close();
  }
  close();
  return true;
}

void SnapshotWriter::open(std::uint32_t instrument) {
  const book::Instrument& state = replica_->book().instrument(instrument);
  instrument_ = instrument;
  chunk_ = 1;
  chunks_ = chunks_for(state.live_orders, orders_max_);
  side_ = Side::bid;
  at_ = replica_->book().prices().first(state.side(side_));
  slot_ = book::no_index;
}

// To the first order at or behind where it stands; false: there is none.
bool SnapshotWriter::next_order() {
  const book::Book& book = replica_->book();
  for (;;) {
    if (slot_ != book::no_index) return true;
    if (at_.leaf != book::no_index) {
      slot_ = book.level(book.prices().level_at(at_)).head;
      continue;
    }
    if (side_ == Side::ask) return false;
    side_ = Side::ask;
    at_ = book.prices().first(book.instrument(instrument_).side(side_));
  }
}

bool SnapshotWriter::write_instrument(std::uint32_t instrument, std::int64_t& budget) {
  if (instrument_ != instrument) open(instrument);
  const book::Book& book = replica_->book();
  const book::Instrument& state = book.instrument(instrument);
  while (next_order()) {
    if (orders_.size() == orders_max_) {
      if (budget <= 0) return false;
      write_chunk(state);
    }
    const book::Level& level = book.level(book.prices().level_at(at_));
    const book::Order& order = book.order(slot_);
    if (order.next != book::no_index) __builtin_prefetch(&book.order(order.next));
    orders_.emplace_back(order.id, level.price, order.quantity, order.priority, static_cast<std::uint8_t>(side_),
                         std::uint8_t{0}, std::uint16_t{0}, std::uint32_t{0});
    --budget;
    slot_ = order.next;
    if (slot_ == book::no_index) book.prices().advance(at_);
  }
  write_chunk(state);
  budget -= instrument_work;
  written_[instrument] = true;
  instrument_ = book::no_index;
  return true;
}

void SnapshotWriter::write_chunk(const book::Instrument& state) {
  builder_.Clear();
  flatbuffers::Offset<flatbuffers::Vector<const wire::SnapshotOrder*>> orders = 0;
  if (!orders_.empty()) orders = builder_.CreateVectorOfStructs(orders_.data(), orders_.size());
  const auto payload = wire::CreateSnapshotOrders(
      builder_, stamp_.generation, instrument_, state.instrument_sequence, stamp_.sequence, chunk_++, chunks_,
      state.digest, static_cast<std::uint8_t>(state.status), orders, instruments_, channel_digest_);
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
  sink_({datagram_.data(), length});
}

}  // namespace depthcast::encode

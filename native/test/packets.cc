#include "test/packets.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/crc32c.h"
#include "test/recording_sink.h"
#include "test/test_runner.h"

namespace depthcast::test {

void PacketCollector::on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root,
                                std::size_t length, std::uint64_t first_sequence, std::uint32_t count) {
  CHECK_EQUAL(prefix.size(), sizeof(encode::Prefix));
  CHECK(length >= prefix.size() + root.size());
  Datagram bytes(length);
  std::copy(prefix.begin(), prefix.end(), bytes.begin());
  std::copy(root.begin(), root.end(), bytes.begin() + static_cast<std::ptrdiff_t>(prefix.size()));
  packets.push_back({std::move(bytes), first_sequence, count});
}

void repair(Datagram& datagram) {
  encode::Prefix prefix{};
  if (datagram.size() < sizeof prefix) return;
  std::memcpy(&prefix, datagram.data(), sizeof prefix);
  prefix.length = static_cast<std::uint32_t>(datagram.size() - sizeof prefix);
  prefix.crc = crc32c(0, &prefix, offsetof(encode::Prefix, crc));
  prefix.crc = crc32c(prefix.crc, datagram.data() + sizeof prefix, prefix.length);
  std::memcpy(datagram.data(), &prefix, sizeof prefix);
}

Datagram seal(std::span<const std::uint8_t> root, std::size_t length) {
  const encode::Prefix prefix{encode::prefix_magic, encode::wire_version, 0, 0, 0};
  Datagram datagram(std::max(length, sizeof prefix + root.size()));
  std::memcpy(datagram.data(), &prefix, sizeof prefix);
  std::copy(root.begin(), root.end(), datagram.begin() + sizeof prefix);
  repair(datagram);
  return datagram;
}

Datagram seal(flatbuffers::FlatBufferBuilder& builder, std::size_t length) {
  return seal({builder.GetBufferPointer(), builder.GetSize()}, length);
}

namespace {

ingest::DefinitionData data_of(const wire::Definition& definition) {
  ingest::DefinitionData data{};
  std::memcpy(data.symbol, definition.symbol()->c_str(), std::min<std::size_t>(definition.symbol()->size(), 16));
  if (definition.attributes() != nullptr) {
    data.attribute_count = static_cast<std::uint8_t>(std::min<std::size_t>(definition.attributes()->size(), 20));
    std::copy_n(definition.attributes()->data(), data.attribute_count, data.attributes);
  }
  data.price_exponent = definition.price_exponent();
  data.quantity_exponent = definition.quantity_exponent();
  data.lot_size = definition.lot_size();
  return data;
}

void append_snapshot(const wire::SnapshotOrders& snapshot, std::vector<std::string>& lines) {
  lines.push_back("snapshot " + std::to_string(snapshot.generation()) + " i" + std::to_string(snapshot.instrument()) +
                  '/' + std::to_string(snapshot.instrument_sequence()) + " last " +
                  std::to_string(snapshot.last_sequence()) + " chunk " + std::to_string(snapshot.chunk()) + " of " +
                  std::to_string(snapshot.chunks()) + " digest " + std::to_string(snapshot.digest()) + " status " +
                  std::to_string(snapshot.status()));
  if (snapshot.instruments() != 0) {
    lines.back() += " instruments " + std::to_string(snapshot.instruments()) + " channel " +
                    std::to_string(snapshot.channel_digest());
  }
  if (snapshot.orders() == nullptr) return;
  for (const wire::SnapshotOrder* order : *snapshot.orders()) {
    lines.push_back("order " + std::to_string(order->order_id()) + " side " + std::to_string(order->side()) + ' ' +
                    std::to_string(order->price()) + " x " + std::to_string(order->quantity()) + " priority " +
                    std::to_string(order->priority()));
  }
}

void append_heartbeat(const wire::Heartbeat& heartbeat, std::vector<std::string>& lines) {
  lines.push_back("heartbeat digest " + std::to_string(heartbeat.digest()) +
                  (heartbeat.digest_valid() ? " valid" : " invalid") + (heartbeat.end_of_session() ? " end" : "") +
                  " identity " + std::to_string(heartbeat.identity()));
  if (heartbeat.instruments() == nullptr) return;
  for (const wire::InstrumentDigest* one : *heartbeat.instruments()) {
    lines.push_back("digest i" + std::to_string(one->instrument()) + '/' + std::to_string(one->instrument_sequence()) +
                    ' ' + std::to_string(one->digest()));
  }
}

}  // namespace

void append_lines(const encode::PacketView& view, std::vector<std::string>& lines) {
  std::uint64_t position = view.input_position;
  std::size_t next_detail = 0;
  const auto stamp_of = [&](std::uint32_t index, std::uint32_t time_offset) -> book::Stamp {
    if (index != 0 && view.count != 0) position += view.step_before(index);
    return {view.first_sequence + index, view.base_time_ns + std::int64_t{time_offset}, position};
  };
  for (std::uint32_t index = 0; index < view.book.size(); ++index) {
    const BookMessage& message = view.book[index];
    const bool has_detail = (message.flags & flags::detail) != 0;
    const std::uint64_t detail = has_detail ? view.details[next_detail++] : 0;
    lines.push_back(line_of(message, stamp_of(index, message.time_offset), detail));
  }
  for (std::uint32_t index = 0; index < view.trades.size(); ++index) {
    lines.push_back(line_of(view.trades[index], stamp_of(index, view.trades[index].time_offset)));
  }
  if (view.definitions != nullptr) {
    const auto& definitions = *view.definitions->definitions();
    for (std::uint32_t index = 0; index < definitions.size(); ++index) {
      const wire::Definition& one = *definitions.Get(index);
      lines.push_back(line_of(one.instrument(), one.instrument_sequence(), one.source_code(), data_of(one),
                              stamp_of(index, one.time_offset())));
    }
  }
  if (view.snapshot != nullptr) append_snapshot(*view.snapshot, lines);
  if (view.heartbeat != nullptr) append_heartbeat(*view.heartbeat, lines);
}

}  // namespace depthcast::test

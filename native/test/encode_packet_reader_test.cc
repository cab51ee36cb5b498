#include "encode/packet_reader.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "test/messages.h"
#include "test/packets.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using encode::PacketStatus;
using encode::PacketView;
using flatbuffers::FlatBufferBuilder;

template <typename Element>
using VectorOf = flatbuffers::Offset<flatbuffers::Vector<Element>>;

// A packet that is right unless a test makes it wrong.
struct Draft {
  std::uint64_t first_sequence = 10;
  std::uint16_t count = 3;
  std::int64_t base_time_ns = 3;
  std::uint64_t input_position = 5;
  std::vector<std::uint8_t> steps;
  wire::Payload type = wire::Payload::BookMessages;
  std::vector<BookMessage> book{3, add(1, 1, Side::bid, 2, 3)};
  std::vector<std::uint64_t> details;
  std::vector<TradeMessage> trades;
  std::uint32_t definitions = 0;

  flatbuffers::Offset<void> payload(FlatBufferBuilder& builder) const {
    switch (type) {
      case wire::Payload::BookMessages: {
        VectorOf<std::uint64_t> details_vector = 0;
        if (!details.empty()) details_vector = builder.CreateVector(details);
        const auto* first = reinterpret_cast<const wire::BookMessage*>(book.data());
        return wire::CreateBookMessages(builder, builder.CreateVectorOfStructs(first, book.size()), details_vector)
            .Union();
      }
      case wire::Payload::TradeMessages: {
        const auto* first = reinterpret_cast<const wire::TradeMessage*>(trades.data());
        return wire::CreateTradeMessages(builder, builder.CreateVectorOfStructs(first, trades.size())).Union();
      }
      case wire::Payload::Definitions: {
        std::vector<flatbuffers::Offset<wire::Definition>> all;
        for (std::uint32_t index = 0; index < definitions; ++index) {
          all.push_back(wire::CreateDefinition(builder, index, 1, 0, 0, 0, 0, builder.CreateString("S")));
        }
        return wire::CreateDefinitions(builder, builder.CreateVector(all)).Union();
      }
      case wire::Payload::SnapshotOrders:
        return wire::CreateSnapshotOrders(builder, 1, 1, 0, first_sequence - 1).Union();
      default: return wire::CreateHeartbeat(builder, 1).Union();
    }
  }
  Datagram seal() const {
    FlatBufferBuilder builder;
    const auto content = payload(builder);
    VectorOf<std::uint8_t> steps_vector = 0;
    if (!steps.empty()) steps_vector = builder.CreateVector(steps);
    builder.Finish(wire::CreatePacket(builder, 1, 2, first_sequence, count, base_time_ns, 4, input_position,
                                      steps_vector, type, content));
    return test::seal(builder);
  }
};

PacketStatus status_of(const Datagram& datagram) {
  PacketView view;
  return encode::read_packet(datagram, view);
}

PacketStatus status_of(const std::function<void(Draft&)>& change) {
  Draft draft;
  change(draft);
  return status_of(draft.seal());
}

template <typename Value>
void overwrite(Datagram& datagram, std::size_t offset, Value value) {
  std::memcpy(datagram.data() + offset, &value, sizeof value);
}

TEST(everyPacketStatusHasItsName) {
  CHECK_EQUAL(encode::name_of(PacketStatus::ok), std::string("ok"));
  CHECK_EQUAL(encode::name_of(PacketStatus::wrong_crc), std::string("wrong_crc"));
  CHECK_EQUAL(encode::name_of(PacketStatus::unknown_payload), std::string("unknown_payload"));
  CHECK_EQUAL(static_cast<std::size_t>(PacketStatus::unknown_payload) + 1, encode::packet_statuses);
}

TEST(readerNamesWhatIsWrongWithThePrefix) {
  const Datagram good = Draft{}.seal();
  CHECK(status_of(good) == PacketStatus::ok);
  CHECK(status_of(Datagram{}) == PacketStatus::too_short);
  CHECK(status_of(Datagram(good.begin(), good.begin() + 15)) == PacketStatus::too_short);
  Datagram bad = good;
  overwrite<std::uint32_t>(bad, 0, 0x54434345);
  repair(bad);
  CHECK(status_of(bad) == PacketStatus::wrong_magic);
  bad = good;
  for (const int version : {0, 2, 0xffff}) {
    overwrite<std::uint16_t>(bad, 4, static_cast<std::uint16_t>(version));
    repair(bad);
    CHECK(status_of(bad) == PacketStatus::wrong_version);
  }
  bad = good;
  bad.push_back(0);
  CHECK(status_of(bad) == PacketStatus::wrong_length);
  bad.resize(good.size() - 1);
  CHECK(status_of(bad) == PacketStatus::wrong_length);
  bad.resize(16);
  CHECK(status_of(bad) == PacketStatus::wrong_length);
  // Flags of a later version are ignored, but covered by the CRC.
  bad = good;
  overwrite<std::uint16_t>(bad, 6, 0xffff);
  CHECK(status_of(bad) == PacketStatus::wrong_crc);
  repair(bad);
  CHECK(status_of(bad) == PacketStatus::ok);
}

TEST(readerNoticesEveryFlippedBit) {
  const Datagram good = Draft{}.seal();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Datagram bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ 1U << bit % 8);
    const PacketStatus status = status_of(bad);
    const std::size_t byte = bit / 8;
    const PacketStatus expected = byte < 4    ? PacketStatus::wrong_magic
                                  : byte < 6  ? PacketStatus::wrong_version
                                  : byte < 8  ? PacketStatus::wrong_crc
                                  : byte < 12 ? PacketStatus::wrong_length
                                              : PacketStatus::wrong_crc;
    REQUIRE(status == expected);
  }
}

TEST(readerCallsBrokenTablesMalformed) {
  // Nothing behind the prefix, or too little for a root.
  for (const std::size_t size : {16U, 17U, 20U, 24U, 31U}) {
    Datagram datagram = Draft{}.seal();
    datagram.resize(size);
    repair(datagram);
    CHECK(status_of(datagram) == PacketStatus::malformed);
  }
  for (const std::uint32_t root : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
    Datagram datagram = Draft{}.seal();
    overwrite(datagram, 16, root);
    repair(datagram);
    CHECK(status_of(datagram) == PacketStatus::malformed);
  }
  // The payload is required.
  FlatBufferBuilder builder;
  wire::PacketBuilder packet(builder);
  packet.add_first_sequence(1);
  packet.add_payload_type(wire::Payload::Heartbeat);
  builder.Finish(flatbuffers::Offset<wire::Packet>(builder.EndTable(packet.start_)));
  CHECK(status_of(seal(builder)) == PacketStatus::malformed);
}

TEST(readerCallsUnknownPayloadsUnknown) {
  for (const int type : {0, 6, 255}) {
    FlatBufferBuilder builder;
    const auto payload = wire::CreateHeartbeat(builder, 1).Union();
    builder.Finish(wire::CreatePacket(builder, 1, 2, 3, 0, 4, 5, 6, 0, static_cast<wire::Payload>(type), payload));
    CHECK(status_of(seal(builder)) == PacketStatus::unknown_payload);
  }
}

TEST(readerCallsContradictingNumbersInconsistent) {
  constexpr auto bad = PacketStatus::inconsistent;
  constexpr std::uint64_t half = std::numeric_limits<std::uint64_t>::max() / 2;
  CHECK(status_of([](Draft& draft) { draft.first_sequence = 0; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.first_sequence = half; }) == PacketStatus::ok);
  CHECK(status_of([](Draft& draft) { draft.first_sequence = half + 1; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.input_position = half; }) == PacketStatus::ok);
  CHECK(status_of([](Draft& draft) { draft.input_position = half + 1; }) == bad);
  constexpr std::int64_t time_max = std::numeric_limits<std::int64_t>::max() / 2;
  CHECK(status_of([](Draft& draft) { draft.base_time_ns = time_max; }) == PacketStatus::ok);
  CHECK(status_of([](Draft& draft) { draft.base_time_ns = time_max + 1; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.base_time_ns = -time_max; }) == PacketStatus::ok);
  CHECK(status_of([](Draft& draft) { draft.base_time_ns = -time_max - 1; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.count = 2; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.count = 0; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.count = 0xffff; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.steps = {1, 2}; }) == PacketStatus::ok);
  CHECK(status_of([](Draft& draft) { draft.steps = {1}; }) == bad);
  CHECK(status_of([](Draft& draft) { draft.steps = {1, 2, 3}; }) == bad);
  CHECK(status_of([](Draft& draft) {
          draft.type = wire::Payload::Heartbeat;
          draft.count = 0;
          draft.steps = {1};
        }) == bad);
}

TEST(readerCallsPayloadsThatDoNotFitTheirCountInconsistent) {
  constexpr auto bad = PacketStatus::inconsistent;
  for (const wire::Payload type : {wire::Payload::SnapshotOrders, wire::Payload::Heartbeat}) {
    CHECK(status_of([&](Draft& draft) {
            draft.type = type;
            draft.count = 0;
          }) == PacketStatus::ok);
    CHECK(status_of([&](Draft& draft) {
            draft.type = type;
            draft.count = 1;
          }) == bad);
  }
  const auto definitions = [](std::uint16_t count, std::uint32_t held) {
    return status_of([&](Draft& draft) {
      draft.type = wire::Payload::Definitions;
      draft.count = count;
      draft.definitions = held;
    });
  };
  CHECK(definitions(2, 2) == PacketStatus::ok);
  CHECK(definitions(0, 2) == PacketStatus::ok);  // a repetition
  CHECK(definitions(0, 0) == PacketStatus::ok);
  CHECK(definitions(1, 2) == bad);
  CHECK(definitions(2, 0) == bad);
  // More messages than any datagram holds.
  CHECK(status_of([](Draft& draft) {
          draft.book.assign(encode::packet_messages_max + 1, draft.book[0]);
          draft.count = encode::packet_messages_max + 1;
        }) == bad);
}

TEST(readerCallsDetailsThatDoNotFitTheirFlagsInconsistent) {
  const auto with = [](std::size_t flagged, std::size_t details) {
    return status_of([&](Draft& draft) {
      for (std::size_t index = 0; index < flagged; ++index) draft.book[index].flags |= flags::detail;
      draft.details.assign(details, 9);
    });
  };
  CHECK(with(0, 0) == PacketStatus::ok);
  CHECK(with(3, 3) == PacketStatus::ok);
  CHECK(with(1, 1) == PacketStatus::ok);
  CHECK(with(1, 0) == PacketStatus::inconsistent);
  CHECK(with(0, 1) == PacketStatus::inconsistent);
  CHECK(with(3, 2) == PacketStatus::inconsistent);
  CHECK(with(2, 3) == PacketStatus::inconsistent);
}

TEST(readerLetsKindsOfLaterVersionsThroughAndNoKindOfAnotherPayload) {
  for (unsigned kind = 0; kind < 256; ++kind) {
    const auto value = static_cast<Kind>(kind);
    const bool book_fits = is_book_kind(value) || kind > 32;
    CHECK(status_of([&](Draft& draft) { draft.book[1].kind = value; }) ==
          (book_fits ? PacketStatus::ok : PacketStatus::inconsistent));
    const bool trade_fits = is_trade_kind(value) || kind > 32;
    CHECK(status_of([&](Draft& draft) {
            draft.type = wire::Payload::TradeMessages;
            draft.trades.resize(3);
            for (TradeMessage& trade : draft.trades) trade.kind = Kind::trade;
            draft.trades[2].kind = value;
          }) == (trade_fits ? PacketStatus::ok : PacketStatus::inconsistent));
  }
}

// Messages are read in place, so their vectors must stand where such structs may stand. FlatBuffers' own verifier looks
// at the alignment of a vector's length only.
Datagram with_vector(wire::Payload type, std::size_t element_bytes, std::uint8_t fill, bool shift) {
  FlatBufferBuilder builder;
  const std::vector<std::uint8_t> element(element_bytes, fill);
  // Alignment 4 where 8 is right; what stands behind decides which of two places that is.
  if (shift) builder.PushElement<std::uint32_t>(0);
  builder.StartVector(1, element_bytes, 4);
  builder.PushBytes(element.data(), element.size());
  const flatbuffers::uoffset_t vector = builder.EndVector(1);
  flatbuffers::Offset<void> payload = 0;
  const bool numbered = type == wire::Payload::BookMessages || type == wire::Payload::TradeMessages;
  if (type == wire::Payload::BookMessages && element_bytes == 8) {
    const wire::BookMessage message(1, 2, 3, 0, 1, 1, 1, 1, flags::detail);
    const auto messages = builder.CreateVectorOfStructs(&message, 1);
    payload = wire::CreateBookMessages(builder, messages, VectorOf<std::uint64_t>(vector)).Union();
  } else if (type == wire::Payload::BookMessages) {
    payload = wire::CreateBookMessages(builder, VectorOf<const wire::BookMessage*>(vector)).Union();
  } else if (type == wire::Payload::TradeMessages) {
    payload = wire::CreateTradeMessages(builder, VectorOf<const wire::TradeMessage*>(vector)).Union();
  } else if (type == wire::Payload::SnapshotOrders) {
    const VectorOf<const wire::SnapshotOrder*> orders(vector);
    payload = wire::CreateSnapshotOrders(builder, 1, 1, 1, 2, 0, 1, 1, 1, orders).Union();
  } else {
    const VectorOf<const wire::InstrumentDigest*> digests(vector);
    payload = wire::CreateHeartbeat(builder, 1, true, false, 1, digests).Union();
  }
  builder.Finish(wire::CreatePacket(builder, 1, 2, 3, numbered ? 1 : 0, 4, 5, 6, 0, type, payload));
  return seal(builder);
}

TEST(readerRefusesVectorsOfStructsThatAreNotAligned) {
  struct Case {
    wire::Payload type;
    std::size_t element_bytes;
    std::uint8_t fill;  // makes a kind that fits the payload
  };
  constexpr Case cases[] = {{wire::Payload::BookMessages, 40, 1},
                            {wire::Payload::BookMessages, 8, 0},
                            {wire::Payload::TradeMessages, 88, 16},
                            {wire::Payload::SnapshotOrders, 40, 1},
                            {wire::Payload::Heartbeat, 16, 0}};
  for (const Case& one : cases) {
    CHECK(status_of(with_vector(one.type, one.element_bytes, one.fill, false)) == PacketStatus::ok);
    CHECK(status_of(with_vector(one.type, one.element_bytes, one.fill, true)) == PacketStatus::malformed);
  }
}

}  // namespace
}  // namespace depthcast::test

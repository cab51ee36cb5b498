#include "encode/packet_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "encode/packet_reader.h"
#include "test/messages.h"
#include "test/packets.h"
#include "test/recording_sink.h"
#include "test/round_trip.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Stamp;
using encode::PacketStatus;
using encode::PacketView;
using encode::PacketWriter;
using ingest::DefinitionData;

using Lines = std::vector<std::string>;
Stamp stamp_at(std::uint64_t sequence) { return {sequence, 1'000'000 + static_cast<std::int64_t>(sequence), sequence}; }

TradeMessage trade_of(std::uint64_t trade_id) {
  TradeMessage message{};
  message.trade_id = trade_id;
  message.kind = Kind::cross;
  return message;
}

// Nothing but full packets, and the last: all of them of one length, whatever they carry.
TEST(fullPacketsAreExactlyAsLongAsADatagramMayBe) {
  for (const std::size_t datagram_bytes : datagram_sizes) {
    for (int form = 0; form < 5; ++form) {
      PacketCollector collector;
      RecordingSink recorded;
      PacketWriter writer(options_of(datagram_bytes), collector);
      for (std::uint64_t sequence = 1; sequence <= 1'000; ++sequence) {
        Stamp stamp = stamp_at(sequence);
        if (form == 4) {
          const TradeMessage trade = trade_of(sequence);
          recorded.on_trade(trade, stamp);
          writer.on_trade(trade, stamp);
          continue;
        }
        BookMessage message = add(sequence, 1, Side::bid, 5, 6);
        // No details; all; every third; all, with irregular steps.
        if (form == 1 || form == 3 || (form == 2 && sequence % 3 == 0)) message.flags |= flags::detail;
        if (form == 3) stamp.position = 2 * sequence;
        recorded.on_book(message, stamp, sequence);
        writer.on_book(message, stamp, sequence);
      }
      for (const PacketCollector::Packet& packet : collector.packets) {
        REQUIRE_EQUAL(packet.bytes.size(), datagram_bytes);
        // As full as it can be: 144 bytes of overhead, the next message would not have fitted.
        const std::size_t each = form == 4 ? 89 : form == 1 || form == 3 ? 49 : 41;
        const std::size_t fitting = (datagram_bytes - 144) / each;
        if (form != 2) REQUIRE_EQUAL(packet.count, fitting);
      }
      writer.flush();
      REQUIRE_EQUAL(difference(read_all(collector, datagram_bytes), recorded.lines), "");
    }
  }
}

// The largest definitions there are, and the smallest, in every mixture of lengths.
TEST(definitionsOfEverySizeFitTheirPackets) {
  for (const std::size_t datagram_bytes : datagram_sizes) {
    for (std::uint32_t mixture = 0; mixture < 400; ++mixture) {
      PacketCollector collector;
      RecordingSink recorded;
      PacketWriter writer(options_of(datagram_bytes), collector);
      for (std::uint32_t index = 1; index <= 80; ++index) {
        DefinitionData data{};
        const std::uint32_t length = mixture == 0 ? 16 : (mixture + index * (mixture % 5)) % 17;
        std::memset(data.symbol, 'M', length);
        data.attribute_count = static_cast<std::uint8_t>(mixture == 0 ? 20 : (mixture + index) % 21);
        std::memset(data.attributes, 0xee, data.attribute_count);
        data.price_exponent = -9;
        data.quantity_exponent = -8;
        data.lot_size = 1;
        recorded.on_definition(index, index, index, data, stamp_at(index));
        writer.on_definition(index, index, index, data, stamp_at(index));
      }
      writer.flush();
      REQUIRE_EQUAL(difference(read_all(collector, datagram_bytes), recorded.lines), "");
    }
  }
}

// One trade between many adds: alone it would end a run of equal datagrams, and be the first of another.
TEST(packetsCutWithinABulkAreAsLongAsFullOnes) {
  const auto lengths_of = [](bool bulk) {
    PacketCollector collector;
    RecordingSink recorded;
    PacketWriter writer(options_of(1'400), collector);
    writer.set_bulk(bulk);
    for (std::uint64_t sequence = 1; sequence <= 9; ++sequence) {
      for (book::MessageSink* sink :
           {static_cast<book::MessageSink*>(&recorded), static_cast<book::MessageSink*>(&writer)}) {
        if (sequence == 5) {
          sink->on_trade(trade_of(sequence), stamp_at(sequence));
        } else {
          sink->on_book(add(sequence, 1, Side::bid, 5, 6), stamp_at(sequence), 0);
        }
      }
    }
    writer.flush();
    CHECK_EQUAL(difference(read_all(collector, 1'400), recorded.lines), "");
    std::vector<std::size_t> lengths;
    for (const PacketCollector::Packet& packet : collector.packets) lengths.push_back(packet.bytes.size());
    return lengths;
  };
  const std::vector<std::size_t> cut = lengths_of(false);
  REQUIRE_EQUAL(cut.size(), 3U);
  CHECK(cut[0] < 400 && cut[1] < 400 && cut[2] < 400);
  // The last is the batch's: it may be shorter.
  CHECK(lengths_of(true) == (std::vector<std::size_t>{1'400, 1'400, cut[2]}));
}

TEST(packetsOfABulkAreNotMostlyPadding) {
  PacketCollector collector;
  PacketWriter writer(options_of(1'400), collector);
  writer.set_bulk(true);
  for (std::uint64_t sequence = 1; sequence <= 2'000; ++sequence) {
    if (sequence % 2 == 0) {
      writer.on_trade(trade_of(sequence), stamp_at(sequence));
    } else {
      writer.on_book(add(sequence, 1, Side::bid, 5, 6), stamp_at(sequence), 0);
    }
  }
  writer.flush();
  std::size_t padded = 0;
  for (const PacketCollector::Packet& packet : collector.packets) padded += packet.bytes.size() == 1'400 ? 1 : 0;
  REQUIRE_EQUAL(collector.packets.size(), 2'000U);
  CHECK(padded >= 8 && padded < 150);
}

TEST(packetIsCutWhenTheTimeGoesBackOrFarAhead) {
  const auto packets_of = [](std::int64_t first, std::int64_t second) {
    PacketCollector collector;
    RecordingSink recorded;
    PacketWriter writer(options_of(1'400), collector);
    for (book::MessageSink* sink :
         {static_cast<book::MessageSink*>(&recorded), static_cast<book::MessageSink*>(&writer)}) {
      sink->on_book(add(1, 1, Side::bid, 5, 6), {1, first, 1}, 0);
      sink->on_book(add(2, 1, Side::bid, 5, 6), {2, second, 2}, 0);
    }
    writer.flush();
    CHECK_EQUAL(difference(read_all(collector, 1'400), recorded.lines), "");
    return collector.packets.size();
  };
  CHECK_EQUAL(packets_of(1'000, 1'000), 1U);
  CHECK_EQUAL(packets_of(1'000, 999), 2U);
  CHECK_EQUAL(packets_of(1'000, 1'000 + 0xffffffffLL), 1U);
  CHECK_EQUAL(packets_of(1'000, 1'001 + 0xffffffffLL), 2U);
  CHECK_EQUAL(packets_of(-5, 3), 1U);
  CHECK_EQUAL(packets_of(3, -5), 2U);
}

TEST(packetIsCutWhenAStepDoesNotFitAByte) {
  const auto packets_of = [](std::uint64_t first, std::uint64_t second) {
    PacketCollector collector;
    RecordingSink recorded;
    PacketWriter writer(options_of(1'400), collector);
    for (book::MessageSink* sink :
         {static_cast<book::MessageSink*>(&recorded), static_cast<book::MessageSink*>(&writer)}) {
      sink->on_book(add(1, 1, Side::bid, 5, 6), {1, 9, first}, 0);
      sink->on_book(add(2, 1, Side::bid, 5, 6), {2, 9, second}, 0);
      sink->on_book(add(3, 1, Side::bid, 5, 6), {3, 9, second}, 0);
    }
    writer.flush();
    CHECK_EQUAL(difference(read_all(collector, 1'400), recorded.lines), "");
    return collector.packets.size();
  };
  CHECK_EQUAL(packets_of(10, 10), 1U);
  CHECK_EQUAL(packets_of(10, 265), 1U);
  CHECK_EQUAL(packets_of(10, 266), 2U);
  CHECK_EQUAL(packets_of(10, 9), 2U);
}

TEST(packetLeavesOutStepsThatAreAllOne) {
  PacketCollector collector;
  PacketWriter writer(options_of(1'400), collector);
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence)
    writer.on_book(add(1, 1, Side::bid, 5, 6), stamp_at(sequence), 0);
  writer.flush();
  for (std::uint64_t sequence = 6; sequence <= 8; ++sequence) {
    writer.on_book(add(1, 1, Side::bid, 5, 6), {sequence, 9, sequence == 8 ? 7U : sequence}, 0);
  }
  writer.flush();
  writer.on_book(add(1, 1, Side::bid, 5, 6), {9, 9, 500}, 0);
  writer.flush();
  REQUIRE_EQUAL(collector.packets.size(), 3U);
  PacketView view;
  REQUIRE(read_packet(collector.packets[0].bytes, view) == PacketStatus::ok);
  CHECK(view.steps.empty());
  CHECK_EQUAL(view.step_before(3), 1U);
  REQUIRE(read_packet(collector.packets[1].bytes, view) == PacketStatus::ok);
  REQUIRE_EQUAL(view.steps.size(), 2U);
  CHECK_EQUAL(view.step_before(1), 1U);
  CHECK_EQUAL(view.step_before(2), 0U);
  REQUIRE(read_packet(collector.packets[2].bytes, view) == PacketStatus::ok);
  CHECK(view.steps.empty());
  CHECK_EQUAL(view.input_position, 500U);
}

TEST(packetOfAnotherPayloadSendsTheOpenOneFirst) {
  PacketCollector collector;
  PacketWriter writer(options_of(1'400), collector);
  writer.on_book(add(1, 1, Side::bid, 5, 6), stamp_at(1), 0);
  writer.on_trade(trade_of(8), stamp_at(2));
  writer.on_book(add(2, 1, Side::bid, 5, 6), stamp_at(3), 0);
  writer.heartbeat({4, 3, 77, 5, true, false, 6, {}});
  REQUIRE_EQUAL(collector.packets.size(), 4U);
  constexpr wire::Payload payloads[] = {wire::Payload::BookMessages, wire::Payload::TradeMessages,
                                        wire::Payload::BookMessages, wire::Payload::Heartbeat};
  for (std::size_t index = 0; index < 4; ++index) {
    PacketView view;
    REQUIRE(read_packet(collector.packets[index].bytes, view) == PacketStatus::ok);
    CHECK(view.payload == payloads[index]);
    CHECK_EQUAL(view.first_sequence, index + 1);
    CHECK_EQUAL(view.count, index < 3 ? 1U : 0U);
  }
}

TEST(prefixSaysWhatDocsProtocolSays) {
  PacketCollector collector;
  PacketWriter writer(options_of(1'400), collector);
  writer.heartbeat({1, 0, 0, 0, false, false, 0, {}});
  const Datagram& bytes = collector.packets.at(0).bytes;
  CHECK_EQUAL(std::string(bytes.begin(), bytes.begin() + 4), "DCCT");
  CHECK_EQUAL(bytes[4], 1);
  CHECK_EQUAL(bytes[5], 0);
  CHECK_EQUAL(bytes[6] | bytes[7], 0);
  CHECK_EQUAL(bytes[8] + 256U * bytes[9], bytes.size() - 16);
  CHECK_EQUAL(bytes[10] | bytes[11], 0);
  CHECK_EQUAL(bytes.size() % 8, 0U);
}

TEST(heartbeatCarriesItsStateAndAsManyDigestsAsFit) {
  for (const std::size_t datagram_bytes : datagram_sizes) {
    for (const std::size_t count : {0U, 1U, 20U, 5'000U}) {
      std::vector<wire::InstrumentDigest> digests;
      for (std::size_t index = 0; index < count; ++index) {
        digests.emplace_back(index * 3, static_cast<std::uint32_t>(index + 1), static_cast<std::uint32_t>(index * 2));
      }
      PacketCollector collector;
      PacketWriter writer(options_of(datagram_bytes), collector);
      writer.set_send_time(-1);
      writer.heartbeat(
          {0x7fffffffffffffffULL, 1ULL << 62, -77, ~std::uint64_t{0}, true, true, ~std::uint64_t{1}, digests});
      REQUIRE_EQUAL(collector.packets.size(), 1U);
      REQUIRE(collector.packets[0].bytes.size() <= datagram_bytes);
      PacketView view;
      REQUIRE(read_packet(collector.packets[0].bytes, view) == PacketStatus::ok);
      CHECK_EQUAL(view.first_sequence, 0x7fffffffffffffffULL);
      CHECK_EQUAL(view.input_position, 1ULL << 62);
      CHECK_EQUAL(view.base_time_ns, -77);
      CHECK_EQUAL(view.send_time_ns, -1);
      CHECK_EQUAL(view.count, 0U);
      REQUIRE(view.heartbeat != nullptr);
      CHECK_EQUAL(view.heartbeat->digest(), ~std::uint64_t{0});
      CHECK(view.heartbeat->digest_valid());
      CHECK(view.heartbeat->end_of_session());
      CHECK_EQUAL(view.heartbeat->identity(), ~std::uint64_t{1});
      const std::size_t held = view.heartbeat->instruments() == nullptr ? 0 : view.heartbeat->instruments()->size();
      CHECK(held <= count);
      CHECK(held == count || held * 16 + 200 > datagram_bytes);
      for (std::uint32_t index = 0; index < held; ++index) {
        CHECK_EQUAL(view.heartbeat->instruments()->Get(index)->digest(), digests[index].digest());
        CHECK_EQUAL(view.heartbeat->instruments()->Get(index)->instrument(), index + 1);
        CHECK_EQUAL(view.heartbeat->instruments()->Get(index)->instrument_sequence(), 2 * index);
      }
    }
  }
}

TEST(repeatedDefinitionsCarryNoNumbers) {
  for (const std::size_t datagram_bytes : datagram_sizes) {
    PacketCollector collector;
    PacketWriter writer(options_of(datagram_bytes), collector);
    std::vector<book::InstrumentRecord> records(200);
    std::vector<PacketWriter::Repeated> repeated;
    for (std::uint32_t index = 0; index < records.size(); ++index) {
      records[index].source_code = 1'000 + index;
      std::memset(records[index].definition.symbol, 'S', 16);
      records[index].definition.attribute_count = 20;
      records[index].definition.lot_size = index;
      repeated.push_back({index + 1, &records[index]});
    }
    writer.on_book(add(1, 1, Side::bid, 5, 6), stamp_at(1), 0);
    writer.repeat_definitions(repeated, 2, 33, 44);
    writer.repeat_definitions({repeated.data(), 1}, 2, 33, 44);
    REQUIRE_EQUAL(collector.packets.size(), 3U);
    PacketView view;
    REQUIRE(read_packet(collector.packets[1].bytes, view) == PacketStatus::ok);
    CHECK_EQUAL(view.count, 0U);
    CHECK_EQUAL(view.first_sequence, 2U);
    CHECK_EQUAL(view.input_position, 33U);
    CHECK_EQUAL(view.base_time_ns, 44);
    REQUIRE(view.definitions != nullptr);
    const auto& definitions = *view.definitions->definitions();
    REQUIRE_EQUAL(definitions.size(), std::min(writer.repeat_max(), records.size()));
    for (std::uint32_t index = 0; index < definitions.size(); ++index) {
      const wire::Definition& one = *definitions.Get(index);
      CHECK_EQUAL(one.instrument(), index + 1);
      CHECK_EQUAL(one.instrument_sequence(), 0U);
      CHECK_EQUAL(one.source_code(), 1'000 + index);
      CHECK_EQUAL(one.lot_size(), index);
      CHECK_EQUAL(one.flags(), 0);
      CHECK_EQUAL(one.symbol()->str(), "SSSSSSSSSSSSSSSS");
    }
    REQUIRE(read_packet(collector.packets[2].bytes, view) == PacketStatus::ok);
    CHECK_EQUAL(view.definitions->definitions()->size(), 1U);
  }
}

TEST(packetWriterRefusesDatagramSizesOutOfRange) {
  PacketCollector collector;
  const auto make = [&](std::size_t bytes) { PacketWriter(options_of(bytes), collector); };
  CHECK_THROWS(make(0), std::invalid_argument, "datagram bytes are 0");
  CHECK_THROWS(make(504), std::invalid_argument, "504");
  CHECK_THROWS(make(1'401), std::invalid_argument, "1401");
  CHECK_THROWS(make(8'960), std::invalid_argument, "8960");
  make(512);
  make(8'952);
}

}  // namespace
}  // namespace depthcast::test

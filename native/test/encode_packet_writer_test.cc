#include "encode/packet_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "encode/packet_reader.h"
#include "test/allocations.h"
#include "test/messages.h"
#include "test/packets.h"
#include "test/random.h"
#include "test/recording_sink.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Stamp;
using encode::PacketOptions;
using encode::PacketStatus;
using encode::PacketView;
using encode::PacketWriter;
using encode::Prefix;
using ingest::DefinitionData;

using Lines = std::vector<std::string>;
constexpr std::size_t datagram_sizes[] = {512, 1'400, 8'952};

PacketOptions options_of(std::size_t datagram_bytes) {
  PacketOptions options;
  options.channel = 7;
  options.session = 99;
  options.datagram_bytes = datagram_bytes;
  return options;
}

// Reads every packet and checks what holds for all of them. Returns their lines.
Lines read_all(const PacketCollector& collector, std::size_t datagram_bytes, std::int64_t send_time = 0) {
  Lines lines;
  for (const PacketCollector::Packet& packet : collector.packets) {
    PacketView view;
    const PacketStatus status = encode::read_packet(packet.bytes, view);
    if (status != PacketStatus::ok)
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

// Messages of every kind with numbers in sequence; times and positions jump now and then, back too.
class RandomMessages {
 public:
  RandomMessages(std::uint64_t seed, book::MessageSink& first, book::MessageSink& second)
      : random_(seed), first_(first), second_(second) {}

  void next() {
    ++stamp_.sequence;
    move_on();
    const std::uint64_t roll = random_.below(100);
    if (run_left_ == 0) {
      run_left_ = random_.between(1, 200);
      payload_ = roll < 70 ? 0 : roll < 90 ? 1 : 2;
    }
    --run_left_;
    if (payload_ == 0) book();
    if (payload_ == 1) trade();
    if (payload_ == 2) definition();
  }

 private:
  void move_on() {
    const std::uint64_t roll = random_.below(1'000);
    if (roll < 5) {
      stamp_.time_ns -= static_cast<std::int64_t>(random_.below(10'000));
    } else if (roll < 10) {
      stamp_.time_ns += 4'294'967'294 + static_cast<std::int64_t>(random_.below(4));  // about the largest offset
    } else {
      stamp_.time_ns += static_cast<std::int64_t>(random_.below(100'000));
    }
    const std::uint64_t step = random_.below(1'000);
    if (step < 5) {
      stamp_.position += random_.between(253, 258);  // about the largest step
    } else if (step < 8) {
      stamp_.position += random_.below(1'000'000);
    } else if (step < 100) {
      stamp_.position += random_.below(3);
    } else {
      stamp_.position += 1;
    }
  }
  void book() {
    constexpr Kind kinds[] = {Kind::add,   Kind::modify, Kind::delete_order, Kind::execute,
                              Kind::clear, Kind::status, Kind::reference};
    BookMessage message{random_.next(),
                        static_cast<std::int64_t>(random_.next()),
                        random_.next(),
                        0,
                        static_cast<std::uint32_t>(random_.next()),
                        static_cast<std::uint32_t>(random_.next()),
                        random_.pick(kinds),
                        static_cast<Side>(random_.below(3)),
                        static_cast<std::uint16_t>(random_.below(64))};
    const std::uint64_t detail = random_.next();
    first_.on_book(message, stamp_, detail);
    second_.on_book(message, stamp_, detail);
  }
  void trade() {
    TradeMessage message{};
    message.trade_id = random_.next();
    message.quantity = random_.next();
    message.quantity_2 = random_.next();
    message.price = static_cast<std::int64_t>(random_.next());
    message.price_2 = static_cast<std::int64_t>(random_.next());
    message.price_3 = static_cast<std::int64_t>(random_.next());
    message.price_4 = static_cast<std::int64_t>(random_.next());
    message.price_5 = static_cast<std::int64_t>(random_.next());
    message.instrument = static_cast<std::uint32_t>(random_.next());
    message.instrument_sequence = static_cast<std::uint32_t>(random_.next());
    message.kind = static_cast<Kind>(random_.between(16, 21));
    message.side = static_cast<Side>(random_.below(3));
    message.flags = flags::end_of_event;
    message.code = static_cast<std::uint32_t>(random_.next());
    first_.on_trade(message, stamp_);
    second_.on_trade(message, stamp_);
  }
  void definition() {
    DefinitionData data{};
    const std::uint64_t length = random_.below(17);
    for (std::size_t index = 0; index < length; ++index)
      data.symbol[index] = static_cast<char>(random_.between('A', 'Z'));
    data.attribute_count = static_cast<std::uint8_t>(random_.below(21));
    for (std::size_t index = 0; index < data.attribute_count; ++index) {
      data.attributes[index] = static_cast<std::uint8_t>(random_.next());
    }
    data.price_exponent = static_cast<std::int8_t>(random_.next());
    data.quantity_exponent = static_cast<std::int8_t>(random_.next());
    data.lot_size = static_cast<std::uint32_t>(random_.next());
    const auto instrument = static_cast<std::uint32_t>(random_.next());
    const auto number = static_cast<std::uint32_t>(random_.next()) | 1U;
    const auto code = static_cast<std::uint32_t>(random_.next());
    first_.on_definition(instrument, number, code, data, stamp_);
    second_.on_definition(instrument, number, code, data, stamp_);
  }

  Random random_;
  book::MessageSink& first_;
  book::MessageSink& second_;
  Stamp stamp_{0, 1'577'700'000'000'000'000, 1};
  std::uint64_t run_left_ = 0;
  int payload_ = 0;
};

TEST(packetsGiveBackEverythingThatWasWritten) {
  for (const std::size_t datagram_bytes : datagram_sizes) {
    PacketCollector collector;
    RecordingSink recorded;
    PacketWriter writer(options_of(datagram_bytes), collector);
    writer.set_send_time(123'456'789);
    RandomMessages messages(seed() + datagram_bytes, recorded, writer);
    Random random(seed());
    const std::uint64_t count = work(30'000);
    const std::uint64_t flush_every = random.between(5, 200);
    for (std::uint64_t index = 0; index < count; ++index) {
      messages.next();
      if (random.below(flush_every) == 0) writer.flush();
    }
    writer.flush();
    writer.flush();  // nothing more to send
    REQUIRE_EQUAL(difference(read_all(collector, datagram_bytes, 123'456'789), recorded.lines), "");
    CHECK_EQUAL(writer.packets(), collector.packets.size());
  }
}

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

TEST(packetWriterAllocatesNothingAfterItsFirstPackets) {
  class NoSink final : public encode::PacketSink {
    void on_packet(std::span<const std::uint8_t>, std::span<const std::uint8_t>, std::size_t, std::uint64_t,
                   std::uint32_t) override {}
  };
  class NoMessages final : public book::MessageSink {
    void on_book(const BookMessage&, const Stamp&, std::uint64_t) override {}
    void on_trade(const TradeMessage&, const Stamp&) override {}
    void on_definition(std::uint32_t, std::uint32_t, std::uint32_t, const DefinitionData&, const Stamp&) override {}
  };
  for (const std::size_t datagram_bytes : datagram_sizes) {
    NoSink sink;
    NoMessages nothing;
    PacketWriter writer(options_of(datagram_bytes), sink);
    RandomMessages messages(seed(), writer, nothing);
    const std::vector<wire::InstrumentDigest> digests(1'000);
    std::uint64_t before = 0;
    for (int index = 0; index < 40'000; ++index) {
      if (index == 20'000) before = allocations();
      messages.next();
      if (index % 1'000 == 0) writer.heartbeat({1, 1, 1, 1, true, false, 1, digests});
    }
    CHECK_EQUAL(allocations(), before);
  }
}

}  // namespace
}  // namespace depthcast::test

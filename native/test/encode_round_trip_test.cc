// Random messages through writer and reader.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "encode/packet_writer.h"
#include "test/allocations.h"
#include "test/packets.h"
#include "test/random.h"
#include "test/recording_sink.h"
#include "test/round_trip.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Stamp;
using encode::PacketWriter;
using ingest::DefinitionData;

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

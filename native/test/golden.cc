#include "test/golden.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <system_error>

#include "encode/packet_writer.h"
#include "test/messages.h"
#include "test/packets.h"

namespace depthcast::test {
namespace {

namespace files = std::filesystem;
constexpr const char* folder_in_repository = "native/test/golden/v1";
constexpr std::int64_t base_time = 1'577'716'200'000'000'123;

std::string& chosen_folder() {
  static std::string folder;
  return folder;
}

encode::PacketOptions options() {
  encode::PacketOptions options;
  options.channel = 42;
  options.session = 0x5e55'1017'0000'0001ULL;
  options.datagram_bytes = 512;
  return options;
}

// The one packet that `write` makes.
GoldenPacket written(const char* name, const std::function<void(encode::PacketWriter&)>& write) {
  PacketCollector collector;
  encode::PacketWriter writer(options(), collector);
  writer.set_send_time(base_time + 1'000'000);
  write(writer);
  return {name, collector.packets.at(0).bytes};
}

BookMessage numbered(BookMessage message, std::uint32_t instrument_sequence, std::uint16_t more_flags = 0) {
  message.instrument_sequence = instrument_sequence;
  message.flags |= more_flags;
  return message;
}

void write_plain(encode::PacketWriter& writer) {
  constexpr std::uint16_t end = flags::end_of_event;
  writer.on_book(numbered(add(1'001, 1, Side::bid, 1'234'500, 300), 1, end), {100, base_time, 7}, 0);
  writer.on_book(numbered(modify_kept(1'001, 1, Side::bid, 1'234'500, 200), 2, end), {101, base_time + 5, 8}, 0);
  writer.on_book(numbered(modify_lost(1'001, 1, Side::bid, 1'234'600, 250), 3, end), {102, base_time + 6, 9}, 0);
  BookMessage removal = delete_order(1'001, 1, Side::bid);
  removal.price = 1'234'600;
  removal.quantity = 250;
  writer.on_book(numbered(removal, 4, end), {103, base_time + 4'000'000'000, 10}, 0);
  writer.on_book(numbered(clear(2), 1, end), {104, base_time + 4'000'000'001, 11}, 0);
  writer.flush();
}

// A replace (two messages of one input message), executions with match numbers, a step of 200.
void write_details_and_steps(encode::PacketWriter& writer) {
  constexpr std::uint16_t end = flags::end_of_event;
  BookMessage removal = delete_order(0xffff'ffff'ffff'fff0ULL, 3, Side::ask);
  removal.price = -50;
  removal.quantity = 0xffff'ffff'ffff'ffffULL;
  writer.on_book(numbered(removal, 8), {5, base_time, 1'000}, 0);
  writer.on_book(numbered(add(12, 3, Side::ask, -49, 1), 9, end | flags::detail), {6, base_time, 1'000},
                 0x4d'4c'4b'4aULL);
  BookMessage execution = execute(12, 3, Side::ask, 1);
  execution.price = -40;
  constexpr std::uint16_t silent = flags::at_price | flags::non_printable | flags::detail;
  writer.on_book(numbered(execution, 10, end | silent), {7, base_time + 1, 1'200}, 987'654'321);
  writer.on_book(numbered(status(3, TradingStatus::halted), 11, end | flags::detail), {8, base_time + 2, 1'201},
                 0x31ULL);
  writer.on_book(numbered(reference(channel_instrument), 1, end), {9, base_time + 3, 1'202}, 0);
  writer.flush();
}

// The eighth add with a detail does not fit 512 bytes any more: a full packet, filled up with zeros.
void write_full(encode::PacketWriter& writer) {
  for (std::uint64_t index = 0; index < 9; ++index) {
    const auto number = static_cast<std::uint32_t>(index + 1);
    writer.on_book(numbered(add(index, 1, Side::ask, static_cast<std::int64_t>(index), index + 1), number,
                            flags::end_of_event | flags::detail),
                   {1 + index, base_time, 1 + index}, index * index);
  }
}

TradeMessage trade_of(Kind kind, std::uint32_t number) {
  TradeMessage message{};
  message.trade_id = 70 + number;
  message.instrument = 1;
  message.instrument_sequence = number;
  message.kind = kind;
  message.flags = flags::end_of_event;
  return message;
}

void write_trades(encode::PacketWriter& writer) {
  TradeMessage trade = trade_of(Kind::trade, 20);
  trade.side = Side::bid;
  trade.quantity = 100;
  trade.price = 1'000'000;
  writer.on_trade(trade, {200, base_time, 50});
  TradeMessage auction = trade_of(Kind::auction, 21);
  auction.quantity = 5'000;
  auction.quantity_2 = 400;
  auction.price = 1'000'100;
  auction.price_2 = 1'000'200;
  auction.price_3 = 1'000'300;
  auction.price_4 = -1;
  auction.price_5 = -2;
  auction.code = 0x4c'4f'42;
  writer.on_trade(auction, {201, base_time + 9, 51});
  writer.on_trade(trade_of(Kind::cross, 22), {202, base_time + 10, 54});
  writer.on_trade(trade_of(Kind::trade_break, 23), {203, base_time + 10, 55});
  writer.flush();
}

ingest::DefinitionData definition_of(const char* symbol, std::uint8_t attributes) {
  ingest::DefinitionData data{};
  std::memcpy(data.symbol, symbol, std::strlen(symbol));
  data.attribute_count = attributes;
  for (std::uint8_t index = 0; index < attributes; ++index)
    data.attributes[index] = static_cast<std::uint8_t>(200 + index);
  data.price_exponent = -4;
  data.quantity_exponent = 2;
  data.lot_size = 100;
  return data;
}

void write_definitions(encode::PacketWriter& writer) {
  writer.on_definition(1, 1, 13, definition_of("AAPL", 20), {1, base_time, 2});
  writer.on_definition(2, 1, 8'000, definition_of("SIXTEENCHARACTER", 0), {2, base_time + 700, 3});
  writer.flush();
}

void write_repeated(encode::PacketWriter& writer) {
  const book::InstrumentRecord record{13, definition_of("AAPL", 3)};
  const encode::PacketWriter::Repeated repeated{1, &record};
  writer.repeat_definitions({&repeated, 1}, 500, 400, base_time);
}

void write_heartbeat(encode::PacketWriter& writer) {
  const wire::InstrumentDigest digests[] = {{0x1111'2222'3333'4444ULL, 1, 23}, {0xffff'ffff'ffff'ffffULL, 2, 1}};
  writer.heartbeat({204, 55, base_time, 0xba8b'9669'8b2b'9569ULL, true, false, 0x1d'1d'1d, digests});
}

void write_end_of_session(encode::PacketWriter& writer) {
  writer.heartbeat({205, 56, base_time + 1, 0, false, true, 0, {}});
}

// The first of two chunks, one of an instrument without orders.
GoldenPacket snapshot(const char* name, bool empty) {
  flatbuffers::FlatBufferBuilder builder;
  const wire::SnapshotOrder orders[] = {{11, 1'000'100, 5, 90, 1, 0, 0, 0},
                                        {12, 1'000'100, 6, 91, 1, 0, 0, 0},
                                        {0xffff'ffff'ffff'ffffULL, -3, 1ULL << 63, 17, 2, 0, 0, 0}};
  flatbuffers::Offset<flatbuffers::Vector<const wire::SnapshotOrder*>> vector = 0;
  if (!empty) vector = builder.CreateVectorOfStructs(orders, 3);
  const auto payload = wire::CreateSnapshotOrders(builder, 77, empty ? 2 : 1, empty ? 0 : 33, 203, 0, empty ? 1 : 2,
                                                  empty ? 0 : 0xdddd'0000'dddd'0001ULL, empty ? 0 : 1, vector);
  const encode::PacketOptions from = options();
  builder.Finish(wire::CreatePacket(builder, from.channel, from.session, 204, 0, base_time, base_time + 1'000'000, 55,
                                    0, wire::Payload::SnapshotOrders, payload.Union()));
  return {name, seal(builder)};
}

// The first of two chunks as SnapshotWriter numbers them, of a generation that tells how many instruments it has.
GoldenPacket generation() {
  flatbuffers::FlatBufferBuilder builder;
  const wire::SnapshotOrder orders[] = {{11, 1'000'100, 5, 90, 1, 0, 0, 0}, {13, 1'000'200, 7, 95, 2, 0, 0, 0}};
  const auto vector = builder.CreateVectorOfStructs(orders, 2);
  const auto payload = wire::CreateSnapshotOrders(builder, 1'577'716'200'000'000'999ULL, 2, 34, 203, 1, 2,
                                                  0xdddd'0000'dddd'0002ULL, 2, vector, 3, 0xcccc'0000'cccc'0003ULL);
  const encode::PacketOptions from = options();
  builder.Finish(wire::CreatePacket(builder, from.channel, from.session, 204, 0, base_time, base_time + 1'000'000, 55,
                                    0, wire::Payload::SnapshotOrders, payload.Union()));
  return {"snapshot_generation", seal(builder)};
}

// Upwards from the executable and from where the test was started.
files::path find_folder() {
  if (!chosen_folder().empty()) return chosen_folder();
  std::error_code ignored;
  for (const files::path& start :
       {files::read_symlink("/proc/self/exe", ignored), files::current_path(ignored) / "x"}) {
    for (files::path at = start; at.has_relative_path();) {
      at = at.parent_path();
      if (files::is_directory(at / folder_in_repository, ignored)) return at / folder_in_repository;
    }
  }
  return {};
}

}  // namespace

std::vector<GoldenPacket> make_golden() {
  return {written("book_plain", write_plain),
          written("book_details_and_steps", write_details_and_steps),
          written("book_full", write_full),
          written("trades", write_trades),
          written("definitions", write_definitions),
          written("definitions_repeated", write_repeated),
          written("heartbeat", write_heartbeat),
          written("heartbeat_end_of_session", write_end_of_session),
          snapshot("snapshot_orders", false),
          snapshot("snapshot_empty", true),
          generation()};
}

std::vector<GoldenPacket> read_golden() {
  std::vector<GoldenPacket> packets;
  const files::path folder = find_folder();
  if (folder.empty()) return packets;
  for (const auto& entry : files::directory_iterator(folder)) {
    if (entry.path().extension() != ".bin") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    packets.push_back({entry.path().stem().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  std::sort(packets.begin(), packets.end(),
            [](const GoldenPacket& left, const GoldenPacket& right) { return left.name < right.name; });
  return packets;
}

void set_golden_folder(const std::string& folder) { chosen_folder() = folder; }

int write_golden(const std::string& folder) {
  files::create_directories(folder);
  for (const GoldenPacket& packet : make_golden()) {
    const files::path path = files::path(folder) / (packet.name + ".bin");
    // Released packets are never written again: they prove that old ones can still be read.
    if (files::exists(path)) {
      std::printf("%s is there already, left alone\n", path.c_str());
      continue;
    }
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(packet.bytes.data()), static_cast<std::streamsize>(packet.bytes.size()));
    if (!file.good()) {
      std::fprintf(stderr, "%s cannot be written\n", path.c_str());
      return 1;
    }
    std::printf("%s: %zu bytes\n", path.c_str(), packet.bytes.size());
  }
  return 0;
}

}  // namespace depthcast::test

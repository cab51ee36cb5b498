// Snapshots of the tests: books filled at random, their datagrams, and what an assembler makes of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "encode/snapshot_assembler.h"
#include "encode/snapshot_writer.h"
#include "test/packets.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {

constexpr std::uint32_t snapshot_channel = 5;
constexpr std::uint64_t snapshot_session = 1'234;

inline book::BookLimits snapshot_limits(std::uint32_t orders, std::uint32_t instruments) {
  book::BookLimits limits;
  limits.orders_max = orders;
  limits.instruments_max = instruments;
  limits.depth_levels = 0;
  return limits;
}

inline encode::SnapshotStamp stamp_of(const book::Replica& replica, std::uint64_t generation) {
  return {snapshot_channel,
          snapshot_session,
          generation,
          replica.sequence(),
          replica.position(),
          replica.event_time_ns(),
          replica.event_time_ns() + 77};
}

inline std::vector<Datagram> datagrams_of(const book::Replica& replica, const encode::SnapshotStamp& stamp,
                                          std::size_t datagram_bytes = 1'400,
                                          const std::vector<std::uint32_t>& instruments = {}) {
  std::vector<Datagram> all;
  encode::SnapshotWriter writer(datagram_bytes);
  writer.write(replica, stamp, instruments,
               [&](std::span<const std::uint8_t> datagram) { all.emplace_back(datagram.begin(), datagram.end()); });
  return all;
}

inline encode::PacketView view_of(const Datagram& datagram) {
  encode::PacketView view;
  REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
  return view;
}

// One line for each definition, instrument and order, in the order in which they come.
class SnapshotLines final : public encode::SnapshotTarget {
 public:
  void on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) override {
    lines.push_back("definition " + std::to_string(instrument) + ' ' + record.symbol + ' ' +
                    std::to_string(record.lot_size) + ' ' + std::to_string(record.attributes.size()));
  }
  void on_instrument(std::uint32_t instrument, std::uint32_t instrument_sequence, TradingStatus status,
                     std::span<const wire::SnapshotOrder> orders) override {
    lines.push_back("instrument " + std::to_string(instrument) + ' ' + std::to_string(instrument_sequence) + ' ' +
                    describe(status));
    for (const wire::SnapshotOrder& order : orders) {
      lines.push_back("order " + std::to_string(order.order_id()) + ' ' + std::to_string(order.side()) + ' ' +
                      std::to_string(order.price()) + ' ' + std::to_string(order.quantity()) + ' ' +
                      std::to_string(order.priority()));
    }
  }
  std::vector<std::string> lines;
};

// What a snapshot of these books should say, by a walk of our own over every live order.
std::vector<std::string> expected_snapshot(const book::Replica& replica, const std::vector<std::uint32_t>& instruments);

// So many live orders over so many instruments, some cancelled in between; sequences as a channel's.
void fill_books(book::Replica& replica, std::uint32_t instruments, std::uint64_t orders, std::uint64_t seed);

}  // namespace depthcast::test

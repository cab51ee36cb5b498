// Datagrams of one channel for the tests of the journal, and the ring they come through.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/broadcast_ring.h"
#include "encode/packet_writer.h"
#include "test/messages.h"
#include "test/packets.h"
#include "test/ring_records.h"

namespace depthcast::test {

constexpr std::uint64_t journal_session = 77;
constexpr std::uint32_t journal_channel = 3;
constexpr std::int64_t journal_time_ns = 1'700'000'000'000'000'000;

// One after the other, numbered on; message n has event time journal_time_ns + n ms.
class JournalPackets {
 public:
  explicit JournalPackets(std::uint64_t session = journal_session, std::uint64_t first = 1)
      : writer_({journal_channel, session, 1'400}, collector_), next_(first) {}

  // With so many messages.
  Datagram numbered(std::uint32_t messages = 1) {
    for (std::uint32_t count = 0; count < messages; ++count, ++next_) {
      const BookMessage message = add(next_, 1 + static_cast<std::uint32_t>(next_ % 3), Side::bid, 100, 5);
      writer_.on_book(message, {next_, journal_time_ns + static_cast<std::int64_t>(next_) * 1'000'000, next_ * 2}, 0);
    }
    writer_.flush();
    return take();
  }
  Datagram heartbeat(std::uint64_t digest, bool end = false) {
    writer_.heartbeat({next_, next_ * 2, journal_time_ns, digest, true, end, 9, {}});
    return take();
  }
  std::uint64_t next() const { return next_; }
  // As if so many messages had been published and nobody had seen them.
  void skip(std::uint64_t messages) { next_ += messages; }

 private:
  Datagram take() {
    Datagram datagram = std::move(collector_.packets.back().bytes);
    collector_.packets.clear();
    return datagram;
  }
  PacketCollector collector_;
  encode::PacketWriter writer_;
  std::uint64_t next_;
};

// A publisher's ring, without the publisher.
class JournalRing {
 public:
  explicit JournalRing(std::size_t capacity = 1 << 20)
      : memory_(capacity), writer_(memory_.data(), capacity, journal_channel, journal_session, 1, 1) {}

  void write(const Datagram& datagram) {
    encode::PacketView view;
    encode::read_packet(datagram, view);
    writer_.write({datagram.data(), 16}, {datagram.data() + 16, datagram.size() - 16}, datagram.size(),
                  view.first_sequence, view.count);
  }
  void end() { writer_.end(); }
  const void* data() { return memory_.data(); }
  std::size_t size() const { return memory_.size(); }

 private:
  RingMemory memory_;
  BroadcastWriter writer_;
};

}  // namespace depthcast::test

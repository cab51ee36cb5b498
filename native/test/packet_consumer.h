// What a receiver does with a packet that the reader lets through: looks at every field, feeds the book.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "book/book.h"
#include "encode/packet_reader.h"
#include "test/packets.h"

namespace depthcast::test {

class PacketConsumer {
 public:
  PacketConsumer();

  encode::PacketStatus consume(const Datagram& datagram);
  // Book, queues, totals, digests and views; empty, or what is wrong.
  std::string audit() const;

  const std::array<std::uint64_t, encode::packet_statuses>& statuses() const { return statuses_; }
  std::uint64_t applied() const { return applied_; }
  // Depends on every field that was looked at.
  std::uint64_t sum() const { return sum_; }

 private:
  void take_book(const encode::PacketView& view);
  void take_snapshot(const wire::SnapshotOrders& snapshot);
  void apply(const BookMessage& message, std::int64_t time_ns);

  book::Book book_;
  // Numbers rise here whatever a packet says: a receiver arbitrates before it applies.
  std::uint64_t sequence_ = 0;
  std::array<std::uint64_t, encode::packet_statuses> statuses_{};
  std::uint64_t applied_ = 0;
  std::uint64_t sum_ = 0;
};

// The golden packets and some of a channel at work. Written by today's code, so that it needs no files.
std::vector<Datagram> fuzz_corpus();

}  // namespace depthcast::test

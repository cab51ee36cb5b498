// A publisher without thread or socket: a simulated source, sequenced, encoded, committed to a ring, step by step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "encode/packet_writer.h"
#include "io/clock.h"
#include "run/archive.h"
#include "run/replica_follower.h"
#include "test/packets.h"
#include "test/ring_records.h"
#include "test/run_channel.h"
#include "test/test_runner.h"

namespace depthcast::test {

class RingChannel final : public encode::PacketSink, public book::MessageSink {
 public:
  static constexpr std::uint32_t channel = 1;

  // In memory of its own, or in `memory` of ring_bytes(capacity) zeroed bytes.
  RingChannel(std::size_t capacity, std::uint64_t session, const ingest::SimulatedExchangeOptions& flow,
              void* memory = nullptr)
      : session_(session),
        capacity_(capacity),
        own_(memory == nullptr ? std::make_unique<RingMemory>(capacity) : nullptr),
        ring_(memory != nullptr ? memory : own_->data(), capacity, channel, session, 1,
              static_cast<std::uint64_t>(io::monotonic_ns())),
        packets_({channel, session, 1'400}, *this),
        book_(channel_limits()),
        sequencer_(book_, *this),
        source_(run::make_simulated_source(flow)),
        framing_(*source_) {}

  // So many messages of the source, in packets that end with them; false at its end.
  bool take(std::uint64_t messages) {
    const std::atomic<bool> running{false};
    std::span<const std::uint8_t> message;
    bool more = true;
    for (std::uint64_t taken = 0; taken < messages && more; ++taken) {
      more = framing_.next(message, running) == run::ItchFraming::Next::message;
      if (!more) break;
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count = parser_.parse(message, ++position_, cells_, fault);
      for (std::size_t cell = 0; cell < count; cell += ingest::cells_of(cells_[cell].event.kind)) {
        sequencer_.apply(cells_[cell].event, &cells_[cell + 1]);
      }
    }
    packets_.flush();
    return more;
  }
  void heartbeat(std::uint64_t error = 0) {
    packets_.heartbeat({sequencer_.next_sequence(),
                        sequencer_.input_position(),
                        sequencer_.event_time_ns(),
                        book_.digest() + error,
                        sequencer_.next_sequence() > 1,
                        false,
                        1,
                        {}});
    ring_.heartbeat(static_cast<std::uint64_t>(io::monotonic_ns()));
  }
  void end() { ring_.end(); }

  std::uint64_t next() const { return sequencer_.next_sequence(); }
  std::uint64_t session() const { return session_; }
  const book::Book& book() const { return book_; }
  run::RingPlace place() { return {own_->data(), ring_bytes(capacity_), {}}; }
  // Every numbered datagram since the start, by its first number: a journal that misses nothing.
  std::map<std::uint64_t, Datagram>& journal() { return journal_; }

  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    ring_.write(prefix, root, length, first_sequence, count);
    if (count == 0) return;
    Datagram bytes(length);
    std::copy(prefix.begin(), prefix.end(), bytes.begin());
    std::copy(root.begin(), root.end(), bytes.begin() + static_cast<std::ptrdiff_t>(prefix.size()));
    journal_[first_sequence] = std::move(bytes);
  }
  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    packets_.on_book(message, stamp, detail);
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override { packets_.on_trade(message, stamp); }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override {
    packets_.on_definition(instrument, instrument_sequence, source_code, definition, stamp);
  }

 private:
  std::uint64_t session_;
  std::size_t capacity_;
  std::unique_ptr<RingMemory> own_;
  BroadcastWriter ring_;
  encode::PacketWriter packets_;
  book::Book book_;
  book::Sequencer sequencer_;
  std::unique_ptr<run::ByteSource> source_;
  run::ItchFraming framing_;
  ingest::ItchParser parser_{midnight_ns};
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells_{};
  std::uint64_t position_ = 0;
  std::map<std::uint64_t, Datagram> journal_;
};

// A journal in memory, of which parts may be cut out.
class MemoryPast final : public run::PastDatagrams {
 public:
  MemoryPast(const std::map<std::uint64_t, Datagram>& all, std::uint64_t session) : all_(all), session_(session) {}

  bool seek(std::uint64_t session, std::uint64_t sequence) override {
    if (session != session_ || all_.empty()) return false;
    auto at = all_.upper_bound(sequence);
    if (at == all_.begin()) return false;
    --at;
    next_ = at->first;
    Found found;
    if (next(found) != Step::datagram || found.first_sequence + found.count <= sequence) return false;
    next_ = at->first;
    return true;
  }
  Step next(Found& found) override {
    const auto at = all_.lower_bound(next_);
    if (at == all_.end()) return Step::end;
    encode::PacketView view;
    REQUIRE(encode::read_packet(at->second, view) == encode::PacketStatus::ok);
    found = {at->second, view.first_sequence, view.count};
    next_ = at->first + 1;
    return Step::datagram;
  }
  std::uint64_t oldest(std::uint64_t session) override {
    return session != session_ || all_.empty() ? 0 : all_.begin()->first;
  }

 private:
  const std::map<std::uint64_t, Datagram>& all_;
  std::uint64_t session_;
  std::uint64_t next_ = 0;
};

}  // namespace depthcast::test

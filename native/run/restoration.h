// A publisher's state from what it published: checkpoint, then packets in order. Pure: datagrams in, state out.
// docs/recovery.md, "Continuity". Everything is proved on the way: every message must be taken by the book, every
// packet must come out of this build's encoder byte for byte, every digest met must be equal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "book/sequencer.h"
#include "encode/packet_reader.h"
#include "encode/packet_writer.h"

namespace depthcast::run {

// A numbered message as the sequencer hands it on.
struct SequencedDefinition {
  std::uint32_t instrument;
  std::uint32_t instrument_sequence;
  std::uint32_t source_code;
  ingest::DefinitionData definition;

  bool operator==(const SequencedDefinition&) const = default;
};
struct SequencedMessage {
  book::Stamp stamp{};
  std::uint64_t detail = 0;
  std::variant<BookMessage, TradeMessage, SequencedDefinition> message;
};
// Time offsets belong to packets, not to messages: they are not compared.
bool operator==(const SequencedMessage& left, const SequencedMessage& right);

// Calls `each(message)` for every numbered message of a checked packet, until it returns false. Returns false then, and
// where a definition is larger than any publisher of this version makes them.
template <typename Each>
bool each_sequenced(const encode::PacketView& view, Each each);
bool read_definition(const wire::Definition& from, SequencedDefinition& to);
void write_to(encode::PacketWriter& writer, const SequencedMessage& sequenced);

// Threads: one. Once fault() is not empty, nothing more is taken and the book must be reset.
class Restoration {
 public:
  // `book` is empty and must outlive this object. `session` and `datagram_bytes` are those of line A's packets.
  Restoration(book::Book& book, std::uint32_t channel, std::uint64_t session, std::size_t datagram_bytes);

  // One datagram of a checkpoint (docs/recovery.md, "Snapshot datagrams"), in order, before any other.
  bool load(std::span<const std::uint8_t> datagram);
  // The checkpoint is complete: its digest must be the book's. Call it only where there was one.
  bool end_load();
  // One datagram of the journal or the ring, numbered or not, in order. Packets that lie below what was taken are
  // passed over. False where it contradicts what came before; then see fault().
  bool take(std::span<const std::uint8_t> datagram);

  // The input up to `position` is known to have been taken whole, and nothing is missing here of what came of it. True
  // where that covers every message taken: then none is expected again.
  bool settle(std::uint64_t position);

  // There will be no more of the last position: it counts, too.
  bool complete() { return fault_.empty() && (pending_.empty() || apply_pending()); }
  // The number after the last message taken.
  std::uint64_t next_sequence() const { return next_sequence_; }
  // As of the last position of the source that is known to be complete.
  book::SequencerState state() const;
  // Messages taken beyond that state: they belong to the position at which the source goes on, and must come out of
  // the sequencer again.
  const std::vector<SequencedMessage>& expected() const { return pending_; }
  const std::string& fault() const { return fault_; }

 private:
  class Recoder;

  bool fail(const std::string& what);
  bool check(std::span<const std::uint8_t> datagram, encode::PacketView& view);
  bool load_definitions(const encode::PacketView& view);
  bool load_orders(const encode::PacketView& view);
  bool take_message(const SequencedMessage& message);
  bool apply_pending();
  bool apply(const SequencedMessage& sequenced);

  book::Book& book_;
  std::uint32_t channel_;
  std::uint64_t session_;
  std::size_t datagram_bytes_;
  std::vector<book::InstrumentRecord> records_;
  std::vector<SequencedMessage> pending_;  // of the last position seen
  std::uint64_t next_sequence_ = 1;
  // As of the last complete position.
  std::uint64_t applied_next_ = 1;
  std::uint64_t position_ = 0;
  std::int64_t time_ns_ = 0;
  std::uint32_t open_messages_ = 0;
  std::uint64_t checkpoint_digest_ = 0;
  bool loaded_ = false;
  std::string fault_;
};

template <typename Each>
bool each_sequenced(const encode::PacketView& view, Each each) {
  std::uint64_t position = view.input_position;
  std::size_t details_taken = 0;
  for (std::uint32_t index = 0; index < view.count; ++index) {
    if (index != 0) position += view.step_before(index);
    SequencedMessage sequenced;
    sequenced.stamp = {view.first_sequence + index, view.base_time_ns, position};
    if (view.definitions != nullptr) {
      const wire::Definition& definition = *view.definitions->definitions()->Get(index);
      SequencedDefinition read;
      if (!read_definition(definition, read)) return false;
      sequenced.stamp.time_ns += definition.time_offset();
      sequenced.message = read;
    } else if (!view.trades.empty()) {
      sequenced.stamp.time_ns += view.trades[index].time_offset;
      sequenced.message = view.trades[index];
    } else {
      const BookMessage& message = view.book[index];
      sequenced.stamp.time_ns += message.time_offset;
      if ((message.flags & flags::detail) != 0) sequenced.detail = view.details[details_taken++];
      sequenced.message = message;
    }
    if (!each(sequenced)) return false;
  }
  return true;
}

}  // namespace depthcast::run

// One state of a channel as datagrams: definitions, then every order, as docs/recovery.md ("Snapshot datagrams") says.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "book/replica.h"
#include "encode/wire_layout.h"
#include "flatbuffers/flatbuffers.h"

namespace depthcast::encode {

struct SnapshotStamp {
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::uint64_t generation = 1;
  std::uint64_t sequence = 0;  // S: the last number that the state includes, the end of an event
  std::uint64_t position = 0;
  std::int64_t event_time_ns = 0;
  std::int64_t send_time_ns = 0;
};

// Takes finished datagrams, each valid during the call. Their lengths are multiples of 8.
using DatagramSink = std::function<void(std::span<const std::uint8_t>)>;

// Threads: the replica's, which stands still meanwhile. A kept writer allocates nothing after its first snapshot.
class SnapshotWriter {
 public:
  // Throws std::invalid_argument when datagram_bytes is out of range or no multiple of 8.
  explicit SnapshotWriter(std::size_t datagram_bytes = datagram_bytes_default);

  // `instruments` ascending; empty: all. One that nobody has named yet is told as empty; one beyond the books' limit
  // is left out.
  void write(const book::Replica& replica, const SnapshotStamp& stamp, std::span<const std::uint32_t> instruments,
             const DatagramSink& sink);

  // Their definitions alone.
  void define(const book::Replica& replica, const SnapshotStamp& stamp, std::span<const std::uint32_t> instruments,
              const DatagramSink& sink);

  // A whole snapshot in pieces, between which the replica may go on, as long as keep() was asked before each
  // instrument's change: what is written is the state at begin() all the same. `replica` and `sink` must last until
  // done() or the next begin(). Work is measured in orders; `budget` is what is left of it, and never goes below zero
  // by more than a datagram's.
  void begin(const book::Replica& replica, const SnapshotStamp& stamp, std::span<const std::uint32_t> instruments,
             DatagramSink sink);
  void advance(std::int64_t& budget);
  // True: the instrument has been written, or is no part of it, and may change. False: the budget is spent; ask again.
  bool keep(std::uint32_t instrument, std::int64_t& budget);
  bool done() const { return replica_ == nullptr; }
  void abandon() { replica_ = nullptr; }
  // Within the sink: whose chunk it is; no_index for definitions.
  std::uint32_t instrument() const { return instrument_; }

 private:
  bool write_definitions(std::int64_t& budget);
  // False where the budget is spent before its end.
  bool write_instrument(std::uint32_t instrument, std::int64_t& budget);
  void open(std::uint32_t instrument);
  bool next_order();
  void write_chunk(const book::Instrument& state);
  flatbuffers::Offset<wire::Definition> create(std::uint32_t instrument, const book::DefinitionRecord& record);
  void finish(wire::Payload type, flatbuffers::Offset<void> payload, bool full);

  std::size_t datagram_bytes_;
  std::size_t orders_max_;       // of one chunk
  std::size_t definitions_max_;  // of one datagram
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<wire::SnapshotOrder> orders_;  // of the open chunk
  std::vector<flatbuffers::Offset<wire::Definition>> offsets_;
  std::vector<std::uint8_t> datagram_;

  // Of the snapshot being written.
  SnapshotStamp stamp_;
  const book::Replica* replica_ = nullptr;  // null: none is being written
  std::vector<std::uint32_t> chosen_;       // empty: all below instruments_
  std::uint32_t instruments_ = 0;
  std::uint32_t count_ = 0;  // of what is to be written
  std::uint64_t channel_digest_ = 0;
  DatagramSink sink_;
  std::uint32_t defined_ = 0;                  // places whose definitions are written
  std::uint32_t place_ = 0;                    // places below have been written
  std::vector<bool> written_;                  // by instrument
  std::uint32_t instrument_ = book::no_index;  // the open one
  // Where it stands in it.
  Side side_ = Side::bid;
  book::PriceIndex::Cursor at_;
  std::uint32_t slot_ = book::no_index;
  std::uint32_t chunk_ = 0;
  std::uint32_t chunks_ = 0;
};

}  // namespace depthcast::encode

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

 private:
  void write_definitions(const book::Replica& replica, std::span<const std::uint32_t> instruments);
  void write_instrument(const book::Book& book, std::uint32_t instrument);
  void write_chunk(const book::Instrument& state, std::uint32_t instrument, std::uint32_t chunk, std::uint32_t chunks);
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
  std::uint32_t instruments_ = 0;
  std::uint64_t channel_digest_ = 0;
  const DatagramSink* sink_ = nullptr;
};

}  // namespace depthcast::encode

// Numbered messages into datagrams, with FlatBuffers' own builder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "book/sequencer.h"
#include "encode/wire_layout.h"
#include "flatbuffers/flatbuffers.h"

namespace depthcast::encode {

// Takes finished datagrams: `prefix`, then `root`, then zeros up to `length` bytes in all.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  virtual void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                         std::uint64_t first_sequence, std::uint32_t count) = 0;
};

struct PacketOptions {
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::size_t datagram_bytes = datagram_bytes_default;  // largest UDP payload; a full packet is exactly that long
};

struct HeartbeatData {
  std::uint64_t next_sequence;
  std::uint64_t input_position;
  std::int64_t event_time_ns;
  std::uint64_t digest;
  bool digest_valid;
  bool end_of_session;
  std::uint64_t identity;
  std::span<const wire::InstrumentDigest> instruments;
};

// Threads: the publisher's. Allocation-free after its first packets. Cuts a packet when it is full, when the
// payload's kind changes, when a time does not fit the offset, and at flush().
class PacketWriter final : public book::MessageSink {
 public:
  // Throws std::invalid_argument when datagram_bytes is out of range or no multiple of 8.
  PacketWriter(const PacketOptions& options, PacketSink& sink);

  // CLOCK_REALTIME, set once for each batch: the send time of the packets cut from now on.
  void set_send_time(std::int64_t now_ns) { send_time_ns_ = now_ns; }
  // More waits behind this batch: a packet that is cut within it because the payload's kind changes is padded like a
  // full one, so that the whole batch goes to the kernel as one segmented buffer. A call costs more than the bytes do,
  // as long as they are not many: padding is at most a quarter of what is sent.
  void set_bulk(bool bulk) { bulk_ = bulk; }

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override;
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override;
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override;

  // Sends what stands in the open packet. Call at the end of each batch: nothing waits for a packet to fill up.
  // `full` pads it as if it had been cut because it was full.
  void flush(bool full = false) {
    if (count_ != 0) close(full);
  }
  // Flushes first.
  void heartbeat(const HeartbeatData& data);
  // Unnumbered repetition of definitions, at most repeat_max at a time. Flushes first.
  struct Repeated {
    std::uint32_t instrument;
    const book::InstrumentRecord* record;
  };
  std::size_t repeat_max() const { return definitions_max_; }
  void repeat_definitions(std::span<const Repeated> definitions, std::uint64_t next_sequence,
                          std::uint64_t input_position, std::int64_t event_time_ns);

  std::uint64_t packets() const { return packets_; }

 private:
  struct PendingDefinition {
    std::uint32_t instrument;
    std::uint32_t instrument_sequence;
    std::uint32_t source_code;
    std::uint32_t time_offset;
    ingest::DefinitionData definition;
  };

  // Opens or goes on with a packet of that payload, so that one message of `bytes` fits. Returns its time offset.
  bool may_pad();
  std::uint32_t make_room(wire::Payload payload, std::size_t bytes, const book::Stamp& stamp);
  void close(bool full);
  void finish(wire::Payload type, flatbuffers::Offset<void> payload, std::uint64_t first_sequence, std::uint32_t count,
              std::int64_t base_time_ns, std::uint64_t input_position,
              flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> steps, bool full);
  flatbuffers::Offset<wire::Definition> create(const PendingDefinition& pending);

  PacketOptions options_;
  PacketSink& sink_;
  flatbuffers::FlatBufferBuilder builder_;
  std::size_t definitions_max_;

  // The open packet.
  wire::Payload payload_ = wire::Payload::NONE;
  std::uint32_t count_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t first_sequence_ = 0;
  std::int64_t base_time_ns_ = 0;
  std::uint64_t first_position_ = 0;
  std::uint64_t last_position_ = 0;
  bool steps_regular_ = true;
  std::size_t detail_count_ = 0;
  std::vector<BookMessage> book_;
  std::vector<TradeMessage> trades_;
  std::vector<PendingDefinition> definitions_;
  std::vector<std::uint64_t> details_;
  std::vector<std::uint8_t> steps_;
  std::vector<flatbuffers::Offset<wire::Definition>> offsets_;

  std::int64_t send_time_ns_ = 0;
  bool bulk_ = false;
  static constexpr std::size_t padding_datagrams_max = 8;
  std::size_t padding_credit_ = 0;  // bytes
  std::uint64_t packets_ = 0;
};

}  // namespace depthcast::encode

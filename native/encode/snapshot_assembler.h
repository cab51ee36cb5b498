// A snapshot's datagrams back into one state, in whatever order and however often they come. Pure: checked packets in,
// progress and orders out. Trusts nothing: a generation is whole only if every digest in it is recomputed and equal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "book/replica.h"
#include "core/message.h"
#include "encode/packet_reader.h"

namespace depthcast::encode {

struct SnapshotLimits {
  std::uint32_t channel = 1;
  std::size_t bytes_max = std::size_t{1} << 30;  // memory for orders and definitions together
  std::uint32_t instruments_max = 16'384;
  std::uint32_t chunks_max = 1U << 22;  // of one instrument
};

enum class SnapshotOffer : std::uint8_t {
  taken,
  complete,      // taken, and the last one that was missing: look at verify()
  duplicate,     // already there
  not_snapshot,  // another payload, or a definition with a number
  foreign,       // another channel or session
  older,         // of an earlier generation than the one being collected
  not_chosen,    // an instrument that was not asked for
  inconsistent,  // contradicts what came before, or itself
  too_large,     // beyond the limits: the generation is given up
};
constexpr std::size_t snapshot_offers = 9;
const char* name_of(SnapshotOffer offer);

struct SnapshotProgress {
  std::uint64_t generation = 0;  // 0: nothing has come yet
  std::uint64_t sequence = 0;    // S
  std::uint64_t position = 0;
  std::int64_t event_time_ns = 0;
  std::uint64_t channel_digest = 0;
  std::uint32_t instruments = 0;           // in all; 0 until an order chunk has come
  std::uint32_t instruments_complete = 0;  // all chunks of them are there
  std::uint64_t chunks = 0;                // here
  std::uint64_t orders = 0;
  std::size_t bytes = 0;
  bool complete = false;
};

// Where a verified snapshot goes.
class SnapshotTarget {
 public:
  virtual ~SnapshotTarget() = default;
  // Every definition, then every instrument ascending; the spans are valid during the call.
  virtual void on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) = 0;
  virtual void on_instrument(std::uint32_t instrument, std::uint32_t instrument_sequence, TradingStatus status,
                             std::span<const wire::SnapshotOrder> orders) = 0;
};

// Threads: one.
class SnapshotAssembler {
 public:
  // `chosen`: the instruments that were asked for, ascending; empty: a whole channel.
  explicit SnapshotAssembler(const SnapshotLimits& limits, std::vector<std::uint32_t> chosen = {});

  // Forgets everything; from now on only generations of that session count, from that number on.
  void reset(std::uint64_t session, std::uint64_t generation_min = 0);
  // Takes one packet that read_packet has passed. A later generation takes the place of one that is not complete.
  SnapshotOffer offer(const PacketView& view);

  const SnapshotProgress& progress() const { return progress_; }
  std::uint64_t session() const { return session_; }
  bool complete() const { return progress_.complete; }
  // Chunks that are missing of instruments of which at least one has come, at most `max`: (instrument, chunk).
  std::vector<std::pair<std::uint32_t, std::uint32_t>> missing(std::size_t max) const;

  // Complete, and every instrument's digest and the channel's (of a whole channel) are as told.
  bool verify() const;
  // Only after verify() said yes.
  void load_into(SnapshotTarget& target) const;
  // A whole channel's, onto a replica of the same session. Definitions are learnt as well.
  book::SnapshotRefusal load_into(book::Replica& replica) const;

 private:
  struct Chunk {
    const wire::SnapshotOrder* orders = nullptr;
    std::uint32_t count = 0;
  };
  struct Part {
    std::uint32_t chunks = 0;
    std::uint32_t have = 0;
    std::uint32_t instrument_sequence = 0;
    TradingStatus status = TradingStatus::unknown;
    std::uint64_t digest_told = 0;
    std::uint64_t digest = 0;  // of the orders here
    std::uint64_t orders = 0;
  };
  static constexpr std::size_t block_orders = 16'384;
  // Memory of one chunk, definition, instrument besides its orders: a node of a hash table or tree.
  static constexpr std::size_t chunk_bytes = 64;
  static constexpr std::size_t definition_bytes = 192;
  static constexpr std::size_t part_bytes = 80;

  static std::uint64_t key_of(std::uint32_t instrument, std::uint32_t chunk) {
    return (std::uint64_t{instrument} << 32) | chunk;
  }
  void clear();
  void begin(const PacketView& view, std::uint64_t generation);
  bool fits(const PacketView& view) const;
  bool chosen(std::uint32_t instrument) const;
  SnapshotOffer take_definitions(const PacketView& view);
  SnapshotOffer take_chunk(const PacketView& view);
  SnapshotOffer give_up();
  bool has_room(std::size_t bytes) const { return progress_.bytes + bytes <= limits_.bytes_max; }
  const wire::SnapshotOrder* keep(const wire::SnapshotOrder* orders, std::uint32_t count);

  SnapshotLimits limits_;
  std::vector<std::uint32_t> chosen_;
  std::uint64_t session_ = 0;
  std::uint64_t generation_min_ = 0;
  SnapshotProgress progress_;
  std::map<std::uint32_t, Part> parts_;
  std::unordered_map<std::uint64_t, Chunk> chunks_;
  std::map<std::uint32_t, book::DefinitionRecord> definitions_;
  std::vector<std::unique_ptr<wire::SnapshotOrder[]>> blocks_;
  std::size_t block_used_ = block_orders;
};

}  // namespace depthcast::encode

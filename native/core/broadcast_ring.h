// One writer, many readers, variable-size records, in memory that processes may share (io/shared_memory.h maps it).
// A slow reader is lapped and told so; it never slows the writer. Shape: Aeron's broadcast buffer
// (Thompson et al., "BroadcastTransmitter"), with ordering carried by the words instead of by fences.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/word_copy.h"

namespace depthcast {

constexpr std::uint64_t ring_magic = 0x474e495254534344ULL;  // "DCSTRING"
constexpr std::uint32_t ring_layout_version = 2;

enum class WriterState : std::uint32_t { starting = 0, running = 1, ended = 2 };

// The first page of the mapping. Everything above `intent` is written once, before `state` becomes running.
struct RingHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t writer_pid;
  std::uint64_t capacity;  // bytes of the data part, a power of two
  std::uint64_t session;
  std::uint32_t channel;
  std::uint32_t reserved;
  std::uint64_t created_time_ns;
  std::uint64_t identity;    // of the session, docs/protocol.md
  std::uint8_t boot_id[16];  // of the system that wrote it: another one's memory proves nothing
  alignas(64) Word intent;   // end of the record being written; ahead of tail only while writing
  alignas(64) Word tail;     // end of the last whole record
  Word latest;               // start of the last whole record
  Word next_sequence;        // number of the message after the last whole record
  Word sent;                 // every record that ends at or below has been handed to the kernel
  Word input_position;       // the input up to here was taken whole, and all that came of it stands above
  alignas(64) Word heartbeat_ns;
  std::atomic<std::uint32_t> state;
};
constexpr std::size_t ring_header_bytes = 4096;
static_assert(sizeof(RingHeader) <= ring_header_bytes);

struct RingRecord {
  std::uint32_t length;  // payload bytes
  std::uint32_t type;    // 1 = packet, 2 = filler up to the end of the buffer
  std::uint64_t first_sequence;
  std::uint64_t count;
  std::uint64_t position;  // where the record starts; a reader checks it
};
static_assert(sizeof(RingRecord) == 32);
constexpr std::size_t ring_alignment = 32;
constexpr std::uint32_t ring_type_packet = 1;
constexpr std::uint32_t ring_type_filler = 2;
constexpr std::size_t ring_capacity_min = 65'536;

// Behind the header: where to begin to look for a number. The data part is divided into equal blocks; the entry of a
// block tells the first record that starts in it.
struct RingBlock {
  Word position;
  Word sequence;  // that record's first number
};
constexpr std::size_t ring_blocks = 1'024;
constexpr std::size_t ring_data_offset = ring_header_bytes + ring_blocks * sizeof(RingBlock);
static_assert(ring_data_offset % 4'096 == 0);

constexpr std::size_t ring_bytes(std::size_t capacity) { return ring_data_offset + capacity; }

// What a writer tells of itself once.
struct RingOrigin {
  std::uint64_t identity = 0;
  std::array<std::uint8_t, 16> boot_id{};
  std::uint64_t next_sequence = 1;
};

// Threads: one. Lifetime: the memory must outlive it.
class BroadcastWriter {
 public:
  // `memory` holds ring_bytes(capacity) zeroed bytes, aligned to 64; capacity is a power of two of at least 64 KiB.
  BroadcastWriter(void* memory, std::size_t capacity, std::uint32_t channel, std::uint64_t session, std::uint32_t pid,
                  std::uint64_t now_ns, const RingOrigin& origin = {});
  // Ends the ring unless it was left.
  ~BroadcastWriter() {
    if (!left_) end();
  }
  BroadcastWriter(const BroadcastWriter&) = delete;
  BroadcastWriter& operator=(const BroadcastWriter&) = delete;

  std::size_t record_bytes_max() const { return capacity_ / 8; }

  // Commits one record made of `first` followed by `second` and zeros up to `length`. Returns where its payload
  // stands in the ring: readable by the writer until half a ring more has been written. Wait-free.
  // `first_sequence` of a record without numbers is the number that the next message will carry; it never goes back.
  const std::uint8_t* write(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second,
                            std::size_t length, std::uint64_t first_sequence, std::uint64_t count);
  void heartbeat(std::uint64_t now_ns);
  // Everything written so far has been handed to the kernel.
  void mark_sent();
  // All that came of the input up to this position has been written.
  void mark_input(std::uint64_t position);
  void end();
  // Another writer goes on from here: readers wait for it.
  void leave() { left_ = true; }

 private:
  Word* words_at(std::uint64_t position) const;
  void store_record(std::uint64_t position, const RingRecord& record) const;

  RingHeader* header_;
  RingBlock* blocks_;
  std::uint8_t* data_;
  std::size_t capacity_;
  std::size_t block_bytes_;
  std::uint64_t tail_ = 0;
  std::uint64_t block_next_ = 0;  // number of the first block that has no entry yet
  bool left_ = false;
};

enum class RingPoll : std::uint8_t { record, empty, lapped, writer_ended };

// Threads: one for each reader object; any number of readers. Maps the memory read-only.
// After `lapped` the reader stands at the newest record; what it missed is told by the sequence numbers.
class BroadcastReader {
 public:
  // Starts behind the newest record. Throws std::runtime_error when the header is not a ring's of this version
  // or is larger than `bytes`.
  BroadcastReader(const void* memory, std::size_t bytes);

  // Copies the next record's payload to `out`, whose size must be at least the ring's largest record.
  RingPoll poll(std::span<std::uint8_t> out, RingRecord& record);
  // Goes to the record that holds this message number; false, and nothing changes, where it is not retained (any more,
  // or yet). A record may be lapped between this and the next poll.
  bool seek(std::uint64_t sequence);
  // Goes to the oldest record that can be found; false where there is none.
  bool seek_oldest();
  // Goes behind the newest record, as at the start.
  void seek_newest();
  // Goes to where another reader of this ring has come; the next poll tells where that was lapped meanwhile.
  void move_to(std::uint64_t position) { cursor_ = position; }
  // The lowest number that seek() finds now; next_sequence() where there is none.
  std::uint64_t oldest_sequence() const;
  // The number that the next message will carry.
  std::uint64_t next_sequence() const;
  // Every record that ends at or below has been handed to the kernel; for comparison with positions.
  std::uint64_t sent_position() const;
  // The input up to this position was taken whole, and all that came of it stands here or stood here.
  std::uint64_t input_position() const;
  // Where the next record is expected.
  std::uint64_t position() const { return cursor_; }
  std::uint64_t lapped_count() const { return lapped_count_; }
  WriterState writer_state() const;
  std::uint64_t writer_heartbeat_ns() const;
  const RingHeader& header() const { return *header_; }

 private:
  struct Place {
    std::uint64_t position;
    std::uint64_t sequence;
  };
  const Word* words_at(std::uint64_t position) const;
  bool overtaken(std::uint64_t position) const;
  RingPoll lapped();
  // Loads and checks the header of the record at `position`; false where there is none (any more).
  bool load_record(std::uint64_t position, RingRecord& record) const;
  // Calls `each(place)` for every block whose first record is still there.
  template <typename Each>
  void each_block(Each each) const;

  const RingHeader* header_;
  const RingBlock* blocks_;
  const std::uint8_t* data_;
  std::size_t capacity_;
  std::uint64_t cursor_;
  std::uint64_t lapped_count_ = 0;
};

}  // namespace depthcast

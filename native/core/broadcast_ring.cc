#include "core/broadcast_ring.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/crash_point.h"

namespace depthcast {
namespace {

constexpr std::uint64_t align_up(std::uint64_t value) { return (value + ring_alignment - 1) & ~(ring_alignment - 1); }

}  // namespace

BroadcastWriter::BroadcastWriter(void* memory, std::size_t capacity, std::uint32_t channel, std::uint64_t session,
                                 std::uint32_t pid, std::uint64_t now_ns, const RingOrigin& origin)
    : header_(static_cast<RingHeader*>(memory)),
      blocks_(reinterpret_cast<RingBlock*>(static_cast<std::uint8_t*>(memory) + ring_header_bytes)),
      data_(static_cast<std::uint8_t*>(memory) + ring_data_offset),
      capacity_(capacity),
      block_bytes_(capacity / ring_blocks) {
  if (!std::has_single_bit(capacity) || capacity < ring_capacity_min) {
    throw std::invalid_argument("ring capacity must be a power of two of at least 65,536 bytes, not " +
                                std::to_string(capacity));
  }
  header_->magic = ring_magic;
  header_->layout_version = ring_layout_version;
  header_->writer_pid = pid;
  header_->capacity = capacity;
  header_->session = session;
  header_->channel = channel;
  header_->created_time_ns = now_ns;
  header_->identity = origin.identity;
  std::copy(origin.boot_id.begin(), origin.boot_id.end(), header_->boot_id);
  header_->next_sequence.store(origin.next_sequence, std::memory_order_relaxed);  // made visible by the state below
  header_->heartbeat_ns.store(now_ns, std::memory_order_relaxed);
  // Pairs with the load in BroadcastReader's constructor: the fields above are complete.
  header_->state.store(static_cast<std::uint32_t>(WriterState::running), std::memory_order_release);
}

Word* BroadcastWriter::words_at(std::uint64_t position) const {
  return reinterpret_cast<Word*>(data_ + (position & (capacity_ - 1)));
}

void BroadcastWriter::store_record(std::uint64_t position, const RingRecord& record) const {
  store_words(words_at(position), &record, sizeof record);
}

const std::uint8_t* BroadcastWriter::write(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second,
                                           std::size_t length, std::uint64_t first_sequence, std::uint64_t count) {
  const std::uint64_t needed = align_up(sizeof(RingRecord) + length);
  const std::uint64_t to_end = capacity_ - (tail_ & (capacity_ - 1));
  const std::uint64_t start = needed > to_end ? tail_ + to_end : tail_;

  // Pairs with the load in BroadcastReader::overtaken: a reader that sees one of the words stored below also sees
  // this intent, because those words are stored with release.
  header_->intent.store(start + needed, std::memory_order_relaxed);
  crash_point(CrashPoint::reserve);
  if (start != tail_) {
    store_record(tail_, {static_cast<std::uint32_t>(to_end - sizeof(RingRecord)), ring_type_filler, 0, 0, tail_});
  }
  store_record(start, {static_cast<std::uint32_t>(length), ring_type_packet, first_sequence, count, start});
  Word* payload = words_at(start) + words_for(sizeof(RingRecord));
  // `first` is whole words long (the 16-byte prefix), so `second` starts on a word.
  store_words(payload, first.data(), first.size());
  store_words(payload + words_for(first.size()), second.data(), second.size());
  for (std::size_t word = words_for(first.size() + second.size()); word < words_for(length); ++word) {
    payload[word].store(0, std::memory_order_release);  // pairs with load_words
  }
  tail_ = start + needed;
  if (start / block_bytes_ >= block_next_) {
    // A reader that sees a new position with an old number finds another record there than it looks for, and checks.
    RingBlock& block = blocks_[start / block_bytes_ % ring_blocks];
    block.position.store(start, std::memory_order_release);           // pairs with each_block
    block.sequence.store(first_sequence, std::memory_order_release);  // pairs with each_block
    block_next_ = start / block_bytes_ + 1;
  }
  header_->latest.store(start, std::memory_order_relaxed);                          // made visible by the store of tail
  header_->next_sequence.store(first_sequence + count, std::memory_order_relaxed);  // likewise
  // Pairs with the load in BroadcastReader::poll: the record is whole.
  header_->tail.store(tail_, std::memory_order_release);
  crash_point(CrashPoint::commit);
  return reinterpret_cast<const std::uint8_t*>(payload);
}

void BroadcastWriter::heartbeat(std::uint64_t now_ns) {
  header_->heartbeat_ns.store(now_ns, std::memory_order_relaxed);  // pairs with writer_heartbeat_ns, a figure only
}

void BroadcastWriter::mark_sent() {
  crash_point(CrashPoint::send);
  header_->sent.store(tail_, std::memory_order_relaxed);  // read after the writer's death only
}

void BroadcastWriter::mark_input(std::uint64_t position) {
  // Pairs with the load in input_position(): the records stand there.
  header_->input_position.store(position, std::memory_order_release);
}

void BroadcastWriter::end() {
  // Pairs with the load in BroadcastReader::poll: every record was stored before.
  header_->state.store(static_cast<std::uint32_t>(WriterState::ended), std::memory_order_release);
}

BroadcastReader::BroadcastReader(const void* memory, std::size_t bytes)
    : header_(static_cast<const RingHeader*>(memory)),
      blocks_(reinterpret_cast<const RingBlock*>(static_cast<const std::uint8_t*>(memory) + ring_header_bytes)),
      data_(static_cast<const std::uint8_t*>(memory) + ring_data_offset),
      capacity_(0),
      cursor_(0) {
  if (bytes < ring_data_offset) throw std::runtime_error("not a ring: smaller than its header");
  // Pairs with the store in BroadcastWriter's constructor.
  if (header_->state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(WriterState::starting)) {
    throw std::runtime_error("the ring's writer has not started yet");
  }
  if (header_->magic != ring_magic) throw std::runtime_error("not a ring: wrong magic number");
  if (header_->layout_version != ring_layout_version) {
    throw std::runtime_error("ring layout version " + std::to_string(header_->layout_version) + ", expected " +
                             std::to_string(ring_layout_version));
  }
  capacity_ = header_->capacity;
  if (!std::has_single_bit(capacity_) || capacity_ < ring_capacity_min || capacity_ > bytes - ring_data_offset) {
    throw std::runtime_error("ring capacity does not fit its memory");
  }
  cursor_ = header_->tail.load(std::memory_order_acquire);  // pairs with the store at the end of write
}

// A damaged header may name any position: whatever it is, a record's header fits there.
const Word* BroadcastReader::words_at(std::uint64_t position) const {
  return reinterpret_cast<const Word*>(data_ + (position & (capacity_ - 1) & ~(ring_alignment - 1)));
}

bool BroadcastReader::overtaken(std::uint64_t position) const {
  // Pairs with the store of intent in BroadcastWriter::write. Runs after load_words, whose acquire keeps it there.
  return header_->intent.load(std::memory_order_relaxed) > position + capacity_;
}

RingPoll BroadcastReader::lapped() {
  ++lapped_count_;
  header_->tail.load(std::memory_order_acquire);  // pairs with the store in write: `latest` is at least that new
  cursor_ = header_->latest.load(std::memory_order_relaxed);
  return RingPoll::lapped;
}

RingPoll BroadcastReader::poll(std::span<std::uint8_t> out, RingRecord& record) {
  for (int step = 0; step < 2; ++step) {  // at most one filler stands before a record
    // Pairs with the store in end(): read before tail, so that an ended writer's last record is not missed.
    const bool ended = header_->state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(WriterState::ended);
    // Pairs with the store at the end of write.
    const std::uint64_t tail = header_->tail.load(std::memory_order_acquire);
    // A lapped reader may stand ahead of tail: `latest` is stored first.
    if (tail <= cursor_) return ended ? RingPoll::writer_ended : RingPoll::empty;
    if (overtaken(cursor_)) return lapped();
    load_words(&record, words_at(cursor_), sizeof record);
    if (overtaken(cursor_)) return lapped();
    const std::uint64_t to_end = capacity_ - (cursor_ & (capacity_ - 1));
    if (record.position != cursor_ || sizeof(RingRecord) + record.length > to_end) return lapped();
    if (record.type == ring_type_filler) {
      cursor_ += align_up(sizeof(RingRecord) + record.length);
      continue;
    }
    if (words_for(record.length) * 8 > out.size()) return lapped();
    load_words(out.data(), words_at(cursor_) + words_for(sizeof(RingRecord)), record.length);
    if (overtaken(cursor_)) return lapped();
    cursor_ += align_up(sizeof(RingRecord) + record.length);
    return RingPoll::record;
  }
  return RingPoll::empty;
}

bool BroadcastReader::load_record(std::uint64_t position, RingRecord& record) const {
  if (position % ring_alignment != 0 || overtaken(position)) return false;
  load_words(&record, words_at(position), sizeof record);
  if (overtaken(position)) return false;
  const std::uint64_t to_end = capacity_ - (position & (capacity_ - 1));
  return record.position == position && sizeof(RingRecord) + record.length <= to_end;
}

template <typename Each>
void BroadcastReader::each_block(Each each) const {
  // Pairs with the store at the end of write: entries of whole records only are asked for below.
  const std::uint64_t tail = header_->tail.load(std::memory_order_acquire);
  for (std::size_t block = 0; block < ring_blocks; ++block) {
    // Pair with the stores in BroadcastWriter::write.
    const Place place{blocks_[block].position.load(std::memory_order_acquire),
                      blocks_[block].sequence.load(std::memory_order_acquire)};
    if (place.sequence != 0 && place.position < tail && !overtaken(place.position)) each(place);
  }
}

bool BroadcastReader::seek(std::uint64_t sequence) {
  if (sequence >= next_sequence()) return false;
  Place best{0, 0};
  each_block([&](const Place& place) {
    if (place.sequence <= sequence && place.sequence != 0 && (best.sequence == 0 || place.position > best.position)) {
      best = place;
    }
  });
  if (best.sequence == 0) return false;
  std::uint64_t position = best.position;
  const std::uint64_t tail = header_->tail.load(std::memory_order_acquire);  // pairs with the store in write
  // More records than this do not fit: bounds the search where the memory is damaged.
  for (std::size_t step = 0; step < capacity_ / ring_alignment && position < tail; ++step) {
    RingRecord record{};
    if (!load_record(position, record)) return false;
    if (record.type == ring_type_packet) {
      if (record.first_sequence > sequence) return false;
      if (record.first_sequence + record.count > sequence) {
        cursor_ = position;
        return true;
      }
    }
    position += align_up(sizeof(RingRecord) + record.length);
  }
  return false;
}

bool BroadcastReader::seek_oldest() {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  each_block([&](const Place& place) { oldest = std::min(oldest, place.position); });
  if (oldest == std::numeric_limits<std::uint64_t>::max()) return false;
  cursor_ = oldest;
  return true;
}

void BroadcastReader::seek_newest() {
  cursor_ = header_->tail.load(std::memory_order_acquire);  // pairs with the store at the end of write
}

std::uint64_t BroadcastReader::oldest_sequence() const {
  std::uint64_t oldest = next_sequence();
  each_block([&](const Place& place) { oldest = std::min(oldest, place.sequence); });
  return oldest;
}

std::uint64_t BroadcastReader::next_sequence() const {
  header_->tail.load(std::memory_order_acquire);  // pairs with the store in write: the number is at least that new
  return header_->next_sequence.load(std::memory_order_relaxed);
}

std::uint64_t BroadcastReader::input_position() const {
  return header_->input_position.load(std::memory_order_acquire);  // pairs with mark_input()
}

std::uint64_t BroadcastReader::sent_position() const {
  return header_->sent.load(std::memory_order_relaxed);  // pairs with mark_sent
}

WriterState BroadcastReader::writer_state() const {
  // Pairs with the stores in BroadcastWriter's constructor and in end().
  return static_cast<WriterState>(header_->state.load(std::memory_order_acquire));
}

std::uint64_t BroadcastReader::writer_heartbeat_ns() const {
  return header_->heartbeat_ns.load(std::memory_order_relaxed);  // pairs with heartbeat(), a figure only
}

}  // namespace depthcast

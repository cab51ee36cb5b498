#include "run/archive.h"

#include <sys/stat.h>

#include <algorithm>
#include <exception>

#include "encode/wire_layout.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr std::int64_t refresh_every_ns = 100'000'000;
constexpr std::int64_t past_every_ns = 1'000'000'000;  // the journal's oldest number: a look at its folder
// A writer beats ten times a second by default, and every ten seconds at the slowest that can be configured sensibly.
constexpr std::int64_t writer_silent_ns = 1'000'000'000;
// Between ring and journal: each time the other one has moved on meanwhile.
constexpr int source_changes_max = 4;

ino_t inode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

const char* name_of(ArchiveStatus status) {
  constexpr const char* names[] = {"ok", "too_low", "too_high", "unavailable", "wrong_session"};
  return names[static_cast<std::size_t>(status)];
}

Archive::Archive(const RingPlace& ring, std::unique_ptr<PastDatagrams> past)
    : place_(ring), past_(std::move(past)), scratch_(encode::datagram_bytes_max + sizeof(RingRecord)) {
  if (place_.memory != nullptr) {
    ring_.emplace(place_.memory, place_.bytes);
    session_ = ring_->header().session;
    ring_version_ = 1;
  } else {
    open();
  }
  if (past_ != nullptr && session_ != 0) past_oldest_ = past_->oldest(session_);
}

bool Archive::open() {
  try {
    const ino_t inode = inode_of(place_.path);
    io::SharedMemory mapping = io::SharedMemory::open(place_.path);
    BroadcastReader reader(mapping.data(), mapping.bytes());
    // The same file once more: its writer is slow, or gone without a successor.
    if (ring_ && inode == inode_ && reader.header().created_time_ns == ring_->header().created_time_ns) return false;
    // Moving a mapping leaves its bytes where they are.
    ring_.reset();
    mapping_.reset();
    mapping_.emplace(std::move(mapping));
    ring_.emplace(reader);
    inode_ = inode;
  } catch (const std::exception&) {
    return false;  // there is none, or not yet: what we had stays
  }
  ring_position_ = 0;
  ++ring_version_;
  if (ring_->header().session == session_) return true;
  session_ = ring_->header().session;
  past_position_ = 0;
  past_due_ns_ = 0;
  if (past_ != nullptr) past_oldest_ = past_->oldest(session_);
  return true;
}

void Archive::refresh(std::int64_t now_ns) {
  if (refreshed_ns_ != 0 && now_ns - refreshed_ns_ < refresh_every_ns) return;
  refreshed_ns_ = now_ns;
  if (!place_.path.empty()) {
    const bool gone = !ring_ || ring_->writer_state() == WriterState::ended ||
                      now_ns - static_cast<std::int64_t>(ring_->writer_heartbeat_ns()) > writer_silent_ns;
    const ino_t inode = inode_of(place_.path);
    // An inode's number may be given again at once, so a silent writer's file is opened whatever its number is.
    if (inode != 0 && (gone || inode != inode_)) open();
  }
  if (past_ == nullptr || session_ == 0 || now_ns < past_due_ns_) return;
  past_due_ns_ = now_ns + past_every_ns;
  past_oldest_ = past_->oldest(session_);
}

std::uint32_t Archive::channel() const { return ring_ ? ring_->header().channel : 0; }

std::uint64_t Archive::next() const { return ring_ ? ring_->next_sequence() : 1; }

std::uint64_t Archive::oldest() const {
  const std::uint64_t ring_oldest = ring_ ? ring_->oldest_sequence() : 1;
  return past_oldest_ == 0 ? ring_oldest : std::min(past_oldest_, ring_oldest);
}

bool Archive::ended() const { return ring_ && ring_->writer_state() == WriterState::ended; }

RingOrigin Archive::origin() const {
  RingOrigin origin;
  if (!ring_) return origin;
  origin.identity = ring_->header().identity;
  std::copy(std::begin(ring_->header().boot_id), std::end(ring_->header().boot_id), origin.boot_id.begin());
  return origin;
}

std::optional<BroadcastReader> Archive::reader() const {
  std::optional<BroadcastReader> copy = ring_;
  if (copy) copy->seek_newest();
  return copy;
}

ArchiveRead Archive::read(std::uint64_t session, std::uint64_t first, std::uint64_t last, std::size_t bytes_max,
                          std::vector<std::uint8_t>& out) {
  ArchiveRead result;
  result.next = first;
  result.until = last;
  if (session_ == 0 || session != session_) {
    result.status = ArchiveStatus::wrong_session;
    return result;
  }
  const std::uint64_t next_to_come = next();
  if (first >= next_to_come) {
    result.status = ArchiveStatus::too_high;
    return result;
  }
  const Wanted wanted{first, std::min(last, next_to_come - 1), bytes_max, out};
  std::uint64_t hole_last = 0;
  for (int change = 0; change < source_changes_max; ++change) {
    Source source = read_ring(wanted, result);
    if (source == Source::gone) source = read_past(wanted, result, hole_last);
    if (source == Source::bound) return result;
    if (source == Source::done) {
      if (last > wanted.last && result.next <= last) result.status = ArchiveStatus::too_high;
      return result;
    }
    if (hole_last != 0) break;
  }
  // Retention may have taken away what we think is there; what is below that is not looked for again and again.
  if (past_ != nullptr && result.next >= past_oldest_) past_oldest_ = past_->oldest(session_);
  const std::uint64_t lowest = oldest();
  if (result.next < lowest) {
    result.status = ArchiveStatus::too_low;
    result.until = std::min(last, lowest - 1);
    return result;
  }
  // Behind the hole the journal goes on, or the ring.
  if (hole_last == 0) hole_last = ring_->oldest_sequence() - 1;
  result.status = ArchiveStatus::unavailable;
  result.until = std::clamp(hole_last, result.next, last);
  return result;
}

Archive::Source Archive::read_ring(const Wanted& wanted, ArchiveRead& result) {
  if (!ring_) return Source::gone;
  while (result.next <= wanted.last) {
    if (ring_position_ != result.next) {
      if (!ring_->seek(result.next)) return Source::gone;
      ring_position_ = result.next;
    }
    RingRecord record{};
    switch (ring_->poll(scratch_, record)) {
      case RingPoll::record: break;
      case RingPoll::lapped: ring_position_ = 0; return Source::gone;
      default: ring_position_ = 0; return Source::bound;  // the number was there before its record was: ask again
    }
    if (record.count == 0 || record.first_sequence + record.count <= result.next) continue;
    if (record.first_sequence > result.next || !fits(wanted, record.length, result)) {
      ring_position_ = 0;
      return record.first_sequence > result.next ? Source::gone : Source::bound;
    }
    wanted.out.insert(wanted.out.end(), scratch_.begin(), scratch_.begin() + record.length);
    result.next = record.first_sequence + record.count;
    ring_position_ = result.next;
    ++result.datagrams;
    ++ring_datagrams_;
  }
  return Source::done;
}

Archive::Source Archive::read_past(const Wanted& wanted, ArchiveRead& result, std::uint64_t& hole_last) {
  if (past_ == nullptr) return Source::gone;
  while (result.next <= wanted.last) {
    if (past_position_ != result.next) {
      past_position_ = 0;
      if (!past_->seek(session_, result.next)) return Source::gone;
      past_position_ = result.next;
    }
    PastDatagrams::Found found;
    const PastDatagrams::Step step = past_->next(found);
    if (step == PastDatagrams::Step::end) {
      past_position_ = 0;
      return Source::gone;
    }
    const std::uint64_t end = found.first_sequence + found.count;
    if (end <= result.next) continue;
    if (step == PastDatagrams::Step::hole || found.first_sequence > result.next) {
      past_position_ = 0;
      hole_last = step == PastDatagrams::Step::hole ? end - 1 : found.first_sequence - 1;
      return Source::gone;
    }
    if (!fits(wanted, found.bytes.size(), result)) {
      past_position_ = 0;
      return Source::bound;
    }
    wanted.out.insert(wanted.out.end(), found.bytes.begin(), found.bytes.end());
    result.next = past_position_ = end;
    ++result.datagrams;
    ++past_datagrams_;
  }
  return Source::done;
}

}  // namespace depthcast::run

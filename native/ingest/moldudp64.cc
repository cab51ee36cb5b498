#include "ingest/moldudp64.h"

#include <algorithm>

namespace depthcast::ingest {
namespace {

constexpr std::uint64_t sequence_max = std::uint64_t{1} << 63;
constexpr std::uint64_t ahead_max = std::uint64_t{1} << 32;
// What a packet that is parked costs beyond its bytes, about: a feed of tiny ones must not take many times its limit.
constexpr std::size_t parked_overhead = 128;

std::size_t u16_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return static_cast<std::size_t>(bytes[offset]) << 8 | bytes[offset + 1];
}

std::uint64_t u64_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t index = 0; index < 8; ++index) value = value << 8 | bytes[offset + index];
  return value;
}

// The specification fills a session's name up with blanks; on which side differs between senders.
bool same_session(const MoldSession& session, const std::string& name) {
  const std::string text(session.begin(), session.end());
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return name.empty();
  return text.substr(first, text.find_last_not_of(' ') - first + 1) == name;
}

}  // namespace

const char* name_of(MoldFault fault) {
  constexpr const char* names[] = {"none", "too_short", "message_cut", "bytes_left", "bad_sequence"};
  return names[static_cast<std::size_t>(fault)];
}

MoldFault read_mold(std::span<const std::uint8_t> datagram, MoldPacket& packet) {
  if (datagram.size() < mold_header_bytes) return MoldFault::too_short;
  std::copy_n(datagram.begin(), packet.session.size(), packet.session.begin());
  packet.sequence = u64_at(datagram, 10);
  packet.count = static_cast<std::uint16_t>(u16_at(datagram, 18));
  packet.blocks = datagram.subspan(mold_header_bytes);
  if (packet.sequence == 0 || packet.sequence > sequence_max) return MoldFault::bad_sequence;
  std::size_t offset = 0;
  for (std::uint16_t index = 0; index < packet.messages(); ++index) {
    if (packet.blocks.size() - offset < 2) return MoldFault::message_cut;
    const std::size_t length = u16_at(packet.blocks, offset);
    offset += 2;
    if (packet.blocks.size() - offset < length) return MoldFault::message_cut;
    offset += length;
  }
  return offset == packet.blocks.size() ? MoldFault::none : MoldFault::bytes_left;
}

std::array<std::uint8_t, mold_header_bytes> write_request(const MoldSession& session, const MoldRequest& request) {
  std::array<std::uint8_t, mold_header_bytes> out{};
  std::copy(session.begin(), session.end(), out.begin());
  for (std::size_t index = 0; index < 8; ++index) {
    out[10 + index] = static_cast<std::uint8_t>(request.sequence >> (56 - 8 * index));
  }
  out[18] = static_cast<std::uint8_t>(request.count >> 8);
  out[19] = static_cast<std::uint8_t>(request.count & 0xff);
  return out;
}

MoldReceiver::MoldReceiver(const MoldOptions& options)
    : options_(options), next_(options.first_sequence), known_(options.first_sequence) {}

bool MoldReceiver::accepts(const MoldPacket& packet, std::int64_t now_ns) {
  if (!has_session_ && (options_.session.empty() || same_session(packet.session, options_.session))) {
    session_ = packet.session;
    has_session_ = true;
  }
  if (has_session_ && packet.session == session_) return true;
  ++counters_.other_session;
  other_heard_ns_ = now_ns;
  return false;
}

bool MoldReceiver::on_packet(std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  MoldPacket packet;
  if (read_mold(datagram, packet) != MoldFault::none) {
    ++counters_.malformed;
    return false;
  }
  if (!accepts(packet, now_ns)) return false;
  // Before anything is known of the session, its first packet may be far ahead.
  if (heard_ns_ != 0 && packet.sequence > known_ + ahead_max) {
    ++counters_.implausible;
    return false;
  }
  ++counters_.packets;
  heard_ns_ = now_ns;
  if (packet.messages() == 0) ++counters_.heartbeats;
  // What comes behind the end is no message of this session.
  if (!ended_ || packet.sequence + packet.messages() <= known_) {
    known_ = std::max(known_, packet.sequence + packet.messages());
    if (packet.messages() != 0) park(packet);
    ended_ = ended_ || packet.end_of_session();
  }
  note_hole(now_ns);
  return true;
}

void MoldReceiver::park(const MoldPacket& packet) {
  const std::uint64_t end = packet.sequence + packet.count;
  std::uint64_t start = std::max({packet.sequence, next_, current_end_});
  auto at = parked_.upper_bound(start);
  if (at != parked_.begin()) --at;
  for (; at != parked_.end() && at->first <= start; ++at) start = std::max(start, at->first + at->second.count);
  counters_.duplicates += std::min(start, end) - packet.sequence;
  if (start >= end) return;
  std::size_t offset = 0;
  for (std::uint64_t skipped = packet.sequence; skipped < start; ++skipped) offset += 2 + u16_at(packet.blocks, offset);
  const std::span<const std::uint8_t> blocks = packet.blocks.subspan(offset);
  if (start > hole_begin() && parked_bytes_ + blocks.size() + parked_overhead > options_.parked_bytes_max) {
    counters_.parked_dropped += end - start;
    overfull_ = true;
    return;
  }
  parked_bytes_ += blocks.size() + parked_overhead;
  parked_.emplace(start, Parked{{blocks.begin(), blocks.end()}, static_cast<std::uint16_t>(end - start)});
}

bool MoldReceiver::next(std::span<const std::uint8_t>& message, std::uint64_t& sequence) {
  while (true) {
    while (current_sequence_ < current_end_) {
      const std::size_t length = u16_at(current_.blocks, current_offset_);
      message = std::span<const std::uint8_t>(current_.blocks).subspan(current_offset_ + 2, length);
      current_offset_ += 2 + length;
      sequence = current_sequence_++;
      if (sequence < next_) {
        ++counters_.duplicates;
        continue;
      }
      next_ = sequence + 1;
      return true;
    }
    const auto first = parked_.begin();
    if (first == parked_.end() || first->first > next_) return false;
    current_sequence_ = first->first;
    current_end_ = first->first + first->second.count;
    current_offset_ = 0;
    current_ = std::move(first->second);
    parked_bytes_ -= current_.blocks.size() + parked_overhead;
    parked_.erase(first);
  }
}

std::uint64_t MoldReceiver::hole_begin() const { return std::max(next_, current_end_); }

std::uint64_t MoldReceiver::hole_end() const {
  const std::uint64_t begin = hole_begin();
  if (parked_.empty()) return known_;
  return std::max(begin, parked_.begin()->first);
}

void MoldReceiver::note_hole(std::int64_t now_ns) {
  if (!hole()) {
    hole_at_ = 0;
    overfull_ = false;
    return;
  }
  if (hole_at_ == hole_begin()) return;
  // A part of it has come: the rest is asked for at once. A new one may still be brought by the other line.
  const bool rest = hole_begin() < hole_to_;
  hole_at_ = hole_begin();
  hole_to_ = std::max(hole_to_, hole_end());
  hole_since_ns_ = now_ns;
  request_due_ns_ = rest ? now_ns : now_ns + options_.hole_wait_ns;
  retry_ns_ = options_.retry_ns;
}

bool MoldReceiver::request_due(std::int64_t now_ns, MoldRequest& request) {
  note_hole(now_ns);
  if (!has_session_ || !hole() || now_ns < request_due_ns_) return false;
  const std::uint64_t missing = hole_end() - hole_begin();
  request = {hole_begin(), static_cast<std::uint16_t>(std::min<std::uint64_t>(missing, options_.request_messages_max))};
  request_due_ns_ = now_ns + retry_ns_;
  retry_ns_ = std::min(2 * retry_ns_, options_.retry_ns_max);
  ++counters_.requests;
  return true;
}

bool MoldReceiver::hole_lost(std::int64_t now_ns) {
  note_hole(now_ns);
  return hole() && options_.give_up_ns != 0 && now_ns - hole_since_ns_ >= options_.give_up_ns;
}

std::uint64_t MoldReceiver::give_up() {
  if (!hole()) return 0;
  const std::uint64_t lost = hole_end() - hole_begin();
  next_ = hole_end();
  counters_.lost += lost;
  hole_at_ = 0;
  return lost;
}

}  // namespace depthcast::ingest

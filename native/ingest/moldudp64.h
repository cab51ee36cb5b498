// MoldUDP64 1.00: downstream packets in any order, from any line, into one unbroken run of messages, and the requests
// for what is missing. Source: Nasdaq's "MoldUDP64" specification. Pure: time is passed in, packets and requests are
// bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace depthcast::ingest {

constexpr std::size_t mold_header_bytes = 20;
constexpr std::uint16_t mold_end_of_session = 0xffff;

using MoldSession = std::array<std::uint8_t, 10>;

enum class MoldFault : std::uint8_t {
  none,
  too_short,     // no header
  message_cut,   // a message's length goes beyond the packet
  bytes_left,    // bytes behind the last message
  bad_sequence,  // 0, or beyond 2^63
};
const char* name_of(MoldFault fault);

struct MoldPacket {
  MoldSession session{};
  std::uint64_t sequence = 0;  // of the first message; of the next one where there is none
  std::uint16_t count = 0;     // 0: heartbeat; 0xffff: end of session
  std::span<const std::uint8_t> blocks;

  bool end_of_session() const { return count == mold_end_of_session; }
  std::uint16_t messages() const { return end_of_session() ? std::uint16_t{0} : count; }
};
// Checks the whole packet: every message lies within it.
MoldFault read_mold(std::span<const std::uint8_t> datagram, MoldPacket& packet);

struct MoldRequest {
  std::uint64_t sequence = 0;
  std::uint16_t count = 0;
};
std::array<std::uint8_t, mold_header_bytes> write_request(const MoldSession& session, const MoldRequest& request);

struct MoldOptions {
  std::string session;                                   // the only one that is taken; empty: the first that is heard
  std::uint64_t first_sequence = 1;                      // of the first message wanted
  std::size_t parked_bytes_max = std::size_t{64} << 20;  // kept behind a hole
  std::int64_t hole_wait_ns = 2'000'000;                 // the other line may bring it
  std::int64_t retry_ns = 50'000'000;                    // between two requests for one hole, doubling
  std::int64_t retry_ns_max = 1'000'000'000;
  std::int64_t give_up_ns = 10'000'000'000;  // a hole that stays open so long is lost; 0: never
  std::uint16_t request_messages_max = 1'000;
};

struct MoldCounters {
  std::uint64_t packets = 0;
  std::uint64_t heartbeats = 0;
  std::uint64_t malformed = 0;
  std::uint64_t implausible = 0;  // more than 2^32 messages ahead
  std::uint64_t other_session = 0;
  std::uint64_t duplicates = 0;      // messages that were there already
  std::uint64_t parked_dropped = 0;  // messages that did not fit, to be asked for later
  std::uint64_t requests = 0;
  std::uint64_t lost = 0;  // messages given up
};

// Threads: one. Messages come out of next() in order, each once.
class MoldReceiver {
 public:
  explicit MoldReceiver(const MoldOptions& options);

  // Takes one datagram. False where it was not one of this session; see counters().
  bool on_packet(std::span<const std::uint8_t> datagram, std::int64_t now_ns);
  // The next message in order, valid until the next call of on_packet() or next(). False where it is not here yet.
  bool next(std::span<const std::uint8_t>& message, std::uint64_t& sequence);

  // Whether something is to be asked for now. Counts as asked.
  bool request_due(std::int64_t now_ns, MoldRequest& request);
  // The hole at the front is older than give_up_ns.
  bool hole_lost(std::int64_t now_ns);
  // Steps over that hole. Returns the messages lost.
  std::uint64_t give_up();

  // Something had to be dropped because too much is parked behind the hole.
  bool overfull() const { return overfull_; }
  // A hole is open: something beyond what was handed out is known to exist, and is not here.
  bool hole() const { return hole_end() > hole_begin(); }
  std::uint64_t hole_begin() const;
  // The number behind its last message.
  std::uint64_t hole_end() const;
  // All messages up to the end of the session were handed out.
  bool ended() const { return ended_ && next_ >= known_; }
  std::uint64_t next_sequence() const { return next_; }
  bool has_session() const { return has_session_; }
  const MoldSession& session() const { return session_; }
  // When a packet of the session, or of another one, came last; 0: never.
  std::int64_t heard_ns() const { return heard_ns_; }
  std::int64_t other_heard_ns() const { return other_heard_ns_; }
  const MoldCounters& counters() const { return counters_; }

 private:
  struct Parked {
    std::vector<std::uint8_t> blocks;
    std::uint16_t count = 0;
  };
  bool accepts(const MoldPacket& packet, std::int64_t now_ns);
  void park(const MoldPacket& packet);
  // Looks anew at the hole at the front: is it the one that the times below belong to?
  void note_hole(std::int64_t now_ns);

  MoldOptions options_;
  MoldSession session_{};
  bool has_session_ = false;
  bool ended_ = false;
  std::uint64_t next_;
  std::uint64_t known_;                     // number behind the last message that is known to exist
  std::map<std::uint64_t, Parked> parked_;  // by first number; none begins below what another one covers
  std::size_t parked_bytes_ = 0;
  bool overfull_ = false;
  // Being handed out.
  Parked current_;
  std::uint64_t current_sequence_ = 0;  // of the message at current_offset_
  std::uint64_t current_end_ = 0;
  std::size_t current_offset_ = 0;

  std::uint64_t hole_at_ = 0;  // where the hole begins that these times belong to; 0: none
  std::uint64_t hole_to_ = 0;  // the end of the last hole seen
  std::int64_t hole_since_ns_ = 0;
  std::int64_t request_due_ns_ = 0;
  std::int64_t retry_ns_ = 0;
  std::int64_t heard_ns_ = 0;
  std::int64_t other_heard_ns_ = 0;
  MoldCounters counters_;
};

}  // namespace depthcast::ingest

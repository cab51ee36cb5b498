// SoupBinTCP 3.00 and 4.x, the client's side: packets out of a byte stream, and what they mean for the session.
// Source: Nasdaq's "SoupBinTCP" specification, sections 1 and 2; lengths and codes are its own. Pure: time is passed
// in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace depthcast::ingest {

struct SoupLogin {
  std::string username;        // up to 6 characters
  std::string password;        // up to 10
  std::string session;         // up to 10; empty: the one that is open now
  std::uint64_t sequence = 1;  // of the first message wanted; 0: the newest
  // Version 4.x tells the server after how much silence it may give the client up; 0: a login of version 3.00.
  std::uint32_t heartbeat_timeout_ms = 0;
};

enum class SoupFault : std::uint8_t {
  none,
  empty_packet,  // a length of 0: not even a type
  unknown_type,
  wrong_length,       // of a packet whose length the specification fixes
  out_of_place,       // data before the login was accepted, a second acceptance, or a client's packet
  malformed_number,   // the accepted sequence number is no number
  wrong_session,      // another one was accepted than was asked for
  wrong_sequence,     // another first number was accepted than was asked for
  rejected_login,     // code A
  rejected_session,   // code S
  rejected_otherwise  // a code that the specification does not know
};
const char* describe(SoupFault fault);
// Whether coming back later, unchanged, may help. A refused login will be refused again.
bool may_pass(SoupFault fault);

enum class SoupNext : std::uint8_t { more, message, accepted, other, end_of_session, fault };

// Threads: one. Feed it one connection's bytes; login() begins the next one.
class SoupSession {
 public:
  static constexpr std::int64_t heartbeat_ns = 1'000'000'000;  // the client says something at least so often
  static constexpr std::int64_t silence_ns = 15'000'000'000;   // a server that says nothing for so long has gone
  static constexpr std::size_t packet_bytes_max = 2 + 65'535;

  // A new connection: the login's bytes, to be sent at once.
  std::vector<std::uint8_t> login(const SoupLogin& login, std::int64_t now_ns);
  std::vector<std::uint8_t> heartbeat(std::int64_t now_ns);
  std::vector<std::uint8_t> logout(std::int64_t now_ns);

  // One packet off the front of `bytes`; `used` says how many of them it took. `message` is its payload, for `message`.
  SoupNext next(std::span<const std::uint8_t> bytes, std::size_t& used, std::span<const std::uint8_t>& message,
                std::int64_t now_ns);

  bool heartbeat_due(std::int64_t now_ns) const { return now_ns - sent_ns_ >= heartbeat_ns; }
  bool silent(std::int64_t now_ns) const { return now_ns - heard_ns_ >= silence_ns; }
  bool logged_in() const { return logged_in_; }
  // Of the message that comes next; 0 before the login was accepted.
  std::uint64_t sequence() const { return sequence_; }
  const std::string& session() const { return session_; }
  SoupFault fault() const { return fault_; }
  // What the server has said in debug packets last, printable characters only, at most 200.
  const std::string& debug() const { return debug_; }
  std::uint64_t heartbeats() const { return heartbeats_; }
  std::uint64_t unsequenced() const { return unsequenced_; }

 private:
  SoupNext fail(SoupFault fault);
  SoupNext take(std::uint8_t type, std::span<const std::uint8_t> payload);
  SoupNext accept(std::span<const std::uint8_t> payload);

  SoupLogin login_;
  bool logged_in_ = false;
  bool ended_ = false;
  std::uint64_t sequence_ = 0;
  std::string session_;
  std::string debug_;
  std::int64_t sent_ns_ = 0;
  std::int64_t heard_ns_ = 0;
  std::uint64_t heartbeats_ = 0;
  std::uint64_t unsequenced_ = 0;
  SoupFault fault_ = SoupFault::none;
};

// Digits with blanks before or behind them, as the specification's numeric fields are; false where it is none, or does
// not fit.
bool read_numeric(std::span<const std::uint8_t> field, std::uint64_t& value);
// Characters without the blanks around them.
std::string read_alphanumeric(std::span<const std::uint8_t> field);

}  // namespace depthcast::ingest

#include "ingest/soupbintcp.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace depthcast::ingest {
namespace {

constexpr std::size_t header_bytes = 3;
constexpr std::size_t session_bytes = 10;
constexpr std::size_t number_bytes = 20;
constexpr std::size_t debug_max = 200;

void append(std::vector<std::uint8_t>& out, const std::string& text, std::size_t width, bool right) {
  const std::size_t kept = std::min(text.size(), width);
  if (right) out.insert(out.end(), width - kept, ' ');
  out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(kept));
  if (!right) out.insert(out.end(), width - kept, ' ');
}

std::vector<std::uint8_t> packet(char type) { return {0, 1, static_cast<std::uint8_t>(type)}; }

}  // namespace

const char* describe(SoupFault fault) {
  switch (fault) {
    case SoupFault::none: return "";
    case SoupFault::empty_packet: return "a packet with a type, but its length is 0";
    case SoupFault::unknown_type: return "a packet type that a server sends, but it is none";
    case SoupFault::wrong_length: return "a packet as long as its type is, but it is not";
    case SoupFault::out_of_place: return "the answer to the login, and then data, but a packet came out of its place";
    case SoupFault::malformed_number: return "a sequence number in the login's answer, but it is none";
    case SoupFault::wrong_session: return "the session that was asked for, but another one was accepted";
    case SoupFault::wrong_sequence: return "the sequence number that was asked for, but another one was accepted";
    case SoupFault::rejected_login: return "a login that is accepted, but it was refused: not authorised (A)";
    case SoupFault::rejected_session:
      return "a login that is accepted, but it was refused: the session is not available (S)";
    case SoupFault::rejected_otherwise:
      return "a login that is accepted, but it was refused with a code that is not known";
  }
  return "";
}

bool may_pass(SoupFault fault) {
  return fault != SoupFault::rejected_login && fault != SoupFault::rejected_session &&
         fault != SoupFault::rejected_otherwise && fault != SoupFault::wrong_session &&
         fault != SoupFault::wrong_sequence;
}

bool read_numeric(std::span<const std::uint8_t> field, std::uint64_t& value) {
  const std::string digits = read_alphanumeric(field);
  if (digits.empty()) return false;
  value = 0;
  for (const char letter : digits) {
    if (letter < '0' || letter > '9') return false;
    const auto digit = static_cast<std::uint64_t>(letter - '0');
    if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

std::string read_alphanumeric(std::span<const std::uint8_t> field) {
  const auto blank = [](std::uint8_t letter) { return letter == ' '; };
  const auto first = std::find_if_not(field.begin(), field.end(), blank);
  const auto last = std::find_if_not(field.rbegin(), std::make_reverse_iterator(first), blank).base();
  return {first, last};
}

std::vector<std::uint8_t> SoupSession::login(const SoupLogin& login, std::int64_t now_ns) {
  login_ = login;
  logged_in_ = ended_ = false;
  fault_ = SoupFault::none;
  sent_ns_ = heard_ns_ = now_ns;
  const bool version_4 = login.heartbeat_timeout_ms != 0;
  const std::size_t length = 1 + 6 + 10 + session_bytes + number_bytes + (version_4 ? 5 : 0);
  std::vector<std::uint8_t> out = {0, static_cast<std::uint8_t>(length), 'L'};
  append(out, login.username, 6, false);
  append(out, login.password, 10, false);
  append(out, login.session, session_bytes, true);
  append(out, std::to_string(login.sequence), number_bytes, true);
  if (version_4) append(out, std::to_string(login.heartbeat_timeout_ms), 5, true);
  return out;
}

std::vector<std::uint8_t> SoupSession::heartbeat(std::int64_t now_ns) {
  sent_ns_ = now_ns;
  return packet('R');
}

std::vector<std::uint8_t> SoupSession::logout(std::int64_t now_ns) {
  sent_ns_ = now_ns;
  return packet('O');
}

SoupNext SoupSession::fail(SoupFault fault) {
  fault_ = fault;
  return SoupNext::fault;
}

SoupNext SoupSession::next(std::span<const std::uint8_t> bytes, std::size_t& used,
                           std::span<const std::uint8_t>& message, std::int64_t now_ns) {
  used = 0;
  message = {};
  if (fault_ != SoupFault::none) return SoupNext::fault;
  if (bytes.size() < 2) return SoupNext::more;
  const std::size_t length = static_cast<std::size_t>(bytes[0]) << 8 | bytes[1];
  if (length == 0) return fail(SoupFault::empty_packet);
  // Of a packet that is none the rest is not waited for.
  if (bytes.size() > 2 && (bytes[2] == 0 || std::strchr("SHAJZU+LRO", bytes[2]) == nullptr))
    return fail(SoupFault::unknown_type);
  if (bytes.size() < 2 + length) return SoupNext::more;
  used = 2 + length;
  heard_ns_ = now_ns;
  const std::span<const std::uint8_t> payload = bytes.subspan(header_bytes, length - 1);
  const SoupNext next = take(bytes[2], payload);
  if (next == SoupNext::message) message = payload;
  return next;
}

SoupNext SoupSession::take(std::uint8_t type, std::span<const std::uint8_t> payload) {
  switch (type) {
    case 'S':
      if (!logged_in_ || ended_) return fail(SoupFault::out_of_place);
      ++sequence_;
      return SoupNext::message;
    case 'H': ++heartbeats_; return payload.empty() ? SoupNext::other : fail(SoupFault::wrong_length);
    case '+':
      debug_.clear();
      for (const std::uint8_t letter : payload.first(std::min(payload.size(), debug_max))) {
        if (letter >= ' ' && letter < 0x7f) debug_.push_back(static_cast<char>(letter));
      }
      return SoupNext::other;
    case 'U':
      if (!logged_in_) return fail(SoupFault::out_of_place);
      ++unsequenced_;
      return SoupNext::other;
    case 'Z':
      if (!payload.empty()) return fail(SoupFault::wrong_length);
      if (!logged_in_) return fail(SoupFault::out_of_place);
      ended_ = true;
      return SoupNext::end_of_session;
    case 'A': return accept(payload);
    case 'J':
      if (payload.size() != 1) return fail(SoupFault::wrong_length);
      if (logged_in_) return fail(SoupFault::out_of_place);
      if (payload[0] == 'A') return fail(SoupFault::rejected_login);
      return fail(payload[0] == 'S' ? SoupFault::rejected_session : SoupFault::rejected_otherwise);
    case 'L':
    case 'R':
    case 'O': return fail(SoupFault::out_of_place);
    default: return fail(SoupFault::unknown_type);
  }
}

SoupNext SoupSession::accept(std::span<const std::uint8_t> payload) {
  if (payload.size() != session_bytes + number_bytes) return fail(SoupFault::wrong_length);
  if (logged_in_) return fail(SoupFault::out_of_place);
  std::uint64_t sequence = 0;
  if (!read_numeric(payload.subspan(session_bytes), sequence)) return fail(SoupFault::malformed_number);
  std::string session = read_alphanumeric(payload.first(session_bytes));
  if (!login_.session.empty() && session != login_.session) return fail(SoupFault::wrong_session);
  if (login_.sequence != 0 && sequence != login_.sequence) return fail(SoupFault::wrong_sequence);
  session_ = std::move(session);
  sequence_ = sequence;
  logged_in_ = true;
  return SoupNext::accepted;
}

}  // namespace depthcast::ingest

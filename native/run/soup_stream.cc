#include "run/soup_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr std::size_t buffer_bytes = 4 * ingest::SoupSession::packet_bytes_max;
constexpr int wait_ms = 20;
constexpr int lookup_wait_ms = 2;
constexpr int packets_at_once = 1'024;

}  // namespace

SoupStream::SoupStream(SoupOptions options)
    : options_(std::move(options)),
      session_file_(options_.session_file),
      session_name_(options_.login.session),
      lookup_(options_.host, options_.port, options_.resolve),
      backoff_ns_(options_.backoff_ns),
      buffer_(buffer_bytes) {}

void SoupStream::begin(std::uint64_t first_sequence) {
  sequence_ = first_sequence;
  if (first_sequence > 1 && session_name_.empty()) {
    session_name_ = session_file_.read();
    if (session_name_.empty()) fault_ = "the name of the input's session, to go on with it, but nothing tells it";
  }
}

FeedNext SoupStream::fail(std::string expected) {
  fault_ = std::move(expected);
  disconnect();
  return FeedNext::fault;
}

// Begins to connect to what a lookup has found; without one, begins that. Neither is waited for.
void SoupStream::connect(std::int64_t now_ns) {
  if (lookup_.state() == io::NameLookup::State::running) return;
  if (lookup_.state() == io::NameLookup::State::idle) {
    if (!lookup_.begin()) connect_again_later(now_ns);
    return;
  }
  const std::vector<io::StreamAddress> addresses = lookup_.take();
  connect_since_ns_ = now_ns;
  for (std::size_t tried = 0; tried < addresses.size() && !connecting_; ++tried) {
    // Whether one answers shows later: the next attempt is at the next one.
    const io::StreamAddress& at = addresses[address_turn_++ % addresses.size()];
    socket_ = io::FileDescriptor(socket(at.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto* address = reinterpret_cast<const sockaddr*>(&at.storage);
    connecting_ = socket_.open() && (::connect(socket_.get(), address, at.length) == 0 || errno == EINPROGRESS);
  }
  if (connecting_) return;
  socket_ = io::FileDescriptor();
  connect_again_later(now_ns);
}

void SoupStream::connect_again_later(std::int64_t now_ns) {
  attempt_due_ns_ = now_ns + backoff_ns_;
  backoff_ns_ = std::min(2 * backoff_ns_, options_.backoff_ns_max);
}

bool SoupStream::connected() {
  pollfd ready{socket_.get(), POLLOUT, 0};
  if (poll(&ready, 1, 0) <= 0) return false;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    disconnect();
    return false;
  }
  connecting_ = false;
  begin_ = end_ = 0;
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ingest::SoupLogin login = options_.login;
  login.session = session_name_;
  login.sequence = sequence_;
  return send(session_.login(login, io::monotonic_ns()));
}

bool SoupStream::send(const std::vector<std::uint8_t>& bytes) {
  // A few dozen bytes; a connection that cannot take them has stood still for long.
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return true;
  disconnect();
  return false;
}

void SoupStream::disconnect() {
  if (!socket_.open()) return;
  socket_ = io::FileDescriptor();
  connecting_ = false;
  counters_.add(FeedCounter::disconnects);
  connect_again_later(io::monotonic_ns());
}

bool SoupStream::receive() {
  if (buffer_.size() - end_ < ingest::SoupSession::packet_bytes_max) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const ssize_t taken = recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, 0);
  if (taken > 0) {
    end_ += static_cast<std::size_t>(taken);
    return true;
  }
  if (taken == 0 || (errno != EAGAIN && errno != EINTR)) disconnect();
  return false;
}

FeedNext SoupStream::accepted() {
  session_name_ = session_.session();
  sequence_ = session_.sequence();
  --address_turn_;  // this one is good
  backoff_ns_ = options_.backoff_ns;
  counters_.add(FeedCounter::connects);
  if (sequence_ == 0) return fail("a first message of number 1 or more, but the server says 0");
  if (!session_file_.write(session_name_)) return fail("a state folder that can be written");
  return FeedNext::idle;
}

FeedNext SoupStream::keep_alive(std::int64_t now_ns) {
  constexpr std::int64_t answer_ns = 5'000'000'000;  // to connect, and to answer the login
  const bool late = (connecting_ || !session_.logged_in()) && now_ns - connect_since_ns_ > answer_ns;
  if (late || (!connecting_ && session_.silent(now_ns))) {
    disconnect();
  } else if (!connecting_ && session_.heartbeat_due(now_ns)) {
    send(session_.heartbeat(now_ns));
  }
  return FeedNext::idle;
}

FeedNext SoupStream::next(FeedMessage& message) {
  if (!fault_.empty()) return FeedNext::fault;
  const std::int64_t now_ns = io::monotonic_ns();
  if (!socket_.open()) {
    if (now_ns >= attempt_due_ns_) connect(now_ns);
    return FeedNext::idle;
  }
  if (connecting_ && !connected()) return socket_.open() ? keep_alive(now_ns) : FeedNext::idle;
  // Bounded: packets that are no messages must not keep the source from being stopped.
  for (int packets = 0; packets < packets_at_once; ++packets) {
    std::size_t used = 0;
    const ingest::SoupNext next = session_.next(std::span<const std::uint8_t>(buffer_).subspan(begin_, end_ - begin_),
                                                used, message.bytes, now_ns);
    begin_ += used;
    switch (next) {
      case ingest::SoupNext::message:
        message.sequence = sequence_++;
        message.capture_ns = 0;
        counters_.add(FeedCounter::messages);
        // A long burst must not keep the heartbeat from going out.
        if (message.sequence % 1'024 == 0 && session_.heartbeat_due(now_ns)) send(session_.heartbeat(now_ns));
        return FeedNext::message;
      case ingest::SoupNext::accepted:
        if (const FeedNext taken = accepted(); taken == FeedNext::fault) return taken;
        break;
      case ingest::SoupNext::other: counters_.set(FeedCounter::heartbeats, session_.heartbeats()); break;
      case ingest::SoupNext::end_of_session: return FeedNext::end;
      case ingest::SoupNext::fault:
        counters_.add(FeedCounter::malformed);
        if (!may_pass(session_.fault())) return fail(ingest::describe(session_.fault()));
        disconnect();
        return FeedNext::idle;
      case ingest::SoupNext::more:
        if (!receive()) return socket_.open() ? keep_alive(now_ns) : FeedNext::idle;
        break;
    }
  }
  more_ = true;
  return keep_alive(now_ns);
}

void SoupStream::wait() {
  if (std::exchange(more_, false)) return;
  pollfd ready{socket_.get(), static_cast<short>(connecting_ ? POLLOUT : POLLIN), 0};
  const bool looking = lookup_.state() != io::NameLookup::State::idle;
  poll(&ready, socket_.open() ? 1 : 0, looking ? lookup_wait_ms : wait_ms);
}

void SoupStream::leave() {
  if (socket_.open() && !connecting_ && session_.logged_in()) send(session_.logout(io::monotonic_ns()));
}

}  // namespace depthcast::run

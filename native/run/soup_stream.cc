#include "run/soup_stream.h"

#include <netdb.h>
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

}  // namespace

SoupStream::SoupStream(SoupOptions options)
    : options_(std::move(options)),
      session_file_(options_.session_file),
      session_name_(options_.login.session),
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

bool SoupStream::connect() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  connect_since_ns_ = io::monotonic_ns();
  if (getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found) != 0) return false;
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) addresses.push_back(at);
  bool begun = false;
  for (std::size_t tried = 0; tried < addresses.size() && !begun; ++tried) {
    // Whether one answers shows later: the next attempt is at the next one.
    const addrinfo* at = addresses[address_turn_++ % addresses.size()];
    socket_ = io::FileDescriptor(socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    begun = socket_.open() && (::connect(socket_.get(), at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS);
  }
  freeaddrinfo(found);
  if (!begun) socket_ = io::FileDescriptor();
  connecting_ = begun;
  return begun;
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
  attempt_due_ns_ = io::monotonic_ns() + backoff_ns_;
  backoff_ns_ = std::min(2 * backoff_ns_, options_.backoff_ns_max);
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
    if (now_ns < attempt_due_ns_) return FeedNext::idle;
    if (!connect()) {
      attempt_due_ns_ = now_ns + backoff_ns_;
      backoff_ns_ = std::min(2 * backoff_ns_, options_.backoff_ns_max);
    }
    return FeedNext::idle;
  }
  if (connecting_ && !connected()) return socket_.open() ? keep_alive(now_ns) : FeedNext::idle;
  while (true) {
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
}

void SoupStream::wait() {
  pollfd ready{socket_.get(), static_cast<short>(connecting_ ? POLLOUT : POLLIN), 0};
  poll(&ready, socket_.open() ? 1 : 0, wait_ms);
}

void SoupStream::leave() {
  if (socket_.open() && !connecting_ && session_.logged_in()) send(session_.logout(io::monotonic_ns()));
}

}  // namespace depthcast::run

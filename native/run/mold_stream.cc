#include "run/mold_stream.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "ingest/soupbintcp.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr int wait_ms = 20;
constexpr std::size_t answers_at_once = 64;
constexpr int rounds_at_once = 64;

sockaddr_in server_of(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  const std::string host = text.substr(0, colon);
  const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 || port <= 0 || port > 65'535) {
    throw std::invalid_argument("a re-request server is \"" + text + "\", expected an IPv4 address and a port");
  }
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

std::string text_of(const ingest::MoldSession& session) { return ingest::read_alphanumeric(session); }

void publish_mold_counters(const ingest::MoldCounters& mold, Counters<FeedCounter>& counters) {
  counters.set(FeedCounter::packets, mold.packets);
  counters.set(FeedCounter::heartbeats, mold.heartbeats);
  counters.set(FeedCounter::malformed, mold.malformed + mold.implausible);
  counters.set(FeedCounter::other_session, mold.other_session);
  counters.set(FeedCounter::duplicates, mold.duplicates);
  counters.set(FeedCounter::requests, mold.requests);
  counters.set(FeedCounter::lost, mold.lost);
}

std::string lost_text(const ingest::MoldReceiver& mold) {
  return "messages " + std::to_string(mold.hole_begin()) + " to " + std::to_string(mold.hole_end() - 1) +
         " of session " + text_of(mold.session());
}

MoldStream::MoldStream(MoldStreamOptions options)
    : options_(std::move(options)), session_file_(options_.session_file), answer_(65'536) {
  for (const io::LineAddress& line : options_.lines) {
    io::ReceiverOptions receiver;
    receiver.address = line;
    receivers_.push_back(std::make_unique<io::UdpReceiver>(receiver));
  }
  for (const std::string& server : options_.servers) servers_.push_back(server_of(server));
  if (servers_.empty()) return;
  request_socket_ = io::FileDescriptor(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!request_socket_.open()) throw std::system_error(errno, std::generic_category(), "socket for re-requests");
}

void MoldStream::begin(std::uint64_t first_sequence) {
  ingest::MoldOptions mold = options_.mold;
  mold.first_sequence = first_sequence;
  if (first_sequence > 1 && mold.session.empty()) {
    mold.session = session_file_.read();
    if (mold.session.empty()) fault_ = "the name of the input's session, to go on with it, but nothing tells it";
  }
  mold_.emplace(mold);
}

FeedNext MoldStream::fail(std::string expected) {
  fault_ = std::move(expected);
  publish_counters();
  return FeedNext::fault;
}

void MoldStream::take(std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  mold_->on_packet(datagram, now_ns);
}

bool MoldStream::receive(std::int64_t now_ns) {
  std::size_t datagrams = 0;
  for (const auto& receiver : receivers_) {
    datagrams += receiver->receive([&](std::span<const std::uint8_t> datagram) { take(datagram, now_ns); });
  }
  return receive_answers(now_ns) || datagrams != 0;
}

bool MoldStream::receive_answers(std::int64_t now_ns) {
  bool any = false;
  for (std::size_t count = 0; request_socket_.open() && count < answers_at_once; ++count) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t taken =
        recvfrom(request_socket_.get(), answer_.data(), answer_.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (taken < 0) break;
    any = true;
    const bool known = std::any_of(servers_.begin(), servers_.end(), [&](const sockaddr_in& server) {
      return server.sin_addr.s_addr == from.sin_addr.s_addr && server.sin_port == from.sin_port;
    });
    if (known) take(std::span(answer_).first(static_cast<std::size_t>(taken)), now_ns);
  }
  return any;
}

void MoldStream::request(std::int64_t now_ns) {
  ingest::MoldRequest wanted;
  if (servers_.empty() || !mold_->request_due(now_ns, wanted)) return;
  const auto bytes = ingest::write_request(mold_->session(), wanted);
  const sockaddr_in& server = servers_[server_turn_++ % servers_.size()];
  // What is lost on the way is asked for again.
  static_cast<void>(sendto(request_socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&server), sizeof server));
}

FeedNext MoldStream::next(FeedMessage& message) {
  if (!fault_.empty()) return FeedNext::fault;
  // Bounded: a flood of what is no message must neither keep the source from being stopped nor holes from being lost.
  for (int rounds = 1; rounds <= rounds_at_once; ++rounds) {
    if (mold_->next(message.bytes, message.sequence)) {
      message.capture_ns = 0;
      counters_.add(FeedCounter::messages);
      return FeedNext::message;
    }
    const std::int64_t now_ns = io::monotonic_ns();
    const bool any = receive(now_ns);
    publish_counters();
    if (mold_->ended()) return FeedNext::end;
    if (!session_known_ && mold_->has_session()) {
      session_known_ = true;
      if (!session_file_.write(text_of(mold_->session()))) return fail("a state folder that can be written");
    }
    request(now_ns);
    more_ = any && rounds == rounds_at_once;
    if (any && !more_) continue;
    if (mold_->hole_lost(now_ns)) {
      if (!options_.skip_lost) return fail(lost_text(*mold_) + ", but nobody gives them");
      mold_->give_up();
      continue;
    }
    const bool silent = mold_->heard_ns() != 0 && now_ns - mold_->heard_ns() > options_.silence_ns;
    if (silent && now_ns - mold_->other_heard_ns() < options_.silence_ns && mold_->other_heard_ns() != 0) {
      return fail("the end of session " + text_of(mold_->session()) + ", but another session is sent instead");
    }
    break;
  }
  return FeedNext::idle;
}

void MoldStream::publish_counters() { publish_mold_counters(mold_->counters(), counters_); }

void MoldStream::wait() {
  if (std::exchange(more_, false)) return;
  std::array<pollfd, 3> ready{};
  nfds_t count = 0;
  for (const auto& receiver : receivers_) ready.at(count++) = {receiver->descriptor(), POLLIN, 0};
  if (request_socket_.open()) ready.at(count++) = {request_socket_.get(), POLLIN, 0};
  constexpr int hole_wait_ms = 1;  // a request may be due
  poll(ready.data(), count, mold_->hole() ? hole_wait_ms : wait_ms);
}

}  // namespace depthcast::run

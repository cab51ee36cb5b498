#include "run/socket_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/clock.h"
#include "io/stream_socket.h"
#include "run/input_sink.h"

namespace depthcast::run {
namespace {

using ingest::EngineSession;
using ingest::Refusal;
using io::StreamStatus;

constexpr std::size_t connections_max = 16;
// The longest wait: input.stopping() is looked at as often, though interrupt() wakes anyway.
constexpr std::int64_t wait_ns_max = 50'000'000;
constexpr std::int64_t blocked_wait_ns = 50'000;  // until there is room in the input again
constexpr std::int64_t ack_wait_ns = 500'000;     // until what was taken is safe
// How long a connection that was closed may take to read why.
constexpr std::int64_t linger_ns = 1'000'000'000;
constexpr const char* counter_names[] = {"connected",    "connections", "logins",    "refusals",
                                         "lastRefusal",  "batches",     "eventNext", "eventsRepeated",
                                         "acknowledged", "bytes",       "blocked",   "connectionsDropped"};
static_assert(std::size(counter_names) == Counters<SocketCounter>::size);

}  // namespace

struct SocketSource::Connection {
  Connection(std::uint64_t number, io::FileDescriptor socket, const SocketOptions& options,
             ingest::NumberedInput& input, std::int64_t now_ns)
      : id(number), descriptor(std::move(socket)), session(options.limits, options.channel, input, now_ns) {}

  std::uint64_t id;
  io::FileDescriptor descriptor;
  EngineSession session;
  EngineSession::State state = EngineSession::State::login;
  std::uint64_t batches_told = 0;
  std::int64_t linger_until_ns = 0;  // 0: not lingering
  bool gone = false;
};

// What run() does, with its state.
class SocketSource::Loop {
 public:
  Loop(SocketSource& source, SourceInput& input)
      : source_(source),
        options_(source.options_),
        input_(input),
        sink_(input),
        numbered_(sink_, input.first_position()),
        safe_(options_.acknowledge),
        acknowledged_(input.first_position() - 1) {}

  SourceEnd run() {
    while (!input_.stopping() && !day_ended_) {
      wait();
      decide();
      const std::int64_t now_ns = io::monotonic_ns();
      accept(now_ns);
      for (auto& connection : connections_) serve(*connection, now_ns);
      acknowledge();
      for (auto& connection : connections_) write(*connection, now_ns);
      std::erase_if(connections_, [](const auto& connection) { return connection->gone; });
      figures();
    }
    for (auto& connection : connections_) {
      connection->session.refuse(Refusal::closing, "the distributor stops");
      write(*connection, io::monotonic_ns());
    }
    options_.listeners.clear();  // nobody is served any more
    SourceEnd end;
    end.reason = day_ended_ ? SourceEndReason::end : SourceEndReason::stopped;
    end.position = numbered_.next() - 1;
    return end;
  }

 private:
  void wait() {
    const std::int64_t now_ns = io::monotonic_ns();
    std::int64_t until_ns = now_ns + wait_ns_max;
    polls_.clear();
    polls_.push_back({source_.wake_.get(), POLLIN, 0});
    for (const io::FileDescriptor& listener : options_.listeners) polls_.push_back({listener.get(), POLLIN, 0});
    for (auto& connection : connections_) {
      EngineSession& session = connection->session;
      short events = 0;
      if (connection->linger_until_ns != 0 || !session.room().empty()) events |= POLLIN;
      if (!session.output().empty()) events |= POLLOUT;
      polls_.push_back({connection->descriptor.get(), events, 0});
      until_ns = std::min(until_ns, session.tick_due_ns());
      if (connection->linger_until_ns != 0) until_ns = std::min(until_ns, connection->linger_until_ns);
      if (session.state() == EngineSession::State::blocked) until_ns = std::min(until_ns, now_ns + blocked_wait_ns);
    }
    if (acknowledged_ + 1 < numbered_.next()) until_ns = std::min(until_ns, now_ns + ack_wait_ns);
    const std::int64_t left_ns = std::max<std::int64_t>(until_ns - now_ns, 0);
    const timespec timeout{left_ns / 1'000'000'000, static_cast<long>(left_ns % 1'000'000'000)};
    if (ppoll(polls_.data(), polls_.size(), &timeout, nullptr) <= 0) {
      for (pollfd& each : polls_) each.revents = 0;
    }
    if (polls_[0].revents != 0) {
      std::uint64_t count = 0;
      static_cast<void>(!read(source_.wake_.get(), &count, sizeof count));  // how often is of no interest
    }
  }

  void accept(std::int64_t now_ns) {
    for (std::size_t index = 0; index < options_.listeners.size(); ++index) {
      if (polls_[1 + index].revents == 0) continue;
      io::FileDescriptor descriptor = io::accept_stream(options_.listeners[index]);
      if (!descriptor.open()) continue;
      if (connections_.size() >= connections_max) drop_one();
      source_.counters_.add(SocketCounter::connections);
      connections_.push_back(
          std::make_unique<Connection>(++connection_last_, std::move(descriptor), options_, numbered_, now_ns));
    }
  }

  // Who connects and says nothing may not keep the engine out. Who was refused goes first, then who has not logged in,
  // then whose login is being looked at; of each, the oldest.
  void drop_one() {
    const auto rank = [&](const std::unique_ptr<Connection>& connection) {
      if (connection.get() == engine_) return 3;
      if (connection->linger_until_ns != 0) return 0;
      return connection->session.state() == EngineSession::State::login ? 1 : 2;
    };
    source_.counters_.add(SocketCounter::connections_dropped);
    connections_.erase(std::min_element(connections_.begin(), connections_.end(),
                                        [&](const auto& left, const auto& right) { return rank(left) < rank(right); }));
  }

  void decide() {
    std::vector<Decision> decisions;
    {
      const std::lock_guard lock(source_.mutex_);
      decisions.swap(source_.decisions_);
    }
    for (Decision& decision : decisions) {
      const auto found = std::find_if(connections_.begin(), connections_.end(),
                                      [&](const auto& each) { return each->id == decision.connection; });
      if (found == connections_.end()) continue;
      EngineSession& session = (*found)->session;
      if (!decision.accepted) {
        session.refuse(Refusal::token, decision.detail);
      } else if (engine_ != nullptr && (ending_ || !options_.takeover)) {
        session.refuse(Refusal::engine_connected,
                       "the engine " + engine_->session.engine() + (ending_ ? " ends the day" : " is connected"));
      } else {
        welcome(**found);
      }
    }
  }

  void welcome(Connection& connection) {
    EngineSession& session = connection.session;
    session.accept(io::monotonic_ns(), read_safe());
    if (session.state() != EngineSession::State::streaming) return;
    if (engine_ != nullptr) engine_->session.refuse(Refusal::replaced, "the engine " + session.engine() + " logged in");
    engine_ = &connection;
    source_.counters_.add(SocketCounter::logins);
    tell({SocketNews::Kind::accepted, connection.id, session.engine(), {}, Refusal::none, {}});
    if (ending_) session.end_day();  // whoever said so: there is nothing more to come
  }

  void serve(Connection& connection, std::int64_t now_ns) {
    EngineSession& session = connection.session;
    if (connection.linger_until_ns != 0) return linger(connection, now_ns);
    const std::span<std::uint8_t> room = session.room();
    if (!room.empty() && readable(connection)) {
      std::size_t bytes = 0;
      if (io::read_stream(connection.descriptor, room, bytes) == StreamStatus::closed) return leave(connection);
      session.received(bytes, now_ns);
      source_.counters_.add(SocketCounter::bytes, bytes);
    } else if (room.empty() && broken(connection)) {
      return leave(connection);
    }
    const bool was_blocked = session.state() == EngineSession::State::blocked;
    const EngineSession::State state = session.step();
    if (!was_blocked && state == EngineSession::State::blocked) source_.counters_.add(SocketCounter::blocked);
    if (session.batches() != connection.batches_told) {
      source_.counters_.add(SocketCounter::batches, session.batches() - connection.batches_told);
      connection.batches_told = session.batches();
    }
    if (state == EngineSession::State::verify && connection.state != state) {
      tell({SocketNews::Kind::login, connection.id, session.engine(), session.take_token(), Refusal::none, {}});
    }
    connection.state = state;
    if (state == EngineSession::State::ending) ending_ = true;
    session.tick(now_ns);
  }

  short revents(const Connection& connection) const {
    for (const pollfd& each : polls_) {
      if (each.fd == connection.descriptor.get()) return each.revents;
    }
    return 0;  // accepted since
  }
  bool readable(const Connection& connection) const {
    return (revents(connection) & (POLLIN | POLLHUP | POLLERR)) != 0;
  }
  bool broken(const Connection& connection) const { return (revents(connection) & (POLLHUP | POLLERR)) != 0; }

  std::uint64_t read_safe() {
    acknowledged_ = std::max(acknowledged_, safe_.read(input_));
    return acknowledged_;
  }

  void acknowledge() {
    read_safe();
    if (engine_ != nullptr) engine_->session.acknowledge(acknowledged_);
    if (!ending_ || acknowledged_ + 1 < numbered_.next()) return;
    if (engine_ != nullptr) engine_->session.finish();
    day_ended_ = engine_ == nullptr || engine_->session.output().empty();
  }

  void write(Connection& connection, std::int64_t now_ns) {
    EngineSession& session = connection.session;
    while (!session.output().empty() && !connection.gone) {
      std::size_t bytes = 0;
      const StreamStatus status = io::write_stream(connection.descriptor, session.output(), bytes);
      if (status == StreamStatus::none) break;
      if (status == StreamStatus::closed) return leave(connection);
      session.sent(bytes);
    }
    if (session.state() != EngineSession::State::closed || connection.linger_until_ns != 0 || connection.gone) return;
    if (session.output().empty()) shutdown(connection.descriptor.get(), SHUT_WR);
    connection.linger_until_ns = now_ns + linger_ns;
    tell_closed(connection);
  }

  // Closed at once, the peer might never read why.
  void linger(Connection& connection, std::int64_t now_ns) {
    std::size_t bytes = 0;
    const bool closed =
        readable(connection) && io::read_stream(connection.descriptor, scratch_, bytes) == StreamStatus::closed;
    if (closed || now_ns >= connection.linger_until_ns) connection.gone = true;
  }

  void leave(Connection& connection) {
    connection.gone = true;
    if (connection.linger_until_ns == 0) tell_closed(connection);
  }

  void tell_closed(Connection& connection) {
    const EngineSession& session = connection.session;
    if (session.refusal() != Refusal::none) {
      source_.counters_.add(SocketCounter::refusals);
      source_.counters_.set(SocketCounter::last_refusal, static_cast<std::uint64_t>(session.refusal()));
    }
    if (engine_ == &connection) engine_ = nullptr;
    tell({SocketNews::Kind::closed, connection.id, session.engine(), {}, session.refusal(), session.detail()});
  }

  void tell(SocketNews news) const {
    const std::lock_guard lock(source_.tell_mutex_);
    if (source_.tell_) source_.tell_(std::move(news));
  }

  void figures() {
    Counters<SocketCounter>& counters = source_.counters_;
    counters.set(SocketCounter::connected, engine_ != nullptr ? 1 : 0);
    counters.set(SocketCounter::event_next, numbered_.next());
    counters.set(SocketCounter::events_repeated, numbered_.repeated());
    counters.set(SocketCounter::acknowledged, acknowledged_);
  }

  SocketSource& source_;
  SocketOptions& options_;
  SourceInput& input_;
  InputSink sink_;
  ingest::NumberedInput numbered_;
  SafeInput safe_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Connection* engine_ = nullptr;  // of connections_; the one that streams
  std::uint64_t connection_last_ = 0;
  std::uint64_t acknowledged_;  // what an earlier run has committed is safe
  bool ending_ = false;
  bool day_ended_ = false;
  std::vector<pollfd> polls_;
  std::array<std::uint8_t, 4'096> scratch_{};
};

SocketSource::SocketSource(SocketOptions options, std::function<void(SocketNews)> tell)
    : options_(std::move(options)), tell_(std::move(tell)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wake_.open()) throw std::system_error(errno, std::generic_category(), "eventfd");
  options_.channel.acknowledge = static_cast<std::uint8_t>(options_.acknowledge);
}

SocketSource::~SocketSource() = default;

SourceEnd SocketSource::run(SourceInput& input) { return Loop(*this, input).run(); }

void SocketSource::interrupt() {
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_.get(), &one, sizeof one));  // full: it wakes anyway
}

void SocketSource::decide(std::uint64_t connection, bool accepted, std::string detail) {
  {
    const std::lock_guard lock(mutex_);
    decisions_.push_back({connection, accepted, std::move(detail)});
  }
  interrupt();
}

void SocketSource::silence() {
  const std::lock_guard lock(tell_mutex_);
  tell_ = nullptr;
}

std::vector<SourceFigure> SocketSource::figures() const {
  std::vector<SourceFigure> figures;
  for (std::size_t index = 0; index < Counters<SocketCounter>::size; ++index) {
    figures.push_back({counter_names[index], counters_.get(index)});
  }
  return figures;
}

}  // namespace depthcast::run

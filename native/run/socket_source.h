// A source that an engine pushes into over TCP or a Unix socket: one thread that accepts, reads, checks and answers,
// from the socket straight into the input ring. docs/ingest.md, "Socket".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ingest/engine_session.h"
#include "io/file_descriptor.h"
#include "run/counters.h"
#include "run/event_source.h"
#include "run/safe_position.h"

namespace depthcast::run {

enum class SocketCounter : std::uint8_t {
  connected,  // 1 while an engine is
  connections,
  logins,
  refusals,
  last_refusal,  // ingest::Refusal
  batches,
  event_next,
  events_repeated,
  acknowledged,
  bytes,
  blocked,  // times that the input had no room
  connections_dropped,
  count_,
};

struct SocketOptions {
  std::vector<io::FileDescriptor> listeners;
  ingest::EngineLimits limits;
  ingest::EngineChannel channel;
  AcknowledgePolicy acknowledge = AcknowledgePolicy::committed;
  bool takeover = false;  // a second engine that logs in replaces the first one; else it is refused
};

// What the owner is told, on the source's thread.
struct SocketNews {
  enum class Kind : std::uint8_t { login, accepted, closed } kind = Kind::login;
  std::uint64_t connection = 0;
  std::string engine;
  std::string token;                                // login: whether it is right is told by decide()
  ingest::Refusal refusal = ingest::Refusal::none;  // closed: none where the engine left
  std::string detail;
};

// Threads: run() on its own; decide(), interrupt() and figures() on any.
class SocketSource final : public EventSource {
 public:
  SocketSource(SocketOptions options, std::function<void(SocketNews)> tell);
  ~SocketSource() override;

  SourceEnd run(SourceInput& input) override;
  void interrupt() override;
  std::vector<SourceFigure> figures() const override;

  // What engines are told; before run().
  void set_session(std::uint64_t session) { options_.channel.session = session; }
  // The answer to a login. `detail` is told where it is refused.
  void decide(std::uint64_t connection, bool accepted, std::string detail);
  // Tells nothing more. When it returns, nothing is being told.
  void silence();

 private:
  struct Connection;
  class Loop;
  struct Decision {
    std::uint64_t connection;
    bool accepted;
    std::string detail;
  };

  SocketOptions options_;
  std::mutex tell_mutex_;  // guards tell_
  std::function<void(SocketNews)> tell_;
  io::FileDescriptor wake_;
  Counters<SocketCounter> counters_;
  std::mutex mutex_;  // guards decisions_
  std::vector<Decision> decisions_;
};

}  // namespace depthcast::run

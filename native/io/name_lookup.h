// Host names into addresses, on a thread of its own: a resolver may take half a minute, and cannot be interrupted.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace depthcast::io {

struct StreamAddress {
  int family = 0;
  socklen_t length = 0;
  sockaddr_storage storage{};
};

// The system's resolver. Waits for it; empty where it finds nothing.
std::vector<StreamAddress> resolve_stream(const std::string& host, std::uint16_t port);

// Threads: one. Nothing here waits, the destructor included: a lookup that nobody waits for any more ends by itself,
// and touches nothing of this object.
class NameLookup {
 public:
  using Resolve = std::function<std::vector<StreamAddress>(const std::string& host, std::uint16_t port)>;

  // `resolve` is called on another thread.
  NameLookup(std::string host, std::uint16_t port, Resolve resolve = resolve_stream)
      : host_(std::move(host)), port_(port), resolve_(std::move(resolve)) {}

  enum class State : std::uint8_t { idle, running, done };
  // Begins a lookup unless one runs. False where the system gives no thread.
  bool begin();
  State state() const;
  // Of the lookup that is done, once: state() is `idle` afterwards. Empty where it has found nothing.
  std::vector<StreamAddress> take();

 private:
  struct Shared;

  std::string host_;
  std::uint16_t port_;
  Resolve resolve_;
  std::shared_ptr<Shared> shared_;  // with the thread; empty: idle
};

}  // namespace depthcast::io

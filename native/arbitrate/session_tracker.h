// Which session a receiver follows. docs/protocol.md, "Sessions".
#pragma once

#include <cstdint>

namespace depthcast::arbitrate {

enum class SessionVerdict : std::uint8_t { current, adopted, foreign };

// Threads: one. Pure: time is passed in.
class SessionTracker {
 public:
  // `wanted`: the only session to follow, 0 for whichever comes. A newer session replaces the current one once that
  // has ended or has been silent for `silence_ns`.
  SessionTracker(std::uint64_t wanted, std::int64_t silence_ns) : wanted_(wanted), silence_ns_(silence_ns) {}

  SessionVerdict offer(std::uint64_t session, std::int64_t now_ns) {
    if (session == current_ && current_ != 0) {
      last_ns_ = now_ns;
      return SessionVerdict::current;
    }
    if (session == 0 || (wanted_ != 0 && session != wanted_)) return SessionVerdict::foreign;
    const bool free = current_ == 0 || (session > current_ && (ended_ || now_ns - last_ns_ >= silence_ns_));
    if (!free) return SessionVerdict::foreign;
    current_ = session;
    last_ns_ = now_ns;
    ended_ = false;
    return SessionVerdict::adopted;
  }
  // Somebody who must know says that this session is the current one: true where it is to be followed from now on,
  // and was not before.
  bool confirm(std::uint64_t session, std::int64_t now_ns) {
    if (session <= current_ || (wanted_ != 0 && session != wanted_)) return false;
    current_ = session;
    last_ns_ = now_ns;
    ended_ = false;
    return true;
  }
  void end() { ended_ = true; }
  std::uint64_t current() const { return current_; }
  bool ended() const { return ended_; }

 private:
  std::uint64_t wanted_;
  std::int64_t silence_ns_;
  std::uint64_t current_ = 0;
  std::int64_t last_ns_ = 0;
  bool ended_ = false;
};

}  // namespace depthcast::arbitrate

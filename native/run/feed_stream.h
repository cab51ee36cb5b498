// Where an exchange feed's messages come from: SoupBinTCP, MoldUDP64, or a capture. ItchFeedSource parses them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "run/counters.h"
#include "run/event_source.h"

namespace depthcast::run {

struct FeedMessage {
  std::span<const std::uint8_t> bytes;
  std::uint64_t sequence = 0;
  std::int64_t capture_ns = 0;  // when it was captured; 0: it is live
};

enum class FeedNext : std::uint8_t {
  message,
  idle,  // nothing is here now
  end,
  fault
};

enum class FeedCounter : std::uint8_t {
  messages,
  packets,
  heartbeats,
  connects,       // logins that were accepted
  disconnects,    // connections lost, refused or given up as silent
  malformed,      // packets that break their protocol
  other_session,  // packets of another session
  duplicates,     // messages that were there already
  requests,       // for messages that are missing
  lost,           // messages that were given up
  skipped,        // frames of a capture that are not of the feed, or not whole
  count_,
};
std::vector<SourceFigure> feed_figures(const Counters<FeedCounter>& counters);

// Threads: the source's; counters() any.
class FeedStream {
 public:
  virtual ~FeedStream() = default;
  // Once, before anything else: the number of the first message wanted.
  virtual void begin(std::uint64_t first_sequence) = 0;
  // The next message in order, valid until the next call. Never waits for the network.
  virtual FeedNext next(FeedMessage& message) = 0;
  // Waits until something may have come, at most 20 ms.
  virtual void wait() = 0;
  // Any thread: ends a read that waits.
  virtual void stop() {}
  // The source was stopped: a last word, where the protocol has one.
  virtual void leave() {}
  virtual const std::string& fault() const = 0;
  virtual const Counters<FeedCounter>& counters() const = 0;
};

// The input session that a distributor's session goes with, so that a restart asks for the same. A file of the state
// folder; without a path nothing is kept.
class FeedSessionFile {
 public:
  explicit FeedSessionFile(std::string path) : path_(std::move(path)) {}
  // Empty where there is none.
  std::string read() const;
  // On the disk when it returns. False where it cannot be written.
  bool write(const std::string& session) const;

 private:
  std::string path_;
};

}  // namespace depthcast::run

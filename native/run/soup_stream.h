// SoupBinTCP over TCP: logs in, keeps alive, comes back by itself and asks for the next message that it has not got.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ingest/soupbintcp.h"
#include "io/file_descriptor.h"
#include "io/name_lookup.h"
#include "run/feed_stream.h"

namespace depthcast::run {

struct SoupOptions {
  std::string host;
  std::uint16_t port = 0;
  ingest::SoupLogin login;                // session as configured; sequence is decided by the publisher
  std::int64_t backoff_ns = 100'000'000;  // before the first new attempt, doubling
  std::int64_t backoff_ns_max = 10'000'000'000;
  std::string session_file;  // see FeedSessionFile
  io::NameLookup::Resolve resolve = io::resolve_stream;
};

class SoupStream final : public FeedStream {
 public:
  explicit SoupStream(SoupOptions options);

  void begin(std::uint64_t first_sequence) override;
  FeedNext next(FeedMessage& message) override;
  void wait() override;
  void leave() override;
  const std::string& fault() const override { return fault_; }
  const Counters<FeedCounter>& counters() const override { return counters_; }

 private:
  FeedNext fail(std::string expected);
  void connect(std::int64_t now_ns);
  void connect_again_later(std::int64_t now_ns);
  bool connected();  // finishes to, and logs in
  bool receive();    // what is there; false where nothing is, or the connection was lost
  bool send(const std::vector<std::uint8_t>& bytes);
  void disconnect();
  FeedNext keep_alive(std::int64_t now_ns);
  FeedNext accepted();

  SoupOptions options_;
  FeedSessionFile session_file_;
  ingest::SoupSession session_;
  std::string session_name_;    // empty until one was accepted, or is configured
  std::uint64_t sequence_ = 1;  // of the next message
  io::FileDescriptor socket_;
  bool connecting_ = false;
  bool more_ = false;  // next() has left something undone
  std::int64_t connect_since_ns_ = 0;
  std::int64_t attempt_due_ns_ = 0;
  io::NameLookup lookup_;
  std::size_t address_turn_ = 0;  // a host may have several
  std::int64_t backoff_ns_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string fault_;
  Counters<FeedCounter> counters_;
};

}  // namespace depthcast::run

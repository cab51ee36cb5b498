// MoldUDP64 over UDP: one or two lines, and servers that are asked for what is missing.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/moldudp64.h"
#include "io/udp_socket.h"
#include "run/feed_stream.h"

namespace depthcast::run {

struct MoldStreamOptions {
  std::vector<io::LineAddress> lines;       // one or two
  std::vector<std::string> servers;         // "address:port" (IPv4); none: holes cannot be closed but by the other line
  bool skip_lost = false;                   // go on behind messages that are lost, else end with a fault
  std::int64_t silence_ns = 5'000'000'000;  // while another session is heard: the session is over
  ingest::MoldOptions mold;
  std::string session_file;  // see FeedSessionFile
};

class MoldStream final : public FeedStream {
 public:
  // Throws std::invalid_argument or std::system_error.
  explicit MoldStream(MoldStreamOptions options);

  void begin(std::uint64_t first_sequence) override;
  FeedNext next(FeedMessage& message) override;
  void wait() override;
  const std::string& fault() const override { return fault_; }
  const Counters<FeedCounter>& counters() const override { return counters_; }

 private:
  FeedNext fail(std::string expected);
  bool receive(std::int64_t now_ns);
  void take(std::span<const std::uint8_t> datagram, std::int64_t now_ns);
  bool receive_answers(std::int64_t now_ns);
  void request(std::int64_t now_ns);
  void publish_counters();

  MoldStreamOptions options_;
  FeedSessionFile session_file_;
  std::vector<std::unique_ptr<io::UdpReceiver>> receivers_;
  std::vector<sockaddr_in> servers_;
  std::size_t server_turn_ = 0;
  io::FileDescriptor request_socket_;
  std::optional<ingest::MoldReceiver> mold_;
  bool session_known_ = false;
  bool more_ = false;  // next() has left something undone
  std::vector<std::uint8_t> answer_;
  std::string fault_;
  Counters<FeedCounter> counters_;
};

std::string text_of(const ingest::MoldSession& session);
void publish_mold_counters(const ingest::MoldCounters& mold, Counters<FeedCounter>& counters);
std::string lost_text(const ingest::MoldReceiver& mold);

}  // namespace depthcast::run

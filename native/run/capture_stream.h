// A capture of MoldUDP64 (pcap or pcapng) as a feed: the datagrams of one group and port, put in order by their
// numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/moldudp64.h"
#include "ingest/pcap.h"
#include "run/byte_source.h"
#include "run/feed_stream.h"

namespace depthcast::run {

struct CaptureOptions {
  std::vector<std::uint32_t> groups;  // IPv4 destinations, host order; none: any
  std::uint16_t port = 0;             // UDP destination; 0: any
  bool skip_lost = false;             // go on behind messages that the capture does not have, else end with a fault
  ingest::MoldOptions mold;
  std::string session_file;
};

class CaptureStream final : public FeedStream {
 public:
  CaptureStream(std::unique_ptr<ByteSource> bytes, CaptureOptions options);

  void begin(std::uint64_t first_sequence) override;
  FeedNext next(FeedMessage& message) override;
  void wait() override {}
  void stop() override { stop_.store(true, std::memory_order_release); }  // pairs with the loads of the byte source
  const std::string& fault() const override { return fault_; }
  const Counters<FeedCounter>& counters() const override { return counters_; }

 private:
  FeedNext fail(std::string expected);
  // One packet of the feed more; false at the end of the capture, and where it breaks.
  bool read_packet();
  bool fill();
  bool wanted(const ingest::UdpFrame& udp) const;

  std::unique_ptr<ByteSource> bytes_;
  CaptureOptions options_;
  FeedSessionFile session_file_;
  ingest::PcapReader reader_;
  std::optional<ingest::MoldReceiver> mold_;
  bool session_known_ = false;
  std::int64_t capture_ns_ = 1;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;  // of buffer_[begin_] in the file
  bool at_end_ = false;
  std::atomic<bool> stop_{false};
  std::string fault_;
  Counters<FeedCounter> counters_;
};

}  // namespace depthcast::run

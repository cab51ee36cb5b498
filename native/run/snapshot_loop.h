// Sends generations to the snapshot group, each twice, at so many bytes a second.
#pragma once

#include <cstdint>
#include <memory>

#include "io/udp_socket.h"
#include "run/replica_follower.h"

namespace depthcast::run {

// Threads: the replica's. Time is passed in.
class SnapshotLoop {
 public:
  // Each generation is sent this often: a receiver that lost a datagram of the first pass finds it in the second.
  static constexpr int passes = 2;

  // Throws std::system_error.
  SnapshotLoop(const io::SenderOptions& options, std::uint64_t bytes_per_second)
      : sender_(options), bytes_per_second_(bytes_per_second) {}

  // A generation is wanted: the last one has gone out.
  bool wants() const { return generation_ == nullptr; }
  void begin(std::shared_ptr<const Generation> generation) {
    generation_ = std::move(generation);
    offset_ = 0;
    pass_ = 0;
  }
  // Another session: what is left of the old one's is of no use.
  void abandon() { generation_ = nullptr; }
  // Sends what is due; false where nothing was.
  bool step(std::int64_t now_ns);

  const Generation* generation() const { return generation_.get(); }
  std::uint64_t rounds() const { return rounds_; }
  const io::UdpSender& sender() const { return sender_; }

 private:
  // Behind schedule by more than this, the rest is let go: no bursts.
  static constexpr std::int64_t burst_ns = 5'000'000;

  io::UdpSender sender_;
  std::uint64_t bytes_per_second_;
  std::shared_ptr<const Generation> generation_;
  std::size_t offset_ = 0;
  int pass_ = 0;
  std::uint64_t rounds_ = 0;
  std::int64_t due_ns_ = 0;  // when the next datagram may go
};

}  // namespace depthcast::run

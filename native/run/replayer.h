// Replays a range of a journal or an ITCH file: to multicast lines, to a new journal, or as updates for JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "book/replica.h"
#include "io/udp_socket.h"
#include "run/delivery.h"
#include "run/pacer.h"
#include "run/packet_applier.h"
#include "run/replay_source.h"

namespace depthcast::run {

struct ReplayOptions {
  // By number, or by event time where one is given; all included. Updates are cut to exactly this, lines and journals
  // to whole packets.
  std::uint64_t from_sequence = 1;
  std::uint64_t to_sequence = std::numeric_limits<std::uint64_t>::max();
  std::optional<std::int64_t> from_time_ns;
  std::optional<std::int64_t> to_time_ns;
  Pacing pacing;
  std::vector<io::SenderOptions> lines;            // none, one or two
  std::optional<io::SenderOptions> snapshot_line;  // a replay from the middle sends the state before it here
  std::int64_t snapshot_every_ns = 1'000'000'000;
  std::size_t datagram_bytes = 1'400;  // of definitions and snapshots
  bool updates = false;
  book::BookLimits limits;
};

// Where whole datagrams go besides the lines (a new journal). Throws where it cannot take them.
using ReplayTarget = std::function<void(std::span<const std::uint8_t> datagram)>;

struct ReplayProgress {
  bool started = false;
  bool ended = false;
  std::uint64_t first = 0;  // numbers delivered: the first, the last
  std::uint64_t last = 0;
  std::uint64_t messages = 0;  // delivered
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t at = 0;      // last number seen, delivered or passed over
  std::int64_t time_ns = 0;  // event time of the last one delivered
  std::uint64_t send_failures = 0;
  std::uint64_t snapshot_sequence = 0;  // state that the books began with; 0: with nothing
  bool books_right = true;              // false: the books lack what lies before the oldest packet, or in a hole
  bool session_ended = false;           // the end of the session was there and was sent
};

// Threads: one call at a time; stop() from any.
class Replayer {
 public:
  static constexpr std::size_t updates_max = 131'072;  // twice the longest event

  // Throws std::invalid_argument, std::system_error or std::bad_alloc.
  Replayer(std::unique_ptr<ReplaySource> source, const ReplayOptions& options, ReplayTarget target = nullptr);
  ~Replayer();

  // Goes on for about so long; returns earlier at the end, and where as many updates wait as may be. Throws what the
  // target throws.
  void step(std::int64_t for_ns);
  void stop() { stop_.store(true, std::memory_order_release); }  // pairs with the loads in step() and the sources

  const ReplayProgress& progress() const { return progress_; }
  // What was asked for and did not come, in order; at most 65,536.
  const std::vector<ReplayMissing>& missing() const { return missing_; }
  SpscRing<book::Update>& updates() { return delivery_.ring(); }
  // Null where books are not needed.
  const book::Replica* replica() const { return replica_.get(); }
  const ReplaySource& source() const { return *source_; }

 private:
  class RangeSink;

  bool needs_books() const { return options_.updates || !options_.lines.empty(); }
  void begin();
  bool fetch();
  bool take_packet();
  bool is_due(std::int64_t until_ns);
  void deliver();
  void send(std::span<const std::uint8_t> datagram);
  void flush();
  void make_snapshot();
  void send_definitions();
  void send_snapshot(std::int64_t now_ns);
  void note_missing(const ReplayMissing& missing);
  void note_jump(std::uint64_t first);
  void finish();
  bool stopped() const { return stop_.load(std::memory_order_acquire); }  // pairs with stop()

  std::unique_ptr<ReplaySource> source_;
  ReplayOptions options_;
  ReplayTarget target_;
  Delivery delivery_;
  std::unique_ptr<RangeSink> sink_;
  std::unique_ptr<book::Replica> replica_;
  std::unique_ptr<PacketApplier> applier_;
  std::vector<std::unique_ptr<io::UdpSender>> senders_;
  std::unique_ptr<io::UdpSender> snapshot_sender_;
  Pacer pacer_;
  ReplayItem item_;
  bool item_waiting_ = false;
  bool begun_ = false;
  std::uint64_t expected_ = 1;  // number that has to come next
  std::vector<ReplayMissing> missing_;
  std::vector<ReplayMissing> damage_;                 // told by the source, its numbers not yet known
  std::vector<std::vector<std::uint64_t>> snapshot_;  // datagrams, each in words; the lengths beside
  std::vector<std::size_t> snapshot_lengths_;
  std::size_t definitions_ = 0;  // of them, the first so many are definitions
  std::int64_t snapshot_due_ns_ = 0;
  // What the sockets still read.
  std::vector<std::vector<std::uint64_t>> unsent_;
  std::size_t unsent_bytes_ = 0;
  ReplayProgress progress_;
  std::atomic<bool> stop_{false};
};

}  // namespace depthcast::run

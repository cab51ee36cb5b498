// The receiving half of a jitter measurement: times of every packet and the due time of every message that a subscriber
// takes, the receiving end of the floor, and of the round trip.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/memory.h"
#include "io/shared_memory.h"
#include "io/udp_socket.h"
#include "run/jitter_wire.h"
#include "run/latency_histogram.h"
#include "run/stall_log.h"
#include "run/subscriber_probe.h"

namespace depthcast::run {

// A packet that brought something new. CLOCK_REALTIME ns.
struct JitterPacket {
  std::int64_t kernel_ns;  // 0: unknown
  std::int64_t received_ns;
  std::int64_t applied_ns;
  std::int64_t due_ns;          // of the oldest of its messages
  std::uint64_t last_sequence;  // floor: number of the packet
  std::uint64_t due_end;        // of the slice's due times, up to and with this packet's
  std::uint32_t count;          // messages
  std::uint32_t line;
};

struct JitterInterval {
  std::int64_t begin_ns;
  std::int64_t end_ns;
};

struct JitterReceiverOptions {
  std::vector<io::ReceiverOptions> floor_lines;  // as the feed's, but other ports
  std::size_t packets_max = std::size_t{1} << 20;
  std::size_t messages_max = std::size_t{1} << 24;
  std::string ping_path;        // own memory for the round trip; empty: none
  std::string ping_other_path;  // the sender's
};

// JavaScript was called with updates. CLOCK_REALTIME ns.
struct JitterDelivery {
  std::uint64_t last_sequence;
  std::int64_t at_ns;
  std::uint64_t run_delay_ns;  // of the JavaScript thread, since the delivery before
};

// `total` is due -> applied, `total_without_stalls` the same without the messages that met one of the machine's stalls;
// `arrival`: how much the distance between two packets differs from that of their due times; `javascript` is applied ->
// delivered to JavaScript, `delivered` due -> there.
enum class ReceiverStage : std::uint8_t {
  to_kernel,
  queue,
  apply,
  total,
  total_without_stalls,
  arrival,
  javascript,
  delivered,
  count_
};

// Threads: the probe's calls by the subscriber's thread; the others by one other thread, and but for state() and stop()
// only while state() is `idle`, and delivered() by that one, whenever JavaScript is called.
class JitterReceiver final : public SubscriberProbe {
 public:
  // `delivered`: the feed, with its updates delivered to JavaScript.
  enum class State : std::uint32_t { idle, feed, floor, ping, delivered };

  explicit JitterReceiver(const JitterReceiverOptions& options);

  // Until stop(), and at the latest until then (CLOCK_REALTIME).
  void start(State what, std::int64_t give_up_ns);
  // Ends feed or floor; state() is `idle` soon after.
  void stop() { stop_.store(true, std::memory_order_release); }           // pairs with the loads in the loops
  State state() const { return state_.load(std::memory_order_acquire); }  // pairs with finish()

  const JitterPacket* packets() const { return packets_.data(); }
  std::size_t packet_count() const { return packet_count_; }
  // Messages that were applied and for which there was no room, or whose due time came with another packet.
  std::uint64_t unrecorded() const { return unrecorded_; }
  std::uint64_t messages() const { return due_count_; }
  const StallLog& stalls() const { return stalls_; }
  bool knows_run_delay() const { return knows_run_delay_; }
  // JavaScript has been called with updates up to this number.
  void delivered(std::uint64_t last_sequence);
  const std::vector<JitterDelivery>& deliveries() const { return deliveries_; }
  // Messages that were applied and, as the last delivery says, not delivered.
  std::uint64_t undelivered() const;
  // Per message of the last feed or floor: adds to them. The stalls are the machine's, by time; those of the sender
  // count until the kernel has the packet, one's own from then on. Returns the messages that met one.
  std::uint64_t add_stages(LatencyHistogram (&stages)[static_cast<std::size_t>(ReceiverStage::count_)],
                           const std::vector<JitterInterval>& sender_stalls) const;

  void started() override;
  void before_receive() override;
  bool delivers() const override { return state() == State::delivered; }
  void received() override;
  void taken(std::size_t line, std::span<const std::uint8_t> datagram, std::int64_t kernel_ns, std::uint64_t before,
             std::uint64_t after) override;

 private:
  void wait();
  void run_floor();
  bool take_floor(std::uint32_t line, std::span<const std::uint8_t> datagram, std::int64_t kernel_ns,
                  std::int64_t now_ns);
  void run_ping();
  void add_deliveries(LatencyHistogram& javascript, LatencyHistogram& delivered) const;
  void finish();
  bool stopped() const { return stop_.load(std::memory_order_acquire); }  // pairs with stop()

  JitterReceiverOptions options_;
  FixedArray<JitterPacket> packets_;
  FixedArray<std::int64_t> due_;
  std::vector<std::unique_ptr<io::UdpReceiver>> floor_;
  std::vector<bool> floor_seen_;

  // The receiving thread's own while it is not idle.
  std::optional<io::ThreadUseReader> use_;
  StallLog stalls_{65'536};
  bool knows_run_delay_ = false;
  std::size_t packet_count_ = 0;
  std::size_t due_count_ = 0;
  std::uint64_t unrecorded_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t give_up_ns_ = 0;
  std::int64_t received_ns_ = 0;
  bool busy_ = false;
  std::int64_t last_ns_ = 0;
  std::optional<io::SharedMemory> ping_;
  std::optional<io::SharedMemory> ping_other_;

  // The JavaScript thread's own.
  static constexpr std::size_t deliveries_max = std::size_t{1} << 20;
  std::optional<io::ThreadUseReader> javascript_use_;
  std::uint64_t javascript_run_delay_ns_ = 0;
  bool delivering_ = false;
  std::vector<JitterDelivery> deliveries_;

  std::atomic<bool> stop_{false};
  std::atomic<State> state_{State::idle};
};

}  // namespace depthcast::run

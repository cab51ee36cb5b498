// Hears one line of a live feed and measures it from the batch's clock read to the kernel's own receive timestamp: what
// happens on the publisher's core, whatever the listener's core is busy with. It looks every millisecond instead of
// sleeping until something comes: to wake it would be work of the publisher's core.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/file_descriptor.h"
#include "io/udp_socket.h"
#include "run/latency_histogram.h"

namespace depthcast::perf {

// One datagram with messages, as it is written to a file of samples.
struct DatagramSample {
  std::uint32_t phase;
  std::uint32_t batch;  // of the publisher: those of one have one send time
  std::uint32_t messages;
  std::uint32_t latency_ns;
};
static_assert(sizeof(DatagramSample) == 16);

class LiveListener {
 public:
  static constexpr std::size_t phases_max = 8;

  // Joins the group. Keeps at most `samples_max` samples, of those datagrams that belong to a phase. Throws
  // std::system_error or std::bad_alloc.
  explicit LiveListener(const io::LineAddress& address, std::size_t samples_max = 0);
  ~LiveListener() { stop(); }

  void start();
  void stop();
  // Datagrams from now on belong to this phase; phases_max and more: to none.
  void set_phase(std::size_t phase) { phase_.store(phase, std::memory_order_relaxed); }

  std::uint64_t count(std::size_t phase) const;
  // Latency below which `share` of the phase's datagrams lie, in microseconds; 0 where there are none.
  double percentile_us(std::size_t phase, double share) const;
  // Datagrams without a timestamp, or damaged.
  std::uint64_t unusable() const { return unusable_.load(std::memory_order_relaxed); }
  std::uint64_t sequence() const { return sequence_.load(std::memory_order_relaxed); }
  // After stop().
  const std::vector<DatagramSample>& samples() const { return samples_; }
  // Datagrams for which there was no room.
  std::uint64_t unsampled() const { return unsampled_; }

 private:
  void run();
  void sample(std::size_t phase, std::int64_t send_time_ns, std::uint32_t messages, std::int64_t latency_ns);
  std::size_t receive();

  io::FileDescriptor socket_;
  std::vector<std::uint64_t> buffers_;
  std::vector<std::unique_ptr<run::LatencyHistogram>> histograms_;
  std::vector<DatagramSample> samples_;
  std::uint64_t unsampled_ = 0;
  std::uint32_t batch_ = 0;
  std::int64_t batch_ns_ = 0;
  // Relaxed, all of them: figures, and a phase whose edges need not be sharp.
  std::atomic<std::size_t> phase_{phases_max};
  std::atomic<std::uint64_t> unusable_{0};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Keeps every thread of this process but those that pin themselves to another core away from `core`; -1: nothing.
void leave_core(int core);

}  // namespace depthcast::perf

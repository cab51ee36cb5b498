// The sending half of a jitter measurement: an open-loop load on the publisher's own thread, times of every batch, the
// floor (the same datagrams again, with nothing done for them), and the round trip between the two cores.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/memory.h"
#include "ingest/itch_parser.h"
#include "io/file_descriptor.h"
#include "io/shared_memory.h"
#include "io/udp_socket.h"
#include "run/activity_log.h"
#include "run/itch_framing.h"
#include "run/jitter_schedule.h"
#include "run/jitter_wire.h"
#include "run/latency_histogram.h"
#include "run/publisher_probe.h"
#include "run/stall_log.h"

namespace depthcast::run {

// CLOCK_REALTIME ns.
struct JitterBatch {
  std::int64_t ingest_ns;  // taken
  std::int64_t sequenced_ns;
  std::int64_t before_send_ns;
  std::int64_t after_send_ns;
  std::uint64_t last_position;
  std::uint64_t last_sequence;
  std::uint64_t packets_end;  // of the slice, up to and with this batch
};

// What is done to the publisher's thread on purpose, in the middle of a batch, to see whether it is found.
struct Injection {
  enum class What : std::uint8_t {
    none,
    pause,  // busy, as by a bug
    fsync,  // a page is written and synced, again and again, as by a journal on the path
  };
  What what = What::none;
  std::int64_t every_ns = 0;   // from the beginning of one to that of the next
  std::int64_t length_ns = 0;  // at least
  std::string path;            // of the file to sync
};

struct JitterSenderOptions {
  LoadOptions load;
  std::vector<io::SenderOptions> floor_lines;  // as the feed's, but other ports
  std::string ping_path;                       // own memory for the round trip; empty: none
  std::string ping_other_path;                 // the receiver's
  Injection injection;
};

enum class SenderStage : std::uint8_t { ingest, sequence, encode, send, floor_wait, floor_send, count_ };

// Threads: the probe's calls by the publisher's thread; the others by one other thread, and but for state() and abort()
// only while state() is `idle`. Times are CLOCK_REALTIME.
class JitterSender final : public PublisherProbe {
 public:
  enum class State : std::uint32_t { idle, feed, floor, ping };
  static constexpr std::size_t messages_max = std::size_t{1} << 24;  // of one slice: 1 GiB of cells

  JitterSender(JitterSenderOptions options, std::unique_ptr<ByteSource> source);

  // Reads and parses the source's next messages: `messages` of them, or where that is 0 those due within `length_ns`.
  // Returns how many there are. Throws std::runtime_error where the source breaks or there are too many.
  std::size_t prepare(std::size_t messages, std::int64_t length_ns, const LoadOptions& load);
  // The first message is due at `start_ns`. What is not sent by `give_up_ns` never is. `inject`: the options' injection
  // is used.
  void start_feed(std::int64_t start_ns, std::int64_t give_up_ns, bool inject = false);
  void start_floor(std::int64_t start_ns);
  // Before the receiver's start_ping() and one's own: takes its memory.
  void prepare_ping();
  void start_ping();
  State state() const { return state_.load(std::memory_order_acquire); }  // pairs with finish()
  void abort() { aborted_.store(true, std::memory_order_release); }       // pairs with the loads in the loops

  const JitterBatch* batches() const { return batches_.data(); }
  std::size_t batch_count() const { return batch_count_; }
  // Batches and packets for which there was no room: the slice is not whole.
  std::uint64_t unrecorded() const { return unrecorded_; }
  std::uint64_t unsent() const { return due_.size() - next_; }
  const StallLog& stalls() const { return stalls_; }
  bool knows_run_delay() const { return knows_run_delay_; }
  // Of the publisher's process; injections are added to it.
  ActivityLog& activities() { return activities_; }
  // Per message of the last feed, or of the last floor: adds to them.
  void add_stages(LatencyHistogram (&stages)[static_cast<std::size_t>(SenderStage::count_)]) const;
  // ns of a cache line to the other core and back, in the mean of each hundred; of the last ping.
  const std::vector<double>& round_trips() const { return round_trips_; }

  void started() override;
  void before_batch(SpscRing<ingest::InputCell>& input) override;
  void sequenced(std::uint64_t position, std::uint64_t sequence) override;
  void packet(std::size_t length, std::uint32_t count) override;
  void before_send() override;
  void after_send() override;

 private:
  struct Packet {
    std::uint32_t length;
    std::uint32_t count;
  };

  bool read_message();
  void reserve();
  void feed(SpscRing<ingest::InputCell>& input, std::int64_t now_ns);
  void inject();
  void run_floor();
  void send_floor(const JitterBatch& batch, std::uint64_t first_packet, std::int64_t instant_ns, std::int64_t now_ns);
  void run_ping();
  std::int64_t wait();
  void finish();
  bool aborted() const { return aborted_.load(std::memory_order_acquire); }  // pairs with abort()

  JitterSenderOptions options_;
  std::unique_ptr<ByteSource> source_;
  ItchFraming framing_;
  ingest::ItchParser parser_{0};
  std::uint64_t position_ = 0;  // of the message read last
  ingest::InputCell read_cells_[ingest::ItchParser::cells_max];
  std::size_t read_count_ = 0;  // cells of a message that was read for this slice and is due in the next

  // The slice.
  std::uint64_t first_position_ = 1;
  std::vector<ingest::InputCell> cells_;
  std::vector<std::uint32_t> cells_end_;  // by message
  std::vector<std::int64_t> due_;         // by message, from the start
  std::int64_t start_ns_ = 0;
  std::int64_t give_up_ns_ = 0;
  std::uint32_t slice_ = 0;
  FixedArray<JitterBatch> batches_;
  FixedArray<Packet> packets_;

  ActivityLog activities_;
  io::FileDescriptor injected_file_;
  bool injecting_ = false;

  // The publisher thread's own while it is not idle.
  std::int64_t injection_due_ns_ = 0;
  std::optional<io::ThreadUseReader> use_;
  StallLog stalls_{65'536};
  bool knows_run_delay_ = false;
  std::size_t next_ = 0;
  std::size_t batch_count_ = 0;
  std::size_t packet_count_ = 0;
  std::uint64_t unrecorded_ = 0;
  JitterBatch batch_{};
  bool batch_open_ = false;
  bool busy_ = false;  // something else than waiting was done since last_ns_
  std::int64_t last_ns_ = 0;
  std::vector<std::unique_ptr<io::UdpSender>> floor_;
  std::vector<std::uint64_t> floor_bytes_;
  std::size_t floor_used_ = 0;
  LatencyHistogram floor_wait_;
  LatencyHistogram floor_send_;
  std::optional<io::SharedMemory> ping_;
  std::optional<io::SharedMemory> ping_other_;
  std::vector<double> round_trips_;

  std::atomic<bool> aborted_{false};
  std::atomic<State> state_{State::idle};
};

}  // namespace depthcast::run

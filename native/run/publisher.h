// The publisher thread of one channel: input ring -> sequence -> book -> encode -> broadcast ring -> line A, line B.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "book/sequencer.h"
#include "core/broadcast_ring.h"
#include "core/spsc_ring.h"
#include "encode/packet_writer.h"
#include "io/shared_memory.h"
#include "io/udp_socket.h"
#include "io/waiting.h"
#include "run/counters.h"
#include "run/publisher_probe.h"
#include "run/publisher_start.h"
#include "run/ring_followers.h"

namespace depthcast::run {

enum class PublisherCounter : std::uint8_t {
  input_events,
  input_position,
  input_waiting,  // cells in the input ring
  sequence,       // last number given
  packets,        // of line A, heartbeats included
  batches,
  batch_events_max,
  heartbeats,
  instruments,
  live_orders,
  digest,
  instruments_refused,
  definitions_repeated,
  adds_lost,
  datagrams_a,
  bytes_a,
  send_calls_a,
  datagrams_failed_a,
  last_error_a,  // errno of the last refused send
  datagrams_b,
  bytes_b,
  send_calls_b,
  datagrams_failed_b,
  last_error_b,
  loop_ns_max,    // longest time from one look at the clock to the next
  thread_id,      // the system's, of the publisher thread: where to read what the kernel counts for it
  core_refused,   // 1: the thread could not be pinned to its core
  locked_bytes,   // of memory
  lock_error,     // errno where some could not be locked
  refused_first,  // then one for each refusal of book::ApplyResult
  refused_last = refused_first + book::apply_results - book::refusals_from - 1,
  passed_first,  // the same, of what was passed on
  passed_last = passed_first + book::apply_results - book::refusals_from - 1,
  refusals_untold,  // did not fit the log of refusals
  count_,
};
std::vector<std::string> publisher_counter_names();

struct PublisherOptions {
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::vector<io::SenderOptions> lines;     // one or two
  std::vector<std::size_t> datagram_bytes;  // for each line
  book::BookLimits limits;
  std::size_t input_cells = 16'384;
  std::size_t ring_bytes = std::size_t{16} << 20;  // of the broadcast ring, a power of two, at least 1 MiB
  std::string ring_path;                           // empty: private memory
  io::WaitStrategy wait = io::WaitStrategy::park;
  int core = -1;
  bool lock_memory = false;  // with limits.prefault: books, input ring and broadcast ring stay in memory
  std::int64_t heartbeat_ns = 100'000'000;
  std::uint64_t digest_messages = 10'000;
  std::int64_t definitions_ns = 200'000'000;  // 0: definitions are not repeated
  book::ValidationPolicy validation;
  std::uint64_t source_identity = 0;  // of what the source gives; part of what a restart must find unchanged
  // The source can give any position again; see StateOptions::source_repeats.
  bool source_repeats = true;
  // Where to begin and where the ring is; null: a new session, in memory that nobody keeps.
  std::shared_ptr<StartPoint> start;
  // Null: nothing is measured.
  std::shared_ptr<PublisherProbe> probe;
};

// Hash of all that changes what is published. docs/protocol.md, "Heartbeat".
std::uint64_t identity_of(const PublisherOptions& options);

struct PublishedDefinition {
  std::uint32_t instrument;
  std::uint32_t source_code;
  ingest::DefinitionData definition;
};

// Threads: the input ring belongs to one producer (a source adapter); everything else may be called by any thread.
// A message waits at most for the batch that it came with (batch_cells events) before it is sent.
class Publisher {
 public:
  static constexpr std::size_t batch_cells = 512;
  static constexpr std::size_t refusals_kept = 256;

  // Opens sockets and maps all memory. Throws std::invalid_argument, std::system_error or std::bad_alloc.
  // `on_end` is called once, on the publisher thread, after the end of session has been sent.
  Publisher(const PublisherOptions& options, std::function<void()> on_end);
  ~Publisher();

  void start();
  // The producer has put in its last event: the rest is published, the session ended. Safe to call twice.
  // `stopped`: the source had more to give. Where it does not repeat itself and a restart knows where to go on, the
  // session is then left open for that.
  void end_input(bool stopped = false);
  // Waits for the thread. end_input() must have been called.
  void join();

  // Hash of what a restart must find unchanged: the identity, the source, and how line A is cut.
  static std::uint64_t ring_identity_of(const PublisherOptions& options);
  std::uint64_t session() const { return options_.session; }
  // The position of the source at which it begins; what lies before has been taken in an earlier run.
  std::uint64_t first_position() const { return first_position_; }
  // The source's numbers of the instruments that were defined before it.
  std::vector<std::uint32_t> source_codes_before() const;
  // After the end: 0, or the number of the message under which an earlier run has published something else than the
  // source now gives. The session was ended there.
  std::uint64_t contradiction() const {
    return contradiction_.load(std::memory_order_acquire);  // pairs with the store in finish()
  }

  // Everything that the source gave up to this position was taken, and all that came of it stands in the broadcast
  // ring.
  std::uint64_t committed_position() const {
    return committed_position_.load(std::memory_order_acquire);  // pairs with the store in commit_input()
  }
  // All that came of the source up to a committed_position() that was read before has numbers up to this one.
  std::uint64_t committed_sequence() const {
    return committed_sequence_.load(std::memory_order_relaxed);  // made visible by committed_position()
  }

  SpscRing<ingest::InputCell>& input() { return input_; }
  // After input().publish(): wakes a parked publisher.
  void wake() {
    if (options_.wait == io::WaitStrategy::park) parker_.wake();
  }

  // The broadcast ring, for readers in this process; it lives as long as this object.
  const io::SharedMemory& ring_memory() const { return ring_memory_; }
  // For those who follow it in this process.
  RingFollowers& followers() { return followers_; }
  // A source without a schedule should let those who follow the ring come nearer. One thread.
  bool followers_need_time(std::int64_t now_ns) { return followers_need_time(now_ns, patience_); }
  const Counters<PublisherCounter>& counters() const { return counters_; }
  const book::DepthViews& views() const { return book_.views(); }
  // Definitions in the order of publication; one consumer thread.
  bool take_definition(PublishedDefinition& definition);
  // Refusals in their order, those beyond refusals_kept between two calls only counted; one consumer thread.
  bool take_refusal(book::Refusal& refusal);

 private:
  class Line;
  class Output;

  bool followers_need_time(std::int64_t now_ns, FollowerPatience& patience);
  static Start begin(PublisherOptions& options, book::Book& book);
  static io::SharedMemory make_ring(const PublisherOptions& options);

  void run();
  // What an earlier session left, before anything of the source.
  void restate();
  bool process_batch();
  void tick(std::int64_t now_ns);
  void send_heartbeat(bool end_of_session);
  void repeat_definitions();
  void flush();
  void commit_input();
  void finish();
  void idle(std::uint32_t& idle_rounds);
  void publish_counters();
  std::int64_t read_clock();

  PublisherOptions options_;
  std::function<void()> on_end_;
  MemoryLock memory_lock_;  // before all that it locks
  SpscRing<ingest::InputCell> input_;
  SpscRing<PublishedDefinition> definitions_;
  SpscRing<book::Refusal> refusals_{refusals_kept, false};
  book::Book book_;
  Start start_;
  std::vector<std::uint32_t> source_codes_;  // of start_, which the thread takes apart
  io::SharedMemory ring_memory_;
  std::uint64_t identity_;
  std::unique_ptr<Output> output_;
  book::Sequencer sequencer_;
  io::Parker parker_;
  Counters<PublisherCounter> counters_;
  std::uint64_t first_position_;
  RingFollowers followers_;
  FollowerPatience patience_;          // the source's
  FollowerPatience restate_patience_;  // the publisher thread's
  std::atomic<std::uint64_t> contradiction_{0};
  std::atomic<std::uint64_t> committed_position_;
  std::atomic<std::uint64_t> committed_sequence_;

  // The publisher thread's own.
  std::int64_t realtime_offset_ns_ = 0;
  std::int64_t offset_read_ns_ = 0;
  std::int64_t last_clock_ns_ = 0;
  std::int64_t heartbeat_due_ns_ = 0;
  std::int64_t definitions_due_ns_ = 0;
  std::uint64_t digest_sequence_ = 0;  // where the last digest was sent
  std::uint32_t digest_turn_ = 0;
  std::uint32_t definition_turn_ = 0;

  std::atomic<bool> leave_open_{false};
  std::atomic<bool> input_ended_{false};
  std::thread thread_;
};

}  // namespace depthcast::run

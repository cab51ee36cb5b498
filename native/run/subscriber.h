// The receiving thread of one channel: lines -> verify -> arbitrate -> replica -> whoever asked for updates.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "arbitrate/arbiter.h"
#include "arbitrate/session_tracker.h"
#include "book/replica.h"
#include "encode/packet_reader.h"
#include "io/udp_socket.h"
#include "io/waiting.h"
#include "run/book_export.h"
#include "run/counters.h"
#include "run/delivery.h"
#include "run/latency_histogram.h"
#include "run/packet_applier.h"

namespace depthcast::run {

enum class SubscriberCounter : std::uint8_t {
  datagrams_a,
  bytes_a,
  first_a,  // packets whose news came by this line first
  duplicates_a,
  kernel_drops_a,
  foreign_sources_a,
  receive_buffer_a,  // bytes granted by the kernel
  datagrams_b,
  bytes_b,
  first_b,
  duplicates_b,
  kernel_drops_b,
  foreign_sources_b,
  receive_buffer_b,
  foreign_channel,
  foreign_session,
  implausible,  // far ahead of everything seen
  sequence,
  position,
  messages,
  events,
  missing_messages,
  missing_ranges,
  parked,
  parked_overflows,
  instrument_gaps,
  instruments,
  live_orders,
  digest,
  whole,
  digests_checked,
  digests_mismatched,
  digests_unchecked,
  unknown_kinds,
  definitions_refused,
  updates_delivered,
  updates_lost,
  sessions,
  session,
  receive_errors,
  loop_ns_max,
  packet_first,  // then one for each encode::PacketStatus
  packet_last = packet_first + encode::packet_statuses - 1,
  refused_first,  // then one for each refusal of book::ApplyResult
  refused_last = refused_first + book::apply_results - book::refusals_from - 1,
  count_,
};
std::vector<std::string> subscriber_counter_names();

struct SubscriberOptions {
  std::uint32_t channel = 1;
  std::uint64_t session = 0;  // 0: whichever comes
  std::optional<io::ReceiverOptions> lines[2];
  book::BookLimits limits;
  arbitrate::ArbiterOptions arbiter;
  std::int64_t silence_ns = 1'000'000'000;
  io::WaitStrategy wait = io::WaitStrategy::park;
  int core = -1;
  std::size_t delivery_capacity = 0;  // updates; 0: none are delivered
  DeliveryPolicy delivery_policy = DeliveryPolicy::skip;
  std::vector<std::uint64_t> export_positions;  // ascending
  bool export_orders = false;
};

struct SessionEvent {
  std::uint64_t session;
};
struct MissingEvent {
  arbitrate::SequenceRange range;
};
struct DigestMismatchEvent {
  std::uint64_t sequence;
};
struct OverrunEvent {
  std::uint64_t lost;
};
struct EndOfSessionEvent {
  std::uint64_t session;
  std::uint64_t sequence;
  std::uint64_t position;
};
struct DefinitionsEvent {};
struct ExportEvent {
  std::uint32_t id;  // 0: one of export_positions
  BookExport books;
};
using FeedEvent = std::variant<SessionEvent, MissingEvent, DigestMismatchEvent, OverrunEvent, EndOfSessionEvent,
                               DefinitionsEvent, ExportEvent>;

struct KnownDefinition {
  std::uint32_t instrument;
  book::DefinitionRecord record;
};

// Threads: the delivery ring has one consumer; everything else may be called by any thread.
class Subscriber final : private ApplyListener {
 public:
  // Joins the lines and maps all memory. `on_wake` is called on the receiving thread when updates or events wait,
  // at most once until rearm_wake(). Throws std::invalid_argument, std::system_error or std::bad_alloc.
  Subscriber(const SubscriberOptions& options, std::function<void()> on_wake);
  ~Subscriber() override;

  void start();
  // Ends the thread and waits for it. Any number of times.
  void stop();

  // The consumer is about to look: from now on there may be another wake-up.
  void rearm_wake() {
    // Pairs with the exchange in wake(): what was published before a wake-up that this one cancels is seen.
    wake_sent_.exchange(false, std::memory_order_acq_rel);
  }
  Delivery* delivery() { return delivery_.get(); }
  // What has happened since the last call, in order. The delivery ring's consumer only.
  std::vector<FeedEvent> take_events();
  // Updates in the ring that came before the last take_events(): whatever defines their instruments is among the events
  // taken so far. The consumer takes so many, and says so.
  std::size_t updates_due() const { return updates_due_; }
  void updates_taken(std::size_t count) { updates_due_ -= count; }
  // The result comes as an ExportEvent of that id.
  void request_export(std::uint32_t id, std::uint32_t instrument, bool orders);

  const Counters<SubscriberCounter>& counters() const { return counters_; }
  const LatencyHistogram& latency() const { return latency_; }
  const book::DepthViews& views() const { return replica_.book().views(); }
  std::vector<arbitrate::SequenceRange> missing() const;
  std::vector<KnownDefinition> definitions() const;

 private:
  struct Request {
    std::uint32_t id;
    std::uint32_t instrument;
    bool orders;
  };
  static constexpr std::size_t missing_max = 65'536;
  static constexpr std::size_t events_max = 262'144;
  // A packet further ahead than this of a feed that is being followed is no packet of that feed.
  static constexpr std::uint64_t jump_max = std::uint64_t{1} << 32;

  void run();
  std::size_t receive(std::size_t line);
  void on_datagram(std::size_t line, std::span<const std::uint8_t> datagram);
  void on_unnumbered(const encode::PacketView& view);
  void on_heartbeat(const encode::PacketView& view);
  void adopt(std::uint64_t session);
  // The next of the positions after which the books are exported.
  std::uint64_t export_due() const {
    return exports_done_ < options_.export_positions.size() ? options_.export_positions[exports_done_]
                                                            : PacketApplier::no_position;
  }
  void on_position_passed(std::uint64_t position) override;
  void on_definition(std::uint32_t instrument) override;
  void drain_parked();
  void give_up(const arbitrate::SequenceRange& range);
  void tick();
  void serve_requests();
  void check_end();
  void report();
  void idle(std::uint32_t& idle_rounds);
  void push(FeedEvent event);
  void wake();
  void publish_counters();

  SubscriberOptions options_;
  std::function<void()> on_wake_;
  std::unique_ptr<io::UdpReceiver> receivers_[2];
  io::FileDescriptor wake_descriptor_;
  std::unique_ptr<Delivery> delivery_;
  book::Replica replica_;
  PacketApplier applier_;
  arbitrate::Arbiter arbiter_;
  arbitrate::SessionTracker tracker_;
  Counters<SubscriberCounter> counters_;
  LatencyHistogram latency_;

  // The receiving thread's own.
  std::int64_t now_ns_ = 0;
  std::int64_t realtime_ns_ = 0;
  std::uint64_t session_ = 0;       // followed now
  bool followed_ = false;           // something of the current session has been taken
  std::uint64_t end_sequence_ = 0;  // next number at the end of the session; 0: not announced
  std::uint64_t end_position_ = 0;
  bool end_told_ = false;
  std::size_t exports_done_ = 0;
  std::int64_t half_event_since_ns_ = 0;  // an export has waited for the end of an event since then
  std::uint64_t mismatches_told_ = 0;
  std::uint64_t lost_told_ = 0;
  std::uint64_t delivered_told_ = 0;

  mutable std::mutex mutex_;  // guards what follows; never taken on the way of a datagram unless there is news
  std::vector<FeedEvent> events_;
  std::vector<Request> requests_;
  std::vector<arbitrate::SequenceRange> missing_;
  std::map<std::uint32_t, book::DefinitionRecord> known_;  // by instrument

  std::size_t updates_due_ = 0;  // the consumer's own

  std::atomic<bool> requested_{false};
  std::atomic<bool> wake_sent_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace depthcast::run

// The receiving thread of one channel: sockets -> follower -> whoever asked for updates and news.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "io/udp_socket.h"
#include "io/waiting.h"
#include "run/follower.h"
#include "run/offered_bytes.h"
#include "run/subscriber_probe.h"

namespace depthcast::run {

struct SubscriberOptions : FollowerOptions {
  std::optional<io::ReceiverOptions> lines[2];
  bool fed = false;                                  // no lines: what is offered is the feed (Follower::take_fed)
  std::optional<io::ReceiverOptions> snapshot_line;  // joined on request only
  io::WaitStrategy wait = io::WaitStrategy::park;
  int core = -1;
  bool lock_memory = false;           // with limits.prefault: the books stay in memory
  std::size_t delivery_capacity = 0;  // updates; 0: none are delivered
  DeliveryPolicy delivery_policy = DeliveryPolicy::skip;
  // Null: nothing is measured.
  std::shared_ptr<SubscriberProbe> probe;
};

struct KnownDefinition {
  std::uint32_t instrument;
  book::DefinitionRecord record;
};

// Threads: the delivery ring has one consumer; everything else may be called by any thread.
class Subscriber final : private FollowerListener {
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

  // --- Recovery: see Follower. Each is carried out by the receiving thread, in this order.
  // Whole datagrams one after the other; copied. Returns the bytes that wait, with these; they are refused, and 0 is
  // returned, where they would be more than OfferedBytes::bytes_max.
  std::size_t offer(std::span<const std::uint8_t> bytes);
  void confirm_session(std::uint64_t session) { command(ConfirmSession{session}); }
  void want_snapshot() { command(WantSnapshot{}); }
  void give_up_below(std::uint64_t end) { command(GiveUp{end}); }
  void cancel_resume() { command(CancelResume{}); }
  // Joins the snapshot line, or leaves it. What cannot be joined is counted as a receive error.
  void join_snapshot_line(bool joined) { command(JoinSnapshotLine{joined}); }
  // As it was some ms ago at most.
  RecoveryView recovery() const;
  // The end of the event that was applied last: its session, number and digest, some ms old.
  ResumePoint applied() const;

  const SubscriberCounters& counters() const { return counters_; }
  const LatencyHistogram& latency() const { return follower_.latency(); }
  const LatencyHistogram& repair_time() const { return follower_.repair_time(); }
  const book::DepthViews& views() const { return follower_.replica().book().views(); }
  // What was given up of this session, oldest first, at most missing_max.
  std::vector<arbitrate::SequenceRange> missing() const;
  std::vector<KnownDefinition> definitions() const;

 private:
  struct Export {
    std::uint32_t id;
    std::uint32_t instrument;
    bool orders;
  };
  struct ConfirmSession {
    std::uint64_t session;
  };
  struct WantSnapshot {};
  struct GiveUp {
    std::uint64_t end;
  };
  struct CancelResume {};
  struct JoinSnapshotLine {
    bool joined;
  };
  using Command = std::variant<ConfirmSession, WantSnapshot, GiveUp, CancelResume, JoinSnapshotLine>;
  static constexpr std::size_t missing_max = 65'536;
  static constexpr std::size_t events_max = 262'144;
  static constexpr std::size_t commands_max = 65'536;
  static constexpr std::size_t offered_bytes_at_once = std::size_t{1} << 20;  // then the lines are looked at again

  void run();
  std::size_t receive(std::size_t line);
  std::size_t receive_snapshot_line();
  std::size_t take_offered();
  void command(Command command);
  void carry_out(const Command& command);
  void serve_commands();
  void serve_exports();
  void tick();
  void report();
  void publish();
  void publish_view();
  void idle(std::uint32_t& idle_rounds);
  void on_news(FeedNews&& news) override;
  void on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) override;
  void push(FeedNews&& news);
  bool extends_last(const FeedNews& news);
  void wake();
  void wake_thread();

  SubscriberOptions options_;
  std::function<void()> on_wake_;
  MemoryLock memory_lock_;  // before all that it locks
  std::unique_ptr<io::UdpReceiver> receivers_[2];
  std::unique_ptr<io::UdpReceiver> snapshot_receiver_;
  io::FileDescriptor wake_descriptor_;
  std::unique_ptr<Delivery> delivery_;
  SubscriberCounters counters_;
  Follower follower_;
  OfferedBytes offered_;

  // The receiving thread's own.
  std::int64_t now_ns_ = 0;
  std::int64_t half_event_since_ns_ = 0;  // an export has waited for the end of an event since then
  std::uint64_t lost_told_ = 0;
  std::uint64_t delivered_told_ = 0;
  std::uint64_t join_errors_ = 0;
  bool has_news_ = false;  // since the last wake-up

  mutable std::mutex mutex_;  // guards what follows; never taken on the way of a datagram unless there is news
  std::vector<FeedEvent> events_;
  std::vector<Export> exports_;
  std::vector<Command> commands_;
  std::vector<arbitrate::SequenceRange> missing_;
  std::map<std::uint32_t, book::DefinitionRecord> known_;  // by instrument
  RecoveryView recovery_;
  ResumePoint applied_{};

  std::size_t updates_due_ = 0;  // the consumer's own

  std::atomic<bool> requested_{false};
  std::atomic<bool> wake_sent_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace depthcast::run

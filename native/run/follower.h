// Follows one channel: packets of the lines and what recovery brings -> session, arbitration, books, news.
// No sockets, no threads; time is passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "arbitrate/arbiter.h"
#include "arbitrate/session_tracker.h"
#include "book/replica.h"
#include "encode/packet_reader.h"
#include "encode/snapshot_assembler.h"
#include "run/delivery.h"
#include "run/feed_events.h"
#include "run/latency_histogram.h"
#include "run/packet_applier.h"
#include "run/subscriber_counters.h"

namespace depthcast::run {

// Where an earlier process of the same client has stopped: after message `sequence`, the end of an event.
struct ResumePoint {
  std::uint64_t session;
  std::uint64_t sequence;
  std::uint64_t digest;
};

struct FollowerOptions {
  std::uint32_t channel = 1;
  std::uint64_t session = 0;  // 0: whichever comes
  book::BookLimits limits;
  arbitrate::ArbiterOptions arbiter;
  std::int64_t silence_ns = 1'000'000'000;
  bool recovery = false;        // holes stay open; else they are given up after arbiter.gap_wait_ns
  std::int64_t give_up_ns = 0;  // with recovery: after this time all the same; 0: never
  std::optional<ResumePoint> resume;
  std::vector<std::uint64_t> export_positions;  // ascending
  bool export_orders = false;
};

class FollowerListener {
 public:
  virtual ~FollowerListener() = default;
  virtual void on_news(FeedNews&& news) = 0;
  virtual void on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) = 0;
};

// Threads: one, but for counters and histograms. The listener is called from within; it must not call back.
class Follower final : private ApplyListener {
 public:
  // `delivery` may be null; all must outlive it.
  Follower(const FollowerOptions& options, Delivery* delivery, SubscriberCounters& counters,
           FollowerListener& listener);

  // A datagram of line 0 or 1, aligned to 8.
  void take(std::size_t line, std::span<const std::uint8_t> datagram, std::int64_t now_ns);
  // One that recovery has brought: a packet once more, or a part of a snapshot. Aligned to 8.
  void take_recovered(std::span<const std::uint8_t> datagram, std::int64_t now_ns);
  // One of a feed that brings all in order over one reliable way, snapshots too (a gateway's): who sends it knows which
  // session is the current one, and begins with a snapshot what does not go on. Aligned to 8.
  void take_fed(std::span<const std::uint8_t> datagram, std::int64_t now_ns);
  // Names what is overdue, gives up what has waited too long, tells states. Often.
  void tick(std::int64_t now_ns);

  // The recovery service says that this session is the current one.
  void confirm_session(std::uint64_t session, std::int64_t now_ns);
  // From now on the parts of a snapshot are taken, until one is whole.
  void want_snapshot();
  // Nobody can bring what is missing below `end`.
  void give_up_below(std::uint64_t end);
  // The point to resume at cannot be reached: updates are delivered from wherever the books stand.
  void cancel_resume();
  void view(RecoveryView& view, std::int64_t now_ns) const;

  // Whether updates are delivered from now on, where there is a delivery: between whole events.
  void deliver(bool on) { replica_.deliver_to(on ? delivery_ : nullptr); }
  // Publishes its figures.
  void publish_counters();
  // When tick() is due at the latest; 0: no time is set.
  std::int64_t deadline_ns() const { return arbiter_.deadline_ns(named_end_); }

  const book::Replica& replica() const { return replica_; }
  std::uint64_t session() const { return session_; }
  FeedState state() const { return state_; }
  // Half an event has been applied.
  bool within_event() const { return replica_.sequence() != replica_.event_sequence(); }
  BookExport export_now(std::uint32_t instrument, bool orders) const;
  // From send time to applied, packets of the lines only.
  const LatencyHistogram& latency() const { return latency_; }
  // From when a hole was known to when it was closed, of those that the other line did not close in time.
  const LatencyHistogram& repair_time() const { return repair_time_; }

 private:
  // A packet further ahead than this of a feed that is being followed is no packet of that feed.
  static constexpr std::uint64_t jump_max = std::uint64_t{1} << 32;

  bool plausible(const encode::PacketView& view) const {
    return !followed_ || view.first_sequence <= arbiter_.known_end() + jump_max;
  }
  void adopt(std::uint64_t session);
  void close_session();
  void take_unnumbered(const encode::PacketView& view);
  void take_snapshot_part(const encode::PacketView& view, std::int64_t now_ns);
  void use_snapshot(std::int64_t now_ns);
  void refuse_snapshot(std::uint64_t generation, const char* reason);
  void make_room();
  void apply(const encode::PacketView& view, std::uint32_t skip);
  void drain_parked();
  void note_filled(RepairWay way, std::int64_t now_ns);
  void name_missing(const arbitrate::SequenceRange& range);
  void give_up(const arbitrate::SequenceRange& range);
  void check_resume();
  void check_end();
  FeedState state_at(std::int64_t now_ns) const;
  void set_state(FeedState state);
  void tell(FeedNews&& news) { listener_.on_news(std::move(news)); }
  // The next of the positions after which the books are exported.
  std::uint64_t export_due() const {
    return exports_done_ < options_.export_positions.size() ? options_.export_positions[exports_done_]
                                                            : PacketApplier::no_position;
  }
  void export_positions_below(std::uint64_t position, bool whole);
  void on_position_passed(std::uint64_t position) override { export_positions_below(position, true); }
  void on_definition(std::uint32_t instrument) override;

  FollowerOptions options_;
  Delivery* delivery_;
  SubscriberCounters& counters_;
  FollowerListener& listener_;
  book::Replica replica_;
  PacketApplier applier_;
  arbitrate::Arbiter arbiter_;
  arbitrate::SessionTracker tracker_;
  encode::SnapshotAssembler assembler_;
  LatencyHistogram latency_;
  LatencyHistogram repair_time_;

  std::uint64_t session_ = 0;   // followed now
  bool followed_ = false;       // something of the current session has been taken
  bool empty_session_ = false;  // the publisher has said that there is no message yet
  FeedState state_ = FeedState::connecting;
  std::uint64_t named_end_ = 0;     // what is overdue below it has been told as missing
  std::uint64_t end_sequence_ = 0;  // next number at the end of the session; 0: not announced
  std::uint64_t end_position_ = 0;
  bool end_told_ = false;
  bool snapshot_wanted_ = false;
  bool resuming_ = false;
  std::size_t exports_done_ = 0;
  std::uint64_t mismatches_told_ = 0;
  std::vector<arbitrate::SequenceRange> ranges_;  // reused
};

}  // namespace depthcast::run

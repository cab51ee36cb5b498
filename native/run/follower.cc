#include "run/follower.h"

#include <algorithm>
#include <utility>

#include "io/clock.h"

namespace depthcast::run {
namespace {

using encode::PacketStatus;
using encode::PacketView;
using enum SubscriberCounter;

encode::SnapshotLimits snapshot_limits(const FollowerOptions& options) {
  encode::SnapshotLimits limits;
  limits.channel = options.channel;
  limits.instruments_max = options.limits.instruments_max;
  return limits;
}

}  // namespace

const char* name_of(FeedState state) {
  constexpr const char* names[] = {"connecting", "recovering", "synchronized", "stale", "ended"};
  return names[static_cast<std::size_t>(state)];
}

Follower::Follower(const FollowerOptions& options, Delivery* delivery, SubscriberCounters& counters,
                   FollowerListener& listener)
    : options_(options),
      delivery_(delivery),
      counters_(counters),
      listener_(listener),
      replica_(options.limits, delivery),
      applier_(replica_, this),
      arbiter_(options.arbiter),
      tracker_(options.session, options.silence_ns),
      assembler_(snapshot_limits(options)) {
  if (delivery_ != nullptr) delivery_->attach(replica_.book());
  applier_.watch_position(export_due());
}

void Follower::take(std::size_t line, std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  counters_.add(of_line(datagrams_a, line));
  counters_.add(of_line(bytes_a, line), datagram.size());
  PacketView view;
  const PacketStatus status = encode::read_packet(datagram, view);
  counters_.add(nth(packet_first, static_cast<std::size_t>(status)));
  if (status != PacketStatus::ok) return;
  if (view.channel != options_.channel) return counters_.add(foreign_channel);
  switch (tracker_.offer(view.session, now_ns)) {
    case arbitrate::SessionVerdict::foreign: return counters_.add(foreign_session);
    case arbitrate::SessionVerdict::adopted: adopt(view.session); break;
    default: break;
  }
  if (!plausible(view)) return counters_.add(implausible);
  followed_ = true;
  if (view.count == 0) {
    arbiter_.announce(view.first_sequence, now_ns);
    return take_unnumbered(view);
  }

  arbitrate::Arbiter::Decision decision = arbiter_.offer(view.first_sequence, view.count, datagram, now_ns);
  if (decision.verdict == arbitrate::Verdict::overflow) {
    make_room();
    decision = arbiter_.offer(view.first_sequence, view.count, datagram, now_ns);
  }
  switch (decision.verdict) {
    case arbitrate::Verdict::duplicate: return counters_.add(of_line(duplicates_a, line));
    case arbitrate::Verdict::parked: counters_.add(of_line(first_a, line)); break;
    case arbitrate::Verdict::overflow: break;  // counted by make_room(); what it brought is a hole like any other
    case arbitrate::Verdict::apply:
      counters_.add(of_line(first_a, line));
      apply(view, decision.skip);
      latency_.record(io::realtime_ns() - view.send_time_ns);
      drain_parked();
      break;
  }
  if (!arbiter_.filled().empty()) note_filled(RepairWay::line, now_ns);
}

void Follower::make_room() {
  counters_.add(parked_overflows);
  if (options_.recovery) return counters_.add(parked_dropped, arbiter_.drop_parked());
  if (const auto range = arbiter_.give_up()) {
    name_missing(*range);
    give_up(*range);
  }
  drain_parked();
}

void Follower::apply(const PacketView& view, std::uint32_t skip) {
  applier_.apply(view, skip);
  if (resuming_) check_resume();
}

void Follower::drain_parked() {
  while (const auto parked_packet = arbiter_.next_parked()) {
    PacketView view;
    // It was checked before it was kept; the view is made again, since it points into its bytes.
    if (encode::read_packet(parked_packet->datagram, view) != PacketStatus::ok) continue;
    apply(view, parked_packet->skip);
    latency_.record(io::realtime_ns() - view.send_time_ns);
  }
}

void Follower::take_unnumbered(const PacketView& view) {
  if (view.snapshot != nullptr) return;  // not on a line
  applier_.learn(view);
  if (view.heartbeat == nullptr) return;
  if (view.first_sequence == 1) empty_session_ = true;
  if (view.heartbeat->end_of_session()) {
    end_sequence_ = view.first_sequence;
    end_position_ = view.input_position;
    tracker_.end();
  }
  // Everything up to that position has been applied: positions that made no message are passed, too.
  if (arbiter_.next_sequence() == view.first_sequence) applier_.reach(view.input_position + 1);
}

void Follower::confirm_session(std::uint64_t session, std::int64_t now_ns) {
  if (tracker_.confirm(session, now_ns)) adopt(session);
}

// What the old session still waited for will not come any more.
void Follower::close_session() {
  while (const auto range = arbiter_.give_up()) {
    const arbitrate::SequenceRange unnamed{std::max(range->first, named_end_), range->last};
    if (unnamed.first <= unnamed.last) name_missing(unnamed);
    give_up(*range);
    drain_parked();
  }
  check_end();
  replica_.reset();
  arbiter_.reset(1);
  if (delivery_ != nullptr) delivery_->start_session();
}

void Follower::adopt(std::uint64_t session) {
  if (session_ != 0) close_session();
  session_ = session;
  followed_ = false;
  empty_session_ = false;
  named_end_ = 0;
  end_sequence_ = 0;
  end_told_ = false;
  snapshot_wanted_ = false;
  assembler_.reset(session);
  exports_done_ = 0;
  applier_.watch_position(export_due());
  resuming_ = options_.resume && options_.resume->session == session && options_.resume->sequence != 0;
  if (resuming_ && delivery_ != nullptr) delivery_->keep_silent_until(options_.resume->sequence);
  counters_.add(sessions);
  publish_counters();  // who reads the new session's name reads no figures of the old one
  counters_.publish(SubscriberCounter::session, session);
  tell(SessionEvent{session});
}

void Follower::on_definition(std::uint32_t instrument) {
  listener_.on_definition(instrument, replica_.definition(instrument));
}

void Follower::export_positions_below(std::uint64_t position, bool whole) {
  while (position > export_due()) {
    ExportEvent event{0, export_now(0, options_.export_orders)};
    event.books.position = export_due();
    event.books.whole = event.books.whole && whole;
    publish_counters();  // who gets the books reads figures that are no older
    tell(std::move(event));
    ++exports_done_;
  }
  applier_.watch_position(export_due());
}

BookExport Follower::export_now(std::uint32_t instrument, bool orders) const {
  BookExport books = export_books(replica_, instrument, orders);
  books.session = session_;
  // Who has come late has nothing yet, and knows it.
  books.whole = books.whole && (replica_.sequence() != 0 || arbiter_.holes().empty());
  return books;
}

void Follower::tick(std::int64_t now_ns) {
  if (arbiter_.has_overdue(now_ns)) {
    if (options_.recovery) {
      ranges_.clear();
      arbiter_.overdue(now_ns, ~std::size_t{0}, ranges_, named_end_);
      for (const arbitrate::SequenceRange& range : ranges_) name_missing(range);
    }
    const std::int64_t wait_ns = options_.recovery ? options_.give_up_ns : options_.arbiter.gap_wait_ns;
    while (!options_.recovery || wait_ns != 0) {
      const auto range = arbiter_.expire(now_ns, wait_ns);
      if (!range) break;
      if (!options_.recovery) name_missing(*range);
      give_up(*range);
      drain_parked();
    }
  }
  const std::uint64_t mismatches = replica_.counters().digests_mismatched;
  if (mismatches != mismatches_told_) {
    mismatches_told_ = mismatches;
    tell(DigestMismatchEvent{replica_.event_sequence()});
  }
  check_end();
  set_state(state_at(now_ns));
}

void Follower::name_missing(const arbitrate::SequenceRange& range) {
  counters_.add(missing_ranges);
  counters_.add(missing_messages, range.last - range.first + 1);
  named_end_ = std::max(named_end_, range.last + 1);
  tell(MissingEvent{range});
}

void Follower::give_up(const arbitrate::SequenceRange& range) {
  counters_.add(given_up_ranges);
  counters_.add(given_up_messages, range.last - range.first + 1);
  replica_.on_missing(range.last);
  tell(GivenUpEvent{range});
}

void Follower::check_end() {
  if (end_sequence_ == 0 || end_told_ || arbiter_.next_sequence() < end_sequence_) return;
  end_told_ = true;
  applier_.reach(end_position_ + 1);
  set_state(FeedState::ended);
  publish_counters();  // who hears of the end reads the final figures
  tell(EndOfSessionEvent{session_, end_sequence_ - 1, end_position_});
}

FeedState Follower::state_at(std::int64_t now_ns) const {
  if (session_ == 0) return FeedState::connecting;
  if (end_told_) return FeedState::ended;
  if (!replica_.whole()) return FeedState::stale;
  if (resuming_ || arbiter_.has_overdue(now_ns)) return FeedState::recovering;
  // Who was there before the first message has missed nothing; who came later waits for the first equal digest.
  const bool proved = replica_.proved() || empty_session_;
  return proved ? FeedState::synchronized : FeedState::connecting;
}

void Follower::set_state(FeedState state) {
  if (state == state_) return;
  state_ = state;
  publish_counters();
  tell(StateEvent{state});
}

}  // namespace depthcast::run

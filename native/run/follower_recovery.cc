// The ways back: what recovery brings, snapshots, giving up, resuming.
#include <algorithm>

#include "run/follower.h"

namespace depthcast::run {

using encode::PacketStatus;
using encode::PacketView;
using enum SubscriberCounter;

void Follower::take_recovered(std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  counters_.add(offered_datagrams);
  counters_.add(offered_bytes, datagram.size());
  PacketView view;
  const bool sound = encode::read_packet(datagram, view) == PacketStatus::ok && view.channel == options_.channel &&
                     view.session == session_ && session_ != 0 && plausible(view);
  if (!sound) return counters_.add(offered_refused);
  if (view.count == 0) return take_snapshot_part(view, now_ns);
  const auto decision = arbiter_.offer(view.first_sequence, view.count, datagram, now_ns);
  switch (decision.verdict) {
    case arbitrate::Verdict::duplicate: return counters_.add(offered_duplicates);
    case arbitrate::Verdict::overflow: return counters_.add(offered_refused);  // it will be asked for again
    case arbitrate::Verdict::parked: break;
    case arbitrate::Verdict::apply:
      apply(view, decision.skip);
      drain_parked();
      break;
  }
  if (!arbiter_.filled().empty()) note_filled(RepairWay::retransmission, now_ns);
}

void Follower::take_fed(std::span<const std::uint8_t> datagram, std::int64_t now_ns) {
  PacketView view;
  if (encode::read_packet(datagram, view) == PacketStatus::ok && view.channel == options_.channel) {
    if (tracker_.confirm(view.session, now_ns)) adopt(view.session);
    if (view.snapshot != nullptr && view.session == session_ && plausible(view)) {
      counters_.add(of_line(datagrams_a, 0));
      counters_.add(of_line(bytes_a, 0), datagram.size());
      if (!snapshot_wanted_) want_snapshot();
      return take_snapshot_part(view, now_ns);
    }
  }
  take(0, datagram, now_ns);
}

void Follower::note_filled(RepairWay way, std::int64_t now_ns) {
  const auto index = static_cast<std::size_t>(way);
  for (const arbitrate::FilledRange& filled : arbiter_.filled()) {
    if (filled.closes) {
      counters_.add(nth(repairs_line, index));
      // What the other line brings in time is no repair.
      if (way != RepairWay::line || filled.first < named_end_) repair_time_.record(now_ns - filled.since_ns);
    }
    if (filled.first >= named_end_) continue;
    const arbitrate::SequenceRange named{filled.first, std::min(filled.last, named_end_ - 1)};
    counters_.add(nth(recovered_line, index), named.last - named.first + 1);
    tell(RecoveredEvent{named, way});
  }
  arbiter_.filled().clear();
}

void Follower::want_snapshot() {
  if (session_ == 0) return;
  snapshot_wanted_ = true;
  assembler_.reset(session_);
}

void Follower::take_snapshot_part(const PacketView& view, std::int64_t now_ns) {
  if (!snapshot_wanted_) return counters_.add(offered_refused);
  switch (assembler_.offer(view)) {
    case encode::SnapshotOffer::taken: return counters_.add(snapshot_chunks);
    case encode::SnapshotOffer::complete: counters_.add(snapshot_chunks); return use_snapshot(now_ns);
    case encode::SnapshotOffer::duplicate: return counters_.add(offered_duplicates);
    case encode::SnapshotOffer::too_large:
      return refuse_snapshot(view.snapshot == nullptr ? 0 : view.snapshot->generation(), "too_large");
    default: return counters_.add(offered_refused);
  }
}

void Follower::refuse_snapshot(std::uint64_t generation, const char* reason) {
  counters_.add(snapshots_refused);
  snapshot_wanted_ = false;
  assembler_.reset(session_);
  tell(SnapshotRefusedEvent{generation, reason});
}

void Follower::use_snapshot(std::int64_t now_ns) {
  const encode::SnapshotProgress progress = assembler_.progress();
  if (!assembler_.verify()) return refuse_snapshot(progress.generation, "digest_differs");
  // Going back is worth it only for books that are wrong.
  if (progress.sequence + 1 < arbiter_.next_sequence() && replica_.whole()) {
    return refuse_snapshot(progress.generation, "older");
  }
  // What was to be exported on the way there was never seen as it was.
  if (progress.position != 0) export_positions_below(progress.position, false);
  const book::SnapshotRefusal refusal = assembler_.load_into(replica_);
  for (std::uint32_t instrument = 1; instrument <= replica_.instrument_last(); ++instrument) {
    if (replica_.definition(instrument).defined) on_definition(instrument);
  }
  arbiter_.go_on_at(progress.sequence + 1, now_ns);
  note_filled(RepairWay::snapshot, now_ns);
  if (refusal != book::SnapshotRefusal::none) {
    refuse_snapshot(progress.generation, name_of(refusal));
  } else {
    counters_.add(snapshots);
    snapshot_wanted_ = false;
    assembler_.reset(session_);
    publish_counters();
    tell(SnapshotEvent{progress.sequence, progress.generation});
  }
  applier_.reach(progress.position + 1);
  if (resuming_) check_resume();
  drain_parked();
  check_end();
}

void Follower::give_up_below(std::uint64_t end) {
  while (const auto range = arbiter_.give_up(end)) {
    const arbitrate::SequenceRange unnamed{std::max(range->first, named_end_), range->last};
    if (unnamed.first <= unnamed.last) name_missing(unnamed);
    give_up(*range);
    drain_parked();
  }
}

void Follower::check_resume() {
  const std::uint64_t sequence_wanted = options_.resume->sequence;
  if (replica_.event_sequence() < sequence_wanted) return;
  resuming_ = false;
  const auto digest_then = replica_.past_digest(sequence_wanted);
  const bool equal = digest_then.has_value() && *digest_then == options_.resume->digest;
  if (!equal && delivery_ != nullptr) delivery_->speak();
  tell(ResumedEvent{sequence_wanted, equal});
}

void Follower::cancel_resume() {
  if (!resuming_) return;
  resuming_ = false;
  if (delivery_ != nullptr) delivery_->speak();
}

void Follower::view(RecoveryView& view, std::int64_t now_ns) const {
  view.session = session_;
  view.next = arbiter_.next_sequence();
  view.known_end = arbiter_.known_end();
  view.parked_first = arbiter_.parked_first();
  view.missing = arbiter_.holes().messages();
  view.state = state_;
  view.whole = replica_.whole();
  view.end_announced = end_sequence_ != 0;
  view.overdue.clear();
  arbiter_.overdue(now_ns, RecoveryView::overdue_max, view.overdue);
}

void Follower::publish_counters() {
  const book::ReplicaCounters& replica = replica_.counters();
  const book::Book& books = replica_.book();
  counters_.set(sequence, replica_.sequence());
  counters_.set(position, replica_.position());
  counters_.set(messages, replica.messages);
  counters_.set(events, replica.events);
  counters_.set(parked, arbiter_.parked_count());
  counters_.set(parked_bytes, arbiter_.parked_bytes());
  counters_.set(holes, arbiter_.holes().size());
  counters_.set(holes_messages, arbiter_.holes().messages());
  counters_.set(SubscriberCounter::state, static_cast<std::uint64_t>(state_));
  counters_.set(instrument_gaps, replica.instrument_gaps);
  counters_.set(instruments, replica_.instrument_last());
  counters_.set(live_orders, books.live_orders());
  counters_.set(SubscriberCounter::digest, books.digest());
  counters_.set(whole, replica_.whole() ? 1 : 0);
  counters_.set(digests_checked, replica.digests_checked);
  counters_.set(digests_mismatched, replica.digests_mismatched);
  counters_.set(digests_unchecked, replica.digests_unchecked);
  counters_.set(unknown_kinds, replica.unknown_kinds);
  counters_.set(definitions_refused, replica.definitions_refused);
  if (delivery_ != nullptr) {
    counters_.set(updates_delivered, delivery_->delivered());
    counters_.set(updates_lost, delivery_->lost());
  }
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    counters_.set(nth(refused_first, result - book::refusals_from), replica.refused[result]);
  }
}

}  // namespace depthcast::run

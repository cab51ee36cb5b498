#include "run/subscriber.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/clock.h"

namespace depthcast::run {
namespace {

using encode::PacketStatus;
using encode::PacketView;
using enum SubscriberCounter;

SubscriberCounter nth(SubscriberCounter first, std::size_t index) {
  return static_cast<SubscriberCounter>(static_cast<std::size_t>(first) + index);
}
// The counter of line A, or its counterpart of line B.
SubscriberCounter of_line(SubscriberCounter counter_a, std::size_t line) {
  return nth(counter_a, line * (static_cast<std::size_t>(datagrams_b) - static_cast<std::size_t>(datagrams_a)));
}

}  // namespace

std::vector<std::string> subscriber_counter_names() {
  std::vector<std::string> names;
  for (const char* line : {"A", "B"}) {
    for (const char* figure :
         {"datagrams", "bytes", "first", "duplicates", "kernelDrops", "foreignSources", "receiveBuffer"}) {
      names.push_back(std::string(figure) + line);
    }
  }
  for (const char* name : {"foreignChannel",
                           "foreignSession",
                           "implausible",
                           "sequence",
                           "position",
                           "messages",
                           "events",
                           "missingMessages",
                           "missingRanges",
                           "parked",
                           "parkedOverflows",
                           "instrumentGaps",
                           "instruments",
                           "liveOrders",
                           "digest",
                           "whole",
                           "digestsChecked",
                           "digestsMismatched",
                           "digestsUnchecked",
                           "unknownKinds",
                           "definitionsRefused",
                           "updatesDelivered",
                           "updatesLost",
                           "sessions",
                           "session",
                           "receiveErrors",
                           "loopNsMax"}) {
    names.emplace_back(name);
  }
  for (std::size_t status = 0; status < encode::packet_statuses; ++status) {
    names.push_back(std::string("packet.") + encode::name_of(static_cast<PacketStatus>(status)));
  }
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    names.push_back(std::string("refused.") + book::name_of(static_cast<book::ApplyResult>(result)));
  }
  return names;
}

Subscriber::Subscriber(const SubscriberOptions& options, std::function<void()> on_wake)
    : options_(options),
      on_wake_(std::move(on_wake)),
      wake_descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      delivery_(options.delivery_capacity == 0
                    ? nullptr
                    : std::make_unique<Delivery>(options.delivery_capacity, options.delivery_policy)),
      replica_(options.limits, delivery_.get()),
      applier_(replica_, this),
      arbiter_(options.arbiter),
      tracker_(options.session, options.silence_ns) {
  if (delivery_ != nullptr) delivery_->attach(replica_.book());
  if (!wake_descriptor_.open()) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (!options.lines[0] && !options.lines[1]) throw std::invalid_argument("a subscriber follows at least one line");
  for (std::size_t line = 0; line < 2; ++line) {
    if (!options.lines[line]) continue;
    receivers_[line] = std::make_unique<io::UdpReceiver>(*options.lines[line]);
    counters_.set(of_line(receive_buffer_a, line),
                  static_cast<std::uint64_t>(receivers_[line]->receive_buffer_bytes()));
  }
  applier_.watch_position(export_due());
}

Subscriber::~Subscriber() { stop(); }

void Subscriber::start() {
  thread_ = std::thread([this] { run(); });
}

void Subscriber::stop() {
  // Pairs with the load in run().
  stop_.store(true, std::memory_order_release);
  static_cast<void>(eventfd_write(wake_descriptor_.get(), 1));
  if (thread_.joinable()) thread_.join();
}

void Subscriber::run() {
  io::name_thread("dc-receive");
  if (options_.core >= 0) io::pin_to_core(options_.core);
  std::uint32_t idle_rounds = 0;
  std::int64_t counters_due_ns = 0;
  while (!stop_.load(std::memory_order_acquire)) {  // pairs with stop()
    std::size_t received = 0;
    for (std::size_t line = 0; line < 2; ++line) received += receive(line);
    tick();
    report();
    if (now_ns_ >= counters_due_ns) {
      publish_counters();
      counters_due_ns = now_ns_ + 1'000'000;
    }
    if (received != 0) {
      idle_rounds = 0;
    } else {
      idle(idle_rounds);
    }
  }
  publish_counters();
}

std::size_t Subscriber::receive(std::size_t line) {
  if (receivers_[line] == nullptr) return 0;
  bool timed = false;
  const std::size_t received = receivers_[line]->receive([&](std::span<const std::uint8_t> datagram) {
    if (!timed) {
      now_ns_ = io::monotonic_ns();
      realtime_ns_ = io::realtime_ns();
      timed = true;
    }
    on_datagram(line, datagram);
  });
  return received;
}

void Subscriber::on_datagram(std::size_t line, std::span<const std::uint8_t> datagram) {
  counters_.add(of_line(datagrams_a, line));
  counters_.add(of_line(bytes_a, line), datagram.size());
  PacketView view;
  const PacketStatus status = encode::read_packet(datagram, view);
  counters_.add(nth(packet_first, static_cast<std::size_t>(status)));
  if (status != PacketStatus::ok) return;
  if (view.channel != options_.channel) return counters_.add(foreign_channel);
  switch (tracker_.offer(view.session, now_ns_)) {
    case arbitrate::SessionVerdict::foreign: return counters_.add(foreign_session);
    case arbitrate::SessionVerdict::adopted: adopt(view.session); break;
    default: break;
  }
  if (followed_ && view.first_sequence > arbiter_.next_sequence() + jump_max) return counters_.add(implausible);
  followed_ = true;
  if (view.count == 0) return on_unnumbered(view);

  arbitrate::Arbiter::Decision decision = arbiter_.offer(view.first_sequence, view.count, datagram, now_ns_);
  if (decision.verdict == arbitrate::Verdict::overflow) {
    counters_.add(parked_overflows);
    if (const auto range = arbiter_.give_up()) give_up(*range);
    drain_parked();
    decision = arbiter_.offer(view.first_sequence, view.count, datagram, now_ns_);
  }
  switch (decision.verdict) {
    case arbitrate::Verdict::duplicate: counters_.add(of_line(duplicates_a, line)); break;
    case arbitrate::Verdict::parked: counters_.add(of_line(first_a, line)); break;
    case arbitrate::Verdict::overflow: break;  // counted above; what it brought will be named as missing
    case arbitrate::Verdict::apply:
      counters_.add(of_line(first_a, line));
      applier_.apply(view, decision.skip);
      latency_.record(io::realtime_ns() - view.send_time_ns);
      drain_parked();
      break;
  }
}

void Subscriber::adopt(std::uint64_t session) {
  if (followed_) {
    // What the old session still waited for will not come any more.
    while (const auto range = arbiter_.give_up()) {
      give_up(*range);
      drain_parked();
    }
    check_end();
    replica_.reset();
    arbiter_.reset(1);
    if (delivery_ != nullptr) delivery_->abandon();
  }
  session_ = session;
  followed_ = false;
  end_sequence_ = 0;
  end_told_ = false;
  exports_done_ = 0;
  applier_.watch_position(export_due());
  counters_.add(sessions);
  counters_.set(SubscriberCounter::session, session);
  push(SessionEvent{session});
  {
    const std::lock_guard lock(mutex_);
    missing_.clear();
    if (known_.empty()) return;
    known_.clear();
  }
  push(DefinitionsEvent{});
}

void Subscriber::on_unnumbered(const PacketView& view) {
  arbiter_.announce(view.first_sequence, now_ns_);
  applier_.learn(view);
  if (view.heartbeat != nullptr) on_heartbeat(view);
}

void Subscriber::on_heartbeat(const PacketView& view) {
  if (view.heartbeat->end_of_session()) {
    end_sequence_ = view.first_sequence;
    end_position_ = view.input_position;
    tracker_.end();
  }
  // Everything up to that position has been applied: positions that made no message are passed, too.
  if (arbiter_.next_sequence() == view.first_sequence) applier_.reach(view.input_position + 1);
}

void Subscriber::on_position_passed(std::uint64_t position) {
  while (position > export_due()) {
    ExportEvent event{0, export_books(replica_, 0, options_.export_orders)};
    event.books.session = session_;
    event.books.position = export_due();
    publish_counters();  // who gets the books reads figures that are no older
    push(std::move(event));
    ++exports_done_;
  }
  applier_.watch_position(export_due());
}

void Subscriber::drain_parked() {
  while (const auto parked_packet = arbiter_.next_parked()) {
    PacketView view;
    // It was checked before it was kept; the view is made again, since it points into its bytes.
    if (encode::read_packet(parked_packet->datagram, view) != PacketStatus::ok) continue;
    applier_.apply(view, parked_packet->skip);
    latency_.record(io::realtime_ns() - view.send_time_ns);
  }
}

void Subscriber::give_up(const arbitrate::SequenceRange& range) {
  counters_.add(missing_ranges);
  counters_.add(missing_messages, range.last - range.first + 1);
  replica_.on_missing(range.last);
  {
    const std::lock_guard lock(mutex_);
    if (missing_.size() < missing_max) missing_.push_back(range);
  }
  push(MissingEvent{range});
}

void Subscriber::tick() {
  const std::int64_t before_ns = now_ns_;
  now_ns_ = io::monotonic_ns();
  if (before_ns != 0) counters_.raise(loop_ns_max, static_cast<std::uint64_t>(now_ns_ - before_ns));
  while (const auto range = arbiter_.expire(now_ns_)) {
    give_up(*range);
    drain_parked();
  }
  check_end();
  // Pairs with the store in request_export().
  if (requested_.load(std::memory_order_acquire)) serve_requests();
}

void Subscriber::check_end() {
  if (end_sequence_ == 0 || end_told_ || arbiter_.next_sequence() < end_sequence_) return;
  end_told_ = true;
  applier_.reach(end_position_ + 1);
  publish_counters();  // who hears of the end reads the final figures
  push(EndOfSessionEvent{session_, end_sequence_ - 1, end_position_});
}

void Subscriber::serve_requests() {
  // Half an event is no state to show. The rest of it is on its way, or has been lost: then the state is told as it
  // is, and not as whole.
  const bool half_event = replica_.sequence() != replica_.event_sequence();
  if (half_event) {
    if (half_event_since_ns_ == 0) half_event_since_ns_ = now_ns_;
    if (now_ns_ - half_event_since_ns_ < options_.silence_ns) return;
  }
  half_event_since_ns_ = 0;
  std::vector<Request> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(requests_);
    requested_.store(false, std::memory_order_relaxed);  // under the lock that guards the requests themselves
  }
  for (const Request& request : requests) {
    ExportEvent event{request.id, export_books(replica_, request.instrument, request.orders)};
    event.books.session = session_;
    event.books.whole = event.books.whole && !half_event;
    push(std::move(event));
  }
}

// Tells the consumer what has come up since the last look.
void Subscriber::report() {
  const std::uint64_t mismatches = replica_.counters().digests_mismatched;
  if (mismatches != mismatches_told_) {
    mismatches_told_ = mismatches;
    push(DigestMismatchEvent{replica_.event_sequence()});
  }
  if (delivery_ == nullptr) return;
  if (delivery_->lost() != lost_told_) {
    const std::uint64_t lost = delivery_->lost() - lost_told_;
    lost_told_ = delivery_->lost();
    push(OverrunEvent{lost});
  }
  if (delivery_->delivered() != delivered_told_) {
    delivered_told_ = delivery_->delivered();
    wake();
  }
}

void Subscriber::on_definition(std::uint32_t instrument) {
  const book::DefinitionRecord& record = replica_.definition(instrument);
  {
    const std::lock_guard lock(mutex_);
    book::DefinitionRecord& known = known_[instrument];
    if (known == record) return;
    known = record;
    // One event tells of all that are known when it is taken.
    if (!events_.empty() && std::holds_alternative<DefinitionsEvent>(events_.back())) return;
  }
  push(DefinitionsEvent{});
}

void Subscriber::idle(std::uint32_t& idle_rounds) {
  constexpr std::uint32_t rounds_before_sleep = 16;
  constexpr int sleep_ms_max = 10;
  switch (options_.wait) {
    case io::WaitStrategy::spin: io::pause_core(); return;
    case io::WaitStrategy::yield: sched_yield(); return;
    case io::WaitStrategy::park: break;
  }
  if (++idle_rounds < rounds_before_sleep) return io::pause_core();
  pollfd waiting[3];
  nfds_t count = 0;
  waiting[count++] = {wake_descriptor_.get(), POLLIN, 0};
  for (const auto& receiver : receivers_) {
    if (receiver != nullptr) waiting[count++] = {receiver->descriptor(), POLLIN, 0};
  }
  int timeout_ms = sleep_ms_max;
  if (const std::int64_t deadline = arbiter_.deadline_ns(); deadline != 0) {
    const std::int64_t left_ms = (deadline - now_ns_) / 1'000'000 + 1;
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, sleep_ms_max));
  }
  poll(waiting, count, timeout_ms);
  eventfd_t ignored = 0;
  static_cast<void>(eventfd_read(wake_descriptor_.get(), &ignored));
  now_ns_ = 0;  // time asleep is no stall
}

void Subscriber::push(FeedEvent event) {
  {
    const std::lock_guard lock(mutex_);
    // A consumer that takes nothing loses the oldest news, never the bound on memory.
    if (events_.size() == events_max) events_.erase(events_.begin(), events_.begin() + events_max / 2);
    events_.push_back(std::move(event));
  }
  wake();
}

void Subscriber::wake() {
  // Pairs with the exchange in rearm_wake(): one wake-up covers all that is published until the consumer looks.
  if (!wake_sent_.exchange(true, std::memory_order_acq_rel) && on_wake_) on_wake_();
}

std::vector<FeedEvent> Subscriber::take_events() {
  std::vector<FeedEvent> taken;
  const std::lock_guard lock(mutex_);
  taken.swap(events_);
  // Under the lock: all that was delivered by now comes after what was told of it, and before what will be told.
  updates_due_ = delivery_ == nullptr ? 0 : delivery_->ring().available_now();
  return taken;
}

void Subscriber::request_export(std::uint32_t id, std::uint32_t instrument, bool orders) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({id, instrument, orders});
    // Pairs with the load in tick().
    requested_.store(true, std::memory_order_release);
  }
  static_cast<void>(eventfd_write(wake_descriptor_.get(), 1));
}

std::vector<arbitrate::SequenceRange> Subscriber::missing() const {
  const std::lock_guard lock(mutex_);
  return missing_;
}

std::vector<KnownDefinition> Subscriber::definitions() const {
  std::vector<KnownDefinition> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [instrument, record] : known_) all.push_back({instrument, record});
  return all;
}

void Subscriber::publish_counters() {
  const book::ReplicaCounters& replica = replica_.counters();
  const book::Book& books = replica_.book();
  counters_.set(sequence, replica_.sequence());
  counters_.set(position, replica_.position());
  counters_.set(messages, replica.messages);
  counters_.set(events, replica.events);
  counters_.set(parked, arbiter_.parked_count());
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
  std::uint64_t errors = 0;
  for (std::size_t line = 0; line < 2; ++line) {
    if (receivers_[line] == nullptr) continue;
    counters_.set(of_line(kernel_drops_a, line), receivers_[line]->kernel_drops());
    counters_.set(of_line(foreign_sources_a, line), receivers_[line]->foreign_sources());
    errors += receivers_[line]->receive_errors();
  }
  counters_.set(receive_errors, errors);
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    counters_.set(nth(refused_first, result - book::refusals_from), replica.refused[result]);
  }
}

}  // namespace depthcast::run

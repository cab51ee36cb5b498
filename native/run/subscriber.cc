#include "run/subscriber.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "io/clock.h"

namespace depthcast::run {

using enum SubscriberCounter;

Subscriber::Subscriber(const SubscriberOptions& options, std::function<void()> on_wake)
    : options_(options),
      on_wake_(std::move(on_wake)),
      memory_lock_(options.lock_memory),
      wake_descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      delivery_(options.delivery_capacity == 0
                    ? nullptr
                    : std::make_unique<Delivery>(options.delivery_capacity, options.delivery_policy)),
      follower_(options, delivery_.get(), counters_, *this) {
  memory_lock_.end();
  counters_.set(locked_bytes, memory_lock_.bytes());
  counters_.set(lock_error, static_cast<std::uint64_t>(memory_lock_.error()));
  if (!wake_descriptor_.open()) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (!options.fed && !options.lines[0] && !options.lines[1])
    throw std::invalid_argument("a subscriber follows at least one line");
  for (std::size_t line = 0; line < 2; ++line) {
    if (!options.lines[line]) continue;
    receivers_[line] = std::make_unique<io::UdpReceiver>(*options.lines[line]);
    counters_.set(of_line(receive_buffer_a, line),
                  static_cast<std::uint64_t>(receivers_[line]->receive_buffer_bytes()));
    if (receivers_[line]->busy_poll_refused()) counters_.set(busy_poll_refused, 1);
  }
}

Subscriber::~Subscriber() { stop(); }

void Subscriber::start() {
  thread_ = std::thread([this] { run(); });
}

void Subscriber::stop() {
  // Pairs with the load in run().
  stop_.store(true, std::memory_order_release);
  wake_thread();
  if (thread_.joinable()) thread_.join();
}

void Subscriber::wake_thread() { static_cast<void>(eventfd_write(wake_descriptor_.get(), 1)); }

void Subscriber::run() {
  io::name_thread("dc-receive");
  const bool pinned = options_.core < 0 || io::pin_to_core(options_.core);
  counters_.set(core_refused, pinned ? 0 : 1);
  counters_.set(thread_id, io::thread_id());
  SubscriberProbe* const probe = options_.probe.get();
  if (probe != nullptr) probe->started();
  std::uint32_t idle_rounds = 0;
  std::int64_t publish_due_ns = 0;
  while (!stop_.load(std::memory_order_acquire)) {  // pairs with stop()
    if (probe != nullptr) {
      probe->before_receive();
      follower_.deliver(probe->delivers());
    }
    std::size_t received = 0;
    for (std::size_t line = 0; line < 2; ++line) received += receive(line);
    if (snapshot_receiver_ != nullptr) received += receive_snapshot_line();
    if (!offered_.empty()) received += take_offered();
    tick();
    report();
    if (now_ns_ >= publish_due_ns) {
      publish();
      publish_due_ns = now_ns_ + 1'000'000;
    }
    if (received != 0) {
      idle_rounds = 0;
    } else {
      idle(idle_rounds);
    }
  }
  publish();
}

std::size_t Subscriber::receive(std::size_t line) {
  if (receivers_[line] == nullptr) return 0;
  bool timed = false;
  SubscriberProbe* const probe = options_.probe.get();
  return receivers_[line]->receive([&](std::span<const std::uint8_t> datagram) {
    if (!timed) {
      now_ns_ = io::monotonic_ns();
      timed = true;
      if (probe != nullptr) probe->received();
    }
    if (probe == nullptr) return follower_.take(line, datagram, now_ns_);
    const std::uint64_t before = follower_.replica().sequence();
    follower_.take(line, datagram, now_ns_);
    probe->taken(line, datagram, receivers_[line]->kernel_time_ns(), before, follower_.replica().sequence());
  });
}

std::size_t Subscriber::receive_snapshot_line() {
  now_ns_ = io::monotonic_ns();
  return snapshot_receiver_->receive([&](std::span<const std::uint8_t> datagram) {
    counters_.add(snapshot_line_datagrams);
    follower_.take_recovered(datagram, now_ns_);
  });
}

std::size_t Subscriber::take_offered() {
  now_ns_ = io::monotonic_ns();
  // Whoever asked for a snapshot and then offers it is understood in that order.
  const auto before = [&] {
    // Pairs with the store in command().
    if (requested_.load(std::memory_order_acquire)) serve_commands();
  };
  return offered_.take(offered_bytes_at_once, before, [&](std::span<const std::uint8_t> datagram) {
    if (options_.fed) return follower_.take_fed(datagram, now_ns_);
    follower_.take_recovered(datagram, now_ns_);
  });
}

void Subscriber::tick() {
  const std::int64_t before_ns = now_ns_;
  now_ns_ = io::monotonic_ns();
  if (before_ns != 0) counters_.raise(loop_ns_max, static_cast<std::uint64_t>(now_ns_ - before_ns));
  follower_.tick(now_ns_);
  // Pairs with the stores in request_export() and command().
  if (!requested_.load(std::memory_order_acquire)) return;
  serve_commands();
  serve_exports();
}

void Subscriber::serve_commands() {
  std::vector<Command> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
    // Under the lock that guards the requests themselves.
    if (exports_.empty()) requested_.store(false, std::memory_order_relaxed);
  }
  for (const Command& one : commands) carry_out(one);
}

void Subscriber::carry_out(const Command& command) {
  if (const auto* confirm = std::get_if<ConfirmSession>(&command)) {
    follower_.confirm_session(confirm->session, now_ns_);
  } else if (std::holds_alternative<WantSnapshot>(command)) {
    follower_.want_snapshot();
  } else if (const auto* given_up = std::get_if<GiveUp>(&command)) {
    follower_.give_up_below(given_up->end);
  } else if (std::holds_alternative<CancelResume>(command)) {
    follower_.cancel_resume();
  } else if (const auto* join = std::get_if<JoinSnapshotLine>(&command)) {
    if (!join->joined) {
      snapshot_receiver_ = nullptr;
    } else if (snapshot_receiver_ == nullptr && options_.snapshot_line) {
      try {
        snapshot_receiver_ = std::make_unique<io::UdpReceiver>(*options_.snapshot_line);
      } catch (const std::exception&) {
        ++join_errors_;
      }
    }
  }
}

void Subscriber::serve_exports() {
  // Half an event is no state to show. The rest of it is on its way, or has been lost: then the state is told as it
  // is, and not as whole.
  const bool half_event = follower_.within_event();
  if (half_event) {
    if (half_event_since_ns_ == 0) half_event_since_ns_ = now_ns_;
    if (now_ns_ - half_event_since_ns_ < options_.silence_ns) return;
  }
  half_event_since_ns_ = 0;
  std::vector<Export> exports;
  {
    const std::lock_guard lock(mutex_);
    exports.swap(exports_);
    if (commands_.empty()) requested_.store(false, std::memory_order_relaxed);  // as above
  }
  for (const Export& one : exports) {
    ExportEvent event{one.id, follower_.export_now(one.instrument, one.orders)};
    event.books.whole = event.books.whole && !half_event;
    push(std::move(event));
  }
}

// Tells the consumer what has come up since the last look.
void Subscriber::report() {
  if (delivery_ != nullptr && delivery_->lost() != lost_told_) {
    const std::uint64_t lost = delivery_->lost() - lost_told_;
    lost_told_ = delivery_->lost();
    push(OverrunEvent{lost});
  }
  const bool has_updates = delivery_ != nullptr && delivery_->delivered() != delivered_told_;
  if (has_updates) delivered_told_ = delivery_->delivered();
  // Who is woken finds a view of the holes that is no older than the news.
  if (has_news_ && options_.recovery) publish_view();
  if (has_news_ || has_updates) wake();
  has_news_ = false;
}

void Subscriber::publish_view() {
  const std::lock_guard lock(mutex_);
  follower_.view(recovery_, now_ns_);
}

void Subscriber::publish() {
  follower_.publish_counters();
  std::uint64_t errors = join_errors_;
  for (std::size_t line = 0; line < 2; ++line) {
    if (receivers_[line] == nullptr) continue;
    counters_.set(of_line(kernel_drops_a, line), receivers_[line]->kernel_drops());
    counters_.set(of_line(foreign_sources_a, line), receivers_[line]->foreign_sources());
    errors += receivers_[line]->receive_errors();
  }
  counters_.set(receive_errors, errors);
  const book::Replica& replica = follower_.replica();
  const auto digest_then = replica.past_digest(replica.event_sequence());
  {
    const std::lock_guard lock(mutex_);
    if (digest_then) applied_ = {follower_.session(), replica.event_sequence(), *digest_then};
  }
  if (options_.recovery) publish_view();
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
  pollfd waiting[4];
  nfds_t count = 0;
  waiting[count++] = {wake_descriptor_.get(), POLLIN, 0};
  for (const auto* receiver : {receivers_[0].get(), receivers_[1].get(), snapshot_receiver_.get()}) {
    if (receiver != nullptr) waiting[count++] = {receiver->descriptor(), POLLIN, 0};
  }
  int timeout_ms = sleep_ms_max;
  if (const std::int64_t deadline_ns = follower_.deadline_ns(); deadline_ns > now_ns_) {
    const std::int64_t left_ms = (deadline_ns - now_ns_) / 1'000'000 + 1;
    timeout_ms = static_cast<int>(std::min<std::int64_t>(left_ms, sleep_ms_max));
  }
  poll(waiting, count, timeout_ms);
  eventfd_t ignored = 0;
  static_cast<void>(eventfd_read(wake_descriptor_.get(), &ignored));
  now_ns_ = 0;  // time asleep is no stall
}

void Subscriber::on_news(FeedNews&& news) {
  bool forgotten = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto* given_up = std::get_if<GivenUpEvent>(&news)) {
      if (missing_.size() < missing_max) missing_.push_back(given_up->range);
    } else if (std::holds_alternative<SessionEvent>(news)) {
      missing_.clear();
      forgotten = !known_.empty();
      known_.clear();
    }
  }
  push(std::move(news));
  if (forgotten) push(DefinitionsEvent{});
}

void Subscriber::on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) {
  {
    const std::lock_guard lock(mutex_);
    book::DefinitionRecord& known = known_[instrument];
    if (known == record) return;
    known = record;
    // One event tells of all that are known when it is taken.
    if (!events_.empty() && std::holds_alternative<DefinitionsEvent>(events_.back().news)) return;
  }
  push(DefinitionsEvent{});
}

void Subscriber::push(FeedNews&& news) {
  const std::uint64_t before = delivery_ == nullptr ? 0 : delivery_->delivered();
  has_news_ = true;
  const std::lock_guard lock(mutex_);
  if (extends_last(news)) {
    events_.back().updates_before = before;
    return;
  }
  // A consumer that takes nothing loses the oldest news, never the bound on memory.
  if (events_.size() == events_max) events_.erase(events_.begin(), events_.begin() + events_max / 2);
  events_.push_back({std::move(news), before});
}

// A retransmission comes in many packets: one event tells of those that have come when it is taken.
bool Subscriber::extends_last(const FeedNews& news) {
  const auto* more = std::get_if<RecoveredEvent>(&news);
  auto* last = events_.empty() ? nullptr : std::get_if<RecoveredEvent>(&events_.back().news);
  if (more == nullptr || last == nullptr || last->way != more->way || last->range.last + 1 != more->range.first) {
    return false;
  }
  last->range.last = more->range.last;
  return true;
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
    exports_.push_back({id, instrument, orders});
    // Pairs with the load in tick().
    requested_.store(true, std::memory_order_release);
  }
  wake_thread();
}

void Subscriber::command(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (commands_.size() == commands_max) return;
    commands_.push_back(command);
    // Pairs with the load in tick().
    requested_.store(true, std::memory_order_release);
  }
  wake_thread();
}

std::size_t Subscriber::offer(std::span<const std::uint8_t> bytes) {
  const std::size_t waiting = offered_.offer(bytes);
  wake_thread();
  return waiting;
}

RecoveryView Subscriber::recovery() const {
  const std::lock_guard lock(mutex_);
  return recovery_;
}

ResumePoint Subscriber::applied() const {
  const std::lock_guard lock(mutex_);
  return applied_;
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

}  // namespace depthcast::run

#include "run/replica_thread.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "encode/packet_reader.h"
#include "encode/prefix.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

using enum ReplicaCounter;

constexpr std::uint32_t wait_ms_busy = 100;       // too many generations are held
constexpr std::uint32_t wait_ms_not_ready = 500;  // the replica is behind, or not whole

template <typename Alive>
std::size_t count_alive(Alive& alive) {
  std::erase_if(alive, [](const auto& one) { return one.expired(); });
  return alive.size();
}

// The snapshot replica is never asked for depth views.
book::BookLimits without_views(book::BookLimits limits) {
  limits.depth_levels = 0;
  limits.prefault = false;
  return limits;
}

}  // namespace

std::vector<std::string> replica_counter_names() {
  return {"session",
          "sequence",
          "lagMessages",
          "whole",
          "digest",
          "liveOrders",
          "instruments",
          "digestsChecked",
          "mismatched",
          "reloads",
          "lapped",
          "datagramsCaughtUp",
          "checkpointsLoaded",
          "unavailable",
          "sessions",
          "damaged",
          "snapshots",
          "snapshotsServed",
          "snapshotsRefused",
          "snapshotBytes",
          "snapshotNs",
          "snapshotNsMax",
          "snapshotSequence",
          "generationsAlive",
          "checkpoints",
          "checkpointsFailed",
          "checkpointSequence",
          "loopRounds",
          "loopDatagrams",
          "loopBytes",
          "loopFailed",
          "loopNsMax"};
}

ReplicaThread::ReplicaThread(const ReplicaOptions& options, std::unique_ptr<PastDatagrams> past,
                             std::unique_ptr<CheckpointStore> checkpoints)
    : options_(options),
      checkpoints_(std::move(checkpoints)),
      follower_(options.ring, without_views(options.limits), options.channel, std::move(past), checkpoints_.get()),
      writer_(options.datagram_bytes) {
  if (options.loop)
    loop_ = std::make_unique<SnapshotLoop>(*options.loop, std::max<std::uint64_t>(1, options.loop_bytes_per_second));
}

ReplicaThread::~ReplicaThread() { stop(); }

void ReplicaThread::start() {
  thread_ = std::thread([this] { run(); });
}

void ReplicaThread::stop() {
  stop_.store(true, std::memory_order_release);  // pairs with the loads in run() and idle()
  parker_.wake();
  if (thread_.joinable()) thread_.join();
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
}

bool ReplicaThread::request_snapshot(SnapshotRequest request, OnSnapshot on_snapshot) {
  // A bound, not an exact count.
  if (waiting_.load(std::memory_order_relaxed) >= waiting_max) return false;
  waiting_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({std::move(request), std::move(on_snapshot), 0});
    requested_.store(true, std::memory_order_release);  // pairs with the loads in serve() and idle()
  }
  parker_.wake();
  return true;
}

void ReplicaThread::run() {
  io::name_thread("dc-replica");
  if (options_.core >= 0) io::pin_to_core(options_.core);
  std::uint32_t idle_rounds = 0;
  std::int64_t counters_due_ns = 0;
  while (!stop_.load(std::memory_order_acquire)) {  // pairs with stop()
    const std::int64_t now_ns = io::monotonic_ns();
    bool worked = follow(now_ns);
    publish_symbols();
    serve(now_ns);
    tick_checkpoint(now_ns);
    worked = tick_loop(now_ns) || worked;
    const std::int64_t after_ns = io::monotonic_ns();
    counters_.raise(loop_ns_max, static_cast<std::uint64_t>(after_ns - now_ns));
    if (after_ns >= counters_due_ns) {
      publish_counters();
      counters_due_ns = after_ns + 1'000'000;
    }
    if (worked) {
      idle_rounds = 0;
    } else {
      idle(idle_rounds);
    }
  }
  pending_.clear();
  publish_counters();
}

bool ReplicaThread::follow(std::int64_t now_ns) {
  ActivityLog* const log = options_.activities.get();
  if (log == nullptr) return follower_.step(now_ns);
  const std::int64_t begin_ns = io::realtime_ns();
  const bool worked = follower_.step(now_ns);
  if (worked) log->add(Activity::replica, begin_ns);
  return worked;
}

void ReplicaThread::publish_symbols() {
  const book::Replica& replica = follower_.replica();
  if (follower_.session() == symbols_session_ && replica.definitions_version() == symbols_version_) return;
  symbols_session_ = follower_.session();
  symbols_version_ = replica.definitions_version();
  std::vector<std::string> symbols(std::size_t{replica.instrument_last()} + 1);
  for (std::uint32_t instrument = 1; instrument <= replica.instrument_last(); ++instrument) {
    const book::DefinitionRecord& record = replica.definition(instrument);
    if (record.defined) symbols[instrument] = record.symbol;
  }
  const std::lock_guard lock(symbols_mutex_);
  symbols_.swap(symbols);
}

std::string ReplicaThread::symbol(std::uint32_t instrument) const {
  const std::lock_guard lock(symbols_mutex_);
  return instrument < symbols_.size() ? symbols_[instrument] : std::string{};
}

void ReplicaThread::serve(std::int64_t now_ns) {
  // Pairs with the store in request_snapshot().
  if (requested_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    for (Waiting& waiting : requests_) {
      waiting.since_ns = now_ns;
      pending_.push_back(std::move(waiting));
    }
    requests_.clear();
    requested_.store(false, std::memory_order_relaxed);  // under the lock that guards the requests themselves
  }
  if (pending_.empty()) return;
  const std::size_t before = pending_.size();
  std::erase_if(pending_, [&](Waiting& waiting) { return serve_one(waiting, now_ns); });
  waiting_.fetch_sub(before - pending_.size(), std::memory_order_relaxed);
}

bool ReplicaThread::serve_one(Waiting& waiting, std::int64_t now_ns) {
  const SnapshotRequest& request = waiting.request;
  const auto answer = [&](SnapshotAnswer&& given) {
    counters_.add(given.generation != nullptr ? snapshots_served : snapshots_refused);
    waiting.on_snapshot(std::move(given));
    return true;
  };
  if (request.before != 0) return answer(from_checkpoint(request));
  const bool ready = follower_.presentable() && follower_.replica().sequence() >= request.sequence_min;
  // One that is there already serves even while the replica itself is behind.
  const bool cached = newest_ != nullptr && newest_->session == follower_.session() && request.instruments.empty() &&
                      newest_->sequence >= request.sequence_min && now_ns - newest_->taken_ns <= options_.age_ns;
  if (!ready && !cached) {
    if (now_ns - waiting.since_ns < patience_ns) return false;
    return answer({nullptr, wait_ms_not_ready});
  }
  const auto generation =
      request.instruments.empty() ? whole(request.sequence_min, now_ns) : chosen(request.instruments, now_ns);
  return answer({generation, generation == nullptr ? wait_ms_busy : 0});
}

SnapshotAnswer ReplicaThread::from_checkpoint(const SnapshotRequest& request) {
  if (checkpoints_ == nullptr || follower_.session() == 0) return {};
  if (count_alive(alive_) >= generations_max) return {nullptr, wait_ms_busy};
  auto generation = std::make_shared<Generation>();
  generation->bytes = checkpoints_->newest(follower_.session(), request.before);
  const std::size_t length = encode::datagram_length(generation->bytes);
  encode::PacketView view;
  if (length == 0 || encode::read_packet({generation->bytes.data(), length}, view) != encode::PacketStatus::ok)
    return {};
  generation->channel = view.channel;
  generation->session = view.session;
  generation->sequence = view.first_sequence - 1;
  generation->position = view.input_position;
  generation->event_time_ns = view.base_time_ns;
  alive_.push_back(generation);
  return {generation, 0};
}

// Whoever gets it can have the numbers behind it by retransmission.
bool ReplicaThread::joinable(const Generation& generation) const {
  return generation.session == follower_.session() && generation.sequence + 1 >= follower_.archive().oldest();
}

std::shared_ptr<const Generation> ReplicaThread::whole(std::uint64_t sequence_min, std::int64_t now_ns) {
  const bool young =
      newest_ != nullptr && newest_->session == follower_.session() &&
      (now_ns - newest_->taken_ns <= options_.age_ns || newest_->sequence == follower_.replica().sequence());
  if (young && (newest_->sequence >= sequence_min || joinable(*newest_))) return newest_;
  newest_.reset();
  if (count_alive(alive_) < generations_max) {
    newest_ = take({}, now_ns);
    alive_.push_back(newest_);
    return newest_;
  }
  // An older one will do where retransmission closes the distance.
  for (auto one = alive_.rbegin(); one != alive_.rend(); ++one) {
    auto generation = one->lock();
    if (generation != nullptr && generation->number != 0 && joinable(*generation)) return newest_ = generation;
  }
  return nullptr;
}

std::shared_ptr<const Generation> ReplicaThread::chosen(const std::vector<std::uint32_t>& instruments,
                                                        std::int64_t now_ns) {
  count_alive(alive_chosen_);
  std::size_t bytes = 0;
  for (const auto& one : alive_chosen_) {
    if (const auto generation = one.lock()) bytes += generation->bytes.capacity();
  }
  if (bytes > chosen_bytes_max) return nullptr;
  auto generation = take(instruments, now_ns);
  alive_chosen_.push_back(generation);
  return generation;
}

std::shared_ptr<const Generation> ReplicaThread::take(const std::vector<std::uint32_t>& instruments,
                                                      std::int64_t now_ns) {
  const ActivityScope scope(options_.activities.get(), Activity::snapshot);
  const book::Replica& replica = follower_.replica();
  const std::int64_t realtime_ns = io::realtime_ns();
  // Later generations have larger numbers, whichever process makes them.
  generation_last_ = std::max<std::uint64_t>(generation_last_ + 1, static_cast<std::uint64_t>(realtime_ns));
  auto generation = std::make_shared<Generation>();
  generation->channel = options_.channel;
  generation->session = follower_.session();
  generation->number = generation_last_;
  generation->sequence = replica.sequence();
  generation->position = replica.position();
  generation->event_time_ns = replica.event_time_ns();
  generation->digest = replica.book().digest();
  const RingOrigin origin = follower_.archive().origin();
  generation->identity = origin.identity;
  generation->boot_id = origin.boot_id;
  generation->orders = replica.book().live_orders();
  generation->taken_ns = now_ns;
  // An order takes 40 bytes and its share of a datagram's overhead; an instrument a definition and part of a chunk.
  if (instruments.empty()) {
    generation->bytes.reserve(generation->orders * 50 + std::size_t{replica.instrument_last() + 1} * 400);
  }
  const encode::SnapshotStamp stamp{options_.channel,     generation->session,  generation->number,
                                    generation->sequence, generation->position, generation->event_time_ns,
                                    realtime_ns};
  writer_.write(replica, stamp, instruments, [&](std::span<const std::uint8_t> datagram) {
    generation->bytes.insert(generation->bytes.end(), datagram.begin(), datagram.end());
    ++generation->datagrams;
  });
  const auto took_ns = static_cast<std::uint64_t>(io::monotonic_ns() - now_ns);
  counters_.add(snapshots);
  counters_.raise(snapshot_ns_max, took_ns);
  if (instruments.empty()) {
    counters_.set(snapshot_ns, took_ns);
    counters_.set(snapshot_bytes, generation->bytes.size());
    counters_.set(snapshot_sequence, generation->sequence);
  }
  return generation;
}

void ReplicaThread::tick_checkpoint(std::int64_t now_ns) {
  if (options_.checkpoint_ns == 0 || checkpoints_ == nullptr) return;
  if (checkpoint_due_ns_ == 0) checkpoint_due_ns_ = now_ns + options_.checkpoint_ns;
  if (now_ns < checkpoint_due_ns_ || !follower_.presentable()) return;
  // Pairs with the store at the thread's end: it is joined without waiting.
  if (checkpoint_running_.load(std::memory_order_acquire)) return;
  checkpoint_due_ns_ = now_ns + options_.checkpoint_ns;
  const std::uint64_t sequence = follower_.replica().sequence();
  if (sequence == 0 || (checkpoint_session_ == follower_.session() && checkpoint_sequence_ == sequence)) return;
  const auto generation = whole(sequence, now_ns);
  if (generation == nullptr) return;
  checkpoint_session_ = generation->session;
  checkpoint_sequence_ = generation->sequence;
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
  checkpoint_running_.store(true, std::memory_order_relaxed);  // the thread that starts now sees it
  checkpoint_thread_ = std::thread([this, generation] {
    io::name_thread("dc-checkpoint");
    const ActivityScope scope(options_.activities.get(), Activity::checkpoint);
    try {
      checkpoints_->write(*generation);
      counters_.set(checkpoint_sequence, generation->sequence);
      counters_.add(checkpoints);
    } catch (const std::exception&) {
      counters_.add(checkpoints_failed);
    }
    checkpoint_running_.store(false, std::memory_order_release);  // pairs with the load above
  });
}

bool ReplicaThread::tick_loop(std::int64_t now_ns) {
  if (loop_ == nullptr) return false;
  if (loop_->generation() != nullptr && loop_->generation()->session != follower_.session()) loop_->abandon();
  if (loop_->wants() && follower_.presentable()) {
    if (auto generation = whole(follower_.replica().sequence(), now_ns)) loop_->begin(std::move(generation));
  }
  const std::int64_t begin_ns = options_.activities == nullptr ? 0 : io::realtime_ns();
  const bool sent = loop_->step(now_ns);
  if (sent && options_.activities != nullptr) options_.activities->add(Activity::snapshot_loop, begin_ns);
  return sent;
}

void ReplicaThread::idle(std::uint32_t& idle_rounds) {
  constexpr std::uint32_t rounds_before_sleep = 64;
  constexpr std::int64_t sleep_ns_min = 200'000;
  constexpr std::int64_t sleep_ns_max = 2'000'000;
  switch (options_.wait) {
    case io::WaitStrategy::spin: io::pause_core(); return;
    case io::WaitStrategy::yield: sched_yield(); return;
    case io::WaitStrategy::park: break;
  }
  if (++idle_rounds < rounds_before_sleep) return io::pause_core();
  parker_.prepare();
  // Pairs with the stores in request_snapshot() and stop().
  if (requested_.load(std::memory_order_acquire) || stop_.load(std::memory_order_acquire)) return parker_.cancel();
  // The longer nothing comes, the longer the sleep; the ring has no wake-up, so that its writer need not care.
  const bool busy = loop_ != nullptr || !pending_.empty();
  const std::int64_t longer_ns = sleep_ns_min + std::int64_t{idle_rounds - rounds_before_sleep} * 50'000;
  parker_.sleep(busy ? sleep_ns_min : std::min(longer_ns, sleep_ns_max));
}

void ReplicaThread::publish_counters() {
  const book::Replica& replica = follower_.replica();
  const FollowerCounters& follower = follower_.counters();
  counters_.set(session, follower_.session());
  counters_.set(sequence, replica.sequence());
  counters_.set(lag_messages, follower_.lag());
  counters_.set(ReplicaCounter::whole, replica.whole() ? 1 : 0);
  counters_.set(digest, replica.book().digest());
  counters_.set(live_orders, replica.book().live_orders());
  counters_.set(instruments, replica.instrument_last());
  counters_.set(digests_checked, replica.counters().digests_checked);
  counters_.set(mismatched, replica.counters().digests_mismatched);
  counters_.set(reloads, follower.reloads);
  counters_.set(lapped, follower.lapped);
  counters_.set(datagrams_caught_up, follower.datagrams_caught_up);
  counters_.set(checkpoints_loaded, follower.checkpoints_loaded);
  counters_.set(unavailable, follower.unavailable);
  counters_.set(sessions, follower.sessions);
  counters_.set(damaged, follower.damaged);
  counters_.set(generations_alive, count_alive(alive_));
  if (loop_ == nullptr) return;
  counters_.set(loop_rounds, loop_->rounds());
  counters_.set(loop_datagrams, loop_->sender().datagrams());
  counters_.set(loop_bytes, loop_->sender().bytes());
  counters_.set(loop_failed, loop_->sender().datagrams_failed());
}

}  // namespace depthcast::run

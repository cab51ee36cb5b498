#include "run/gateway_hub.h"

#include <algorithm>

#include "io/clock.h"

namespace depthcast::run {
namespace {

// What a `conflate` client becomes.
constexpr std::uint32_t slow_levels = 10;
constexpr std::int64_t slow_interval_ns = 100'000'000;

}  // namespace

GatewayHub::GatewayHub(const GatewayOptions& options, std::unique_ptr<PastDatagrams> past,
                       std::unique_ptr<CheckpointStore> checkpoints)
    : options_(options),
      checkpoints_(std::move(checkpoints)),
      market_(options.limits.instruments_max, options.prints_max),
      follower_(options.ring, options.limits, options.channel, std::move(past), checkpoints_.get(), &market_),
      budget_{options.window_bytes_max} {
  market_.follow(follower_.replica());
}

template <typename Act>
void GatewayHub::each(Act act) {
  for (auto& [number, client] : clients_) {
    for (auto& [id, entry] : client.entries) act(*entry.subscription);
  }
}

bool GatewayHub::step(std::int64_t now_ns) {
  now_ns_ = now_ns;
  const bool worked = follower_.step(now_ns);
  if (follower_.archive().ring_version() != ring_version_) {
    ring_version_ = follower_.archive().ring_version();
    run_ = {};
    whole_ = nullptr;
    each([](gateway::Subscription& subscription) { subscription.lose_ring(); });
  }
  if (follower_.session() != session_) end_session();
  return worked;
}

void GatewayHub::end_session() {
  if (session_ != 0) {
    each([&](gateway::Subscription& subscription) { subscription.end_session(market_); });
  }
  market_.reset();
  session_ = follower_.session();
}

std::uint32_t GatewayHub::open_client() {
  clients_.try_emplace(++client_last_);
  return client_last_;
}

void GatewayHub::close_client(std::uint32_t client) { clients_.erase(client); }

GatewayHub::Entry* GatewayHub::find(std::uint32_t client, std::uint16_t subscription) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return nullptr;
  const auto entry = found->second.entries.find(subscription);
  return entry == found->second.entries.end() ? nullptr : &entry->second;
}

std::unique_ptr<gateway::Subscription> GatewayHub::make(const GatewayRequest& request, gateway::SnapshotWhy why) {
  gateway::InstrumentSet instruments = request.all || request.mode == GatewayMode::exact
                                           ? gateway::InstrumentSet()
                                           : gateway::InstrumentSet(request.instruments);
  switch (request.mode) {
    case GatewayMode::exact:
      return std::make_unique<gateway::Packets>(gateway::PacketMode::exact, std::move(instruments), source(),
                                                request.resume, why);
    case GatewayMode::filtered:
      return std::make_unique<gateway::Packets>(gateway::PacketMode::filtered, std::move(instruments), source(), 0,
                                                why);
    case GatewayMode::trades: return std::make_unique<gateway::Prints>(std::move(instruments));
    default: break;
  }
  const std::uint32_t levels = std::clamp<std::uint32_t>(request.levels, 1, options_.limits.depth_levels);
  return std::make_unique<gateway::Conflated>(std::move(instruments),
                                              gateway::ConflatedOptions{levels, request.interval_ns}, budget_);
}

bool GatewayHub::subscribe(std::uint32_t client, std::uint16_t subscription, const GatewayRequest& request) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.entries.contains(subscription)) return false;
  found->second.entries.emplace(subscription, Entry{request, make(request, gateway::SnapshotWhy::begin), {}});
  return true;
}

// The new one covers with its first frames, or its snapshot, what the old one had not sent.
void GatewayHub::replace(Entry& entry, const GatewayRequest& request) {
  entry.before = counts_of(entry);
  entry.before.conflated += entry.before.pending;
  entry.before.pending = 0;
  entry.request = request;
  entry.subscription = make(request, gateway::SnapshotWhy::change);
  if (ready()) entry.subscription->join(market_);
}

bool GatewayHub::change(std::uint32_t client, std::uint16_t subscription, const GatewayRequest& request) {
  Entry* entry = find(client, subscription);
  if (entry == nullptr) return false;
  replace(*entry, request);
  return true;
}

GatewayCounts GatewayHub::counts_of(const Entry& entry) const {
  const gateway::Tally& tally = entry.subscription->tally();
  GatewayCounts counts = entry.before;
  const std::uint64_t published = entry.subscription->published(market_);
  counts.published += published;
  counts.sent += tally.sent;
  counts.conflated += tally.conflated;
  counts.refused += tally.refused;
  counts.pending = published - tally.covered();
  counts.sequence = std::max(counts.sequence, entry.subscription->sequence());
  return counts;
}

std::optional<GatewayCounts> GatewayHub::counts(std::uint32_t client, std::uint16_t subscription) const {
  const Entry* entry = const_cast<GatewayHub*>(this)->find(client, subscription);
  return entry == nullptr ? std::nullopt : std::optional(counts_of(*entry));
}

std::optional<GatewayCounts> GatewayHub::unsubscribe(std::uint32_t client, std::uint16_t subscription) {
  std::optional<GatewayCounts> counts = this->counts(client, subscription);
  if (!counts) return counts;
  // Nobody will ever get what was still to come.
  counts->refused += counts->pending;
  counts->pending = 0;
  clients_.find(client)->second.entries.erase(subscription);
  return counts;
}

bool GatewayHub::too_slow(std::uint16_t number, Entry& entry) {
  ++counters_.slow;
  SlowPolicy did = entry.request.on_slow;
  if (did == SlowPolicy::conflate && entry.request.mode != GatewayMode::trades) {
    GatewayRequest request = entry.request;
    request.mode = GatewayMode::depth;
    request.levels = slow_levels;
    request.interval_ns = slow_interval_ns;
    replace(entry, request);
  } else if (did != SlowPolicy::disconnect) {
    did = SlowPolicy::snapshot;
    entry.subscription->restart();
  }
  slow_.push_back({number, did, entry.subscription->sequence()});
  return did != SlowPolicy::disconnect;
}

GatewayFrame GatewayHub::compose(std::uint32_t client, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns,
                                 bool flush) {
  frame_.clear();
  slow_.clear();
  const auto found = clients_.find(client);
  if (found == clients_.end() || !ready()) return {};
  now_ns_ = now_ns;
  auto& [entries, turn] = found->second;
  gateway::FrameStamp stamp{options_.channel, 0, session_, market_.sequence(), realtime_ns, now_ns};
  bool more = false;
  auto next = entries.upper_bound(turn);
  for (std::size_t seen = 0; seen < entries.size() && !more; ++seen) {
    if (next == entries.end()) next = entries.begin();
    stamp.subscription = turn = next->first;
    Entry& entry = next->second;
    switch (entry.subscription->compose(market_, frame_, stamp, room, flush)) {
      case gateway::Compose::idle: break;
      case gateway::Compose::more: more = true; break;
      case gateway::Compose::overrun: more = too_slow(turn, entry); break;
    }
    more = more || frame_.size() >= room;
    ++next;
  }
  if (frame_.size() != 0) ++counters_.frames;
  counters_.bytes += frame_.size();
  return {frame_.bytes(), more, slow_};
}

std::span<const GatewaySlow> GatewayHub::check(std::uint32_t client) {
  slow_.clear();
  const auto found = clients_.find(client);
  if (found == clients_.end() || !ready()) return {};
  for (auto& [number, entry] : found->second.entries) {
    if (entry.request.on_slow != SlowPolicy::snapshot && entry.subscription->overrun(market_)) too_slow(number, entry);
  }
  return slow_;
}

// Young, and what follows it will be in the ring for a while yet.
bool GatewayHub::is_fresh() {
  if (now_ns_ - whole_ns_ >= options_.snapshot_age_ns) return false;
  const std::optional<BroadcastReader> ring = reader();
  if (!ring) return false;
  const std::uint64_t oldest = ring->oldest_sequence();
  const std::uint64_t next = ring->next_sequence();
  return whole_->sequence + 1 >= oldest + (next - std::min(oldest, next)) / 2;
}

std::shared_ptr<const gateway::ChannelSnapshot> GatewayHub::snapshot(const gateway::InstrumentSet& instruments,
                                                                     std::uint64_t sequence_min) {
  if (!follower_.presentable() || follower_.replica().sequence() < sequence_min) return nullptr;
  if (instruments.all() && whole_ != nullptr && whole_->sequence >= sequence_min && is_fresh()) return whole_;
  const book::Replica& replica = follower_.replica();
  const encode::SnapshotStamp stamp{options_.channel,   session_,           ++generation_,
                                    replica.sequence(), replica.position(), replica.event_time_ns(),
                                    io::realtime_ns()};
  auto made = std::make_shared<gateway::ChannelSnapshot>();
  made->sequence = replica.sequence();
  const std::span<const std::uint32_t> counted = market_.instrument_sequences();
  made->instrument_sequences.assign(counted.begin(), counted.end());
  // No instruments would mean all of them there.
  if (!instruments.all() && instruments.chosen().empty()) return made;
  made->generation = stamp.generation;
  snapshot_writer_.write(replica, stamp, instruments.chosen(), [&](std::span<const std::uint8_t> datagram) {
    made->bytes.insert(made->bytes.end(), datagram.begin(), datagram.end());
  });
  ++counters_.snapshots;
  if (!instruments.all()) return made;
  whole_ = made;
  whole_ns_ = now_ns_;
  return made;
}

}  // namespace depthcast::run

#include "run/gateway_hub.h"

#include <algorithm>

#include "io/clock.h"

namespace depthcast::run {
namespace {

// What a `conflate` client becomes.
constexpr std::uint32_t slow_levels = 10;
constexpr std::int64_t slow_interval_ns = 100'000'000;

// As encode::SnapshotWriter measures an instrument without orders, its definition included.
constexpr std::int64_t instrument_orders = 12;
// Whole ones that may be in memory: the oldest is taken from those who are still sending it.
constexpr std::size_t snapshots_max = 4;
// Definitions of a piece.
constexpr std::uint32_t definitions_at_once = 64;
// One that is just made is given to those who waited for it, even if the ring goes by fast.
constexpr std::int64_t snapshot_new_ns = 100'000'000;

}  // namespace

GatewayHub::GatewayHub(const GatewayOptions& options, std::unique_ptr<PastDatagrams> past,
                       std::unique_ptr<CheckpointStore> checkpoints)
    : options_(options),
      checkpoints_(std::move(checkpoints)),
      market_(options.limits.instruments_max, options.prints_max),
      follower_(options.ring, options.limits, options.channel, std::move(past), checkpoints_.get(), &market_),
      budget_{options.window_bytes_max} {
  market_.follow(follower_.replica());
  follower_.set_gate(this);
}

template <typename Act>
void GatewayHub::each(Act act) {
  for (auto& [number, client] : clients_) {
    for (auto& [id, entry] : client.entries) act(*entry.subscription);
  }
}

bool GatewayHub::step(std::int64_t now_ns) {
  now_ns_ = now_ns;
  budget_orders_ = options_.snapshot_orders_per_step;
  bool worked = follower_.step(now_ns);
  if (follower_.archive().ring_version() != ring_version_) {
    ring_version_ = follower_.archive().ring_version();
    run_ = {};
    groups_.dissolve_all();
    each([](gateway::Subscription& subscription) { subscription.lose_ring(); });
  }
  if (follower_.session() != session_) end_session();
  // The books have changed behind its back.
  if (!follower_.caught_up()) {
    growing_ = whole_ = nullptr;
    whole_writer_.abandon();
  } else if (growing_ != nullptr) {
    advance_whole();
    worked = true;
  }
  return worked;
}

void GatewayHub::end_session() {
  if (session_ != 0) {
    groups_.dissolve_all();
    each([&](gateway::Subscription& subscription) { subscription.end_session(market_); });
  }
  market_.reset();
  session_ = follower_.session();
}

std::uint32_t GatewayHub::open_client() {
  clients_.try_emplace(++client_last_);
  return client_last_;
}

void GatewayHub::close_client(std::uint32_t client) {
  groups_.forget(client);
  clients_.erase(client);
}

HubEntry* GatewayHub::find(std::uint32_t client, std::uint16_t subscription) {
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
  groups_.forget(client);
  found->second.entries.emplace(subscription, HubEntry{request, make(request, gateway::SnapshotWhy::begin), {}});
  return true;
}

// The new one covers with its first frames, or its snapshot, what the old one had not sent.
void GatewayHub::replace(HubEntry& entry, const GatewayRequest& request) {
  entry.before = counts_of(entry.before, *entry.subscription, market_);
  entry.before.conflated += entry.before.pending;
  entry.before.pending = 0;
  entry.request = request;
  entry.subscription = make(request, gateway::SnapshotWhy::change);
  if (ready()) entry.subscription->join(market_);
}

bool GatewayHub::change(std::uint32_t client, std::uint16_t subscription, const GatewayRequest& request) {
  HubEntry* entry = find(client, subscription);
  if (entry == nullptr) return false;
  groups_.forget(client);
  replace(*entry, request);
  return true;
}

std::optional<GatewayCounts> GatewayHub::counts(std::uint32_t client, std::uint16_t subscription) const {
  const auto found = clients_.find(client);
  if (found == clients_.end() || !found->second.entries.contains(subscription)) return std::nullopt;
  return groups_.counts(found->second, subscription);
}

std::optional<GatewayCounts> GatewayHub::unsubscribe(std::uint32_t client, std::uint16_t subscription) {
  groups_.forget(client);
  std::optional<GatewayCounts> counts = this->counts(client, subscription);
  if (!counts) return counts;
  // Nobody will ever get what was still to come.
  counts->refused += counts->pending;
  counts->pending = 0;
  clients_.find(client)->second.entries.erase(subscription);
  return counts;
}

bool GatewayHub::too_slow(std::uint16_t number, HubEntry& entry) {
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

template <typename Overrun>
bool GatewayHub::compose_entries(HubClient& client, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns,
                                 bool flush, Overrun overrun) {
  now_ns_ = now_ns;
  auto& entries = client.entries;
  gateway::FrameStamp stamp{options_.channel, 0, session_, market_.sequence(), realtime_ns, now_ns};
  bool more = false;
  auto next = entries.upper_bound(client.turn);
  for (std::size_t seen = 0; seen < entries.size() && !more; ++seen) {
    if (next == entries.end()) next = entries.begin();
    stamp.subscription = client.turn = next->first;
    HubEntry& entry = next->second;
    switch (entry.subscription->compose(market_, frame_, stamp, room, flush)) {
      case gateway::Compose::idle: break;
      case gateway::Compose::more: more = true; break;
      case gateway::Compose::overrun: more = overrun(client.turn, entry); break;
    }
    more = more || frame_.size() >= room;
    ++next;
  }
  return more;
}

GatewayFrame GatewayHub::compose(std::uint32_t client, std::size_t room, std::int64_t now_ns, std::int64_t realtime_ns,
                                 bool flush, bool share) {
  frame_.clear();
  slow_.clear();
  const auto found = clients_.find(client);
  if (found == clients_.end() || !ready()) return {};
  groups_.leave(client);
  const bool more =
      compose_entries(found->second, room, now_ns, realtime_ns, flush, [&](std::uint16_t number, HubEntry& entry) {
        groups_.forget(client);
        return too_slow(number, entry);
      });
  if (frame_.size() != 0) ++counters_.frames;
  counters_.bytes += frame_.size();
  const std::uint32_t group = share && !more && slow_.empty() && frame_.size() != 0 ? groups_.join(client) : 0;
  return {frame_.bytes(), more, slow_, group};
}

GatewayFrame GatewayHub::compose_group(std::uint32_t group, std::size_t room, std::int64_t now_ns,
                                       std::int64_t realtime_ns) {
  frame_.clear();
  HubClient* leader = groups_.leader(group);
  if (leader == nullptr) return {{}, false, {}, 0, true};
  if (!ready()) return {};
  // Each member finds that out for itself, and its own policy acts.
  bool ended = false;
  const bool more = compose_entries(*leader, room, now_ns, realtime_ns, false,
                                    [&](std::uint16_t, HubEntry&) { return ended = true; });
  if (frame_.size() != 0) ++counters_.frames;
  counters_.bytes += frame_.size();
  if (ended) groups_.dissolve(group);
  return {frame_.bytes(), more, {}, 0, ended};
}

std::span<const GatewaySlow> GatewayHub::check(std::uint32_t client) {
  slow_.clear();
  const auto found = clients_.find(client);
  if (found == clients_.end() || !ready()) return {};
  groups_.leave(client);
  for (auto& [number, entry] : found->second.entries) {
    if (entry.request.on_slow == SlowPolicy::snapshot || !entry.subscription->overrun(market_)) continue;
    groups_.forget(client);
    too_slow(number, entry);
  }
  return slow_;
}

// Young, and what follows it will be in the ring for a while yet.
bool GatewayHub::is_fresh() {
  const std::int64_t age_ns = now_ns_ - whole_ns_;
  if (age_ns >= options_.snapshot_age_ns) return false;
  const std::optional<BroadcastReader> ring = reader();
  if (!ring) return false;
  const std::uint64_t oldest = ring->oldest_sequence();
  const std::uint64_t next = ring->next_sequence();
  const std::uint64_t half = (next - std::min(oldest, next)) / 2;
  return whole_->sequence + 1 >= oldest + (age_ns < snapshot_new_ns ? 0 : half);
}

bool GatewayHub::keeps(std::uint64_t sequence) {
  const std::optional<BroadcastReader> ring = reader();
  return ring && sequence + 1 >= ring->oldest_sequence();
}

encode::SnapshotStamp GatewayHub::stamp_of_now() {
  const book::Replica& replica = follower_.replica();
  return {options_.channel,        session_,         ++generation_, replica.sequence(), replica.position(),
          replica.event_time_ns(), io::realtime_ns()};
}

std::shared_ptr<const gateway::ChannelSnapshot> GatewayHub::snapshot(const gateway::InstrumentSet& instruments,
                                                                     std::uint64_t sequence_min) {
  const book::Replica& replica = follower_.replica();
  const bool known =
      instruments.all() || instruments.chosen().empty() || instruments.chosen().back() <= replica.instrument_last();
  if (!instruments.all()) {
    std::int64_t work = 0;
    for (const std::uint32_t instrument : instruments.chosen()) {
      if (instrument > options_.limits.instruments_max) break;
      work += instrument_orders + replica.book().instrument(instrument).live_orders;
    }
    if (work <= options_.snapshot_orders_per_step / 4 || !known) {
      if (budget_orders_ <= 0 || !follower_.presentable() || replica.sequence() < sequence_min) return nullptr;
      budget_orders_ -= work;
      return make_snapshot(instruments);
    }
  }
  // New instruments are not in an older one.
  const bool holds = whole_ != nullptr && whole_->sequence >= sequence_min &&
                     (instruments.all() || instruments.chosen().back() < whole_->by_instrument.size());
  if (holds && is_fresh()) return whole_;
  if (growing_ != nullptr || budget_orders_ <= 0) return nullptr;
  if (!follower_.presentable() || replica.sequence() < sequence_min) return nullptr;
  begin_whole();
  advance_whole();
  return growing_ == nullptr ? whole_ : nullptr;
}

std::shared_ptr<gateway::ChannelSnapshot> GatewayHub::make_snapshot(const gateway::InstrumentSet& instruments) {
  const encode::SnapshotStamp stamp = stamp_of_now();
  auto made = std::make_shared<gateway::ChannelSnapshot>();
  made->sequence = stamp.sequence;
  const std::span<const std::uint32_t> counted = market_.instrument_sequences();
  made->instrument_sequences.assign(counted.begin(), counted.end());
  // No instruments would mean all of them there.
  if (instruments.chosen().empty()) return made;
  made->generation = stamp.generation;
  snapshot_writer_.write(follower_.replica(), stamp, instruments.chosen(), [&](std::span<const std::uint8_t> datagram) {
    made->bytes.insert(made->bytes.end(), datagram.begin(), datagram.end());
  });
  ++counters_.snapshots;
  return made;
}

void GatewayHub::begin_whole() {
  const book::Replica& replica = follower_.replica();
  make_room();
  growing_ = std::make_shared<gateway::ChannelSnapshot>();
  gateway::ChannelSnapshot& made = *growing_;
  const encode::SnapshotStamp stamp = stamp_of_now();
  made.sequence = stamp.sequence;
  made.generation = stamp.generation;
  const std::span<const std::uint32_t> counted = market_.instrument_sequences();
  made.instrument_sequences.assign(counted.begin(), counted.end());
  made.by_instrument.resize(std::size_t{replica.instrument_last()} + 1);
  // Enough, so that nothing is moved as it grows: pages are touched as they are written.
  made.bytes.reserve(std::size_t{replica.book().live_orders()} * (sizeof(wire::SnapshotOrder) + 8) +
                     made.by_instrument.size() * 512 + encode::datagram_bytes_max);
  whole_writer_.begin(replica, stamp, {}, [this](std::span<const std::uint8_t> datagram) {
    std::vector<std::uint8_t>& bytes = growing_->bytes;
    bytes.insert(bytes.end(), datagram.begin(), datagram.end());
    if (whole_writer_.instrument() == book::no_index) return;
    gateway::ChannelSnapshot::Extent& extent = growing_->by_instrument[whole_writer_.instrument()];
    if (extent.end == 0) extent.begin = bytes.size() - datagram.size();
    extent.end = bytes.size();
  });
}

void GatewayHub::advance_whole() {
  whole_writer_.advance(budget_orders_);
  if (!whole_writer_.done()) return;
  ++counters_.snapshots;
  whole_ = std::move(growing_);
  whole_ns_ = now_ns_;
  alive_.push_back(whole_);
}

// Those who still send the oldest begin anew with another.
void GatewayHub::make_room() {
  whole_ = nullptr;
  std::erase_if(alive_, [](const auto& one) { return one.expired(); });
  while (alive_.size() >= snapshots_max) {
    if (const auto oldest = alive_.front().lock()) {
      oldest->revoked = true;
      std::vector<std::uint8_t>().swap(oldest->bytes);
    }
    alive_.erase(alive_.begin());
  }
}

// What a snapshot is still to say of an instrument is written before the instrument changes.
bool GatewayHub::may_apply(const encode::PacketView& packet) {
  if (growing_ == nullptr) return true;
  const auto keep = [&](std::uint32_t instrument) { return whole_writer_.keep(instrument, budget_orders_); };
  for (const BookMessage& message : packet.book) {
    // It empties every book.
    const bool clears_all = message.kind == Kind::clear && message.instrument == channel_instrument;
    if (clears_all) whole_writer_.advance(budget_orders_);
    if (clears_all ? !whole_writer_.done() : !keep(message.instrument)) return false;
  }
  for (const TradeMessage& message : packet.trades) {
    if (!keep(message.instrument)) return false;
  }
  if (packet.definitions == nullptr) return true;
  return std::ranges::all_of(*packet.definitions->definitions(),
                             [&](const wire::Definition* definition) { return keep(definition->instrument()); });
}

void GatewayHub::define(const gateway::InstrumentSet& instruments, std::uint32_t& place,
                        std::vector<std::uint8_t>& out) {
  const std::span<const std::uint32_t> chosen = instruments.chosen();
  const auto count = std::min<std::uint32_t>(definitions_at_once, static_cast<std::uint32_t>(chosen.size()) - place);
  encode::SnapshotStamp stamp = stamp_of_now();
  snapshot_writer_.define(
      follower_.replica(), stamp, chosen.subspan(place, count),
      [&](std::span<const std::uint8_t> datagram) { out.insert(out.end(), datagram.begin(), datagram.end()); });
  place += count;
}

}  // namespace depthcast::run

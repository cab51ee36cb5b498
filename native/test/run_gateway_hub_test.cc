// A gateway worker's native half against a publisher without threads: windows, packets, prints, counts, slow consumers.
#include <cstdint>
#include <vector>

#include "encode/snapshot_assembler.h"
#include "run/gateway_hub.h"
#include "run/packet_applier.h"
#include "test/gateway_client.h"
#include "test/gateway_hub_parts.h"
#include "test/ring_channel.h"

namespace depthcast::test {
namespace {

using run::GatewayCounts;
using run::GatewayHub;
using run::GatewayMode;
using run::GatewayRequest;
using run::SlowPolicy;

// A hub, one client, and its time: a millisecond for each step.
struct Worker {
  explicit Worker(RingChannel& channel) : Worker(options_for(channel)) {}
  explicit Worker(const run::GatewayOptions& options) : hub(options), client(hub.open_client()) {}

  void follow() {
    for (int idle = 0; idle < 3;) idle = hub.step(now_ns += 1'000'000) ? 0 : idle + 1;
  }
  // All that there is for one client, to be applied by `listener`.
  std::vector<run::GatewaySlow> serve(GatewayClient& listener, bool flush = true) {
    std::vector<run::GatewaySlow> slow;
    for (int turn = 0; turn < 10'000; ++turn) {
      const run::GatewayFrame frame = hub.compose(client, room, now_ns, realtime_ns, flush);
      CHECK(frame.bytes.size() < room + 16'384);
      listener.take(frame.bytes);
      slow.insert(slow.end(), frame.slow.begin(), frame.slow.end());
      if (!frame.more) return slow;
    }
    CHECK(false);
    return slow;
  }
  GatewayCounts counts(std::uint16_t subscription) {
    const auto found = hub.counts(client, subscription);
    REQUIRE(found.has_value());
    return *found;
  }
  void check_counts(std::uint16_t subscription, const GatewayClient& listener) {
    const GatewayCounts counted = counts(subscription);
    CHECK_EQUAL(counted.published, counted.sent + counted.conflated + counted.refused + counted.pending);
    CHECK_EQUAL(counted.sent, listener.sent);
    CHECK_EQUAL(counted.conflated, listener.conflated);
  }

  GatewayHub hub;
  std::uint32_t client;
  std::int64_t now_ns = 1'000'000'000;
};

// The writer's own book says the same as the best `levels` of the client's window.
void check_window(const book::Book& book, std::uint32_t instrument, const HeldWindow& held, std::uint32_t levels) {
  book::Depth depth;
  REQUIRE(book.views().read(instrument, levels, depth) == book::DepthRead::ok);
  for (const std::size_t side : {0U, 1U}) {
    const std::uint32_t count = std::min(depth.counts[side], levels);
    REQUIRE(held.sides[side].size() >= count);
    if (held.sides[side].size() < levels) REQUIRE_EQUAL(held.sides[side].size(), count);
    auto at = held.sides[side].begin();
    for (std::uint32_t place = 0; place < count; ++place, ++at) {
      const book::DepthLevel& level = depth.levels[side][place];
      CHECK_EQUAL(side == 0 ? -at->first : at->first, level.price);
      CHECK_EQUAL(at->second.first, level.quantity);
      CHECK_EQUAL(at->second.second, level.orders);
    }
  }
}

void check_windows(const RingChannel& channel, const Worker& worker, const GatewayClient& listener,
                   std::uint32_t levels) {
  const std::uint32_t last = worker.hub.market().replica().instrument_last();
  for (std::uint32_t instrument = 1; instrument <= last; ++instrument) {
    const auto held = listener.windows.find(instrument);
    REQUIRE(held != listener.windows.end());
    check_window(channel.book(), instrument, held->second, levels);
  }
}

TEST(gatewayWindowsAreThePublishersAtEveryFrame) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  const std::uint32_t levels = channel.book().views().levels();
  GatewayRequest request = request_for(GatewayMode::depth);
  request.levels = levels;
  channel.take(300);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request));
  GatewayClient listener;
  for (int round = 0; round < 200; ++round) {
    channel.take(1 + static_cast<std::uint64_t>(round) % 40);
    worker.follow();
    worker.serve(listener);
    check_windows(channel, worker, listener, levels);
    worker.check_counts(1, listener);
    CHECK_EQUAL(worker.counts(1).pending, 0U);
  }
  CHECK(listener.deltas > 100);
  CHECK(listener.conflated > 0);
}

TEST(gatewayConflatesByIntervalAndCountsWhatIsStillToCome) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(300);
  worker.follow();
  GatewayRequest request = request_for(GatewayMode::depth);
  request.levels = 1;
  request.interval_ns = 3'600'000'000'000;
  REQUIRE(worker.hub.subscribe(worker.client, 1, request));
  GatewayClient listener;
  worker.serve(listener, false);
  const std::uint64_t first = listener.full;
  CHECK(first > 0);
  channel.take(500);
  worker.follow();
  worker.serve(listener, false);
  CHECK_EQUAL(listener.full + listener.deltas, first);
  CHECK(worker.counts(1).pending >= 400);
  worker.serve(listener, true);
  CHECK_EQUAL(worker.counts(1).pending, 0U);
  worker.check_counts(1, listener);
}

TEST(gatewayWithoutRoomForWindowsSendsFullOnes) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  run::GatewayOptions options = options_for(channel);
  options.window_bytes_max = 0;
  Worker worker(options);
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::depth)));
  GatewayClient listener;
  for (int round = 0; round < 20; ++round) {
    channel.take(50);
    worker.follow();
    worker.serve(listener);
  }
  CHECK_EQUAL(listener.deltas, 0U);
  CHECK(listener.full > 20);
  CHECK_EQUAL(worker.hub.window_bytes(), 0U);
}

TEST(gatewayWindowsGiveTheirRoomBack) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::depth)));
  GatewayClient listener;
  channel.take(500);
  worker.follow();
  worker.serve(listener);
  CHECK(worker.hub.window_bytes() > 0);
  REQUIRE(worker.hub.unsubscribe(worker.client, 1).has_value());
  CHECK_EQUAL(worker.hub.window_bytes(), 0U);
}

TEST(gatewayExactGivesEveryDatagramAsItIs) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(400);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::exact)));
  GatewayClient listener;
  const std::uint64_t joined = channel.next();
  for (int round = 0; round < 50; ++round) {
    worker.serve(listener);
    channel.take(60);
    channel.heartbeat();
    worker.follow();
  }
  worker.serve(listener);
  CHECK_EQUAL(listener.snapshot_sequence, joined - 1);
  CHECK(listener.heartbeats >= 49);
  auto published = channel.journal().lower_bound(joined);
  for (const auto& packet : listener.packets) {
    REQUIRE(published != channel.journal().end());
    CHECK(std::equal(packet.begin(), packet.end(), published->second.begin(), published->second.end()));
    ++published;
  }
  CHECK(published == channel.journal().end());
  worker.check_counts(1, listener);
  CHECK_EQUAL(worker.counts(1).published, channel.next() - joined);
}

TEST(gatewayExactGoesOnWhereAClientLeftOff) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(400);
  worker.follow();
  GatewayRequest request = request_for(GatewayMode::exact);
  request.resume = 100;
  REQUIRE(worker.hub.subscribe(worker.client, 1, request));
  GatewayClient listener;
  worker.serve(listener);
  CHECK_EQUAL(listener.snapshot_datagrams, 0U);
  CHECK_EQUAL(worker.counts(1).sent, channel.next() - 1 - 100);
  CHECK_EQUAL(worker.counts(1).pending, 0U);
  CHECK(listener.marks == std::vector{gateway::SnapshotWhy::resume});
  CHECK_EQUAL(listener.snapshot_sequence, 100U);
}

TEST(gatewayExactBeginsWithASnapshotWhereWhatFollowsIsNotKept) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  Worker worker(channel);
  for (int round = 0; round < 40; ++round) {
    channel.take(100);
    worker.follow();
  }
  // Below what is kept, and beyond what there is.
  for (const std::uint64_t resume : {std::uint64_t{1}, channel.next() + 1'000'000, ~std::uint64_t{0}}) {
    GatewayRequest request = request_for(GatewayMode::exact);
    request.resume = resume;
    REQUIRE(worker.hub.subscribe(worker.client, 1, request));
    GatewayClient listener;
    worker.serve(listener);
    CHECK(listener.marks == std::vector{gateway::SnapshotWhy::gap});
    CHECK(listener.snapshot_sequence < channel.next() && listener.snapshot_sequence + 500 > channel.next());
    CHECK(!listener.snapshot_open);
    channel.take(100);
    worker.follow();
    worker.serve(listener);
    worker.check_counts(1, listener);
    CHECK_EQUAL(worker.counts(1).pending, 0U);
    REQUIRE(worker.hub.unsubscribe(worker.client, 1).has_value());
  }
}

TEST(gatewayTellsWhoseSnapshotItIs) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(2'000);
  worker.follow();
  constexpr std::uint16_t last_id = 65'535;
  REQUIRE(worker.hub.subscribe(worker.client, last_id, request_for(GatewayMode::exact)));
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::filtered, {2, 3})));
  REQUIRE(worker.hub.subscribe(worker.client, 256, request_for(GatewayMode::filtered, {1})));
  std::map<std::uint16_t, std::uint32_t> datagrams;
  for (int turn = 0; turn < 1'000; ++turn) {
    // One datagram each time: the three take turns.
    const run::GatewayFrame frame = worker.hub.compose(worker.client, 64, worker.now_ns, realtime_ns);
    std::span<const std::uint8_t> bytes = frame.bytes;
    std::uint32_t left = 0;
    while (!bytes.empty()) {
      gateway::BlockHeader header{};
      std::memcpy(&header, bytes.data(), sizeof header);
      if (header.magic == gateway::block_magic) {
        CHECK_EQUAL(left, 0U);
        const auto* root = flatbuffers::GetRoot<gateway::Frame>(bytes.data() + sizeof header);
        CHECK_EQUAL(root->subscription(), header.subscription);
        const auto* mark = root->payload_as_SnapshotFrame();
        REQUIRE(mark != nullptr);
        CHECK_EQUAL(mark->whole(), header.subscription == last_id);
        CHECK_EQUAL(mark->instruments(), header.subscription == last_id ? 0U : header.subscription == 1 ? 2U : 1U);
        left = mark->datagrams();
        datagrams[header.subscription] += left;
      } else {
        CHECK(left-- != 0);
      }
      bytes = bytes.subspan(sizeof header + header.length);
    }
    CHECK_EQUAL(left, 0U);
    if (!frame.more) break;
  }
  CHECK_EQUAL(datagrams.size(), 3U);
  CHECK(datagrams[last_id] > datagrams[1] && datagrams[1] > datagrams[256] && datagrams[256] > 0);
}

// Snapshots of several subscriptions of one socket put together again, and what follows applied.
class SnapshotTaker {
 public:
  explicit SnapshotTaker(std::vector<std::uint32_t> chosen = {})
      : assembler_({}, std::move(chosen)), replica_(channel_limits(), nullptr), applier_(replica_) {
    assembler_.reset(7);
  }

  void take(const encode::PacketView& view) {
    CHECK(!loaded_);
    if (assembler_.offer(view) != encode::SnapshotOffer::complete) return;
    CHECK(assembler_.verify());
    sequence = assembler_.progress().sequence;
    loaded_ = true;
  }
  void load() { CHECK(assembler_.load_into(replica_) == book::SnapshotRefusal::none); }
  void apply(const encode::PacketView& view) {
    if (view.count != 0)
      applier_.apply(view, static_cast<std::uint32_t>(replica_.sequence() + 1 - view.first_sequence));
  }
  bool complete() const { return loaded_; }
  const book::Book& book() const { return replica_.book(); }

  std::uint64_t sequence = 0;

 private:
  encode::SnapshotAssembler assembler_;
  book::Replica replica_;
  run::PacketApplier applier_;
  bool loaded_ = false;
};

TEST(gatewayWritesALargeSnapshotInPiecesWhileTheFeedGoesOn) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  run::GatewayOptions options = options_for(channel);
  options.snapshot_orders_per_step = 40;
  Worker worker(options);
  channel.take(4'000);
  worker.follow();
  const std::vector<std::uint32_t> chosen{2, 3, 5, 8, 13, 20};
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::exact)));
  REQUIRE(worker.hub.subscribe(worker.client, 2, request_for(GatewayMode::filtered, chosen)));
  REQUIRE(worker.hub.subscribe(worker.client, 3, request_for(GatewayMode::filtered)));
  std::map<std::uint16_t, SnapshotTaker> takers;
  takers.try_emplace(1);
  takers.try_emplace(2, chosen);
  takers.try_emplace(3);
  std::uint16_t marked = 0;
  std::uint32_t left = 0;
  std::uint64_t begun = 0;
  const auto take = [&](std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      gateway::BlockHeader header{};
      std::memcpy(&header, bytes.data(), sizeof header);
      const std::size_t length = sizeof header + header.length;
      std::vector<std::uint64_t> aligned(length / 8);
      std::memcpy(aligned.data(), bytes.data(), length);
      const std::span<const std::uint8_t> block(reinterpret_cast<const std::uint8_t*>(aligned.data()), length);
      encode::PacketView view;
      if (header.magic == gateway::block_magic) {
        const auto* mark =
            flatbuffers::GetRoot<gateway::Frame>(block.data() + sizeof header)->payload_as_SnapshotFrame();
        if (mark != nullptr) {
          marked = header.subscription;
          left = mark->datagrams();
        }
      } else {
        REQUIRE(encode::read_packet(block, view) == encode::PacketStatus::ok);
        if (left == 0) {
          takers.at(1).apply(view);
        } else {
          --left;
          takers.at(marked).take(view);
          if (marked == 1 && takers.at(1).complete()) takers.at(1).load();
        }
      }
      bytes = bytes.subspan(length);
    }
  };
  int steps = 0;
  for (; steps < 400; ++steps) {
    channel.take(3);
    worker.now_ns += 1'000'000;
    worker.hub.step(worker.now_ns);
    if (begun == 0) begun = channel.next();
    take(worker.hub.compose(worker.client, room, worker.now_ns, realtime_ns).bytes);
  }
  worker.follow();
  for (int turn = 0; turn < 100; ++turn) {
    take(worker.hub.compose(worker.client, room, worker.now_ns, realtime_ns).bytes);
  }
  for (const auto& [id, taker] : takers) CHECK(taker.complete());
  // One and the same for the three, begun at the first step though it took many.
  CHECK_EQUAL(worker.hub.counters().snapshots, 1U);
  CHECK(takers.at(1).sequence < begun);
  CHECK_EQUAL(takers.at(2).sequence, takers.at(1).sequence);
  CHECK_EQUAL(takers.at(3).sequence, takers.at(1).sequence);
  CHECK_EQUAL(takers.at(1).book().digest(), channel.book().digest());
  CHECK(worker.hub.market().sequence() > takers.at(1).sequence + 500);
}

TEST(gatewayTakesTheMemoryOfOldSnapshotsBack) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  run::GatewayOptions options = options_for(channel);
  options.snapshot_age_ns = 1;
  Worker worker(options);
  channel.take(4'000);
  worker.follow();
  // Each begins another snapshot, and takes little of it.
  std::vector<std::uint32_t> clients;
  for (int count = 0; count < 6; ++count) {
    clients.push_back(worker.hub.open_client());
    REQUIRE(worker.hub.subscribe(clients.back(), 1, request_for(GatewayMode::exact)));
    channel.take(10);
    worker.follow();
    CHECK(worker.hub.compose(clients.back(), 4'096, worker.now_ns, realtime_ns).more);
  }
  CHECK_EQUAL(worker.hub.counters().snapshots, 6U);
  std::size_t slow = 0;
  for (const std::uint32_t client : clients) {
    slow += worker.hub.compose(client, 4'096, worker.now_ns, realtime_ns).slow.size();
  }
  CHECK_EQUAL(slow, 2U);
}

TEST(gatewayFilteredTellsDigestsOften) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(400);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::filtered, {1, 2, 3})));
  GatewayClient listener;
  worker.serve(listener);
  std::uint64_t told_at = listener.sent;
  std::size_t frames = 0;
  const auto check = [&] {
    if (listener.digest_frames == frames) return;
    frames = listener.digest_frames;
    told_at = listener.sent;
    for (const auto& [instrument, told] : listener.digests) {
      CHECK(instrument >= 1 && instrument <= 3);
      if (told.instrument_sequence() != channel.book().instrument(instrument).instrument_sequence) continue;
      CHECK_EQUAL(told.digest(), channel.book().instrument(instrument).digest);
    }
  };
  // Under load: by messages.
  worker.now_ns = 1'000'000'000;
  for (int round = 0; round < 300; ++round) {
    channel.take(400);
    while (worker.hub.step(worker.now_ns)) continue;
    worker.serve(listener);
    CHECK(listener.sent - told_at <= 10'000);
    check();
  }
  CHECK(frames >= 2);
  // When it is quiet: by time, those that changed first and then in turn.
  for (int second = 0; second < 3; ++second) {
    const std::size_t before = listener.digest_frames;
    worker.now_ns += 1'100'000'000;
    worker.serve(listener);
    CHECK_EQUAL(listener.digest_frames, before + 1);
    for (std::uint32_t instrument = 1; instrument <= 3; ++instrument) {
      CHECK_EQUAL(listener.digests.at(instrument).digest(), channel.book().instrument(instrument).digest);
    }
    worker.serve(listener);
    CHECK_EQUAL(listener.digest_frames, before + 1);
  }
}

TEST(gatewayFilteredIsTheChannelsMessagesOfThoseInstruments) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(400);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::filtered, {2, 3})));
  GatewayClient listener;
  const std::uint64_t joined = channel.next();
  for (int round = 0; round < 30; ++round) {
    worker.serve(listener);
    channel.take(80);
    channel.heartbeat();
    worker.follow();
  }
  worker.serve(listener);
  std::vector<std::uint64_t> expected;
  for (const auto& [first, datagram] : channel.journal()) {
    encode::PacketView view;
    REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
    for (std::uint32_t index = 0; index < view.count; ++index) {
      const std::uint32_t instrument = !view.book.empty() ? view.book[index].instrument
                                       : !view.trades.empty()
                                           ? view.trades[index].instrument
                                           : view.definitions->definitions()->Get(index)->instrument();
      if (first + index >= joined && (instrument == 2 || instrument == 3)) expected.push_back(first + index);
    }
  }
  CHECK(listener.numbers == expected);
  CHECK(!expected.empty());
  worker.check_counts(1, listener);
  CHECK_EQUAL(worker.counts(1).published, expected.size());
}

TEST(gatewayTradesLeavesNoPrintOut) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(200);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::trades)));
  GatewayClient listener;
  worker.serve(listener);
  const std::uint64_t joined = channel.next();
  for (int round = 0; round < 40; ++round) {
    channel.take(70);
    worker.follow();
    worker.serve(listener, round % 2 == 0);
  }
  worker.serve(listener);
  std::vector<std::uint64_t> expected;
  for (const auto& [first, datagram] : channel.journal()) {
    encode::PacketView view;
    REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
    for (std::uint32_t index = 0; index < view.count; ++index) {
      const Kind kind = !view.book.empty()     ? view.book[index].kind
                        : !view.trades.empty() ? view.trades[index].kind
                                               : Kind::definition;
      const bool is_print =
          kind == Kind::execute || kind == Kind::trade || kind == Kind::cross || kind == Kind::trade_break;
      if (first + index >= joined && is_print) expected.push_back(first + index);
    }
  }
  std::vector<std::uint64_t> got;
  for (const gateway::Print& print : listener.prints) got.push_back(print.sequence());
  CHECK(got == expected);
  CHECK(!expected.empty());
  worker.check_counts(1, listener);
  CHECK_EQUAL(worker.counts(1).pending, 0U);
}

TEST(gatewayServesWhoWasTooSlowAsTheyAsked) {
  for (const SlowPolicy policy : {SlowPolicy::conflate, SlowPolicy::snapshot, SlowPolicy::disconnect}) {
    RingChannel channel(ring_small, 7, small_flow(seed(), 0));
    Worker worker(channel);
    channel.take(100);
    worker.follow();
    GatewayRequest request = request_for(GatewayMode::exact);
    request.on_slow = policy;
    REQUIRE(worker.hub.subscribe(worker.client, 1, request));
    GatewayClient listener;
    worker.serve(listener);
    for (int round = 0; round < 40; ++round) {  // several times the ring, and nobody reads
      channel.take(100);
      worker.follow();
    }
    CHECK(worker.counts(1).pending > 3'000);
    const run::GatewayFrame frame = worker.hub.compose(worker.client, room, worker.now_ns, realtime_ns);
    REQUIRE_EQUAL(frame.slow.size(), 1U);
    CHECK(frame.slow[0].did == policy);
    CHECK_EQUAL(frame.more, policy != SlowPolicy::disconnect);
    listener.take(frame.bytes);
    if (policy == SlowPolicy::disconnect) {
      const auto counted = worker.hub.unsubscribe(worker.client, 1);
      REQUIRE(counted.has_value());
      CHECK_EQUAL(counted->published, counted->sent + counted->conflated + counted->refused);
      CHECK(counted->refused > 3'000);
      continue;
    }
    worker.serve(listener);
    const GatewayCounts counted = worker.counts(1);
    CHECK_EQUAL(counted.pending, 0U);
    CHECK_EQUAL(counted.published, counted.sent + counted.conflated);
    CHECK_EQUAL(counted.sent, listener.sent);
    if (policy == SlowPolicy::conflate) {
      check_windows(channel, worker, listener, channel.book().views().levels());
    } else {
      CHECK_EQUAL(listener.snapshot_sequence, channel.next() - 1);
    }
  }
}

TEST(gatewayFindsWhoIsOverrunWithoutSendingAnything) {
  RingChannel channel(ring_small, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(100);
  worker.follow();
  for (const SlowPolicy policy : {SlowPolicy::conflate, SlowPolicy::snapshot, SlowPolicy::disconnect}) {
    GatewayRequest request = request_for(GatewayMode::exact);
    request.on_slow = policy;
    REQUIRE(worker.hub.subscribe(worker.client, static_cast<std::uint16_t>(1 + static_cast<int>(policy)), request));
  }
  GatewayClient listener;
  for (int turn = 0; turn < 100; ++turn) {
    if (!worker.hub.compose(worker.client, room, worker.now_ns, realtime_ns).more) break;
  }
  CHECK(worker.hub.check(worker.client).empty());
  for (int round = 0; round < 40; ++round) {
    channel.take(100);
    worker.follow();
  }
  const auto slow = worker.hub.check(worker.client);
  REQUIRE_EQUAL(slow.size(), 2U);
  CHECK(slow[0].did == SlowPolicy::conflate && slow[0].subscription == 1);
  CHECK(slow[1].did == SlowPolicy::disconnect && slow[1].subscription == 3);
  CHECK(worker.hub.check(worker.client).size() == 1);  // who is to be disconnected is so until it is
}

TEST(gatewayTradesSaysWhatItCouldNotKeep) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  run::GatewayOptions options = options_for(channel);
  options.prints_max = 8;
  Worker worker(options);
  channel.take(100);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::trades)));
  GatewayClient listener;
  worker.serve(listener);
  channel.take(3'000);
  worker.follow();
  CHECK_EQUAL(worker.serve(listener).size(), 1U);
  const GatewayCounts counted = worker.counts(1);
  CHECK(counted.refused >= 3'000 - 8);
  CHECK_EQUAL(counted.published, counted.sent + counted.conflated + counted.refused);
  CHECK_EQUAL(counted.refused, listener.refused);
}

TEST(gatewayChangesTheModeInFlightAndGoesOnCounting) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(300);
  worker.follow();
  REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::depth)));
  GatewayClient listener;
  worker.serve(listener);
  channel.take(300);
  worker.follow();
  REQUIRE(worker.hub.change(worker.client, 1, request_for(GatewayMode::exact)));
  const std::uint64_t changed = channel.next();
  worker.serve(listener);
  CHECK_EQUAL(listener.snapshot_sequence, changed - 1);
  channel.take(300);
  worker.follow();
  worker.serve(listener);
  const GatewayCounts counted = worker.counts(1);
  CHECK_EQUAL(counted.pending, 0U);
  CHECK_EQUAL(counted.published, counted.sent + counted.conflated);
  CHECK_EQUAL(counted.sent, listener.sent);
  CHECK(!worker.hub.change(worker.client, 2, request_for(GatewayMode::exact)));
  CHECK(!worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::exact)));
}

TEST(gatewayCountsWhatComesBetweenAChangeAndTheNextFrame) {
  for (const GatewayMode after : {GatewayMode::exact, GatewayMode::filtered, GatewayMode::depth, GatewayMode::trades}) {
    RingChannel channel(ring_large, 7, small_flow(seed(), 0));
    Worker worker(channel);
    channel.take(300);
    worker.follow();
    REQUIRE(worker.hub.subscribe(worker.client, 1, request_for(GatewayMode::depth, {1, 2})));
    GatewayClient listener;
    worker.serve(listener);
    const std::uint64_t joined = worker.counts(1).published;
    const auto before = worker.hub.market().instrument_sequences();
    const std::uint32_t from = before[1] + before[2];
    REQUIRE(worker.hub.change(worker.client, 1, request_for(after, {1, 2})));
    const std::uint64_t changed = channel.next();
    channel.take(400);
    worker.follow();
    listener = {};
    worker.serve(listener);
    const GatewayCounts counted = worker.counts(1);
    CHECK_EQUAL(counted.pending, 0U);
    const auto now = worker.hub.market().instrument_sequences();
    const std::uint64_t came = after == GatewayMode::exact ? channel.next() - changed : now[1] + now[2] - from;
    CHECK_EQUAL(counted.published, joined + came);
    CHECK_EQUAL(counted.published, counted.sent + counted.conflated);
  }
}

TEST(gatewayServesItsSubscriptionsInTurn) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(3'000);
  worker.follow();
  GatewayRequest exact = request_for(GatewayMode::exact);
  exact.resume = 1;
  REQUIRE(worker.hub.subscribe(worker.client, 1, exact));
  REQUIRE(worker.hub.subscribe(worker.client, 2, request_for(GatewayMode::depth, {1})));
  for (int turn = 0; turn < 2; ++turn) {
    static_cast<void>(worker.hub.compose(worker.client, 4'096, worker.now_ns, realtime_ns));
  }
  CHECK(worker.counts(1).pending > 0);
  GatewayClient listener;
  listener.take(worker.hub.compose(worker.client, 4'096, worker.now_ns, realtime_ns).bytes);
  CHECK(worker.hub.counts(worker.client, 2)->sequence > 0);
}

TEST(gatewayWithNoInstrumentsSendsNothing) {
  RingChannel channel(ring_large, 7, small_flow(seed(), 0));
  Worker worker(channel);
  channel.take(300);
  worker.follow();
  GatewayRequest request = request_for(GatewayMode::filtered);
  request.all = false;
  REQUIRE(worker.hub.subscribe(worker.client, 1, request));
  GatewayClient listener;
  worker.serve(listener);
  channel.take(300);
  worker.follow();
  worker.serve(listener);
  CHECK_EQUAL(listener.sent + listener.snapshot_datagrams, 0U);
}

}  // namespace
}  // namespace depthcast::test

// What taking snapshots does to the live feed: the publisher alone on its core, everything else on the others; phases
// with and without, alternating in one run. Two kinds of phases without are told apart: their difference is what this
// machine does by itself.
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ingest/itch_parser.h"
#include "io/clock.h"
#include "live_listener.h"
#include "perf_support.h"
#include "run/byte_source.h"
#include "run/itch_framing.h"
#include "run/publisher.h"
#include "run/replica_thread.h"

namespace depthcast::perf {
namespace {

// Takes one after the other, `pause` apart, until it is told to end.
class Taker {
 public:
  Taker(run::ReplicaThread& replica, std::chrono::milliseconds pause) : replica_(replica), pause_(pause) {}

  // For so long; returns how many were given.
  std::uint64_t run(std::chrono::milliseconds length) {
    const auto end = std::chrono::steady_clock::now() + length;
    std::uint64_t given = 0;
    while (std::chrono::steady_clock::now() < end) {
      if (take()) ++given;
      std::this_thread::sleep_for(pause_);
    }
    return given;
  }

 private:
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    bool answered = false;
    bool given = false;
  };
  bool take() {
    auto waiting = std::make_shared<Waiting>();
    replica_.request_snapshot({}, [waiting](run::SnapshotAnswer&& answer) {
      const std::lock_guard lock(waiting->mutex);
      waiting->answered = true;
      waiting->given = answer.generation != nullptr;
      waiting->changed.notify_one();
    });
    std::unique_lock lock(waiting->mutex);
    waiting->changed.wait_for(lock, std::chrono::seconds(10), [&] { return waiting->answered; });
    return waiting->given;
  }

  run::ReplicaThread& replica_;
  std::chrono::milliseconds pause_;
};

// The load, put in from the publisher's own thread: a source on a core that it shares with the replica would come in
// lumps as large as the replica's turns, and the batches with it. First as fast as it goes, then at a steady rate.
class Feeder final : public run::PublisherProbe {
 public:
  Feeder(const ingest::SimulatedExchangeOptions& flow, std::uint64_t warm_messages, std::uint64_t rate)
      : bytes_(run::make_simulated_source(flow)), framing_(*bytes_), warm_messages_(warm_messages), rate_(rate) {}

  void started() override {}
  void before_batch(SpscRing<ingest::InputCell>& input) override {
    for (std::size_t taken = 0; taken < 128 && due(); ++taken) {
      if (input.claim(cells_.size()) < cells_.size()) return;
      std::span<const std::uint8_t> message;
      if (framing_.next(message, running_) != run::ItchFraming::Next::message) return;
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count = parser_.parse(message, ++position_, cells_, fault);
      for (std::size_t cell = 0; cell < count; ++cell) input.at_tail(cell) = cells_[cell];
      input.publish(count);
    }
  }
  void sequenced(std::uint64_t /*position*/, std::uint64_t /*sequence*/) override {}
  void packet(std::size_t /*length*/, std::uint32_t /*count*/) override {}
  void before_send() override {}
  void after_send() override {}

 private:
  bool due() {
    if (position_ < warm_messages_) return true;
    const std::int64_t now_ns = io::monotonic_ns();
    if (begin_ns_ == 0) begin_ns_ = now_ns;
    const double passed = static_cast<double>(now_ns - begin_ns_) / 1e9;
    return static_cast<double>(position_ - warm_messages_) < passed * static_cast<double>(rate_);
  }

  std::unique_ptr<run::ByteSource> bytes_;
  run::ItchFraming framing_;
  ingest::ItchParser parser_{0};
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells_{};
  const std::atomic<bool> running_{false};
  std::uint64_t warm_messages_;
  std::uint64_t rate_;
  std::uint64_t position_ = 0;
  std::int64_t begin_ns_ = 0;
};

constexpr double shares[] = {0.5, 0.99, 0.999};
constexpr const char* share_names[] = {"p50", "p99", "p99_9"};

}  // namespace

int snapshot_take(Options& options) {
  const std::uint64_t rounds = options.number("rounds", 10);
  const std::chrono::milliseconds length(options.number("phase-ms", 1'000));
  const std::chrono::milliseconds pause(options.number("pause-ms", 200));
  const std::uint64_t rate = options.number("rate", 200'000);
  const std::uint64_t warm_messages = options.number("warm-messages", 5'000'000);
  const auto core = static_cast<int>(options.number("core", 0));
  const std::string wait = options.text("wait", "spin");
  ingest::SimulatedExchangeOptions flow;
  flow.seed = options.number("seed", 1);
  flow.symbols = static_cast<std::uint32_t>(options.number("symbols", 1'000));
  flow.live_orders = options.number("live-orders", 1'000'000);
  const std::uint64_t port = options.number("port", 27'521);
  options.finish();

  leave_core(core);
  run::PublisherOptions settings;
  settings.lines.resize(1);
  settings.lines[0].address = {"239.192.77.21", static_cast<std::uint16_t>(port), "127.0.0.1"};
  settings.datagram_bytes = {1'400};
  settings.limits.orders_max = static_cast<std::uint32_t>(flow.live_orders * 2 + 65'536);
  settings.limits.instruments_max = flow.symbols + 24;
  settings.limits.prefault = true;
  settings.ring_bytes = std::size_t{256} << 20;
  settings.core = core;
  settings.wait = io::wait_strategy_of(wait);
  settings.probe = std::make_shared<Feeder>(flow, warm_messages, rate);
  run::Publisher publisher(settings, nullptr);
  run::ReplicaOptions replica_settings;
  replica_settings.ring = {publisher.ring_memory().data(), publisher.ring_memory().bytes(), {}, nullptr};
  replica_settings.limits = settings.limits;
  replica_settings.age_ns = 0;
  run::ReplicaThread replica(replica_settings, nullptr, nullptr);
  LiveListener listener(settings.lines[0].address);
  replica.start();
  publisher.start();
  listener.start();
  const auto sequence = [&] { return publisher.counters().get(run::PublisherCounter::sequence); };
  while (sequence() < warm_messages) std::this_thread::sleep_for(std::chrono::milliseconds(10));

  // Phases: 0 and 1 without, 2 with.
  Taker taker(replica, pause);
  std::uint64_t taken = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (const std::size_t phase : {std::size_t{0}, std::size_t{2}, std::size_t{1}, std::size_t{2}}) {
      listener.set_phase(phase);
      if (phase == 2) {
        taken += taker.run(length);
      } else {
        std::this_thread::sleep_for(length);
      }
      listener.set_phase(LiveListener::phases_max);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  publisher.end_input();
  publisher.join();
  const auto figure = [&](run::ReplicaCounter name) { return replica.counters().get(name); };
  while (figure(run::ReplicaCounter::sequence) < sequence()) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  replica.stop();
  listener.stop();

  JsonLine line;
  line.add("snapshots", taken).add("live_orders", figure(run::ReplicaCounter::live_orders));
  line.add("snapshot_bytes", figure(run::ReplicaCounter::snapshot_bytes));
  line.add("snapshot_ms", static_cast<double>(figure(run::ReplicaCounter::snapshot_ns)) / 1e6);
  line.add("snapshot_ms_worst", static_cast<double>(figure(run::ReplicaCounter::snapshot_ns_max)) / 1e6);
  line.add("lapped", figure(run::ReplicaCounter::lapped));
  line.add("unusable", listener.unusable());
  for (std::size_t index = 0; index < 3; ++index) {
    const double a = listener.percentile_us(0, shares[index]);
    const double b = listener.percentile_us(1, shares[index]);
    const double with = listener.percentile_us(2, shares[index]);
    const std::string name = share_names[index];
    line.add((name + "_us_without").c_str(), (a + b) / 2);
    line.add((name + "_us_with").c_str(), with);
    line.add((name + "_spread").c_str(), a == 0 || b == 0 ? 0 : std::max(a, b) / std::min(a, b));
    line.add((name + "_ratio").c_str(), a + b == 0 ? 0 : 2 * with / (a + b));
  }
  line.add("datagrams_without", listener.count(0) + listener.count(1)).add("datagrams_with", listener.count(2));
  const bool equal = figure(run::ReplicaCounter::digest) == publisher.counters().get(run::PublisherCounter::digest);
  line.add_text("books", equal ? "equal" : "different").print();
  return 0;
}

// For recovery_storm and gateway_clients: hears a line until standard input ends; each line there is the number of the
// next phase. Prints one object for each phase asked for, and writes its samples where a file is given.
int live_listen(Options& options) {
  const std::string group = options.text("group", "239.192.77.1");
  const auto port = static_cast<std::uint16_t>(options.number("port", 27'401));
  const auto core = static_cast<int>(options.number("not-core", 0));
  const std::string samples = options.text("samples", "");
  const std::size_t samples_max = options.number("samples-max", samples.empty() ? 0 : std::size_t{1} << 23);
  options.finish();
  leave_core(core);
  LiveListener listener({group, port, "127.0.0.1"}, samples_max);
  listener.start();
  char text[32];
  std::size_t phases = 0;
  std::printf("ready\n");
  std::fflush(stdout);
  while (std::fgets(text, sizeof text, stdin) != nullptr) {
    const auto phase = static_cast<std::size_t>(std::strtoul(text, nullptr, 10));
    listener.set_phase(phase);
    if (phase < LiveListener::phases_max) phases = std::max(phases, phase + 1);
  }
  listener.stop();
  for (std::size_t phase = 0; phase < phases; ++phase) {
    JsonLine line;
    line.add("phase", std::uint64_t{phase}).add("datagrams", listener.count(phase));
    for (std::size_t index = 0; index < 3; ++index) {
      line.add((std::string(share_names[index]) + "_us").c_str(), listener.percentile_us(phase, shares[index]));
    }
    line.add("unusable", listener.unusable()).add("unsampled", listener.unsampled()).print();
  }
  if (samples.empty()) return 0;
  std::ofstream file(samples, std::ios::binary);
  file.write(reinterpret_cast<const char*>(listener.samples().data()),
             static_cast<std::streamsize>(listener.samples().size() * sizeof(DatagramSample)));
  return file.flush() ? 0 : 1;
}

}  // namespace depthcast::perf

// What a push costs a matching engine: at full speed beside the loop without it, into a full ring, and one by one at a
// steady rate while a distributor takes the events; and how long it takes a distributor that has nothing else to do to
// find an event, publish it and say that it is committed.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "include/depthcast/publisher.h"
#include "io/clock.h"
#include "io/waiting.h"
#include "perf_support.h"
#include "run/latency_histogram.h"
#include "run/publisher.h"
#include "run/shared_memory_source.h"
#include "test/engine_events.h"

namespace depthcast::perf {
namespace {

using engine::Event;
using engine::PushStatus;
using run::LatencyHistogram;

// Takes a value as if somebody looked at it.
[[gnu::always_inline]] inline void look_at(const Event& event) { asm volatile("" : : "m"(event) : "memory"); }

std::uint64_t percentile(const LatencyHistogram& histogram, std::uint64_t total, double share) {
  const auto rank = static_cast<std::uint64_t>(static_cast<double>(total) * share);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < LatencyHistogram::buckets; ++bucket) {
    seen += histogram.count(bucket);
    if (seen > rank) return LatencyHistogram::bucket_value(bucket);
  }
  return 0;
}

void add_percentiles(JsonLine& line, const std::string& name, const LatencyHistogram& histogram) {
  std::uint64_t total = 0;
  std::uint64_t slow = 0;
  std::uint64_t max = 0;
  for (std::size_t bucket = 0; bucket < LatencyHistogram::buckets; ++bucket) {
    const std::uint64_t count = histogram.count(bucket);
    total += count;
    if (count != 0) max = LatencyHistogram::bucket_value(bucket);
    if (LatencyHistogram::bucket_value(bucket) >= 1'000) slow += count;
  }
  line.add((name + "_timed").c_str(), total)
      .add((name + "_ns_p50").c_str(), percentile(histogram, total, 0.5))
      .add((name + "_ns_p99").c_str(), percentile(histogram, total, 0.99))
      .add((name + "_ns_p99_9").c_str(), percentile(histogram, total, 0.999))
      .add((name + "_ns_p99_99").c_str(), percentile(histogram, total, 0.9999))
      .add((name + "_ns_max").c_str(), max)
      .add((name + "_over_1us").c_str(), slow);
}

run::PublisherOptions publisher_options(std::uint16_t port, const std::string& wait) {
  run::PublisherOptions options;
  options.lines.resize(1);
  options.lines[0].address = {"239.192.78.1", port, "127.0.0.1"};
  options.datagram_bytes = {1'400};
  options.limits.orders_max = 65'536;
  options.limits.instruments_max = 64;
  options.limits.prefault = true;
  options.wait = io::wait_strategy_of(wait);
  return options;
}

// Nobody reads: as many events as there are slots, then into the full ring.
void push_alone(const std::string& path, std::uint64_t slots, JsonLine& line) {
  engine::Publisher publisher(path, {slots, true});
  double floor_ns = 0;
  {
    const Stopwatch watch;
    for (std::uint64_t number = 1; number <= slots; ++number) look_at(test::engine_event(number));
    floor_ns = watch.ns() / static_cast<double>(slots);
  }
  const Stopwatch watch;
  std::uint64_t refused = 0;
  for (std::uint64_t number = 1; number <= slots; ++number) {
    if (publisher.try_push(test::engine_event(number)) != PushStatus::ok) ++refused;
  }
  const double push_ns = watch.ns() / static_cast<double>(slots);
  const Stopwatch full_watch;
  for (std::uint64_t count = 0; count < slots; ++count) {
    if (publisher.try_push(test::engine_event(slots + 1)) != PushStatus::full) ++refused;
  }
  line.add("push_ns", push_ns)
      .add("floor_ns", floor_ns)
      .add("full_ns", full_watch.ns() / static_cast<double>(slots))
      .add("unexpected", refused);
}

struct Timed {
  LatencyHistogram push;
  LatencyHistogram floor;
  LatencyHistogram commit;
  std::uint64_t full = 0;
};

// One event each time one is due; half a second of pushes, then half a second of the loop without them, so that both
// meet the same machine.
void push_at_rate(engine::Publisher& publisher, std::uint64_t events, double rate, Timed& timed) {
  const std::uint64_t slice = std::min<std::uint64_t>(500'000, events);
  const std::int64_t start_ns = io::monotonic_ns();
  std::uint64_t number = publisher.next();
  for (std::uint64_t index = 0; index < 2 * events; ++index) {
    const std::int64_t due_ns = start_ns + static_cast<std::int64_t>(static_cast<double>(index) * 1e9 / rate);
    std::int64_t before_ns = io::monotonic_ns();
    for (; before_ns < due_ns; before_ns = io::monotonic_ns()) io::pause_core();
    const Event event = test::engine_event(number);
    if (index / slice % 2 == 0) {
      const PushStatus status = publisher.try_push(event);
      timed.push.record(io::monotonic_ns() - before_ns);
      if (status == PushStatus::ok) {
        ++number;
      } else {
        ++timed.full;
      }
    } else {
      look_at(event);
      timed.floor.record(io::monotonic_ns() - before_ns);
    }
  }
}

// An event now and then: from before its push until the distributor has committed it, which is after it was sent.
void push_when_idle(engine::Publisher& publisher, std::uint64_t events, Timed& timed) {
  constexpr std::chrono::microseconds pause{3'000};
  for (std::uint64_t index = 0; index < events; ++index) {
    while (publisher.committed() != publisher.last()) io::pause_core();
    std::this_thread::sleep_for(pause);
    const std::int64_t before_ns = io::monotonic_ns();
    publisher.try_push(test::engine_event(publisher.next()));
    while (publisher.committed() != publisher.last()) io::pause_core();
    timed.commit.record(io::monotonic_ns() - before_ns);
  }
}

}  // namespace

int publisher_push(Options& options) {
  const std::uint64_t runs = options.number("runs", 5);
  const std::uint64_t slots = options.number("slots", 1U << 20);
  const std::uint64_t events = options.number("events", 3'000'000);
  const std::uint64_t idle_events = options.number("idle-events", 1'000);
  const auto rate = static_cast<double>(options.number("rate", 1'000'000));
  const auto port = static_cast<std::uint16_t>(options.number("port", 28'510));
  const std::string wait = options.text("wait", "park");
  const auto engine_core = static_cast<int>(options.number("engine-core", 99));  // 99: not pinned
  options.finish();
  const std::string path = "/dev/shm/depthcast-perf-" + std::to_string(getpid());

  for (std::uint64_t run = 0; run < runs; ++run) {
    JsonLine line;
    push_alone(path, slots, line);
    auto engine = std::make_unique<engine::Publisher>(path, engine::PublisherOptions{slots, true});
    run::Publisher publisher(publisher_options(port, wait), {});
    publisher.start();
    run::SourceThread source(
        publisher, std::make_unique<run::SharedMemorySource>(path, engine->stream(), io::wait_strategy_of(wait)));
    source.start();
    Timed timed;
    std::thread pushing([&] {
      if (engine_core != 99) io::pin_to_core(engine_core);
      push_when_idle(*engine, idle_events, timed);
      push_at_rate(*engine, events, rate, timed);
    });
    pushing.join();
    const std::uint64_t last = engine->last();
    engine->end();
    source.join();
    publisher.join();
    const bool complete = source.end().position == last &&
                          publisher.counters().get(static_cast<std::size_t>(run::PublisherCounter::sequence)) == last;
    add_percentiles(line, "push", timed.push);
    add_percentiles(line, "floor", timed.floor);
    add_percentiles(line, "commit", timed.commit);
    line.add("found_full", timed.full).add_text("complete", complete ? "yes" : "no").print();
    unlink(path.c_str());
  }
  return 0;
}

}  // namespace depthcast::perf

// A whole feed between two processes on one core each: ITCH bytes in memory -> publisher -> lines on loopback ->
// another process's subscriber -> its books, which must end equal. By option with journal and snapshot replica.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "io/clock.h"
#include "io/waiting.h"
#include "live_listener.h"
#include "perf_support.h"
#include "preloaded_itch.h"
#include "run/publisher.h"
#include "run/replica_thread.h"
#include "run/state_folder.h"
#include "run/subscriber.h"

namespace depthcast::perf {
namespace {

using run::PublisherCounter;
using run::SubscriberCounter;

struct Setup {
  bool both_lines;
  std::uint16_t port;
  io::WaitStrategy wait;
  int publisher_core;
  int subscriber_core;
  std::size_t datagram_bytes;
  int receive_buffer;
  book::BookLimits limits;

  std::size_t lines() const { return both_lines ? 2 : 1; }
  io::LineAddress address(std::size_t line) const {
    return {line == 0 ? "239.192.77.31" : "239.192.77.32", static_cast<std::uint16_t>(port + line), "127.0.0.1"};
  }
};

// What the subscriber's process tells at its end.
struct Received {
  std::uint64_t messages;
  std::uint64_t missing;
  std::uint64_t kernel_drops;
  std::uint64_t digests_checked;
  std::uint64_t digests_mismatched;
  std::uint64_t digest;
  std::uint64_t receive_buffer;
  std::uint64_t loop_ns_max;
  double cpu_seconds;
  double latency_us[3];
  bool ended;
};
constexpr double shares[] = {0.5, 0.99, 0.999};

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

double percentile_us(const run::LatencyHistogram& histogram, double share) {
  std::uint64_t total = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) total += histogram.count(bucket);
  std::uint64_t sum = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
    sum += histogram.count(bucket);
    if (sum != 0 && static_cast<double>(sum) >= share * static_cast<double>(total)) {
      return static_cast<double>(run::LatencyHistogram::bucket_value(bucket)) / 1e3;
    }
  }
  return 0;
}

// The child process: one byte when it has joined, its figures when the session has ended or nothing came for 5 s.
void subscribe(const Setup& setup, int answer) {
  run::SubscriberOptions options;
  for (std::size_t line = 0; line < setup.lines(); ++line) {
    options.lines[line].emplace();
    options.lines[line]->address = setup.address(line);
    options.lines[line]->receive_buffer_bytes = setup.receive_buffer;
  }
  options.limits = setup.limits;
  options.wait = setup.wait;
  options.core = setup.subscriber_core;
  run::Subscriber subscriber(options, nullptr);
  subscriber.start();
  const double cpu_before = cpu_seconds();
  static_cast<void>(write(answer, "r", 1));
  const auto figure = [&](SubscriberCounter name) { return subscriber.counters().get(name); };
  std::uint64_t seen = 0;
  const auto ended = [&] {
    return figure(SubscriberCounter::state) == static_cast<std::uint64_t>(run::FeedState::ended);
  };
  for (int quiet = 0; !ended() && quiet < 100;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    quiet = seen != 0 && figure(SubscriberCounter::bytes_a) == seen ? quiet + 1 : 0;
    seen = figure(SubscriberCounter::bytes_a);
  }
  Received received{};
  received.ended = ended();
  received.cpu_seconds = cpu_seconds() - cpu_before;
  subscriber.stop();
  received.messages = figure(SubscriberCounter::messages);
  received.missing = figure(SubscriberCounter::missing_messages);
  received.kernel_drops = figure(SubscriberCounter::kernel_drops_a) + figure(SubscriberCounter::kernel_drops_b);
  received.digests_checked = figure(SubscriberCounter::digests_checked);
  received.digests_mismatched = figure(SubscriberCounter::digests_mismatched);
  received.digest = figure(SubscriberCounter::digest);
  received.receive_buffer = figure(SubscriberCounter::receive_buffer_a);
  received.loop_ns_max = figure(SubscriberCounter::loop_ns_max);
  for (std::size_t index = 0; index < 3; ++index) {
    received.latency_us[index] = percentile_us(subscriber.latency(), shares[index]);
  }
  static_cast<void>(write(answer, &received, sizeof received));
}

struct FloorReceived {
  std::uint64_t datagrams;
  std::uint64_t bytes;
};

// The floor's receiver: the same socket, and nothing done for what it takes. Ends 300 ms after the last datagram.
void receive_floor(const Setup& setup, int answer) {
  constexpr std::int64_t quiet_ns = 300'000'000;
  io::ReceiverOptions options;
  options.address = setup.address(0);
  options.receive_buffer_bytes = setup.receive_buffer;
  io::UdpReceiver receiver(options);
  if (setup.subscriber_core >= 0) io::pin_to_core(setup.subscriber_core);
  static_cast<void>(write(answer, "r", 1));
  FloorReceived received{};
  std::int64_t last_ns = io::monotonic_ns();
  while (received.datagrams == 0 || io::monotonic_ns() - last_ns < quiet_ns) {
    const std::size_t taken =
        receiver.receive([&](std::span<const std::uint8_t> datagram) { received.bytes += datagram.size(); });
    received.datagrams += taken;
    if (taken != 0) last_ns = io::monotonic_ns();
    if (received.datagrams == 0 && io::monotonic_ns() - last_ns > 100 * quiet_ns) break;
  }
  static_cast<void>(write(answer, &received, sizeof received));
}

// The other process, made before any thread is there: tells one byte when it has joined, and its figures at its end.
class Child {
 public:
  Child(const Setup& setup, void (*role)(const Setup&, int)) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe");
    process_ = fork();
    if (process_ == 0) {
      close(ends[0]);
      try {
        role(setup, ends[1]);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "subscriber: %s\n", error.what());
      }
      _exit(0);
    }
    close(ends[1]);
    answer_ = ends[0];
    char ready = 0;
    if (read(answer_, &ready, 1) != 1) throw std::runtime_error("the subscriber's process did not start");
  }
  ~Child() {
    close(answer_);
    if (process_ > 0) waitpid(process_, nullptr, 0);
  }
  template <typename Answer>
  Answer answer() {
    Answer answer{};
    if (read(answer_, &answer, sizeof answer) != sizeof answer) throw std::runtime_error("the other process broke off");
    return answer;
  }

 private:
  pid_t process_ = -1;
  int answer_ = -1;
};

// A number, or "any".
int core_of(Options& options, const char* name, const char* fallback) {
  const std::string text = options.text(name, fallback);
  return text == "any" ? -1 : std::stoi(text);
}

run::PublisherOptions publisher_options(const Setup& setup, std::size_t ring_bytes) {
  run::PublisherOptions options;
  options.session = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  for (std::size_t line = 0; line < setup.lines(); ++line) {
    io::SenderOptions sender;
    sender.address = setup.address(line);
    options.lines.push_back(sender);
    options.datagram_bytes.push_back(setup.datagram_bytes);
  }
  options.limits = setup.limits;
  options.ring_bytes = ring_bytes;
  options.wait = setup.wait;
  options.core = setup.publisher_core;
  options.input_cells = 2 * run::Publisher::batch_cells;  // the source is on the same thread: no more waits there
  return options;
}

// Datagrams a second that the same sockets carry where nothing is done for them: `batch` to a call, full ones.
double floor_datagrams_per_second(const Setup& setup, std::size_t batch, double seconds, double& received_share) {
  Child child(setup, receive_floor);
  std::uint64_t sent = 0;
  double passed_ns = 0;
  std::thread thread([&] {
    if (setup.publisher_core >= 0) io::pin_to_core(setup.publisher_core);
    io::SenderOptions options;
    options.address = setup.address(0);
    io::UdpSender sender(options);
    const std::vector<std::uint8_t> bytes(batch * setup.datagram_bytes, 0x5a);
    const Stopwatch watch;
    do {
      for (std::size_t index = 0; index < batch; ++index) {
        sender.add(bytes.data() + index * setup.datagram_bytes, setup.datagram_bytes);
      }
      sender.flush();
    } while (watch.ns() < seconds * 1e9);
    passed_ns = watch.ns();
    sent = sender.datagrams();
  });
  thread.join();
  const auto received = child.answer<FloorReceived>();
  received_share = static_cast<double>(received.datagrams) / static_cast<double>(sent);
  return static_cast<double>(sent) / passed_ns * 1e9;
}

}  // namespace

int feed_line(Options& options) {
  const std::uint64_t runs = options.number("runs", 1);
  Setup setup{};
  setup.both_lines = options.text("lines", "A") == "AB";
  setup.port = static_cast<std::uint16_t>(options.number("port", 27'541));
  setup.wait = io::wait_strategy_of(options.text("wait", "spin"));
  setup.publisher_core = core_of(options, "publisher-core", "0");
  setup.subscriber_core = core_of(options, "subscriber-core", "1");
  setup.datagram_bytes = options.number("datagram-bytes", 1'400);
  setup.receive_buffer = static_cast<int>(options.number("receive-buffer", 256U << 20));
  setup.limits.orders_max = static_cast<std::uint32_t>(options.number("orders-max", 65'536));
  setup.limits.instruments_max = static_cast<std::uint32_t>(options.number("instruments-max", 1'024));
  setup.limits.prefault = true;
  const std::size_t ring_bytes = options.number("ring-bytes", std::size_t{1} << 20);
  const std::string state = options.text("state", "");
  const bool with_replica = options.number("replica", 0) != 0;
  const auto floor_ms = static_cast<double>(options.number("floor-ms", 0));
  PreloadedOptions load;
  load.rate = static_cast<double>(options.number("rate", 0));
  load.passes = options.number("passes", 1);
  load.batch_messages = options.number("batch-messages", 2'048);
  load.warm_messages = options.number("warm-messages", 0);
  const std::vector<std::uint8_t> bytes = [&] {
    std::vector<std::uint8_t> flow = load_itch(options, {2'000'000, 2'000});
    if (load.passes > 1) close_books(flow);
    return flow;
  }();
  options.finish();

  for (std::uint64_t run = 0; run < runs; ++run) {
    Child child(setup, subscribe);
    leave_core(setup.publisher_core);
    const auto source = std::make_shared<PreloadedItch>(bytes, load);
    run::PublisherOptions publisher_settings = publisher_options(setup, ring_bytes);
    publisher_settings.probe = source;
    std::shared_ptr<run::StateFolder> folder;
    if (!state.empty()) {
      run::StateOptions state_options;
      state_options.folder = state;
      state_options.session_new = publisher_settings.session;
      state_options.ring_identity = run::Publisher::ring_identity_of(publisher_settings);
      state_options.identity = run::identity_of(publisher_settings);
      state_options.datagram_bytes = setup.datagram_bytes;
      folder = std::make_shared<run::StateFolder>(std::move(state_options));
      publisher_settings.start = folder;
    }
    run::Publisher publisher(publisher_settings, nullptr);
    std::unique_ptr<run::JournalWriter> journal;
    if (folder != nullptr) journal = folder->open_journal(publisher.ring_memory(), &publisher.followers());
    std::unique_ptr<run::ReplicaThread> replica;
    if (with_replica) {
      run::ReplicaOptions settings;
      settings.ring = {publisher.ring_memory().data(), publisher.ring_memory().bytes(), {}, &publisher.followers()};
      settings.limits = setup.limits;
      replica = std::make_unique<run::ReplicaThread>(settings, nullptr, nullptr);
      replica->start();
    }
    if (journal != nullptr) journal->start();
    publisher.start();
    while (!source->done()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    publisher.end_input();
    publisher.join();
    const Received got = child.answer<Received>();
    if (journal != nullptr) journal->stop();
    const auto sent = [&](PublisherCounter name) { return publisher.counters().get(name); };
    if (replica != nullptr) {
      for (int wait = 0; wait < 200 && replica->counters().get(run::ReplicaCounter::lag_messages) != 0; ++wait) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      replica->stop();
    }
    const double messages = static_cast<double>(source->messages());
    const double updates = static_cast<double>(sent(PublisherCounter::sequence)) * messages /
                           static_cast<double>(sent(PublisherCounter::input_position));
    JsonLine line;
    line.add("updates_per_second", updates / source->seconds()).add("seconds", source->seconds());
    line.add("updates", sent(PublisherCounter::sequence)).add("source_messages", source->messages());
    line.add("publisher_cpu_ns_per_update", source->cpu_seconds() * 1e9 / updates);
    line.add("subscriber_cpu_ns_per_update", got.cpu_seconds * 1e9 / static_cast<double>(got.messages));
    line.add("behind_schedule_ms_max", source->behind_seconds() * 1e3);
    line.add("missing", got.missing).add("kernel_drops", got.kernel_drops);
    line.add("datagrams_failed",
             sent(PublisherCounter::datagrams_failed_a) + sent(PublisherCounter::datagrams_failed_b));
    const double datagrams = static_cast<double>(sent(PublisherCounter::datagrams_a));
    line.add("updates_per_datagram", static_cast<double>(sent(PublisherCounter::sequence)) / datagrams);
    line.add("bytes_per_update", static_cast<double>(sent(PublisherCounter::bytes_a)) /
                                     static_cast<double>(sent(PublisherCounter::sequence)));
    line.add("datagrams_per_send_call", datagrams / static_cast<double>(sent(PublisherCounter::send_calls_a)));
    line.add("batches", sent(PublisherCounter::batches)).add("live_orders", sent(PublisherCounter::live_orders));
    line.add("digests_checked", got.digests_checked).add("digests_mismatched", got.digests_mismatched);
    line.add("receive_buffer_granted", got.receive_buffer);
    line.add("latency_p50_us", got.latency_us[0]).add("latency_p99_us", got.latency_us[1]);
    line.add("latency_p99_9_us", got.latency_us[2]);
    line.add("publisher_loop_us_max", static_cast<double>(sent(PublisherCounter::loop_ns_max)) / 1e3);
    line.add("subscriber_loop_us_max", static_cast<double>(got.loop_ns_max) / 1e3);
    if (journal != nullptr) {
      const auto kept = [&](run::JournalCounter name) { return journal->counters().get(name); };
      line.add("journal_messages", kept(run::JournalCounter::messages));
      line.add("journal_missing", kept(run::JournalCounter::missing_messages));
    }
    if (replica != nullptr) {
      const auto held = [&](run::ReplicaCounter name) { return replica->counters().get(name); };
      line.add("replica_lapped", held(run::ReplicaCounter::lapped));
      line.add_text("replica_books",
                    held(run::ReplicaCounter::digest) == sent(PublisherCounter::digest) ? "equal" : "different");
    }
    if (floor_ms != 0) {
      const auto batch = static_cast<std::size_t>(
          std::max(1.0, datagrams / static_cast<double>(sent(PublisherCounter::send_calls_a)) + 0.5));
      double share = 0;
      const double floor = floor_datagrams_per_second(setup, batch, floor_ms / 1e3, share);
      line.add("floor_datagrams_per_second", floor).add("floor_received_share", share);
      line.add("datagrams_to_floor",
               updates / source->seconds() * datagrams / static_cast<double>(sent(PublisherCounter::sequence)) / floor);
    }
    const bool equal =
        got.ended && got.messages == sent(PublisherCounter::sequence) && got.digest == sent(PublisherCounter::digest);
    line.add_text("complete", equal ? "yes" : "no").print();
  }
  return 0;
}

}  // namespace depthcast::perf

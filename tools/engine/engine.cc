// A matching engine that feeds `depthcast serve --source shm:PATH`: price-time matching of seeded orders. It may be
// killed at any moment and started again: it makes the same events from the same seed, and the ring says which of them
// are there.
//
//   example_engine PATH [--seed N] [--instruments N] [--live-orders N] [--rate EVENTS_PER_SECOND] [--events N]
//                  [--slots N] [--top LEVELS] [--from NS] [--end]
//
// Runs until SIGTERM or SIGINT, or until event N, then prints one line of JSON: its events, the messages that they
// make, and a hash of its books. --end: the day is over, there will be no more.
// --from: times of the events count from there, a microsecond each, so that two engines of one seed say the very same.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include <depthcast/publisher.h>

#include "matching.h"

namespace {

using depthcast::engine::Event;
using depthcast::engine::Publisher;
using depthcast::engine::PushStatus;

struct Settings {
  std::string path;
  std::uint64_t seed = 1;
  std::uint32_t instruments = 10;
  std::size_t live_orders = 2'000;
  std::uint64_t rate = 0;
  std::uint64_t events = 0;
  std::uint64_t slots = 262'144;
  std::int64_t from_ns = 0;
  int top = 0;
  bool end = false;
};

volatile std::sig_atomic_t stopped = 0;

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void pause_for(std::int64_t ns) {
  const timespec time{0, ns};
  nanosleep(&time, nullptr);
}

Settings read(int count, char** arguments) {
  Settings settings;
  for (int index = 1; index < count; ++index) {
    const std::string name = arguments[index];
    if (name.rfind("--", 0) != 0) {
      settings.path = name;
      continue;
    }
    if (name == "--end") {
      settings.end = true;
      continue;
    }
    if (index + 1 == count) throw std::invalid_argument(name + " needs a value");
    const std::uint64_t value = std::strtoull(arguments[++index], nullptr, 10);
    if (name == "--seed")
      settings.seed = value;
    else if (name == "--instruments")
      settings.instruments = static_cast<std::uint32_t>(value);
    else if (name == "--live-orders")
      settings.live_orders = value;
    else if (name == "--rate")
      settings.rate = value;
    else if (name == "--events")
      settings.events = value;
    else if (name == "--slots")
      settings.slots = value;
    else if (name == "--from")
      settings.from_ns = static_cast<std::int64_t>(value);
    else if (name == "--top")
      settings.top = static_cast<int>(value);
    else
      throw std::invalid_argument("unknown option " + name);
  }
  if (settings.path.empty()) throw std::invalid_argument("expected the path of the ring");
  if (settings.instruments == 0 || settings.instruments > 1'000) throw std::invalid_argument("1 to 1000 instruments");
  return settings;
}

// Pushes events in order, each with the engine's own number, and waits where the ring is full.
class Output {
 public:
  explicit Output(Publisher& publisher) : publisher_(publisher) {}

  std::uint64_t number() const { return number_; }
  std::uint64_t pushed() const { return pushed_; }
  std::uint64_t full() const { return full_; }
  bool catching_up() const { return number_ < publisher_.last(); }

  // All of a decision's events at once, so that the distributor sees none before the last. False when stopped.
  bool push(const std::vector<Event>& events) {
    for (const Event& event : events) {
      PushStatus status = publisher_.stage(event.numbered(++number_));
      for (; status == PushStatus::full && stopped == 0; status = publisher_.stage(event.numbered(number_))) {
        ++full_;
        pause_for(20'000);
      }
      if (status == PushStatus::full) return false;
      if (status == PushStatus::repeated) continue;  // of an earlier life
      if (status != PushStatus::ok) throw std::runtime_error(std::string("the ring says: ") + name_of(status));
      ++pushed_;
    }
    publisher_.publish();
    return true;
  }

 private:
  Publisher& publisher_;
  std::uint64_t number_ = 0;
  std::uint64_t pushed_ = 0;
  std::uint64_t full_ = 0;
};

void report(const Settings& settings, const example::Matching& matching, const Output& output) {
  std::printf(
      "{\"events\":%llu,\"messages\":%llu,\"live_orders\":%zu,\"books\":\"%016llx\",\"pushed\":%llu,\"full\":%llu}\n",
      static_cast<unsigned long long>(output.number()), static_cast<unsigned long long>(matching.messages()),
      matching.books().live(), static_cast<unsigned long long>(matching.books().hash()),
      static_cast<unsigned long long>(output.pushed()), static_cast<unsigned long long>(output.full()));
  for (std::uint32_t instrument = 1; settings.top > 0 && instrument <= settings.instruments; ++instrument) {
    matching.books().top(
        instrument, settings.top, [&](example::Side side, std::int64_t price, auto quantity, auto orders) {
          std::printf("EX%u %s %lld.%02lld %llu (%zu)\n", instrument, side == example::Side::buy ? "bid" : "ask",
                      static_cast<long long>(price / 100), static_cast<long long>(price % 100),
                      static_cast<unsigned long long>(quantity), orders);
        });
  }
}

void run(const Settings& settings) {
  Publisher publisher(settings.path, {settings.slots, false});
  example::Matching matching(settings.seed, settings.instruments, settings.live_orders);
  Output output(publisher);
  std::vector<Event> events;
  const auto time_ns = [&] {
    if (settings.from_ns == 0) return clock_ns(CLOCK_REALTIME);
    return settings.from_ns + static_cast<std::int64_t>(output.number()) * 1'000;
  };
  matching.open(time_ns(), events);
  bool goes_on = output.push(events);
  std::int64_t start_ns = 0;
  while (goes_on && stopped == 0 && (settings.events == 0 || output.number() < settings.events)) {
    if (settings.rate > 0 && !output.catching_up()) {
      const std::int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
      if (start_ns == 0) start_ns = now_ns;
      const double due = static_cast<double>(output.pushed()) * 1e9 / static_cast<double>(settings.rate);
      if (static_cast<double>(now_ns - start_ns) < due) {
        pause_for(50'000);
        continue;
      }
    }
    events.clear();
    matching.step(time_ns(), events);
    goes_on = output.push(events);
  }
  // The ring is full, and nobody takes anything: what could not be pushed is made again by the next life.
  if (!goes_on) throw std::runtime_error("stopped while the ring was full");
  if (settings.end) publisher.end();
  report(settings, matching, output);
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGTERM, [](int) { stopped = 1; });
  std::signal(SIGINT, [](int) { stopped = 1; });
  try {
    run(read(count, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "example_engine: %s\n", error.what());
    return 1;
  }
}

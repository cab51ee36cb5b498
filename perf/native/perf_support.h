// What the native perf programs share: options, clock, one JSON line per run.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace depthcast::perf {

// `--name value` pairs; a name that no program knows is an error there.
class Options {
 public:
  Options(int count, char** arguments);
  std::uint64_t number(const std::string& name, std::uint64_t fallback);
  std::string text(const std::string& name, const std::string& fallback);
  // Throws std::invalid_argument when something was given that nobody asked for.
  void finish() const;

 private:
  std::map<std::string, std::string> given_;
  std::map<std::string, bool> used_;
};

// Time on the wall, and the time that this thread had the processor: on a busy machine they differ.
class Stopwatch {
 public:
  double ns() const { return clock_ns(CLOCK_MONOTONIC) - start_; }
  double cpu_ns() const { return clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_cpu_; }

 private:
  static double clock_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }
  double start_ = clock_ns(CLOCK_MONOTONIC);
  double start_cpu_ = clock_ns(CLOCK_THREAD_CPUTIME_ID);
};

// {"name": value, ...} on one line of standard output.
class JsonLine {
 public:
  JsonLine& add(const char* name, double value);
  JsonLine& add(const char* name, std::uint64_t value);
  JsonLine& add_text(const char* name, const std::string& value);
  void print();

 private:
  void key(const char* name);
  std::string text_ = "{";
};

std::string hex(std::uint64_t value);

// ITCH bytes of a file, or of the simulated exchange: options file, messages, symbols, live-orders, seed.
struct ItchDefaults {
  std::uint64_t messages;
  std::uint64_t live_orders;
};
std::vector<std::uint8_t> load_itch(Options& options, const ItchDefaults& defaults);

// Memory of this process that stands in huge pages just now.
std::uint64_t huge_page_bytes();

// Memory of this process that stands in RAM just now.
std::uint64_t resident_bytes();

int book_memory(Options& options);
int book_replay(Options& options);
int core_round_trip(Options& options);
int packet_encode(Options& options);
int ring_broadcast(Options& options);
int gateway_snapshot(Options& options);
int snapshot_take(Options& options);
int live_listen(Options& options);
int feed_line(Options& options);
int ring_feed(Options& options);
int websocket_load(Options& options);
int websocket_write(Options& options);
int publisher_push(Options& options);
int core_load(Options& options);

}  // namespace depthcast::perf

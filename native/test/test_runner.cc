#include "test/test_runner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <vector>

namespace depthcast::test {
namespace {

struct Test {
  std::string_view name;
  std::string_view file;
  TestFunction function;
};

// Thrown by fail_and_stop, caught by run_one.
struct Stop {};

struct State {
  RunnerOptions options;
  std::mutex mutex;  // guards what follows: any thread of a test may fail or note
  std::vector<std::string> failures;
  std::size_t failures_count = 0;
  std::vector<std::string> notes;
  bool randomized = false;
};

constexpr std::size_t failures_shown_max = 10;

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

State& state() {
  static State one;
  return one;
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void call(TestFunction function) {
  try {
    function();
  } catch (const Stop&) {
    return;
  } catch (const std::exception& error) {
    fail(__FILE__, __LINE__, std::string("uncaught exception: ") + error.what());
  }
}

bool run_one(const Test& test) {
  State& run = state();
  run.failures.clear();
  run.notes.clear();
  run.failures_count = 0;
  run.randomized = false;
  const auto start = std::chrono::steady_clock::now();
  call(test.function);
  const auto took = std::chrono::steady_clock::now() - start;
  const auto milliseconds = static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());

  const bool passed = run.failures_count == 0;
  const std::string name(test.name);
  std::printf("%s %s (%lld ms)\n", passed ? "ok" : "not ok", name.c_str(), milliseconds);
  for (const std::string& line : run.notes) std::printf("  # %s\n", line.c_str());
  for (const std::string& line : run.failures) std::printf("  %s\n", line.c_str());
  if (run.failures_count > run.failures.size()) {
    std::printf("  and %zu failures more\n", run.failures_count - run.failures.size());
  }
  if (!passed && run.randomized) {
    std::printf("  seed %llu; replay: depthcast_tests --filter %s --seed %llu --scale %llu\n",
                static_cast<unsigned long long>(run.options.seed), name.c_str(),
                static_cast<unsigned long long>(run.options.seed), static_cast<unsigned long long>(run.options.scale));
  }
  static_cast<void>(std::fflush(stdout));
  return passed;
}

}  // namespace

Registration::Registration(const char* name, const char* file, TestFunction function) {
  tests().push_back({name, base_name(file), function});
}

std::uint64_t seed() {
  state().randomized = true;
  return state().options.seed;
}

std::uint64_t work(std::uint64_t full) {
  return std::max<std::uint64_t>(full * state().options.scale / (sanitized ? 10 : 1), 1);
}

void note(const std::string& line) {
  const std::lock_guard lock(state().mutex);
  state().notes.push_back(line);
}

void fail(const char* file, int line, const std::string& what) {
  const std::lock_guard lock(state().mutex);
  if (++state().failures_count > failures_shown_max) return;
  state().failures.push_back(std::string(base_name(file)) + ":" + std::to_string(line) + ": " + what);
}

void fail_and_stop(const char* file, int line, const std::string& what) {
  fail(file, line, what);
  throw Stop{};
}

int run_tests(const RunnerOptions& options) {
  state().options = options;
  std::vector<Test> selected;
  for (const Test& test : tests()) {
    if (test.name.find(options.filter) != std::string_view::npos) selected.push_back(test);
  }
  // The linker decides the order of registration; file and then source order is easier to read.
  std::stable_sort(selected.begin(), selected.end(),
                   [](const Test& left, const Test& right) { return left.file < right.file; });
  if (options.list) {
    for (const Test& test : selected) std::printf("%s: %s\n", std::string(test.file).c_str(), test.name.data());
    return 0;
  }
  if (sanitized) std::printf("# sanitizer: long tests do a tenth of their work\n");
  std::size_t failed = 0;
  for (const Test& test : selected) failed += run_one(test) ? 0U : 1U;
  if (selected.empty()) std::printf("no test's name contains \"%s\"\n", options.filter.c_str());
  std::printf("native: %zu passed, %zu failed\n", selected.size() - failed, failed);
  return failed == 0 && !selected.empty() ? 0 : 1;
}

}  // namespace depthcast::test

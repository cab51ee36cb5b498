// depthcast_tests [--filter] SUBSTRING | --list | --seed N | --scale N | --golden DIR | --write-golden DIR
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "test/golden.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

constexpr const char* usage =
    "depthcast_tests [options] [SUBSTRING]\n"
    "  --filter SUBSTRING   run the tests whose name contains it\n"
    "  --list               print the names and run nothing\n"
    "  --seed N             seed of the randomized tests; `clock` takes a new one\n"
    "  --scale N            multiply the work of long tests by N (default 1)\n"
    "  --golden DIR         where golden/v1 is, if not in the source tree around the executable\n"
    "  --write-golden DIR   write the golden packets of this version to DIR and run nothing\n";

int refuse(std::string_view what) {
  std::fprintf(stderr, "%s\n%s", std::string(what).c_str(), usage);
  return 2;
}

bool number(std::string_view text, std::uint64_t& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

int run(int count, char** values) {
  RunnerOptions options;
  for (int index = 1; index < count; ++index) {
    const std::string_view option = values[index];
    if (option == "--list") {
      options.list = true;
      continue;
    }
    if (!option.starts_with("--")) {
      options.filter = option;
      continue;
    }
    if (index + 1 == count) return refuse(std::string(option) + ": a value is missing");
    const std::string_view value = values[++index];
    if (option == "--filter") {
      options.filter = value;
    } else if (option == "--seed" && value == "clock") {
      options.seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
      std::printf("# seed %llu\n", static_cast<unsigned long long>(options.seed));
    } else if (option == "--seed") {
      if (!number(value, options.seed)) return refuse("--seed: a number, please");
    } else if (option == "--scale") {
      if (!number(value, options.scale) || options.scale == 0) return refuse("--scale: a number from 1, please");
    } else if (option == "--golden") {
      set_golden_folder(std::string(value));
    } else if (option == "--write-golden") {
      return write_golden(std::string(value));
    } else {
      return refuse(std::string(option) + ": unknown");
    }
  }
  return run_tests(options);
}

}  // namespace
}  // namespace depthcast::test

int main(int count, char** values) { return depthcast::test::run(count, values); }

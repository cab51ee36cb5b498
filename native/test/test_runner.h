// A small test runner of our own: tests register themselves by the behaviour they prove, checks tell file, line and
// values, randomized tests tell their seed and the command that replays them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace depthcast::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

constexpr std::uint64_t seed_default = 20'191'230;

struct RunnerOptions {
  std::string filter;  // a part of the name; empty: every test
  std::uint64_t seed = seed_default;
  std::uint64_t scale = 1;  // multiplies the work of long tests; 1 is the bounded form that CI runs
  bool list = false;
};

using TestFunction = void (*)();

// Defined by TEST at namespace scope: before main, one thread.
struct Registration {
  Registration(const char* name, const char* file, TestFunction function);
};

// Runs what the filter selects. Returns the exit code: 0 when every test passed, 1 otherwise.
int run_tests(const RunnerOptions& options);

// The seed of this run. A test that asks for it is a randomized one: its failure prints seed and replay command.
std::uint64_t seed();

// The work of a long test: `full` times --scale, a tenth of that under a sanitizer, at least 1.
std::uint64_t work(std::uint64_t full);

// Prints a line below the test's result: figures that people compare.
void note(const std::string& line);

// Any thread. The test goes on.
void fail(const char* file, int line, const std::string& what);
// The test's own thread only: ends the test.
[[noreturn]] void fail_and_stop(const char* file, int line, const std::string& what);

template <typename Value>
std::string describe(const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<Value>) {
    return std::to_string(static_cast<std::int64_t>(value));
  } else if constexpr (std::is_arithmetic_v<Value>) {
    return std::to_string(value);
  } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
    return '"' + std::string(std::string_view(value)) + '"';
  } else {
    return "(a value without a text form)";
  }
}

template <typename Left, typename Right>
constexpr bool equal(const Left& left, const Right& right) {
  constexpr bool integers = std::is_integral_v<Left> && std::is_integral_v<Right> && !std::is_same_v<Left, bool> &&
                            !std::is_same_v<Right, bool> && !std::is_same_v<Left, char> && !std::is_same_v<Right, char>;
  if constexpr (integers) {
    return std::cmp_equal(left, right);
  } else {
    return left == right;
  }
}

template <typename Left, typename Right>
std::string difference(const char* text, const Left& actual, const Right& expected) {
  return std::string(text) + " is " + describe(actual) + ", expected " + describe(expected);
}

}  // namespace depthcast::test

#define TEST(name)                                                                             \
  static void name();                                                                          \
  static const ::depthcast::test::Registration registration_of_##name(#name, __FILE__, &name); \
  static void name()

// CHECK… goes on after a failure, REQUIRE… ends the test.
#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) ::depthcast::test::fail(__FILE__, __LINE__, #condition " does not hold"); \
  } while (false)

#define REQUIRE(condition)                                                                               \
  do {                                                                                                   \
    if (!(condition)) ::depthcast::test::fail_and_stop(__FILE__, __LINE__, #condition " does not hold"); \
  } while (false)

#define CHECK_EQUAL(actual, expected)                                                                \
  do {                                                                                               \
    const auto actual_value = (actual);                                                              \
    const auto expected_value = (expected);                                                          \
    if (!::depthcast::test::equal(actual_value, expected_value)) {                                   \
      ::depthcast::test::fail(__FILE__, __LINE__,                                                    \
                              ::depthcast::test::difference(#actual, actual_value, expected_value)); \
    }                                                                                                \
  } while (false)

#define REQUIRE_EQUAL(actual, expected)                                                                       \
  do {                                                                                                        \
    const auto actual_value = (actual);                                                                       \
    const auto expected_value = (expected);                                                                   \
    if (!::depthcast::test::equal(actual_value, expected_value)) {                                            \
      ::depthcast::test::fail_and_stop(__FILE__, __LINE__,                                                    \
                                       ::depthcast::test::difference(#actual, actual_value, expected_value)); \
    }                                                                                                         \
  } while (false)

// `Exception` is thrown and its text contains `part`.
#define CHECK_THROWS(expression, Exception, part)                                                         \
  do {                                                                                                    \
    bool thrown = false;                                                                                  \
    try {                                                                                                 \
      static_cast<void>(expression);                                                                      \
    } catch (const Exception& error) {                                                                    \
      thrown = true;                                                                                      \
      if (std::string_view(error.what()).find(part) == std::string_view::npos) {                          \
        ::depthcast::test::fail(__FILE__, __LINE__, std::string(#expression " throws: ") + error.what()); \
      }                                                                                                   \
    }                                                                                                     \
    if (!thrown) ::depthcast::test::fail(__FILE__, __LINE__, #expression " does not throw " #Exception);  \
  } while (false)

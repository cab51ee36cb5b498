#include "ingest/simulated_exchange.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "test/allocations.h"
#include "test/random.h"
#include "test/simulated_replay.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::SimulatedExchange;
using ingest::SimulatedExchangeOptions;

constexpr std::size_t message_size_max = SimulatedExchange::message_size_max;
constexpr std::uint64_t end_of_day_ns = 86'400'000'000'000;
constexpr std::size_t buffer_size = 65'536;
constexpr std::uint8_t untouched = 0xa5;

struct Bytes {
  std::uint64_t digest = 1;
  std::uint64_t size = 0;

  void take(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) digest = digest * 1'099'511'628'211U + byte;
    size += bytes.size();
  }
};

// Reads a whole flow in spans of the sizes that `next_size` gives, and requires that every span is filled as promised
// and nothing is written behind it.
template <typename NextSize>
Bytes read_in_spans(const SimulatedExchangeOptions& options, NextSize next_size) {
  SimulatedExchange exchange(options);
  Bytes bytes;
  std::vector<std::uint8_t> buffer(buffer_size, untouched);
  for (;;) {
    const std::size_t size = next_size();
    const std::size_t written = exchange.next({buffer.data(), size});
    REQUIRE(written <= size && buffer.at(size) == untouched);
    REQUIRE(written + message_size_max > size || exchange.messages_emitted() == options.messages);
    if (written == 0) return bytes;
    bytes.take({buffer.data(), written});
    std::fill_n(buffer.begin(), written, untouched);
  }
}

std::vector<std::uint8_t> first_bytes(const SimulatedExchangeOptions& options, std::uint64_t messages) {
  SimulatedExchange exchange(options);
  std::vector<std::uint8_t> bytes;
  std::uint8_t one[message_size_max];
  while (exchange.messages_emitted() < messages) {
    const std::size_t size = exchange.next(one);
    REQUIRE(size > 0);
    bytes.insert(bytes.end(), one, one + size);
  }
  return bytes;
}

// ---- Every message fits the book ------------------------------------------------------------------------------------

TEST(simulatedFlowFitsTheBooksFromFewOrdersToMany) {
  const std::uint64_t messages = work(150'000);
  replay(simulated_options(1, 1, messages, seed()));
  replay(simulated_options(1, 500, messages, seed() + 1));
  replay(simulated_options(7, 200, messages, seed() + 2));
  replay(simulated_options(100, 20'000, messages, seed() + 3));
  replay(simulated_options(1'000, 20'000, messages, seed() + 4));
}

// So many halts that every step of theirs is met, and every type of message.
TEST(simulatedHaltsStopExecutionsAndEndInACross) {
  SimulatedExchangeOptions options = simulated_options(20, 500, work(300'000), seed());
  options.halts_per_million = 10'000;
  const SimulatedReplay replayed = replay(options);
  std::string line = std::to_string(replayed.messages()) + " messages:";
  for (const char type : std::string("SRHAFDXUECPIQ")) {
    line += std::string(" ") + type + ' ' + std::to_string(replayed.count(type));
    CHECK(replayed.count(type) > 0);
  }
  note(line);
}

TEST(simulatedMixOfNothingLeavesAddsAndDeletes) {
  SimulatedExchangeOptions options = simulated_options(10, 1'000, work(50'000), seed());
  options.halts_per_million = 0;
  options.mix = {0, 0, 0, 0, 0, 0};
  const SimulatedReplay replayed = replay(options);
  CHECK_EQUAL(replayed.count('A') + replayed.count('D') + messages_min(10), options.messages);
  options.mix.attributed_adds = 10'000;
  CHECK_EQUAL(replay(options).count('A'), 0U);
}

// ---- Options --------------------------------------------------------------------------------------------------------

struct OptionRange {
  const char* name;
  std::uint64_t low;
  std::uint64_t high;
  void (*set)(SimulatedExchangeOptions& options, std::uint64_t value);
};

std::uint32_t narrow(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

// The ranges of docs/simulated-exchange.md, but `messages`, whose lower end depends on `symbols`.
constexpr OptionRange ranges[] = {
    {"symbols", 1, 10'000, [](auto& options, auto value) { options.symbols = narrow(value); }},
    {"live_orders", 1, 16'000'000, [](auto& options, auto value) { options.live_orders = value; }},
    {"message_interval_ns", 0, 60'000'000'000, [](auto& options, auto value) { options.message_interval_ns = value; }},
    {"start_time_ns", 0, end_of_day_ns - 1, [](auto& options, auto value) { options.start_time_ns = value; }},
    {"burst_events", 1, 1'000, [](auto& options, auto value) { options.burst_events = narrow(value); }},
    {"burst_acceleration", 1, 1'000, [](auto& options, auto value) { options.burst_acceleration = narrow(value); }},
    {"even_activity_percent", 0, 100, [](auto& options, auto value) { options.even_activity_percent = narrow(value); }},
    {"halts_per_million", 0, 10'000, [](auto& options, auto value) { options.halts_per_million = narrow(value); }},
    {"mix.replaces", 0, 9'000, [](auto& options, auto value) { options.mix.replaces = narrow(value); }},
    {"mix.partial_cancels", 0, 9'000, [](auto& options, auto value) { options.mix.partial_cancels = narrow(value); }},
    {"mix.marketable_orders", 0, 9'000,
     [](auto& options, auto value) { options.mix.marketable_orders = narrow(value); }},
    {"mix.hidden_trades", 0, 9'000, [](auto& options, auto value) { options.mix.hidden_trades = narrow(value); }},
    {"mix.attributed_adds", 0, 10'000, [](auto& options, auto value) { options.mix.attributed_adds = narrow(value); }},
    {"mix.quote_pairs", 0, 10'000, [](auto& options, auto value) { options.mix.quote_pairs = narrow(value); }},
};

TEST(simulatedExchangeNamesTheOptionThatIsOutOfRange) {
  for (const OptionRange& range : ranges) {
    for (const std::uint64_t value : {range.low - 1, range.high + 1}) {
      if (value == UINT64_MAX) continue;  // nothing is below 0
      SimulatedExchangeOptions options;
      range.set(options, value);
      const std::string complaint = std::string(range.name) + " must be " + std::to_string(range.low) + " to " +
                                    std::to_string(range.high) + ", not " + std::to_string(value);
      CHECK_THROWS(SimulatedExchange(options), std::invalid_argument, complaint);
    }
  }
  SimulatedExchangeOptions options;
  options.mix = {3'000, 3'000, 3'000, 1};
  CHECK_THROWS(SimulatedExchange(options), std::invalid_argument, "the sum of mix must be 0 to 9000, not 9001");
  options.mix.hidden_trades = 0;
  CHECK(SimulatedExchange(options).messages_emitted() == 0);
}

TEST(simulatedFlowFitsTheBooksAtBothEndsOfEveryOption) {
  for (const OptionRange& range : ranges) {
    for (const std::uint64_t value : {range.low, range.high}) {
      if (value == 16'000'000) continue;  // 640 MB
      SimulatedExchangeOptions options = simulated_options(10, 300, 0, seed());
      if (value == 9'000) options.mix = {0, 0, 0, 0};  // all that a mix may be
      range.set(options, value);
      options.messages = messages_min(options.symbols) + work(10'000);
      replay(options);
    }
  }
}

// ---- The day --------------------------------------------------------------------------------------------------------

TEST(simulatedDayHasExactlyTheMessagesAskedFor) {
  for (const std::uint32_t symbols : {1U, 2U, 100U}) {
    SimulatedExchangeOptions options = simulated_options(symbols, 100, 0, seed());
    for (const std::uint64_t more : {0, 1, 2, 3, 1'000}) {
      options.messages = messages_min(symbols) + more;
      CHECK(replay(options).live_orders() <= more);
    }
    for (const std::uint64_t messages : {std::uint64_t{1}, messages_min(symbols) - 1}) {
      options.messages = messages;
      const std::string complaint = "messages must be " + std::to_string(messages_min(symbols)) + " to ";
      CHECK_THROWS(SimulatedExchange(options), std::invalid_argument, complaint);
    }
  }
}

TEST(simulatedExchangeWritesNothingIntoAShortSpanAndNothingAfterItsEnd) {
  SimulatedExchange exchange(simulated_options(1, 10, 100, seed()));
  std::vector<std::uint8_t> buffer(buffer_size, untouched);
  CHECK_EQUAL(exchange.next({buffer.data(), message_size_max - 1}), 0U);
  CHECK_EQUAL(exchange.next({}), 0U);
  CHECK_EQUAL(exchange.messages_emitted(), 0U);
  CHECK(buffer.front() == untouched);
  CHECK(exchange.next({buffer.data(), message_size_max}) > 0);
  while (exchange.next(buffer) > 0) continue;
  CHECK_EQUAL(exchange.messages_emitted(), 100U);
  CHECK_EQUAL(exchange.next(buffer), 0U);
}

// Without an end the same orders come, and go on.
TEST(endlessSimulatedFlowBeginsAsOneThatEnds) {
  const std::uint64_t messages = work(20'000) + messages_min(50);
  SimulatedExchangeOptions options = simulated_options(50, 500, messages, seed());
  const std::vector<std::uint8_t> ending = first_bytes(options, messages - 3);
  options.messages = 0;
  const std::vector<std::uint8_t> endless = first_bytes(options, 2 * messages);
  REQUIRE(endless.size() > ending.size());
  CHECK(std::equal(ending.begin(), ending.end(), endless.begin()));
}

TEST(simulatedTimeStopsAtTheLastNanosecondOfTheDay) {
  SimulatedExchangeOptions options = simulated_options(10, 300, work(10'000), seed());
  options.start_time_ns = end_of_day_ns - 10'000'000;  // 200 mean intervals
  CHECK_EQUAL(replay(options).last_time_ns(), end_of_day_ns - 1);
  options.start_time_ns = end_of_day_ns - 1;
  CHECK_EQUAL(replay(options).last_time_ns(), end_of_day_ns - 1);
}

TEST(simulatedMessagesTakeTheIntervalInTheMean) {
  SimulatedExchangeOptions options = simulated_options(100, 1'000, work(200'000), 1);
  const std::uint64_t mean_ns = (replay(options).last_time_ns() - options.start_time_ns) / options.messages;
  CHECK(mean_ns > options.message_interval_ns * 95 / 100 && mean_ns < options.message_interval_ns * 105 / 100);
  options.message_interval_ns = 0;
  CHECK_EQUAL(replay(options).last_time_ns(), options.start_time_ns);
}

TEST(simulatedNamesDoNotDependOnTheSeedButOrdersDo) {
  const std::vector<std::uint8_t> one = first_bytes(simulated_options(1'000, 100, 3'000, 1), 3'000);
  const std::vector<std::uint8_t> other = first_bytes(simulated_options(1'000, 100, 3'000, 2), 3'000);
  constexpr std::ptrdiff_t directory_size = (2 + 12) + 1'000 * (2 + 39);
  REQUIRE(std::cmp_greater(std::min(one.size(), other.size()), directory_size));
  CHECK(std::equal(one.begin(), one.begin() + directory_size, other.begin()));
  CHECK(one != other);
}

// ---- Same options, same bytes ---------------------------------------------------------------------------------------

TEST(simulatedBytesDoNotDependOnTheSpans) {
  const SimulatedExchangeOptions options = simulated_options(100, 2'000, work(100'000), seed());
  const Bytes expected = read_in_spans(options, [] { return buffer_size - 1; });
  CHECK(expected.size > 0);
  Random random(seed());
  for (const std::size_t size : {message_size_max, message_size_max + 1, std::size_t{4'096}, std::size_t{0}}) {
    const Bytes bytes =
        read_in_spans(options, [&] { return size == 0 ? random.between(message_size_max, 700) : size; });
    CHECK_EQUAL(bytes.size, expected.size);
    CHECK_EQUAL(bytes.digest, expected.digest);
  }
}

// A release may change the bytes, but not by accident, and not from one machine or compiler to the next.
TEST(simulatedBytesAreThoseOfEveryMachine) {
  const SimulatedExchangeOptions options = simulated_options(1'000, 20'000, 1'000'000, 9);
  CHECK_EQUAL(read_in_spans(options, [] { return buffer_size - 1; }).digest, 0xf04555529abdf042ULL);
}

TEST(movedSimulatedExchangeGoesOn) {
  const SimulatedExchangeOptions options = simulated_options(10, 100, 1'000, seed());
  const std::vector<std::uint8_t> expected = first_bytes(options, 1'000);
  SimulatedExchange first(options);
  std::vector<std::uint8_t> bytes(expected.size() + message_size_max);
  std::size_t size = first.next({bytes.data(), 4'096});
  SimulatedExchange second(std::move(first));
  size += second.next(std::span(bytes).subspan(size));
  bytes.resize(size);
  CHECK(bytes == expected);
}

// ---- Steady state ---------------------------------------------------------------------------------------------------

TEST(simulatedPopulationStaysWithinTwoPercentOfItsTarget) {
  SimulatedExchange exchange(simulated_options(1'000, 20'000, work(1'000'000), 1));
  std::vector<std::uint8_t> buffer(4'096);
  while (exchange.messages_emitted() < 40'000) REQUIRE(exchange.next(buffer) > 0);  // the books are filled by 33,000
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  while (exchange.next(buffer) > 0) {
    least = std::min(least, exchange.live_orders());
    most = std::max(most, exchange.live_orders());
  }
  CHECK(least >= 19'600);
  CHECK(most <= 20'400);
  note(std::to_string(least) + " to " + std::to_string(most) + " live orders");
}

TEST(simulatedExchangeAllocatesNothingAfterItsConstruction) {
  SimulatedExchangeOptions options = simulated_options(500, 20'000, work(500'000), seed());
  options.halts_per_million = 1'000;
  SimulatedExchange exchange(options);
  std::vector<std::uint8_t> buffer(4'096);
  const std::uint64_t before = allocations();
  while (exchange.next(buffer) > 0) continue;
  CHECK_EQUAL(allocations(), before);
  CHECK_EQUAL(exchange.messages_emitted(), options.messages);
}

}  // namespace
}  // namespace depthcast::test

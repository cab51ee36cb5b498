#include "test/run_channel.h"

#include <algorithm>
#include <string>

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

template <typename Values>
void compare(const char* name, const Values& actual, const Values& expected, std::string& text) {
  if (!text.empty() || actual == expected) return;
  const auto [left, right] = std::mismatch(actual.begin(), actual.end(), expected.begin(), expected.end());
  text = std::string(name) + ": " + std::to_string(actual.size()) + " of " + std::to_string(expected.size()) +
         ", different from " + std::to_string(left - actual.begin()) + " on";
  if (left != actual.end() && right != expected.end()) {
    text += ": " + std::to_string(*left) + ", expected " + std::to_string(*right);
  }
}

std::string line_of(const run::ExportedInstrument& one) {
  return std::to_string(one.instrument) + '/' + std::to_string(one.instrument_sequence) + ' ' + one.symbol + " code " +
         std::to_string(one.source_code) + " lot " + std::to_string(one.lot_size) + " exponents " +
         std::to_string(one.price_exponent) + ' ' + std::to_string(one.quantity_exponent) + " state " +
         std::to_string(static_cast<int>(one.state)) + " status " + std::to_string(static_cast<int>(one.status)) +
         " digest " + std::to_string(one.digest) + " orders " + std::to_string(one.live_orders) + " levels " +
         std::to_string(one.bid_levels) + ' ' + std::to_string(one.ask_levels);
}

}  // namespace

bool lossless(const run::Subscriber& subscriber, Listener& listener) {
  using run::SubscriberCounter;
  if (listener.all<run::MissingEvent>().empty()) return true;
  const std::uint64_t granted = std::max(figure(subscriber, SubscriberCounter::receive_buffer_a),
                                         figure(subscriber, SubscriberCounter::receive_buffer_b));
  CHECK(granted < static_cast<std::uint64_t>(io::ReceiverOptions{}.receive_buffer_bytes));
  CHECK_EQUAL(figure(subscriber, SubscriberCounter::digests_mismatched), 0U);
  std::uint64_t missing = 0;
  for (const auto& event : listener.all<run::MissingEvent>()) missing += event.range.last - event.range.first + 1;
  note("a receive buffer of " + std::to_string(granted) + " bytes lost " + std::to_string(missing) + " messages");
  return false;
}

std::string difference(const run::BookExport& actual, const run::BookExport& expected) {
  std::string text;
  const auto number = [&](const char* name, std::uint64_t left, std::uint64_t right) {
    if (text.empty() && left != right) {
      text = std::string(name) + " is " + std::to_string(left) + ", expected " + std::to_string(right);
    }
  };
  number("sequence", actual.sequence, expected.sequence);
  number("whole", actual.whole ? 1 : 0, expected.whole ? 1 : 0);
  number("instruments", actual.instruments.size(), expected.instruments.size());
  for (std::size_t index = 0; index < expected.instruments.size() && text.empty(); ++index) {
    const std::string left = line_of(actual.instruments[index]);
    const std::string right = line_of(expected.instruments[index]);
    if (left != right) text = left + "\n    expected " + right;
  }
  number("digest", actual.digest, expected.digest);
  compare("level prices", actual.level_price, expected.level_price, text);
  compare("level quantities", actual.level_quantity, expected.level_quantity, text);
  compare("level orders", actual.level_orders, expected.level_orders, text);
  compare("order ids", actual.order_id, expected.order_id, text);
  compare("order quantities", actual.order_quantity, expected.order_quantity, text);
  return text;
}

}  // namespace depthcast::test

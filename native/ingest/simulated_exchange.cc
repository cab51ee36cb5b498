#include "ingest/simulated_exchange.h"

#include <stdexcept>
#include <string>

#include "ingest/simulated_flow.h"
#include "ingest/simulated_itch.h"
#include "ingest/simulated_market.h"

namespace depthcast::ingest {
namespace {

constexpr std::uint64_t system_events = 6;  // O, S, Q, M, E, C
constexpr std::uint64_t end_messages = 3;

void require(std::uint64_t value, std::uint64_t low, std::uint64_t high, const char* option) {
  if (value >= low && value <= high) return;
  throw std::invalid_argument(std::string(option) + " must be " + std::to_string(low) + " to " + std::to_string(high) +
                              ", not " + std::to_string(value));
}

const SimulatedExchangeOptions& validated(const SimulatedExchangeOptions& options) {
  require(options.symbols, 1, symbols_max, "symbols");
  if (options.messages != 0)
    require(options.messages, 2 * std::uint64_t{options.symbols} + system_events, UINT64_MAX, "messages");
  require(options.live_orders, 1, 16'000'000, "live_orders");
  require(options.message_interval_ns, 0, 60'000'000'000, "message_interval_ns");
  require(options.start_time_ns, 0, 86'399'999'999'999, "start_time_ns");
  require(options.burst_events, 1, 1'000, "burst_events");
  require(options.burst_acceleration, 1, 1'000, "burst_acceleration");
  require(options.even_activity_percent, 0, 100, "even_activity_percent");
  require(options.halts_per_million, 0, 10'000, "halts_per_million");
  const SimulatedMix& mix = options.mix;
  require(mix.replaces, 0, 9'000, "mix.replaces");
  require(mix.partial_cancels, 0, 9'000, "mix.partial_cancels");
  require(mix.marketable_orders, 0, 9'000, "mix.marketable_orders");
  require(mix.hidden_trades, 0, 9'000, "mix.hidden_trades");
  require(mix.replaces + mix.partial_cancels + mix.marketable_orders + mix.hidden_trades, 0, 9'000, "the sum of mix");
  require(mix.attributed_adds, 0, 10'000, "mix.attributed_adds");
  require(mix.quote_pairs, 0, 10'000, "mix.quote_pairs");
  return options;
}

}  // namespace

// A day: opening messages, orders, closing messages.
class SimulatedExchange::Session {
 public:
  explicit Session(const SimulatedExchangeOptions& options)
      : market_(validated(options)),
        flow_(market_, options),
        opening_(2 * std::uint64_t{options.symbols} + system_events - end_messages),
        closing_(options.messages == 0 ? UINT64_MAX : options.messages - end_messages) {}

  std::size_t next(std::span<std::uint8_t> out) {
    std::uint8_t* const begin = out.data();
    std::uint8_t* at = begin;
    std::size_t left = out.size();
    while (left >= message_size_max) {
      std::uint8_t* const end = step(at);
      if (end == at) break;
      left -= static_cast<std::size_t>(end - at);
      at = end;
      ++messages_;
    }
    return static_cast<std::size_t>(at - begin);
  }

  std::uint64_t messages() const { return messages_; }
  std::uint64_t live_orders() const { return market_.books.live_orders(); }

 private:
  std::uint8_t* step(std::uint8_t* out) {
    if (messages_ >= closing_) return close(out);
    if (messages_ < opening_) return open(out);
    return flow_.step(out, messages_);
  }

  // S(O), R of every symbol, H of every symbol, S(S), S(Q).
  std::uint8_t* open(std::uint8_t* out) {
    if (messages_ > 0) market_.clock.advance_regularly();
    const std::uint64_t symbols = market_.symbols.size();
    if (messages_ == 0) return simulated_itch::system_event(out, market_.clock.now_ns(), 'O');
    if (messages_ > 2 * symbols) {
      return simulated_itch::system_event(out, market_.clock.now_ns(), messages_ == 2 * symbols + 1 ? 'S' : 'Q');
    }
    const auto symbol = static_cast<std::uint32_t>((messages_ - 1) % symbols);
    if (messages_ <= symbols)
      return simulated_itch::stock_directory(out, market_.stamp(symbol), market_.symbols[symbol].name);
    return simulated_itch::trading_action(out, market_.stamp(symbol), market_.symbols[symbol].name, 'T', "    ");
  }

  std::uint8_t* close(std::uint8_t* out) {
    const std::uint64_t index = messages_ - closing_;
    if (index >= end_messages) return out;
    market_.clock.advance_regularly();
    return simulated_itch::system_event(out, market_.clock.now_ns(), "MEC"[index]);
  }

  SimulatedMarket market_;
  SimulatedFlow flow_;
  std::uint64_t opening_;  // messages before the first order
  std::uint64_t closing_;  // messages before S(M)
  std::uint64_t messages_ = 0;
};

SimulatedExchange::SimulatedExchange(const SimulatedExchangeOptions& options)
    : session_(std::make_unique<Session>(options)) {}
SimulatedExchange::~SimulatedExchange() = default;
SimulatedExchange::SimulatedExchange(SimulatedExchange&&) noexcept = default;
SimulatedExchange& SimulatedExchange::operator=(SimulatedExchange&&) noexcept = default;

std::size_t SimulatedExchange::next(std::span<std::uint8_t> out) { return session_->next(out); }
std::uint64_t SimulatedExchange::messages_emitted() const { return session_->messages(); }
std::uint64_t SimulatedExchange::live_orders() const { return session_->live_orders(); }

}  // namespace depthcast::ingest

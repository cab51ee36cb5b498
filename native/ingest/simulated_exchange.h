// A simulated exchange: price-time matching of seeded orders, seen through its Nasdaq TotalView-ITCH 5.0 market data.
// docs/simulated-exchange.md describes the model and sets its figures beside those of real files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace depthcast::ingest {

// How often the participants do what, per 10,000 decisions. Adds and deletes share what is left, in the proportion that
// holds the population of live orders. Sum at most 9,000. A decision is one message, save a marketable order (one
// message per resting order it meets, and one for a remainder that rests) and a quote pair (two).
struct SimulatedMix {
  std::uint32_t replaces = 950;           // U
  std::uint32_t partial_cancels = 120;    // X
  std::uint32_t marketable_orders = 165;  // E, C, at times P before them
  std::uint32_t hidden_trades = 35;       // P alone
  // Of 10,000 decisions to add:
  std::uint32_t attributed_adds = 125;  // F instead of A
  std::uint32_t quote_pairs = 2'500;    // a bid and an offer with one timestamp, as a market maker enters them
};

struct SimulatedExchangeOptions {
  std::uint64_t seed = 1;
  // 1 … 10,000; 8.5 KB of memory each.
  std::uint32_t symbols = 100;
  // Messages in all, preamble and end included: at least 2 x symbols + 6; 0 = endless.
  std::uint64_t messages = 0;
  // Target of the population of resting orders, over all symbols: 1 … 16,000,000; 40 bytes of memory each.
  std::uint64_t live_orders = 20'000;
  // Mean spacing of messages in exchange time: 0 … 60 s.
  std::uint64_t message_interval_ns = 50'000;
  // Time of the first message, since midnight: below 24 h. A flow that reaches midnight goes on at 24 h - 1 ns.
  std::uint64_t start_time_ns = 34'200'000'000'000;
  // Events in a burst, in the mean: 1 … 1,000; 1 = no bursts (Poisson arrivals).
  std::uint32_t burst_events = 4;
  // How many times faster than the mean a burst runs: 1 … 1,000.
  std::uint32_t burst_acceleration = 2;
  // Share of the activity that is spread evenly over the symbols: 0 … 100; the rest follows Zipf's law.
  std::uint32_t even_activity_percent = 10;
  // Trading halts per million events: 0 … 10,000; 0 = none.
  std::uint32_t halts_per_million = 10;
  SimulatedMix mix;
};

// One thread at a time. Allocates everything in the constructor, nothing after it. The same options yield the same
// bytes on every machine and compiler, however they are cut into spans.
class SimulatedExchange {
 public:
  // A span this long always takes at least one more message.
  static constexpr std::size_t message_size_max = 52;

  // Throws std::invalid_argument naming the option that is out of range.
  explicit SimulatedExchange(const SimulatedExchangeOptions& options);
  ~SimulatedExchange();
  SimulatedExchange(SimulatedExchange&&) noexcept;
  SimulatedExchange& operator=(SimulatedExchange&&) noexcept;

  // Writes whole messages, each a big-endian u16 length and its body, while message_size_max bytes are left in `out`;
  // returns the bytes written. 0: the flow has ended, or `out` is shorter than message_size_max.
  std::size_t next(std::span<std::uint8_t> out);

  std::uint64_t messages_emitted() const;
  std::uint64_t live_orders() const;  // resting now, over all symbols

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace depthcast::ingest

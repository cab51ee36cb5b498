#include "ingest/simulated_market.h"

#include <array>
#include <string_view>

namespace depthcast::ingest {
namespace {

constexpr std::array<std::string_view, 8> participant_names = {"MKRA", "MKRB", "MKRC", "MKRD",
                                                               "MKRE", "MKRF", "MKRG", "MKRH"};

// A quarter above the target, which the population never comes near, and some slots for tiny targets.
std::uint32_t order_capacity(std::uint64_t live_orders) {
  return static_cast<std::uint32_t>(live_orders + live_orders / 4 + 1'024);
}

}  // namespace

SimulatedMarket::SimulatedMarket(const SimulatedExchangeOptions& options)
    : random(options.seed),
      clock(options.start_time_ns, options.message_interval_ns, options.burst_events, options.burst_acceleration),
      symbols(make_symbols(options.symbols, random)),
      books(options.symbols, order_capacity(options.live_orders)),
      activity(activity_weights(options.symbols, options.even_activity_percent, random)) {}

std::uint8_t* SimulatedMarket::add(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side, std::uint16_t tick,
                                   std::uint32_t quantity, std::uint64_t reference) {
  newest_slot_ = books.add(symbol, side, tick, quantity, reference);
  return simulated_itch::add_order(out, stamp(symbol), reference, side == SimulatedSide::buy, quantity,
                                   symbols[symbol].name, symbols[symbol].price(tick));
}

std::uint8_t* SimulatedMarket::add_attributed(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side,
                                              std::uint16_t tick, std::uint32_t quantity, std::uint64_t reference,
                                              std::uint32_t participant_bits) {
  newest_slot_ = books.add(symbol, side, tick, quantity, reference);
  return simulated_itch::attributed_order(out, stamp(symbol), reference, side == SimulatedSide::buy, quantity,
                                          symbols[symbol].name, symbols[symbol].price(tick),
                                          participant_names[participant_bits % participant_names.size()]);
}

std::uint8_t* SimulatedMarket::remove(std::uint8_t* out, std::uint32_t slot) {
  const SimulatedOrder& order = books.order(slot);
  out = simulated_itch::delete_order(out, stamp(order.symbol), order.reference);
  books.remove(slot);
  return out;
}

std::uint8_t* SimulatedMarket::cancel(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity) {
  const SimulatedOrder& order = books.order(slot);
  out = simulated_itch::cancel(out, stamp(order.symbol), order.reference, quantity);
  books.reduce(slot, quantity);
  return out;
}

std::uint8_t* SimulatedMarket::replace(std::uint8_t* out, std::uint32_t slot, std::uint16_t tick,
                                       std::uint32_t quantity) {
  const SimulatedOrder old = books.order(slot);
  const std::uint64_t reference = take_reference();
  books.remove(slot);
  newest_slot_ = books.add(old.symbol, old.side, tick, quantity, reference);
  return simulated_itch::replace(out, stamp(old.symbol), old.reference, reference, quantity,
                                 symbols[old.symbol].price(tick));
}

std::uint8_t* SimulatedMarket::execute(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity) {
  const SimulatedOrder& order = books.order(slot);
  out = simulated_itch::execution(out, stamp(order.symbol), order.reference, quantity, next_match_++);
  books.reduce(slot, quantity);
  return out;
}

std::uint8_t* SimulatedMarket::execute_at(std::uint8_t* out, std::uint32_t slot, std::uint32_t quantity,
                                          std::uint32_t price, bool printable) {
  const SimulatedOrder& order = books.order(slot);
  out = simulated_itch::execution_with_price(out, stamp(order.symbol), order.reference, quantity, next_match_++,
                                             printable, price);
  books.reduce(slot, quantity);
  return out;
}

std::uint8_t* SimulatedMarket::trade_hidden(std::uint8_t* out, std::uint32_t symbol, std::uint32_t quantity,
                                            std::uint32_t price) {
  return simulated_itch::trade(out, stamp(symbol), quantity, symbols[symbol].name, price, next_match_++);
}

std::uint8_t* SimulatedMarket::print_cross(std::uint8_t* out, std::uint32_t symbol, std::uint64_t quantity,
                                           std::uint32_t price, char cross) {
  return simulated_itch::cross_trade(out, stamp(symbol), quantity, symbols[symbol].name, price, next_match_++, cross);
}

}  // namespace depthcast::ingest

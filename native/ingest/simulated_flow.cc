#include "ingest/simulated_flow.h"

#include <algorithm>

namespace depthcast::ingest {
namespace {

constexpr std::uint32_t whole_share = 1 << 16;               // shares are in units of 2^-16
constexpr std::uint32_t add_share = whole_share * 46 / 100;  // of adds among adds and deletes, population on target
constexpr std::uint32_t add_share_min = whole_share * 5 / 100;
constexpr std::uint32_t add_share_max = whole_share * 92 / 100;
constexpr std::uint32_t feedback_gain = 4;  // a population 1 % short raises the share of adds by 4 %

constexpr std::uint32_t repeat_percent = 45;       // of events that return to the symbol of one of the latest 63
constexpr std::uint32_t fleeting_percent = 65;     // of cancels and replaces that mean an order entered lately
constexpr std::uint32_t touch_percent = 20;        // of them that mean one of the best level; the others mean any order
constexpr std::uint32_t limit_percent = 30;        // of marketable orders that rest what is left
constexpr std::uint32_t fitted_percent = 50;       // of marketable orders no larger than the first order they meet
constexpr std::uint32_t hidden_first_percent = 8;  // of marketable orders that meet a hidden order before the displayed
constexpr std::uint32_t marketable_replace_percent = 2;
constexpr std::uint32_t same_size_percent = 85;  // of replaces that change the price only
constexpr std::uint32_t near_ticks = 10;         // orders up to here behind the best price are fleeting
constexpr std::uint32_t searches_max = 16;

// Decided by eight bits of `bits`, from bit `first` on.
constexpr bool happens(std::uint64_t bits, unsigned first, std::uint32_t percent) {
  return bit_field(bits, first, 8) * 100 < percent * 256;
}

constexpr std::uint32_t share_of(std::uint32_t per_ten_thousand) { return per_ten_thousand * whole_share / 10'000; }

}  // namespace

SimulatedFlow::SimulatedFlow(SimulatedMarket& market, const SimulatedExchangeOptions& options)
    : market_(market),
      matching_(market_),
      halts_(market, options.halts_per_million),
      sizes_(size_classes),
      distances_(distance_classes),
      marketable_limit_(share_of(options.mix.marketable_orders)),
      hidden_limit_(marketable_limit_ + share_of(options.mix.hidden_trades)),
      cancel_limit_(hidden_limit_ + share_of(options.mix.partial_cancels)),
      replace_limit_(cancel_limit_ + share_of(options.mix.replaces)),
      attributed_limit_(share_of(options.mix.attributed_adds)),
      quote_pair_limit_(share_of(options.mix.quote_pairs)),
      target_orders_(static_cast<std::int64_t>(options.live_orders)),
      feedback_(((std::int64_t{feedback_gain} * whole_share) << 32) / target_orders_) {
  for (std::uint32_t& symbol : coming_symbols_) symbol = market_.draw_symbol();
  for (std::uint16_t& symbol : history_) symbol = static_cast<std::uint16_t>(market_.draw_symbol());
}

std::uint8_t* SimulatedFlow::step(std::uint8_t* out, std::uint64_t messages) {
  if (matching_.goes_on()) return matching_.step(out);
  if (pair_due_) {
    pair_due_ = false;
    return add_one(out, pair_symbol_, pair_side_, market_.random.next());
  }
  if (halts_.goes_on()) return halts_.step(out);
  market_.clock.advance_to_event(messages, market_.random.next(), market_.random);
  return halts_.due() ? halts_.step(out) : start_event(out);
}

std::uint8_t* SimulatedFlow::start_event(std::uint8_t* out) {
  const std::uint64_t bits = market_.random.next();
  const std::uint32_t symbol = next_symbol(bits >> 32);
  move_fair_value(market_.symbols[symbol], bits >> 16);
  const std::uint32_t decision = bit_field(bits, 0, 16);
  if (decision >= replace_limit_) return decision < add_limit() ? start_add(out, symbol) : start_delete(out, symbol);
  if (decision < marketable_limit_) return start_marketable(out, symbol);
  if (decision < hidden_limit_) return start_hidden_trade(out, symbol);
  if (decision < cancel_limit_) return start_cancel(out, symbol);
  return start_replace(out, symbol);
}

// The share of adds among adds and deletes rises with the orders missing, falls with those too many.
std::uint32_t SimulatedFlow::add_limit() const {
  const std::int64_t missing = target_orders_ - std::int64_t{market_.books.live_orders()};
  const std::int64_t share = std::int64_t{add_share} + ((missing * feedback_) >> 32);
  const auto bounded =
      static_cast<std::uint32_t>(std::clamp(share, std::int64_t{add_share_min}, std::int64_t{add_share_max}));
  return replace_limit_ + (((whole_share - replace_limit_) * (bounded >> 4)) >> 12);
}

// The symbol of this event; chooses the one of the event after the next.
std::uint32_t SimulatedFlow::next_symbol(std::uint64_t bits) {
  const std::uint32_t symbol = coming_symbols_[0];
  coming_symbols_[0] = coming_symbols_[1];
  market_.books.prefetch_best_levels(coming_symbols_[0]);
  coming_symbols_[1] = choose_symbol(bits);
  history_[history_count_++ % history_.size()] = static_cast<std::uint16_t>(coming_symbols_[1]);
  __builtin_prefetch(&market_.symbols[coming_symbols_[1]]);
  market_.books.prefetch_ladder(coming_symbols_[1]);
  return symbol;
}

std::uint32_t SimulatedFlow::choose_symbol(std::uint64_t bits) {
  if (!happens(bits, 0, repeat_percent)) return market_.draw_symbol();
  // Evenly over the latest one, the two before it, the four before those, … thirty-two.
  const std::uint32_t octave = (bit_field(bits, 10, 8) * 6) >> 8;
  const std::uint32_t back = (1u << octave) + (bit_field(bits, 18, 6) >> (6 - octave));
  return history_[(history_count_ - back) % history_.size()];
}

void SimulatedFlow::move_fair_value(SimulatedSymbol& symbol, std::uint64_t bits) {
  if (bit_field(bits, 0, 5) != 0) return;
  const auto stride = static_cast<std::uint16_t>(1 + symbol.spread_ticks / 6);
  const bool up = bit_field(bits, 5, 1) != 0 ? symbol.fair_tick + stride <= fair_tick_max
                                             : symbol.fair_tick - stride < fair_tick_min;
  symbol.fair_tick = static_cast<std::uint16_t>(up ? symbol.fair_tick + stride : symbol.fair_tick - stride);
}

// Where a new order goes: a distance from the best price of its side, never across the fair value less the half-spread
// its participant asks for, never across the other side, and never left behind by a best price far from the fair value.
SimulatedFlow::Placement SimulatedFlow::place(std::uint32_t symbol, SimulatedSide side, std::uint64_t bits) const {
  const SimulatedSymbol& instrument = market_.symbols[symbol];
  const SimulatedLadder& ladder = market_.books.ladder(symbol);
  const std::int32_t spread = instrument.spread_ticks;
  const std::int32_t asked =
      static_cast<std::int32_t>((bit_field(bits, 10, 10) * (instrument.spread_ticks + 1u)) >> 11);
  const std::int32_t distance = distances_.sample(bits);
  std::int32_t tick;
  if (side == SimulatedSide::buy) {
    const std::int32_t limit = std::min(ladder.best_offer - 1, instrument.fair_tick - asked);
    const std::int32_t best = std::max(std::int32_t{ladder.best_bid}, limit - 2 * spread);
    tick = std::clamp(std::min(best - distance, limit), 1, ladder_ticks - 3);
  } else {
    const std::int32_t limit = std::max(ladder.best_bid + 1, instrument.fair_tick + 1 + asked);
    const std::int32_t best = std::min(std::int32_t{ladder.best_offer}, limit + 2 * spread);
    tick = std::clamp(std::max(best + distance, limit), 2, ladder_ticks - 2);
  }
  return {static_cast<std::uint16_t>(tick), distance < static_cast<std::int32_t>(near_ticks)};
}

std::uint8_t* SimulatedFlow::add_one(std::uint8_t* out, std::uint32_t symbol, SimulatedSide side, std::uint64_t bits) {
  const Placement placement = place(symbol, side, bits);
  const auto quantity = static_cast<std::uint32_t>(sizes_.sample(market_.random.next()));
  const std::uint64_t reference = market_.take_reference();
  if (attributed_) {
    out = market_.add_attributed(out, symbol, side, placement.tick, quantity, reference, bit_field(bits, 20, 8));
  } else {
    out = market_.add(out, symbol, side, placement.tick, quantity, reference);
  }
  if (placement.near) market_.remember_newest(symbol);
  return out;
}

std::uint8_t* SimulatedFlow::start_add(std::uint8_t* out, std::uint32_t symbol) {
  if (market_.books.full()) return market_.remove(out, choose_any_order());
  const std::uint64_t bits = market_.random.next();
  const SimulatedSide side = bit_field(bits, 0, 1) == 0 ? SimulatedSide::buy : SimulatedSide::sell;
  attributed_ = bit_field(bits, 1, 16) < attributed_limit_;
  out = add_one(out, symbol, side, market_.random.next());
  if (bit_field(bits, 17, 16) < quote_pair_limit_ && !market_.books.full()) {
    pair_symbol_ = symbol;
    pair_side_ = opposite(side);
    pair_due_ = true;
  }
  return out;
}

// Any live order, each as likely; no_slot if the search finds none, which is likely only while there are very few.
std::uint32_t SimulatedFlow::choose_any_order() {
  const std::uint32_t candidate = coming_slots_[0];
  coming_slots_[0] = coming_slots_[1];
  market_.books.prefetch_neighbours(coming_slots_[0]);
  coming_slots_[1] = scaled(market_.random.next(), market_.books.slots_used());
  market_.books.prefetch_order(coming_slots_[1]);
  if (market_.books.order(candidate).live) return candidate;
  for (std::uint32_t search = 0; search < searches_max; ++search) {
    const std::uint32_t slot = scaled(market_.random.next(), market_.books.slots_used());
    if (market_.books.order(slot).live) return slot;
  }
  return no_slot;
}

// Mostly an order entered lately into the book of `symbol`, at times one of its best levels, else any order at all.
std::uint32_t SimulatedFlow::choose_order(std::uint32_t symbol) {
  const std::uint64_t bits = market_.random.next();
  const std::uint32_t percent = (bit_field(bits, 0, 10) * 100) >> 10;
  if (percent < fleeting_percent) {
    const SimulatedSymbol& instrument = market_.symbols[symbol];
    for (unsigned search = 0; search < 4; ++search) {
      const std::uint32_t back = 1 + bit_field(bits, 10 + 3 * search, 3);
      const std::uint32_t slot = instrument.recent[(instrument.recent_count - back) % instrument.recent.size()];
      if (slot == no_slot) continue;
      const SimulatedOrder& order = market_.books.order(slot);
      if (order.live && order.symbol == symbol) return slot;  // it or, as good, another that took its slot
    }
  }
  if (percent < fleeting_percent + touch_percent) {
    const SimulatedSide side = bit_field(bits, 22, 1) == 0 ? SimulatedSide::buy : SimulatedSide::sell;
    if (market_.books.ladder(symbol).has(side)) {
      return bit_field(bits, 23, 1) == 0 ? market_.books.front(symbol, side) : market_.books.back(symbol, side);
    }
  }
  return choose_any_order();
}

std::uint8_t* SimulatedFlow::start_delete(std::uint8_t* out, std::uint32_t symbol) {
  const std::uint32_t slot = choose_order(symbol);
  return slot == no_slot ? start_add(out, symbol) : market_.remove(out, slot);
}

std::uint8_t* SimulatedFlow::start_cancel(std::uint8_t* out, std::uint32_t symbol) {
  const std::uint32_t slot = choose_order(symbol);
  if (slot == no_slot) return start_add(out, symbol);
  const std::uint32_t quantity = market_.books.order(slot).quantity;
  if (quantity == 1) return market_.remove(out, slot);
  const std::uint64_t bits = market_.random.next();
  // Of more than a round lot round lots are cancelled, of less any number of shares; something always stays.
  const std::uint32_t cancelled =
      quantity > 100 ? 100 * (1 + scaled(bits, (quantity - 1) / 100)) : 1 + scaled(bits, quantity - 1);
  return market_.cancel(out, slot, cancelled);
}

std::uint8_t* SimulatedFlow::start_replace(std::uint8_t* out, std::uint32_t symbol) {
  const std::uint32_t slot = choose_order(symbol);
  if (slot == no_slot) return start_add(out, symbol);
  const SimulatedOrder order = market_.books.order(slot);
  const std::uint64_t bits = market_.random.next();
  const SimulatedLadder& ladder = market_.books.ladder(order.symbol);
  const auto new_size = static_cast<std::uint32_t>(sizes_.sample(market_.random.next()));
  const std::uint32_t quantity = happens(bits, 0, same_size_percent) ? order.quantity : new_size;
  if (happens(bits, 8, marketable_replace_percent) && ladder.has(opposite(order.side)) &&
      !market_.symbols[order.symbol].halted) {
    // A new price that crosses: the old order goes, the new one executes, and what is left of it rests.
    out = market_.remove(out, slot);
    matching_.enter({order.symbol, order.side, ladder.best(opposite(order.side)), quantity, /*rests=*/true});
    return out;
  }
  const Placement placement = place(order.symbol, order.side, market_.random.next());
  out = market_.replace(out, slot, placement.tick, quantity);
  if (placement.near) market_.remember_newest(order.symbol);
  return out;
}

std::uint8_t* SimulatedFlow::start_marketable(std::uint8_t* out, std::uint32_t symbol) {
  const SimulatedSymbol& instrument = market_.symbols[symbol];
  const SimulatedLadder& ladder = market_.books.ladder(symbol);
  if (instrument.halted || (!ladder.has(SimulatedSide::buy) && !ladder.has(SimulatedSide::sell))) {
    return start_add(out, symbol);
  }
  const std::uint64_t bits = market_.random.next();
  // A book below the fair value is bought, one above it is sold.
  const std::int32_t below = 2 * instrument.fair_tick + 1 - ladder.best_bid - ladder.best_offer;
  const std::int32_t spread = instrument.spread_ticks;
  const std::uint32_t buys_of_8 = below > spread ? 7 : below < -spread ? 1 : 4;
  SimulatedSide side = bit_field(bits, 0, 3) < buys_of_8 ? SimulatedSide::buy : SimulatedSide::sell;
  if (!ladder.has(opposite(side))) side = opposite(side);
  const bool rests = happens(bits, 3, limit_percent);
  const std::int32_t reach = rests ? static_cast<std::int32_t>(bit_field(bits, 11, 1)) : 8 + 4 * spread;
  const std::int32_t best = ladder.best(opposite(side));
  const std::int32_t limit =
      side == SimulatedSide::buy ? std::min(best + reach, ladder_ticks - 3) : std::max(best - reach, 2);
  auto quantity = static_cast<std::uint32_t>(sizes_.sample(market_.random.next()));
  if (happens(bits, 12, fitted_percent)) {
    quantity = std::min(quantity, market_.books.order(market_.books.front(symbol, opposite(side))).quantity);
  }
  std::uint32_t hidden = 0;
  if (quantity > 1 && ladder.has(side) && happens(bits, 20, hidden_first_percent)) {
    hidden = 1 + scaled(bits, quantity - 1);
  }
  matching_.enter({symbol, side, static_cast<std::uint16_t>(limit), quantity - hidden, rests});
  return hidden > 0 ? market_.trade_hidden(out, symbol, hidden, middle_price(symbol)) : matching_.step(out);
}

// Between the best prices, where hidden orders come before displayed ones; in half cents where there is no whole tick.
std::uint32_t SimulatedFlow::middle_price(std::uint32_t symbol) const {
  const SimulatedLadder& ladder = market_.books.ladder(symbol);
  const SimulatedSymbol& instrument = market_.symbols[symbol];
  return (instrument.price(ladder.best_bid) + instrument.price(ladder.best_offer)) / 2;
}

std::uint8_t* SimulatedFlow::start_hidden_trade(std::uint8_t* out, std::uint32_t symbol) {
  const SimulatedSymbol& instrument = market_.symbols[symbol];
  const SimulatedLadder& ladder = market_.books.ladder(symbol);
  if (instrument.halted || !ladder.has(SimulatedSide::buy) || !ladder.has(SimulatedSide::sell)) {
    return start_add(out, symbol);
  }
  const std::uint64_t bits = market_.random.next();
  const auto quantity = static_cast<std::uint32_t>(sizes_.sample(market_.random.next()));
  const auto inside = static_cast<std::uint32_t>(ladder.best_offer - ladder.best_bid) - 1;
  std::uint32_t price = middle_price(symbol);
  if (inside > 0 && bit_field(bits, 0, 1) == 0) price = instrument.price(ladder.best_bid + 1 + scaled(bits, inside));
  return market_.trade_hidden(out, symbol, quantity, price);
}

}  // namespace depthcast::ingest

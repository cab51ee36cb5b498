#include "ingest/simulated_book.h"

#include <bit>

namespace depthcast::ingest {
namespace {

constexpr std::uint64_t bit_of(std::uint16_t tick) { return std::uint64_t{1} << (tick & 63); }

// The highest occupied tick at or below `tick`, or no_bid. At most ladder_ticks / 64 steps, nearly always one.
std::uint16_t occupied_at_or_below(const SimulatedLadder& ladder, std::uint16_t tick) {
  std::size_t word = tick / 64;
  std::uint64_t bits = ladder.occupied[word] & (bit_of(tick) | (bit_of(tick) - 1));
  while (bits == 0 && word > 0) bits = ladder.occupied[--word];
  if (bits == 0) return no_bid;
  return static_cast<std::uint16_t>(word * 64 + static_cast<unsigned>(std::bit_width(bits)) - 1);
}

// The lowest occupied tick at or above `tick`, or no_offer.
std::uint16_t occupied_at_or_above(const SimulatedLadder& ladder, std::uint16_t tick) {
  std::size_t word = tick / 64;
  std::uint64_t bits = ladder.occupied[word] & ~(bit_of(tick) - 1);
  while (bits == 0 && word + 1 < ladder.occupied.size()) bits = ladder.occupied[++word];
  if (bits == 0) return no_offer;
  return static_cast<std::uint16_t>(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
}

}  // namespace

SimulatedBooks::SimulatedBooks(std::uint32_t symbols, std::uint32_t order_capacity)
    : orders_(order_capacity),
      levels_(std::size_t{symbols} * ladder_ticks, Level{no_slot, no_slot}),
      ladders_(symbols) {}

std::uint32_t SimulatedBooks::take_slot() {
  if (free_ == no_slot) return used_++;
  const std::uint32_t slot = free_;
  free_ = orders_[slot].next;
  return slot;
}

std::uint32_t SimulatedBooks::add(std::uint32_t symbol, SimulatedSide side, std::uint16_t tick, std::uint32_t quantity,
                                  std::uint64_t reference) {
  const std::uint32_t slot = take_slot();
  Level& queue = level(symbol, tick);
  SimulatedLadder& ladder = ladders_[symbol];
  orders_[slot] = {reference, quantity, no_slot, queue.tail, static_cast<std::uint16_t>(symbol), tick, side, true};
  if (queue.tail == no_slot) {
    queue.head = slot;
    ladder.occupied[tick / 64] |= bit_of(tick);
    if (side == SimulatedSide::buy && tick > ladder.best_bid) ladder.best_bid = tick;
    if (side == SimulatedSide::sell && tick < ladder.best_offer) ladder.best_offer = tick;
  } else {
    orders_[queue.tail].next = slot;
  }
  queue.tail = slot;
  ++live_orders_;
  return slot;
}

void SimulatedBooks::remove(std::uint32_t slot) {
  SimulatedOrder& leaving = orders_[slot];
  const std::uint16_t tick = leaving.tick;
  Level& queue = level(leaving.symbol, tick);
  SimulatedLadder& ladder = ladders_[leaving.symbol];
  (leaving.previous == no_slot ? queue.head : orders_[leaving.previous].next) = leaving.next;
  (leaving.next == no_slot ? queue.tail : orders_[leaving.next].previous) = leaving.previous;
  if (queue.head == no_slot) {
    ladder.occupied[tick / 64] &= ~bit_of(tick);
    if (tick == ladder.best_bid) {
      ladder.best_bid = occupied_at_or_below(ladder, tick);
    } else if (tick == ladder.best_offer) {
      ladder.best_offer = occupied_at_or_above(ladder, tick);
    }
  }
  --live_orders_;
  leaving.live = false;
  leaving.next = free_;
  free_ = slot;
}

void SimulatedBooks::reduce(std::uint32_t slot, std::uint32_t quantity) {
  if (orders_[slot].quantity == quantity) {
    remove(slot);
  } else {
    orders_[slot].quantity -= quantity;
  }
}

void SimulatedBooks::prefetch_neighbours(std::uint32_t slot) const {
  const SimulatedOrder& order = orders_[slot];
  __builtin_prefetch(&ladders_[order.symbol]);
  __builtin_prefetch(&level(order.symbol, order.tick));
  if (order.previous != no_slot) __builtin_prefetch(&orders_[order.previous]);
  if (order.live && order.next != no_slot) __builtin_prefetch(&orders_[order.next]);
}

}  // namespace depthcast::ingest

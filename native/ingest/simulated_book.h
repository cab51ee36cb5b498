// The order books of the simulated exchange: price-time queues on a ladder of ticks per symbol, one pool of orders.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthcast::ingest {

enum class SimulatedSide : std::uint8_t { buy, sell };

constexpr SimulatedSide opposite(SimulatedSide side) {
  return side == SimulatedSide::buy ? SimulatedSide::sell : SimulatedSide::buy;
}

constexpr std::uint32_t no_slot = UINT32_MAX;

// A resting order, linked into the queue of its level; half a cache line.
struct alignas(32) SimulatedOrder {
  std::uint64_t reference;
  std::uint32_t quantity;
  std::uint32_t next;      // later in the queue, or the next free slot
  std::uint32_t previous;  // earlier in the queue
  std::uint16_t symbol;
  std::uint16_t tick;
  SimulatedSide side;
  bool live;
};
static_assert(sizeof(SimulatedOrder) == 32);

// Bids lie on ticks 1 … ladder_ticks - 3, offers on ticks 2 … ladder_ticks - 2, so that either side leaves room for the
// other. Tick 0 stands for "no bid", tick ladder_ticks - 1 for "no offer". One bitmap serves both sides: since a book
// is never crossed, all ticks up to the best bid are bids, all others offers.
constexpr std::uint16_t ladder_ticks = 1'024;
constexpr std::uint16_t no_bid = 0;
constexpr std::uint16_t no_offer = ladder_ticks - 1;

struct alignas(64) SimulatedLadder {
  std::uint16_t best_bid = no_bid;
  std::uint16_t best_offer = no_offer;
  std::array<std::uint64_t, ladder_ticks / 64> occupied{};

  std::uint16_t best(SimulatedSide side) const { return side == SimulatedSide::buy ? best_bid : best_offer; }
  bool has(SimulatedSide side) const {
    return side == SimulatedSide::buy ? best_bid != no_bid : best_offer != no_offer;
  }
};

// One thread at a time. Slots are indexes into the pool; a slot stays the order's own until the order is removed.
class SimulatedBooks {
 public:
  SimulatedBooks(std::uint32_t symbols, std::uint32_t order_capacity);

  bool full() const { return free_ == no_slot && used_ == orders_.size(); }
  std::uint32_t live_orders() const { return live_orders_; }
  std::uint32_t slots_used() const { return used_; }  // live orders are all among the first so many slots
  const SimulatedOrder& order(std::uint32_t slot) const { return orders_[slot]; }
  const SimulatedLadder& ladder(std::uint32_t symbol) const { return ladders_[symbol]; }

  // Puts an order at the end of its queue. The pool must not be full, the tick be on the ladder and not cross.
  std::uint32_t add(std::uint32_t symbol, SimulatedSide side, std::uint16_t tick, std::uint32_t quantity,
                    std::uint64_t reference);
  void remove(std::uint32_t slot);
  // Takes `quantity`, at most what the order has; an order with nothing left is removed.
  void reduce(std::uint32_t slot, std::uint32_t quantity);
  // The order first to be executed on a side that has one.
  std::uint32_t front(std::uint32_t symbol, SimulatedSide side) const {
    return level(symbol, ladders_[symbol].best(side)).head;
  }
  // The order last in the queue of the best level of a side that has one.
  std::uint32_t back(std::uint32_t symbol, SimulatedSide side) const {
    return level(symbol, ladders_[symbol].best(side)).tail;
  }

  // Memory that a coming call will need.
  void prefetch_ladder(std::uint32_t symbol) const {
    const char* const at = reinterpret_cast<const char*>(&ladders_[symbol]);
    for (std::size_t line = 0; line < sizeof(SimulatedLadder); line += 64) __builtin_prefetch(at + line);
  }
  void prefetch_best_levels(std::uint32_t symbol) const {
    __builtin_prefetch(&level(symbol, ladders_[symbol].best_bid));
    __builtin_prefetch(&level(symbol, ladders_[symbol].best_offer));
  }
  void prefetch_order(std::uint32_t slot) const { __builtin_prefetch(&orders_[slot]); }
  void prefetch_neighbours(std::uint32_t slot) const;

 private:
  struct Level {
    std::uint32_t head;
    std::uint32_t tail;
  };

  Level& level(std::uint32_t symbol, std::uint16_t tick) { return levels_[std::size_t{symbol} * ladder_ticks + tick]; }
  const Level& level(std::uint32_t symbol, std::uint16_t tick) const {
    return levels_[std::size_t{symbol} * ladder_ticks + tick];
  }
  std::uint32_t take_slot();

  std::vector<SimulatedOrder> orders_;
  std::vector<Level> levels_;
  std::vector<SimulatedLadder> ladders_;
  std::uint32_t free_ = no_slot;
  std::uint32_t used_ = 0;
  std::uint32_t live_orders_ = 0;
};

}  // namespace depthcast::ingest

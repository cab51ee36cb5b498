// A batch of an engine's events (schemas/ingest.fbs): checked whole before the first of them is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "generated/ingest_generated.h"
#include "ingest/input_event.h"

namespace depthcast::ingest {

enum class BatchFault : std::uint8_t {
  none,
  empty,
  too_many_events,
  wrong_number,  // 0, or beyond 2^64 on the way
  unknown_kind,
  wrong_side,
  wrong_trade_kind,
  unknown_bits,
  open_end,  // an event that goes on in the next batch
  wrong_time,
  wrong_symbol,
  wrong_range,  // the lowest price is above the highest
  wrong_status,
  wrong_fields,  // not one entry of `trades` for each trade, one of `definitions` for each definition
};
// In words, for the engine's developer.
const char* describe(BatchFault fault);

// Times lie in 0 … 2^62 - 1 (the year 2116), so that no difference between two of them overflows.
constexpr std::int64_t event_time_max = std::int64_t{1} << 62;

// Threads: one. Points into the frame that it was read from.
class EventBatch {
 public:
  static constexpr std::size_t cells_max = 2;  // of one event

  // Checks all of it; on a fault `at` is the number of the event that is wrong, or 0. The frame was verified before.
  static BatchFault read(const frames::Batch& from, std::size_t events_max, EventBatch& out, std::uint64_t& at);

  std::uint64_t next_number() const { return first_ + index_; }
  std::uint64_t end_number() const { return first_ + events_.size(); }
  bool done() const { return index_ == events_.size(); }
  // Passes over events below that number.
  void skip_to(std::uint64_t number);
  // Cells of the next event.
  std::size_t cells() const { return cells_of(static_cast<InputKind>(events_[index_].kind())); }
  // Writes the next event's cells, its number being its position.
  void take(InputCell& event, InputCell* extension);

 private:
  void pass();

  std::uint64_t first_ = 0;
  std::span<const frames::Event> events_;
  std::span<const frames::TradeFields> trades_;
  std::span<const frames::Definition> definitions_;
  std::size_t index_ = 0;
  std::size_t trade_ = 0;
  std::size_t definition_ = 0;
};

}  // namespace depthcast::ingest

#include "gateway/market.h"

namespace depthcast::gateway {

Market::Market(std::uint32_t instruments_max, std::size_t prints_max)
    : standings_(std::size_t{instruments_max} + 1), prints_(prints_max) {}

void Market::on_update(const book::Update& update) {
  if (update.instrument < standings_.size()) {
    pending_.push_back({update.instrument, {update.sequence, update.time_ns, update.instrument_sequence}});
  }
  if (is_print(update.kind)) {
    // An execution names the order; the source's own number of the match is its detail.
    const std::uint64_t trade_id = update.kind == Kind::execute ? update.detail : update.order_id;
    pending_prints_.emplace_back(update.sequence, trade_id, update.price, update.quantity, update.time_ns,
                                 update.instrument, update.instrument_sequence, static_cast<std::uint8_t>(update.kind),
                                 static_cast<std::uint8_t>(update.side), update.flags, 0);
  }
  if ((update.flags & flags::end_of_event) == 0) return;
  for (const Pending& pending : pending_) standings_[pending.instrument] = pending.standing;
  for (const Print& print : pending_prints_) add_print(print);
  pending_.clear();
  pending_prints_.clear();
  sequence_ = update.sequence;
}

void Market::add_print(const Print& print) {
  if (print.sequence() <= print_last_) return;
  print_last_ = print.sequence();
  prints_[prints_end_++ % prints_.size()] = print;
}

void Market::on_snapshot(std::uint64_t sequence) {
  pending_.clear();
  pending_prints_.clear();
  const book::Book& book = replica_->book();
  for (std::uint32_t instrument = 0; instrument < standings_.size(); ++instrument) {
    const std::uint32_t now = book.instrument_sequence(instrument);
    if (now == standings_[instrument].instrument_sequence) continue;
    // Its last number is not told; it is at most the snapshot's.
    standings_[instrument] = {sequence, replica_->event_time_ns(), now};
  }
  sequence_ = sequence;
}

void Market::reset() {
  standings_.assign(standings_.size(), {});
  pending_.clear();
  pending_prints_.clear();
  prints_end_ = print_last_ = 0;
  sequence_ = 0;
}

book::Depth Market::depth(std::uint32_t instrument, std::uint32_t levels) const {
  book::Depth depth;
  // The writer is this very thread: never busy.
  replica_->book().views().read(instrument, levels, depth);
  return depth;
}

}  // namespace depthcast::gateway

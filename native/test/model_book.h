// A book that is obviously right: maps and lists, totals and digests summed anew whenever they are asked for.
// It shares no code with native/book or core/digest.h but the types of their interfaces.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "book/book.h"

namespace depthcast::test {

struct ModelOrder {
  std::uint32_t instrument;
  Side side;
  std::int64_t price;
  std::uint64_t quantity;
  std::uint64_t priority;
};

struct BestFirst {
  Side side;
  bool operator()(std::int64_t left, std::int64_t right) const {
    return side == Side::bid ? left > right : left < right;
  }
};

// Order ids of one price, in queue order.
using ModelQueue = std::list<std::uint64_t>;
using ModelLevels = std::map<std::int64_t, ModelQueue, BestFirst>;

// What any thread may read between two ends of events.
struct ModelDepth {
  std::uint64_t sequence = 0;
  std::int64_t event_time_ns = 0;
  std::uint32_t instrument_sequence = 0;
  TradingStatus status = TradingStatus::unknown;
  std::vector<book::DepthLevel> levels[2];  // bids, asks
};

class ModelBook {
 public:
  explicit ModelBook(const book::BookLimits& limits);

  book::ApplyResult apply(const BookMessage& message, std::uint64_t sequence);
  void end_event(std::uint64_t sequence, std::int64_t event_time_ns);
  void set_instrument_sequence(std::uint32_t instrument, std::uint32_t sequence) {
    books_[instrument].instrument_sequence = sequence;
  }

  const std::map<std::uint64_t, ModelOrder>& orders() const { return orders_; }
  const ModelLevels& levels(std::uint32_t instrument, Side side) const {
    return books_[instrument].levels[side == Side::ask ? 1 : 0];
  }
  TradingStatus status(std::uint32_t instrument) const { return books_[instrument].status; }
  std::uint64_t total(const ModelQueue& queue) const;
  // From the definition in docs/protocol.md, order by order.
  std::uint64_t digest(std::uint32_t instrument) const;
  const ModelDepth& published(std::uint32_t instrument) const { return books_[instrument].published; }
  const book::BookLimits& limits() const { return limits_; }

 private:
  struct OneBook {
    ModelLevels levels[2] = {ModelLevels(BestFirst{Side::bid}), ModelLevels(BestFirst{Side::ask})};
    TradingStatus status = TradingStatus::unknown;
    std::uint32_t instrument_sequence = 0;
    bool changed = false;
    ModelDepth published;
  };

  ModelLevels& levels_of(std::uint32_t instrument, Side side) {
    return books_[instrument].levels[side == Side::ask ? 1 : 0];
  }
  std::size_t live_levels() const;
  bool fits(std::uint32_t instrument, Side side, std::int64_t price, std::uint64_t quantity,
            std::uint64_t without) const;
  book::ApplyResult add(const BookMessage& message, std::uint64_t sequence);
  book::ApplyResult modify(const BookMessage& message, std::uint64_t sequence);
  book::ApplyResult execute(const BookMessage& message);
  book::ApplyResult known(const BookMessage& message) const;
  void take_out(std::uint64_t order_id);
  void clear(std::uint32_t instrument);

  book::BookLimits limits_;
  std::map<std::uint64_t, ModelOrder> orders_;
  std::vector<OneBook> books_;
};

// Every query of the book against the model. Empty when they agree, else the first difference.
std::string difference(const book::Book& book, const ModelBook& model);
// One instrument only.
std::string difference(const book::Book& book, const ModelBook& model, std::uint32_t instrument);
// The depth view that readers get against what the model published last.
std::string view_difference(const book::Book& book, const ModelBook& model, std::uint32_t instrument);

}  // namespace depthcast::test

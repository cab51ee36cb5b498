// A random walk over a book and its model: valid and invalid messages of every kind, in events of every length.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "book/book.h"
#include "test/model_book.h"
#include "test/random.h"

namespace depthcast::test {

struct WalkOptions {
  book::BookLimits limits;
  std::uint64_t order_ids = 64;  // ids are drawn from 1 … order_ids
  std::uint64_t order_id_stride = 1;
  std::uint64_t prices = 8;  // prices of each side
  std::uint64_t price_step = 100;
  std::uint64_t event_messages = 4;  // mean length of an event; 1 in 16 is ten times that
  std::uint64_t compare_every = 1;   // operations between comparisons of everything
  std::uint64_t audit_every = 4'096;
};

class BookWalk {
 public:
  BookWalk(const WalkOptions& options, std::uint64_t seed);

  // One message to both, and everything compared when it is time. Empty, or what went wrong.
  std::string step();
  // How many messages came to each result.
  const std::array<std::uint64_t, book::apply_results>& results() const { return results_; }
  const book::Book& book() const { return *book_; }
  // Deletes every order, one by one, and compares.
  std::string empty();

 private:
  BookMessage draw();
  BookMessage draw_add();
  BookMessage draw_about_order();
  BookMessage draw_other();
  std::uint64_t draw_order_id() { return random_.between(1, options_.order_ids) * options_.order_id_stride; }
  std::uint64_t draw_live_order_id();
  std::uint32_t draw_instrument();
  std::int64_t draw_price(Side side);
  std::uint64_t draw_quantity();
  void spoil(BookMessage& message);
  std::string apply(const BookMessage& message);
  std::string end_event();
  std::string compare(std::uint32_t instrument);

  WalkOptions options_;
  Random random_;
  std::unique_ptr<book::Book> book_;
  ModelBook model_;
  std::array<std::uint64_t, book::apply_results> results_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t event_left_ = 1;
  std::int64_t time_ns_ = 1'577'700'000'000'000'000;
  bool growing_ = true;
};

}  // namespace depthcast::test

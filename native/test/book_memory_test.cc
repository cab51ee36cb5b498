// What the book says of its memory, against what is set aside and what stands in it.
#include <algorithm>
#include <cstdint>

#include "book/book.h"
#include "book/sequencer.h"
#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Book;
using book::BookLimits;
using book::Level;
using book::Order;
using book::PriceIndex;

BookLimits limits_of(std::uint32_t orders_max, std::uint32_t levels_max, std::uint32_t instruments_max) {
  BookLimits limits;
  limits.orders_max = orders_max;
  limits.levels_max = levels_max;
  limits.instruments_max = instruments_max;
  return limits;
}

TEST(bytesInUseGrowByWhatAnOrderAndItsLevelTake) {
  Book book(limits_of(1'000, 0, 4));
  const std::size_t empty = book.bytes_in_use();
  std::uint64_t sequence = 0;
  // The first leaf of a side holds fanout levels, and twenty orders stand in each.
  for (std::uint64_t id = 0; id < 20 * PriceIndex::fanout; ++id) {
    const auto price = static_cast<std::int64_t>(id % PriceIndex::fanout);
    CHECK(book.apply(add(id + 1, 1, Side::bid, price, 1), ++sequence) == book::ApplyResult::applied);
    const std::size_t levels = std::min<std::size_t>(id + 1, PriceIndex::fanout);
    CHECK_EQUAL(book.live_levels(), levels);
    CHECK_EQUAL(book.bytes_in_use(),
                empty + (id + 1) * sizeof(Order) + levels * sizeof(Level) + sizeof(PriceIndex::Node));
  }
  book.end_event(sequence, 0);
  CHECK(book.apply(clear(1), ++sequence) == book::ApplyResult::applied);
  CHECK_EQUAL(book.bytes_in_use(), empty);
}

TEST(bookNeverUsesMoreThanItSetAside) {
  Book book(limits_of(4'096, 0, 2));
  std::uint64_t sequence = 0;
  for (std::uint64_t id = 1; id <= 4'096; ++id) {
    const Side side = id % 2 == 0 ? Side::bid : Side::ask;
    CHECK(book.apply(add(id, 1, side, static_cast<std::int64_t>(id * 7'919 % 65'537), 1), ++sequence) ==
          book::ApplyResult::applied);
  }
  CHECK(book.bytes_in_use() <= book.bytes());
}

// 80 bytes for each order that there may be, where there is a level for every four; pages and what does not depend on
// the orders aside.
TEST(orderTakesAtMostEightyBytes) {
  constexpr std::uint32_t orders = 1U << 20;
  const Book small(limits_of(orders, orders / 4, 1));
  const Book large(limits_of(2 * orders, orders / 2, 1));
  CHECK(large.bytes() - small.bytes() <= std::size_t{80} * orders);
}

TEST(emptyInstrumentTakesAtMostFourKibibytes) {
  constexpr std::uint32_t instruments = 10'000;
  const Book small(limits_of(1'000, 0, instruments));
  const Book large(limits_of(1'000, 0, 11 * instruments));
  const std::size_t book_bytes = (large.bytes() - small.bytes()) / (std::size_t{10} * instruments);
  CHECK(book_bytes + sizeof(book::InstrumentRecord) <= 4'096);
}

}  // namespace
}  // namespace depthcast::test

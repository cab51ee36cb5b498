// The audit must notice damage. The damage is planted through the book's const accessors: the memory behind them is
// the book's own and not const.
#include "book/audit.h"

#include <cstdint>
#include <memory>
#include <string>

#include "test/messages.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::audit;
using book::Book;

// Instrument 1: three bids of one level, two bids of another, one ask. Instrument 2: one bid.
std::unique_ptr<Book> sound_book() {
  book::BookLimits limits;
  limits.orders_max = 64;
  limits.instruments_max = 2;
  limits.depth_levels = 3;
  auto book = std::make_unique<Book>(limits);
  std::uint64_t sequence = 0;
  for (std::uint64_t id = 1; id <= 3; ++id) book->apply(add(id, 1, Side::bid, 100, 10 * id), ++sequence);
  for (std::uint64_t id = 4; id <= 5; ++id) book->apply(add(id, 1, Side::bid, 99, 10 * id), ++sequence);
  book->apply(add(6, 1, Side::ask, 101, 60), ++sequence);
  book->apply(add(7, 2, Side::bid, 100, 70), ++sequence);
  book->apply(status(2, TradingStatus::trading), ++sequence);
  book->end_event(sequence, 1);
  return book;
}

book::Order& order_of(const Book& book, std::uint64_t id) {
  return const_cast<book::Order&>(book.order(book.find(id)));
}
book::Level& level_of(const Book& book, std::uint64_t id) {
  return const_cast<book::Level&>(book.level_of(order_of(book, id)));
}
book::Instrument& instrument_of(const Book& book, std::uint32_t index) {
  return const_cast<book::Instrument&>(book.instrument(index));
}

template <typename Damage>
std::string fault_after(Damage damage) {
  const auto book = sound_book();
  damage(*book);
  return audit(*book).fault;
}

TEST(auditFindsASoundBookSound) {
  const auto book = sound_book();
  const book::AuditResult result = audit(*book);
  CHECK_EQUAL(result.fault, "");
  CHECK_EQUAL(result.digest, book->digest());
  CHECK_EQUAL(result.live_orders, 7U);
  CHECK_EQUAL(result.levels, 4U);
  CHECK_EQUAL(audit_view(*book, 1), "");
  CHECK_EQUAL(audit_view(*book, 2), "");
}

TEST(auditNoticesPlantedDamage) {
  CHECK_EQUAL(fault_after([](Book& book) { ++order_of(book, 2).quantity; }),
              "instrument 1 bid: total quantity is wrong");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 2).quantity = 0; }),
              "instrument 1 bid: order without quantity");
  CHECK_EQUAL(fault_after([](Book& book) { --level_of(book, 6).quantity; }),
              "instrument 1 ask: total quantity is wrong");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 2).priority = 1; }),
              "instrument 1 bid: queue is not in order of priority");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 3).priority = 9; }), "instrument 1: digest");
  CHECK_EQUAL(fault_after([](Book& book) { ++level_of(book, 4).orders; }),
              "instrument 1 bid: count of orders is wrong");
  CHECK_EQUAL(fault_after([](Book& book) { --level_of(book, 4).orders; }),
              "instrument 1 bid: queue is longer than its count");
  CHECK_EQUAL(fault_after([](Book& book) { level_of(book, 1).tail = book.find(2); }),
              "instrument 1 bid: tail is not the last order");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 3).previous = book.find(1); }),
              "instrument 1 bid: queue is not linked both ways");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 3).level = order_of(book, 4).level; }),
              "instrument 1 bid: order points to another level");
  CHECK_EQUAL(fault_after([](Book& book) { level_of(book, 1).price = 98; }),
              "instrument 1 bid: index and level disagree about the price");
  CHECK_EQUAL(fault_after([](Book& book) { level_of(book, 6).place = 1U << 1; }),
              "instrument 1 ask: level stands in the wrong book");
  CHECK_EQUAL(fault_after([](Book& book) { order_of(book, 7).id = 8; }),
              "instrument 2 bid: order 8 is not in the table");
  CHECK_EQUAL(fault_after([](Book& book) { ++instrument_of(book, 1).sides[1].levels; }),
              "instrument 1 ask: count of levels is wrong");
  CHECK_EQUAL(fault_after([](Book& book) { ++instrument_of(book, 2).live_orders; }), "instrument 2: live orders");
  CHECK_EQUAL(fault_after([](Book& book) { ++instrument_of(book, 1).digest; }), "instrument 1: digest");
  CHECK_EQUAL(fault_after([](Book& book) { instrument_of(book, 2).status = TradingStatus::halted; }),
              "instrument 2: digest");
}

TEST(auditOfTheViewNoticesPlantedDamage) {
  const auto book = sound_book();
  book::DepthViews& views = book->views();
  const book::DepthLevel wrong{100, 61, 3};
  const book::DepthLevel right{100, 60, 3};
  views.open(1);
  views.put(1, Side::bid, 0, wrong);
  CHECK_EQUAL(audit_view(*book, 1), "view cannot be read");
  views.close(1);
  CHECK_EQUAL(audit_view(*book, 1), "view differs at rank 0");
  views.open(1);
  views.put(1, Side::bid, 0, right);
  views.close(1);
  CHECK_EQUAL(audit_view(*book, 1), "");
  views.open(1);
  views.set_counts(1, 0, 0);
  views.close(1);
  CHECK_EQUAL(audit_view(*book, 1), "view has another count");
}

}  // namespace
}  // namespace depthcast::test

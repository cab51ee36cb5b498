#include <cstdint>
#include <limits>
#include <vector>

#include "core/digest.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using digest::mix64;
using digest::order_identity;
using digest::order_term;
using digest::status_term;

struct OrderVector {
  std::uint32_t instrument;
  Side side;
  std::int64_t price;
  std::uint64_t order_id;
  std::uint64_t quantity;
  std::uint64_t priority;
  std::uint64_t identity;
  std::uint64_t term;
};

constexpr std::uint64_t all_ones = ~std::uint64_t{0};
constexpr std::int64_t price_min = std::numeric_limits<std::int64_t>::min();

// Computed by a program that has nothing in common with this code. docs/protocol.md, "Digest", lists the same: whoever
// has to change one has changed the wire.
constexpr OrderVector order_vectors[] = {
    {1, Side::bid, 0, 0, 0, 0, 0x46c398ad74302336ULL, 0x00e6e74d2a32f786ULL},
    {1, Side::bid, 1'000'000, 1, 100, 1, 0x33508671a004e941ULL, 0xaf048991671fd5e1ULL},
    {1, Side::ask, 1'000'000, 1, 100, 1, 0x7b7201c4d42bdb5cULL, 0xb300075ce387116bULL},
    {2, Side::bid, 1'000'000, 1, 100, 1, 0x2c76255b0ec9c85bULL, 0x1f9d8557e4ed555dULL},
    {16'384, Side::ask, -1, all_ones, all_ones, all_ones, 0x0fb38199c3dac016ULL, 0x3accd3f023cf81efULL},
    {1'048'576, Side::bid, price_min, 42, 7, 1'234'567'890'123, 0x30310e186b2d32a4ULL, 0xaf2db1c364b6c247ULL},
};

struct StatusVector {
  std::uint32_t instrument;
  TradingStatus status;
  std::uint64_t term;
};

constexpr StatusVector status_vectors[] = {
    {1, TradingStatus::unknown, 0},
    {1, TradingStatus::trading, 0x49adf9446fea2eb4ULL},
    {1, TradingStatus::halted, 0x4bacbaa840622f46ULL},
    {2, TradingStatus::trading, 0x18c717565e1f1f41ULL},
    {1'048'576, TradingStatus::quotation_only, 0x6ebd3ec2d84f5c1cULL},
};

TEST(digestTermsAgreeWithPinnedVectors) {
  CHECK_EQUAL(mix64(0), 0U);
  CHECK_EQUAL(mix64(1), 0xb456bcfc34c2cb2cULL);
  CHECK_EQUAL(mix64(all_ones), 0x64b5720b4b825f21ULL);
  for (const OrderVector& vector : order_vectors) {
    const std::uint64_t identity = order_identity(vector.instrument, vector.side, vector.price, vector.order_id);
    CHECK_EQUAL(identity, vector.identity);
    CHECK_EQUAL(order_term(identity, vector.quantity, vector.priority), vector.term);
  }
  for (const StatusVector& vector : status_vectors) {
    CHECK_EQUAL(status_term(vector.instrument, vector.status), vector.term);
  }
}

TEST(unknownStatusAddsNothing) {
  for (const std::uint32_t instrument : {0U, 1U, 77U, 0xffffffffU}) {
    CHECK_EQUAL(status_term(instrument, TradingStatus::unknown), 0U);
    CHECK(status_term(instrument, TradingStatus::trading) != 0);
  }
}

TEST(digestDoesNotDependOnOrder) {
  Random random(seed());
  std::vector<std::uint64_t> terms;
  for (int index = 0; index < 1'000; ++index) {
    const std::uint64_t identity = order_identity(static_cast<std::uint32_t>(random.below(100)), Side::bid,
                                                  static_cast<std::int64_t>(random.next()), random.next());
    terms.push_back(order_term(identity, random.next(), random.next()));
  }
  std::uint64_t forwards = 0;
  for (const std::uint64_t term : terms) forwards += term;
  std::uint64_t shuffled = 0;
  while (!terms.empty()) {
    const auto index = static_cast<std::size_t>(random.below(terms.size()));
    shuffled += terms[index];
    terms[index] = terms.back();
    terms.pop_back();
  }
  CHECK_EQUAL(forwards, shuffled);
}

// Each field alone changes the term: no field is left out, and none can stand for another.
TEST(everyFieldChangesTheTerm) {
  const auto term = [](std::uint32_t instrument, Side side, std::int64_t price, std::uint64_t order_id,
                       std::uint64_t quantity, std::uint64_t priority) {
    return order_term(order_identity(instrument, side, price, order_id), quantity, priority);
  };
  const std::uint64_t base = term(3, Side::bid, 5, 7, 11, 13);
  CHECK(term(4, Side::bid, 5, 7, 11, 13) != base);
  CHECK(term(3, Side::ask, 5, 7, 11, 13) != base);
  CHECK(term(3, Side::bid, 6, 7, 11, 13) != base);
  CHECK(term(3, Side::bid, -5, 7, 11, 13) != base);
  CHECK(term(3, Side::bid, 5, 8, 11, 13) != base);
  CHECK(term(3, Side::bid, 5, 7, 12, 13) != base);
  CHECK(term(3, Side::bid, 5, 7, 11, 14) != base);
  CHECK(term(3, Side::bid, 7, 5, 11, 13) != base);
  CHECK(term(3, Side::bid, 5, 7, 13, 11) != base);
}

}  // namespace
}  // namespace depthcast::test

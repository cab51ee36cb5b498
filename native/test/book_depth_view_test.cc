#include "book/depth_view.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using book::Depth;
using book::DepthLevel;
using book::DepthRead;
using book::DepthViews;

std::vector<std::int64_t> prices(const DepthViews& views, Side side) {
  Depth depth;
  CHECK(views.read(1, book::depth_levels_max, depth) == DepthRead::ok);
  const std::size_t index = side == Side::ask ? 1 : 0;
  std::vector<std::int64_t> seen;
  for (std::uint32_t rank = 0; rank < depth.counts[index]; ++rank) {
    const DepthLevel& level = depth.levels[index][rank];
    CHECK_EQUAL(level.quantity, static_cast<std::uint64_t>(level.price) * 10);
    CHECK_EQUAL(level.orders, static_cast<std::uint64_t>(level.price) * 100);
    seen.push_back(level.price);
  }
  return seen;
}

DepthLevel level_at(std::int64_t price) {
  return {price, static_cast<std::uint64_t>(price) * 10, static_cast<std::uint64_t>(price) * 100};
}

using Prices = std::vector<std::int64_t>;

TEST(viewShowsWhatWasPutIntoIt) {
  for (const Side side : {Side::bid, Side::ask}) {
    DepthViews views(2, 3, false);
    const auto set_count = [&](std::uint32_t count) {
      views.set_counts(1, side == Side::bid ? count : 0, side == Side::bid ? 0 : count);
    };
    views.open(1);
    for (std::uint32_t place = 0; place < 3; ++place) views.put(1, side, place, level_at(7 - std::int64_t{place}));
    set_count(3);
    views.close(1);
    CHECK(prices(views, side) == (Prices{7, 6, 5}));
    CHECK(prices(views, side == Side::bid ? Side::ask : Side::bid).empty());
    views.open(1);
    views.put(1, side, 1, level_at(4));
    set_count(2);
    views.close(1);
    CHECK(prices(views, side) == (Prices{7, 4}));
    views.open(1);
    set_count(0);
    views.close(1);
    CHECK(prices(views, side).empty());
  }
}

TEST(viewGivesAtMostTheLevelsWanted) {
  DepthViews views(1, 64, false);
  views.open(1);
  for (std::uint32_t place = 0; place < 64; ++place) views.put(1, Side::bid, place, level_at(70 - std::int64_t{place}));
  for (std::uint32_t place = 0; place < 2; ++place) views.put(1, Side::ask, place, level_at(std::int64_t{place} + 71));
  views.set_counts(1, 64, 2);
  views.set_header(1, 11, -12, 13, TradingStatus::quotation_only);
  views.close(1);
  Depth depth;
  for (const std::uint32_t wanted : {0U, 1U, 2U, 3U, 64U, 65U, 0xffffffffU}) {
    CHECK(views.read(1, wanted, depth) == DepthRead::ok);
    CHECK_EQUAL(depth.counts[0], std::min(wanted, 64U));
    CHECK_EQUAL(depth.counts[1], std::min(wanted, 2U));
    CHECK_EQUAL(depth.sequence, 11U);
    CHECK_EQUAL(depth.event_time_ns, -12);
    CHECK_EQUAL(depth.instrument_sequence, 13U);
    CHECK(depth.status == TradingStatus::quotation_only);
  }
  CHECK_EQUAL(depth.levels[0][0].price, 70);
  CHECK_EQUAL(depth.levels[0][63].price, 7);
}

TEST(viewsOfOtherInstrumentsStayApart) {
  DepthViews views(3, 2, false);
  for (std::uint32_t instrument = 0; instrument <= 3; ++instrument) {
    views.open(instrument);
    views.put(instrument, Side::bid, 0, level_at(instrument + 1));
    views.put(instrument, Side::ask, 0, level_at(instrument + 11));
    views.put(instrument, Side::ask, 1, level_at(instrument + 12));
    views.set_counts(instrument, 1, 2);
    views.set_header(instrument, instrument, 0, 0xffffffffU, TradingStatus::unknown);
    views.close(instrument);
  }
  Depth depth;
  for (std::uint32_t instrument = 0; instrument <= 3; ++instrument) {
    CHECK(views.read(instrument, 2, depth) == DepthRead::ok);
    CHECK_EQUAL(depth.sequence, instrument);
    CHECK_EQUAL(depth.instrument_sequence, 0xffffffffU);
    CHECK_EQUAL(depth.counts[0], 1U);
    CHECK_EQUAL(depth.counts[1], 2U);
    CHECK_EQUAL(depth.levels[0][0].price, std::int64_t{instrument} + 1);
    CHECK_EQUAL(depth.levels[1][1].price, std::int64_t{instrument} + 12);
  }
  CHECK(views.read(4, 2, depth) == DepthRead::unknown_instrument);
  CHECK(views.read(0xffffffffU, 2, depth) == DepthRead::unknown_instrument);
}

TEST(viewsOfNoLevelsKeepNothing) {
  const DepthViews views(10, 0, true);
  Depth depth;
  CHECK_EQUAL(views.bytes(), 0U);
  CHECK(views.read(1, 10, depth) == DepthRead::unknown_instrument);
}

TEST(readerSaysBusyAfterBoundedRetriesWhileASlotIsHeldOpen) {
  DepthViews views(2, 2, false);
  Depth depth;
  std::uint64_t retries = 0;
  CHECK(views.read(1, 2, depth, &retries) == DepthRead::ok);
  CHECK_EQUAL(retries, 0U);
  views.open(1);
  CHECK(views.read(1, 2, depth, &retries) == DepthRead::busy);
  CHECK_EQUAL(retries, 256U);
  CHECK(views.read(2, 2, depth, &retries) == DepthRead::ok);
  CHECK(views.read(1, 2, depth) == DepthRead::busy);
  views.writer_stopped();
  CHECK(views.read(1, 2, depth, &retries) == DepthRead::writer_dead);
  CHECK_EQUAL(retries, 512U);
  // What was whole when the writer stopped can still be read.
  CHECK(views.read(2, 2, depth) == DepthRead::ok);
  views.close(1);
  CHECK(views.read(1, 2, depth) == DepthRead::ok);
}

}  // namespace
}  // namespace depthcast::test

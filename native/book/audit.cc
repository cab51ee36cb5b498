#include "book/audit.h"

#include <algorithm>

namespace depthcast::book {
namespace {

struct Walk {
  const Book& book;
  std::uint32_t instrument;
  Side side;
  AuditResult& result;
  std::uint64_t digest = 0;
  std::uint64_t orders = 0;

  bool fail(const std::string& what) {
    if (result.fault.empty()) {
      result.fault = "instrument " + std::to_string(instrument) + (side == Side::bid ? " bid: " : " ask: ") + what;
    }
    return false;
  }

  bool level(const Level& level) {
    if (level.instrument() != instrument || level.side() != side) return fail("level stands in the wrong book");
    std::uint64_t quantity = 0;
    std::uint32_t count = 0;
    std::uint64_t priority = 0;
    std::uint32_t previous = no_index;
    for (std::uint32_t slot = level.head; slot != no_index; slot = book.order(slot).next) {
      const Order& order = book.order(slot);
      if (&book.level_of(order) != &level) return fail("order points to another level");
      if (order.previous != previous) return fail("queue is not linked both ways");
      if (order.quantity == 0) return fail("order without quantity");
      if (count != 0 && order.priority <= priority) return fail("queue is not in order of priority");
      if (book.find(order.id) != slot) return fail("order " + std::to_string(order.id) + " is not in the table");
      digest += digest::order_term(digest::order_identity(instrument, side, level.price, order.id), order.quantity,
                                   order.priority);
      quantity += order.quantity;
      priority = order.priority;
      previous = slot;
      if (++count > level.orders) return fail("queue is longer than its count");
    }
    if (level.tail != previous) return fail("tail is not the last order");
    if (count != level.orders || count == 0) return fail("count of orders is wrong");
    if (quantity != level.quantity) return fail("total quantity is wrong");
    orders += count;
    return true;
  }

  bool run() {
    const SideIndex& index = book.instrument(instrument).side(side);
    std::uint32_t levels = 0;
    std::int64_t rank = 0;
    for (auto cursor = book.prices().first(index); cursor.leaf != no_index; book.prices().advance(cursor)) {
      const Level& at = book.level(book.prices().level_at(cursor));
      const std::int64_t next = rank_of(side, at.price);
      if (next != book.prices().rank_at(cursor)) return fail("index and level disagree about the price");
      if (levels != 0 && next <= rank) return fail("levels are not in order");
      if (!level(at)) return false;
      const std::uint32_t found = book.find_level(instrument, side, at.price);
      if (found != book.prices().level_at(cursor) || found != book.prices().find(index, next)) {
        return fail("level cannot be found by its price");
      }
      rank = next;
      ++levels;
    }
    if (levels != index.levels) return fail("count of levels is wrong");
    result.levels += levels;
    return true;
  }
};

}  // namespace

AuditResult audit(const Book& book) {
  AuditResult result;
  for (std::uint32_t instrument = 1; instrument <= book.limits().instruments_max; ++instrument) {
    const Instrument& owner = book.instrument(instrument);
    std::uint64_t digest = digest::status_term(instrument, owner.status);
    std::uint64_t orders = 0;
    for (const Side side : {Side::bid, Side::ask}) {
      Walk walk{book, instrument, side, result};
      if (!walk.run()) return result;
      digest += walk.digest;
      orders += walk.orders;
    }
    if (orders != owner.live_orders) result.fault = "instrument " + std::to_string(instrument) + ": live orders";
    if (digest != owner.digest) result.fault = "instrument " + std::to_string(instrument) + ": digest";
    if (!result.fault.empty()) return result;
    result.digest += digest;
    result.live_orders += orders;
  }
  if (result.digest != book.digest()) result.fault = "digest of the channel";
  if (result.live_orders != book.live_orders()) result.fault = "live orders of the channel";
  return result;
}

std::string audit_view(const Book& book, std::uint32_t instrument) {
  Depth depth;
  if (book.views().read(instrument, depth_levels_max, depth) != DepthRead::ok) return "view cannot be read";
  for (const Side side : {Side::bid, Side::ask}) {
    const std::size_t index = side == Side::ask ? 1 : 0;
    const SideIndex& levels = book.instrument(instrument).side(side);
    if (depth.counts[index] != std::min(levels.levels, book.views().levels())) return "view has another count";
    auto cursor = book.prices().first(levels);
    for (std::uint32_t rank = 0; rank < depth.counts[index]; ++rank, book.prices().advance(cursor)) {
      const Level& level = book.level(book.prices().level_at(cursor));
      const DepthLevel& seen = depth.levels[index][rank];
      if (seen.price != level.price || seen.quantity != level.quantity || seen.orders != level.orders) {
        return "view differs at rank " + std::to_string(rank);
      }
    }
  }
  return {};
}

}  // namespace depthcast::book

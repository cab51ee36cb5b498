#include "test/snapshots.h"

#include <algorithm>
#include <tuple>

#include "test/messages.h"

namespace depthcast::test {
namespace {

struct Seen {
  std::uint8_t side;
  std::int64_t rank;
  std::uint64_t priority;
  std::string line;
  bool operator<(const Seen& other) const {
    return std::tie(side, rank, priority) < std::tie(other.side, other.rank, other.priority);
  }
};

}  // namespace

std::vector<std::string> expected_snapshot(const book::Replica& replica, const std::vector<std::uint32_t>& chosen) {
  const book::Book& book = replica.book();
  std::vector<std::uint32_t> instruments = chosen;
  for (std::uint32_t one = 0; chosen.empty() && one <= replica.instrument_last(); ++one) instruments.push_back(one);
  // By the order pool, not by the levels: every slot that its own id finds again is live.
  std::vector<std::vector<Seen>> orders(book.limits().instruments_max + 1);
  for (std::uint32_t slot = 0; slot < book.limits().orders_max; ++slot) {
    const book::Order& order = book.order(slot);
    if (book.find(order.id) != slot) continue;
    const book::Level& level = book.level_of(order);
    const auto side = static_cast<std::uint8_t>(level.side());
    orders[level.instrument()].push_back({side, book::rank_of(level.side(), level.price), order.priority,
                                          "order " + std::to_string(order.id) + ' ' + std::to_string(side) + ' ' +
                                              std::to_string(level.price) + ' ' + std::to_string(order.quantity) + ' ' +
                                              std::to_string(order.priority)});
  }
  std::vector<std::string> lines;
  for (const std::uint32_t one : instruments) {
    const book::DefinitionRecord& record = replica.definition(one);
    if (!record.defined) continue;
    lines.push_back("definition " + std::to_string(one) + ' ' + record.symbol + ' ' + std::to_string(record.lot_size) +
                    ' ' + std::to_string(record.attributes.size()));
  }
  for (const std::uint32_t one : instruments) {
    lines.push_back("instrument " + std::to_string(one) + ' ' + std::to_string(book.instrument_sequence(one)) + ' ' +
                    describe(book.instrument(one).status));
    std::sort(orders[one].begin(), orders[one].end());
    for (const Seen& seen : orders[one]) lines.push_back(seen.line);
  }
  return lines;
}

void fill_books(book::Replica& replica, std::uint32_t instruments, std::uint64_t orders, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint32_t> numbers(instruments + 1);
  std::vector<BookMessage> live;
  std::uint64_t sequence = replica.sequence();
  const auto context = [&] {
    ++sequence;
    return book::MessageContext{sequence, 3 * sequence, static_cast<std::int64_t>(1'000 * sequence)};
  };
  const auto give = [&](BookMessage message) {
    message.instrument_sequence = ++numbers[message.instrument];
    message.flags |= flags::end_of_event;
    replica.on_book(message, context(), 0);
  };
  for (std::uint32_t one = 1; one <= instruments; ++one) {
    book::DefinitionRecord record;
    record.symbol = "SYM" + std::to_string(one);
    record.lot_size = one;
    record.attributes.resize(one % 21);
    replica.on_definition(one, ++numbers[one], std::move(record), context());
    if (random.chance(1, 2)) give(status(one, static_cast<TradingStatus>(random.below(5))));
  }
  while (live.size() < orders) {
    const std::uint32_t one = static_cast<std::uint32_t>(random.between(1, instruments));
    const Side side = random.chance(1, 2) ? Side::bid : Side::ask;
    const std::int64_t distance = static_cast<std::int64_t>(random.below(200));
    const std::int64_t price = 1'000'000 + (side == Side::bid ? -distance : distance + 1);
    BookMessage message = add(sequence + 1'000'000, one, side, price, random.between(1, 1'000));
    give(message);
    live.push_back(message);
    if (!random.chance(1, 10)) continue;
    BookMessage& gone = random.pick(live);
    give(delete_order(gone.order_id, gone.instrument, gone.side));
    gone = live.back();
    live.pop_back();
  }
}

}  // namespace depthcast::test

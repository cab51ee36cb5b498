#include "run/delivery.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "test/book_replica_feed.h"
#include "test/messages.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Delivery;
using run::DeliveryPolicy;

// Gives a delivery events; messages are numbered from 1.
class Giver {
 public:
  explicit Giver(Delivery& delivery) : delivery_(delivery) {}
  void event(std::uint64_t messages) {
    while (messages-- > 1) message(false);
    message(true);
  }
  void message(bool ends_event) {
    book::Update update{};
    update.sequence = ++sequence_;
    if (ends_event) update.flags = flags::end_of_event;
    delivery_.on_update(update);
  }
  std::uint64_t given() const { return sequence_; }

 private:
  Delivery& delivery_;
  std::uint64_t sequence_ = 0;
};

// The numbers that the consumer finds, "3.." at the end of an event; takes
// them.
std::string take(Delivery& delivery, std::size_t most = 1'000) {
  std::string text;
  const std::size_t ready = std::min(most, delivery.ring().available_now());
  for (std::size_t index = 0; index < ready; ++index) {
    const book::Update& update = delivery.ring().at_head(index);
    text += (text.empty() ? "" : " ") + std::to_string(update.sequence);
    if ((update.flags & flags::end_of_event) != 0) text += "..";
  }
  delivery.ring().release(ready);
  return text;
}

TEST(deliveryShowsAnEventOnlyWhenItIsComplete) {
  Delivery delivery(8, DeliveryPolicy::skip);
  Giver giver(delivery);
  giver.event(1);
  giver.message(false);
  giver.message(false);
  CHECK_EQUAL(take(delivery), "1..");
  CHECK_EQUAL(delivery.delivered(), 1U);
  giver.message(true);
  CHECK_EQUAL(take(delivery), "2 3 4..");
  CHECK_EQUAL(delivery.delivered(), 4U);
  CHECK_EQUAL(delivery.lost(), 0U);
}

TEST(deliverySkipsAnEventThatDoesNotFitAndGoesOn) {
  Delivery delivery(4, DeliveryPolicy::skip);
  Giver giver(delivery);
  giver.event(3);
  giver.event(2);  // 4 fits, 5 does not: neither is shown
  CHECK_EQUAL(delivery.lost(), 2U);
  giver.event(1);  // fits again
  giver.event(1);
  CHECK_EQUAL(delivery.lost(), 3U);
  CHECK_EQUAL(take(delivery), "1 2 3.. 6..");
  giver.event(4);
  CHECK_EQUAL(take(delivery), "8 9 10 11..");
  CHECK_EQUAL(delivery.delivered(), 8U);
  CHECK_EQUAL(delivery.lost(), 3U);
  CHECK(!delivery.stopped());
}

TEST(deliveryLeavesOutAnEventThatIsLargerThanTheRing) {
  Delivery delivery(4, DeliveryPolicy::skip);
  Giver giver(delivery);
  giver.event(5);
  giver.event(400);
  CHECK_EQUAL(delivery.lost(), 405U);
  CHECK_EQUAL(take(delivery), "");
  giver.event(4);
  CHECK_EQUAL(take(delivery), "406 407 408 409..");
  CHECK_EQUAL(delivery.lost(), 405U);
}

// Room that the consumer makes within an event does not bring back what was
// left out of it.
TEST(deliveryDoesNotShowTheRestOfAnEventThatDidNotFit) {
  Delivery delivery(4, DeliveryPolicy::skip);
  Giver giver(delivery);
  giver.event(4);
  giver.message(false);
  CHECK_EQUAL(take(delivery), "1 2 3 4..");
  giver.message(false);
  giver.message(true);
  CHECK_EQUAL(take(delivery), "");
  CHECK_EQUAL(delivery.lost(), 3U);
  giver.event(1);
  CHECK_EQUAL(take(delivery), "8..");
}

TEST(deliveryStopsForGoodWhereThatIsThePolicy) {
  Delivery delivery(4, DeliveryPolicy::stop);
  Giver giver(delivery);
  giver.event(3);
  giver.message(false);
  giver.message(false);
  CHECK(!delivery.stopped());  // the event has not ended
  giver.message(true);
  CHECK(delivery.stopped());
  CHECK_EQUAL(delivery.lost(), 3U);
  CHECK_EQUAL(take(delivery), "1 2 3..");
  giver.event(1);
  giver.event(2);
  CHECK_EQUAL(take(delivery), "");
  CHECK_EQUAL(delivery.lost(), 6U);
  CHECK_EQUAL(delivery.delivered(), 3U);
}

// A replace takes the best order away and puts another one there: nobody sees the state between the two.
TEST(deliveryShowsTheBestPricesAtTheEndOfAnEventInEachOfItsUpdates) {
  book::BookLimits limits;
  limits.orders_max = 16;
  limits.instruments_max = 2;
  ReplicaFeed feed(limits);
  feed.book(add(1, 1, Side::bid, 100, 5));
  feed.book(add(2, 1, Side::bid, 90, 5));
  feed.book(delete_order(1, 1, Side::bid), false);
  feed.book(add(3, 2, Side::ask, 200, 1), false);
  feed.book(add(4, 1, Side::bid, 101, 7), true);
  Delivery delivery(16, DeliveryPolicy::skip);
  book::Replica replica(limits, &delivery);
  delivery.attach(replica.book());
  feed.give_all(replica);
  std::string text;
  for (std::size_t index = 0; index < delivery.ring().available_now(); ++index) {
    const book::Update& update = delivery.ring().at_head(index);
    text += std::to_string(update.sequence) + ": " + std::to_string(update.bid_price) + " x " +
            std::to_string(update.bid_quantity) + ", " + std::to_string(update.ask_price) + " x " +
            std::to_string(update.ask_quantity) + "; ";
  }
  CHECK_EQUAL(text, "1: 100 x 5, 0 x 0; 2: 100 x 5, 0 x 0; 3: 101 x 7, 0 x 0; 4: 0 x 0, 200 x 1; 5: 101 x 7, 0 x 0; ");
}

// A session that broke off within an event: its successor's first event is not the rest of it.
TEST(deliveryForgetsAnEventThatIsAbandoned) {
  for (const DeliveryPolicy policy : {DeliveryPolicy::skip, DeliveryPolicy::stop}) {
    Delivery delivery(4, policy);
    Giver giver(delivery);
    giver.event(1);
    delivery.abandon();  // nothing is open
    CHECK_EQUAL(delivery.lost(), 0U);
    giver.message(false);
    giver.message(false);
    delivery.abandon();
    CHECK_EQUAL(delivery.lost(), 2U);
    CHECK(!delivery.stopped());
    giver.event(2);
    CHECK_EQUAL(take(delivery), "1.. 4 5..");
    for (int count = 0; count < 6; ++count) giver.message(false);  // more than there is room for
    delivery.abandon();
    CHECK_EQUAL(delivery.lost(), 8U);
    CHECK_EQUAL(delivery.stopped(), policy == DeliveryPolicy::stop);
    giver.event(1);
    CHECK_EQUAL(take(delivery), policy == DeliveryPolicy::stop ? "" : "12..");
  }
}

TEST(deliveryCountsEveryUpdateAsDeliveredOrLost) {
  Random random(seed());
  for (std::uint64_t round = 0; round < work(300); ++round) {
    const DeliveryPolicy policy = random.chance(1, 4) ? DeliveryPolicy::stop : DeliveryPolicy::skip;
    Delivery delivery(std::size_t{1} << random.between(1, 7), policy);
    Giver giver(delivery);
    std::uint64_t taken = 0;
    while (giver.given() < 500) {
      giver.event(random.chance(1, 20) ? random.between(1, 200) : random.between(1, 4));
      if (random.chance(1, 2)) {
        const std::size_t count = std::min<std::size_t>(random.below(20), delivery.ring().available_now());
        delivery.ring().release(count);
        taken += count;
      }
      REQUIRE_EQUAL(delivery.delivered() + delivery.lost(), giver.given());
      REQUIRE_EQUAL(delivery.delivered(), taken + delivery.ring().available_now());
      REQUIRE_EQUAL(delivery.stopped(), policy == DeliveryPolicy::stop && delivery.lost() != 0);
    }
  }
}

// Two threads: what arrives is whole events in order, and what does not is
// counted.
TEST(deliveryHandsWholeEventsToAnotherThread) {
  const std::uint64_t events = work(100'000);
  Delivery delivery(256, DeliveryPolicy::skip);
  std::atomic<bool> done{false};  // pairs with the consumer's load: everything has been published
  std::thread receiver([&] {
    Random random(7);
    Giver giver(delivery);
    for (std::uint64_t event = 0; event < events; ++event) {
      giver.event(random.between(1, 9));
    }
    CHECK_EQUAL(delivery.delivered() + delivery.lost(), giver.given());
    done.store(true, std::memory_order_release);
  });
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  bool within = false;
  std::uint64_t faults = 0;
  for (bool last_look = false;;) {
    const std::size_t ready = delivery.ring().available_now();
    for (std::size_t index = 0; index < ready; ++index) {
      const book::Update& update = delivery.ring().at_head(index);
      if (within ? update.sequence != last + 1 : update.sequence <= last) ++faults;
      last = update.sequence;
      within = (update.flags & flags::end_of_event) == 0;
    }
    if (within) ++faults;
    if (ready == 0) std::this_thread::yield();
    delivery.ring().release(ready);
    taken += ready;
    if (last_look) break;
    last_look = done.load(std::memory_order_acquire);
  }
  receiver.join();
  CHECK_EQUAL(faults, 0U);
  CHECK_EQUAL(taken, delivery.delivered());
  note(std::to_string(taken) + " delivered, " + std::to_string(delivery.lost()) + " lost");
}

}  // namespace
}  // namespace depthcast::test

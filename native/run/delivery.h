// Updates on their way from the receiver's thread to another one (JavaScript), bounded, whole events only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "book/replica.h"
#include "core/spsc_ring.h"

namespace depthcast::run {

enum class DeliveryPolicy : std::uint8_t {
  skip,  // an event that does not fit is left out and counted; the next that fits goes on
  stop,  // the first event that does not fit ends delivery for good
};

// Threads: on_update and abandon by the receiver's thread, front/release by the consumer. Full: see DeliveryPolicy.
class Delivery final : public book::UpdateSink {
 public:
  Delivery(std::size_t capacity, DeliveryPolicy policy) : ring_(capacity), policy_(policy) {}

  // Where the best prices at the end of an event of several messages come from; it must outlive this object's use.
  void attach(const book::Book& books) { books_ = &books; }

  void on_update(const book::Update& update) override {
    if (update.sequence <= silent_until_) return;
    if (stopped_) {
      ++lost_;
      return;
    }
    if (!skipping_ && ring_.claim(pending_ + 1) > pending_) {
      ring_.at_tail(pending_++) = update;
    } else {
      skipping_ = true;
      ++lost_;
    }
    if ((update.flags & flags::end_of_event) == 0) return;
    sequence_ = update.sequence;
    if (books_ != nullptr && pending_ > 1) show_end_of_event();
    if (skipping_) {
      lost_ += pending_;
      stopped_ = policy_ == DeliveryPolicy::stop;
    } else {
      ring_.publish(pending_);
      delivered_ += pending_;
    }
    pending_ = 0;
    skipping_ = false;
  }

  // The event that is not complete yet never will be: what came of it is lost.
  void abandon() {
    lost_ += pending_;
    if (skipping_) stopped_ = policy_ == DeliveryPolicy::stop;
    pending_ = 0;
    skipping_ = false;
  }

  // Numbers go on behind the snapshot; what it makes come once more is not delivered twice.
  void on_snapshot(std::uint64_t sequence) override {
    abandon();
    if (sequence < sequence_) keep_silent_until(sequence_);
  }
  // Updates up to that number, the end of an event, are neither delivered nor lost.
  void keep_silent_until(std::uint64_t sequence) { silent_until_ = std::max(silent_until_, sequence); }
  // Another session: its numbers start again.
  void start_session() {
    abandon();
    sequence_ = 0;
    silent_until_ = 0;
  }
  void speak() { silent_until_ = sequence_; }

  SpscRing<book::Update>& ring() { return ring_; }
  // The receiver's thread only.
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t lost() const { return lost_; }
  bool stopped() const { return stopped_; }

 private:
  // No message of an event shows the state in the middle of it.
  void show_end_of_event() {
    for (std::size_t index = 0; index < pending_; ++index) book::show_best_prices(*books_, ring_.at_tail(index));
  }

  const book::Book* books_ = nullptr;
  SpscRing<book::Update> ring_;
  DeliveryPolicy policy_;
  std::size_t pending_ = 0;     // of the event that is not complete yet
  std::uint64_t sequence_ = 0;  // the last end of an event that was delivered or lost
  std::uint64_t silent_until_ = 0;
  bool skipping_ = false;
  bool stopped_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace depthcast::run

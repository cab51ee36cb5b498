// depthcast: how a matching engine pushes its events to a distributor on the same machine (`--source shm:PATH`).
// Header-only, C++20, Linux. docs/ingest.md, "Shared memory", has the contract and a program.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "event.h"
#include "event_ring.h"

namespace depthcast::engine {

struct PublisherOptions {
  // Events that the ring can hold until the distributor has them for good: a power of two, 64 bytes each. Of a file
  // that is there already, its own figure holds.
  std::uint64_t slots = 262'144;
  // Begins a new stream, with event 1, even where the file is there. The distributor begins a new session then.
  bool fresh = false;
};

enum class PushStatus : std::uint8_t {
  ok = 0,
  full = 1,       // the distributor has not taken enough yet: try again, nothing has happened
  repeated = 2,   // this number was pushed before: nothing to do
  hole = 3,       // numbers are missing before it: next() is expected
  malformed = 4,  // it lacks something that its kind needs
  ended = 5,      // after end()
  broken = 6,     // the distributor's side of the ring contradicts itself: nothing is written any more
};

constexpr const char* name_of(PushStatus status) {
  constexpr const char* names[] = {"ok", "full", "repeated", "hole", "malformed", "ended", "broken"};
  return names[static_cast<unsigned>(status)];
}

// Threads: one. Never waits and makes no system call after the constructor. One at a time for each file, which the
// system sees to, however the process ends.
class Publisher {
 public:
  // Makes the file where there is none, else goes on where the last writer stopped: next() says with which event.
  // Throws std::system_error where the system refuses, std::runtime_error where the file cannot be used, and says why.
  explicit Publisher(const std::string& path, const PublisherOptions& options = {})
      : file_(attach(path, options, fresh_)), header_(&file_.header()), slots_(file_.slots()) {
    staged_ = published_ = header_->published.load(std::memory_order_relaxed);  // this side's own
    committed_ = header_->committed.load(std::memory_order_acquire);            // pairs with the distributor's store
    ended_ = header_->ended.load(std::memory_order_relaxed) != 0;
    if (committed_ > published_ || published_ - committed_ > slots_) {
      throw std::runtime_error(path + " contradicts itself: " + std::to_string(published_) +
                               " events were published, " + std::to_string(committed_) + " committed");
    }
  }

  // Stages the event and publishes all that is staged.
  PushStatus try_push(const Event& event) noexcept {
    const PushStatus status = stage(event);
    if (status == PushStatus::ok) publish();
    return status;
  }

  // Writes the event behind those that are staged; the distributor sees none of them before publish(). Where the engine
  // dies in between, none of them has happened.
  PushStatus stage(const Event& event) noexcept {
    const std::uint64_t number = staged_ + 1;
    if (event.number != 0 && event.number != number) [[unlikely]] {
      return event.number < number ? PushStatus::repeated : PushStatus::hole;
    }
    if (number - committed_ > slots_) [[unlikely]] {
      const PushStatus status = look_for_room(number);
      if (status != PushStatus::ok) return status;
    }
    if (!well_formed(event)) [[unlikely]]
      return PushStatus::malformed;
    if (ended_) [[unlikely]]
      return PushStatus::ended;
    Event& slot = *file_.slot(number);
    slot = event;
    slot.number = number;
    staged_ = number;
    return PushStatus::ok;
  }
  // All of them or none: what was staged before stays staged.
  PushStatus stage(std::span<const Event> events) noexcept {
    const std::uint64_t before = staged_;
    for (const Event& event : events) {
      const PushStatus status = stage(event);
      if (status == PushStatus::ok) continue;
      staged_ = before;
      return status;
    }
    return PushStatus::ok;
  }
  PushStatus try_push(std::span<const Event> events) noexcept {
    const PushStatus status = stage(events);
    if (status == PushStatus::ok) publish();
    return status;
  }
  // One store, however many events were staged.
  void publish() noexcept {
    published_ = staged_;
    header_->published.store(published_, std::memory_order_release);  // pairs with the distributor's load
  }
  // Forgets what is staged and not published.
  void discard() noexcept { staged_ = published_; }

  // Number of the last event published, 0 where there is none.
  std::uint64_t last() const noexcept { return published_; }
  // Number of the event that stage() expects.
  std::uint64_t next() const noexcept { return staged_ + 1; }
  // Everything up to this number is the distributor's for good: with a state folder, also where it is killed.
  std::uint64_t committed() const noexcept {
    return header_->committed.load(std::memory_order_acquire);  // pairs with the distributor's store
  }
  // Slots that are free, as of the last look at the distributor's side. A hint for batches.
  std::uint64_t room() const noexcept {
    const std::uint64_t taken = staged_ - committed();
    return taken <= slots_ ? slots_ - taken : 0;
  }
  // Of this file; another one's numbers mean other events.
  std::uint64_t stream() const noexcept { return header_->stream; }
  // Whether this object began the stream, with event 1.
  bool fresh() const noexcept { return fresh_; }

  // Publishes what is staged. There will be no more, also from the next process: the distributor ends its session when
  // it has the last one. (Without this, an engine that goes away is waited for.)
  void end() noexcept {
    publish();
    ended_ = true;
    header_->ended.store(1, std::memory_order_release);  // pairs with the distributor's load
  }

 private:
  static RingFile attach(const std::string& path, const PublisherOptions& options, bool& fresh) {
    fresh = false;
    if (!options.fresh || ::access(path.c_str(), F_OK) == 0) {
      try {
        RingFile found = RingFile::open(path, RingSide::writer);
        if (!options.fresh) return found;
        // Held until the new file has its name: whoever writes to the old one is told so instead.
        return RingFile::create(path, options.slots, new_stream(), true, fresh);
      } catch (const std::system_error& error) {
        if (error.code().value() != ENOENT) throw;
      }
    }
    RingFile created = RingFile::create(path, options.slots, new_stream(), false, fresh);
    if (fresh) return created;
    return RingFile::open(path, RingSide::writer);  // somebody was faster
  }
  // Later streams have larger numbers.
  static std::uint64_t new_stream() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  }

  [[gnu::noinline]] PushStatus look_for_room(std::uint64_t number) noexcept {
    // Pairs with the distributor's store: it has finished reading those slots.
    const std::uint64_t committed = header_->committed.load(std::memory_order_acquire);
    if (committed < committed_ || committed > published_) return PushStatus::broken;
    committed_ = committed;
    return number - committed_ > slots_ ? PushStatus::full : PushStatus::ok;
  }

  bool fresh_ = false;
  RingFile file_;
  RingHeader* header_;
  std::uint64_t slots_;
  std::uint64_t staged_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t committed_ = 0;  // as of the last look
  bool ended_ = false;
};

}  // namespace depthcast::engine

// The seam between what feeds a channel and its publisher: a source runs on a thread of its own and fills the input
// ring.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/spsc_ring.h"
#include "ingest/input_event.h"
#include "run/itch_framing.h"

namespace depthcast::run {

class JournalWriter;
class Publisher;

enum class SourceEndReason : std::uint8_t { end, stopped, fault };

struct SourceEnd {
  SourceEndReason reason = SourceEndReason::stopped;
  StreamFault fault;
  std::uint64_t position = 0;  // of the last message taken
};

struct SourceFigure {
  const char* name;  // static
  std::uint64_t value;
};

// The publisher as its source sees it. Threads: the source's, except stop() and stopping().
class SourceInput {
 public:
  // Cells asked for at once, so that the ring's shared indices are touched seldom.
  static constexpr std::size_t claim_cells = 256;

  SourceInput(Publisher& publisher, const JournalWriter* journal) : publisher_(publisher), journal_(journal) {}

  // The position to begin with; what lies before has been taken in an earlier run.
  std::uint64_t first_position() const;
  // The source's numbers of the instruments that were defined before that position.
  std::vector<std::uint32_t> source_codes() const;
  // Everything up to this position was taken, and all that came of it stands in the broadcast ring: with a state
  // folder, a restart asks for nothing at or below it again (unless the source was declared to repeat). What a source
  // may acknowledge.
  std::uint64_t committed_position() const;
  // All that came of what was committed_position() before has numbers up to this one.
  std::uint64_t committed_sequence() const;
  // The last number in the journal, or on the disk; 0 where there is no journal.
  std::uint64_t journal_sequence(bool durable) const;

  bool stopping() const { return stop_.load(std::memory_order_acquire); }  // pairs with stop()
  const std::atomic<bool>& stop_flag() const { return stop_; }
  void stop() { stop_.store(true, std::memory_order_release); }  // pairs with stopping()

  // Waits until there is room for `cells` more (at most claim_cells); false when stopped. What was put before is handed
  // on where it has to wait.
  bool wait_for_room(std::size_t cells);
  // True where there is room now; hands nothing on.
  bool room(std::size_t cells);
  // Cell `offset` behind those that were put; room must have been granted.
  ingest::InputCell& cell(std::size_t offset);
  // So many cells more are filled: all those of one position in one call, so that they are handed on together.
  void put(std::size_t cells) { filled_ += cells; }
  std::size_t waiting() const { return filled_; }
  // Publishes what was put.
  void hand_on();

  // Hands on, then waits until that time; false when stopped.
  bool wait_until(std::int64_t monotonic_ns);
  // Where nothing says when a message is due: waits for those who follow the broadcast ring. False when stopped.
  bool wait_for_followers();
  // The same without waiting.
  bool followers_need_time();

 private:
  Publisher& publisher_;
  const JournalWriter* journal_;  // null: none
  std::size_t claimed_ = 0;       // cells granted by the ring and not yet published
  std::size_t filled_ = 0;        // of them, filled
  std::atomic<bool> stop_{false};
};

// Positions are numbers of the source's own messages, from 1, never falling. The journal stores them, and a restart
// goes on from them.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // The whole life of the source, on its thread: until its end, a fault, or input.stopping(), at which it looks at
  // least every 50 ms. What was put is handed on afterwards.
  virtual SourceEnd run(SourceInput& input) = 0;
  // input.stop() was called: ends a wait in run(). Any thread.
  virtual void interrupt() {}
  // Figures of its own, always the same names in the same order. Any thread.
  virtual std::vector<SourceFigure> figures() const { return {}; }
};

// Runs a source. Threads: start, stop and join by the owner; end() after join().
class SourceThread {
 public:
  // `journal`: the publisher's, which must outlive this; null: none.
  SourceThread(Publisher& publisher, std::unique_ptr<EventSource> source, const JournalWriter* journal = nullptr);
  ~SourceThread();

  void start();
  // Asks the thread to end; returns at once.
  void stop();
  void join();
  const SourceEnd& end() const { return end_; }
  EventSource& source() { return *source_; }

 private:
  void run();

  Publisher& publisher_;
  SourceInput input_;
  std::unique_ptr<EventSource> source_;
  SourceEnd end_;
  std::thread thread_;
};

}  // namespace depthcast::run

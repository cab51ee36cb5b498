// A source adapter: reads ITCH 5.0 on a thread of its own, parses it, paces it, fills the publisher's input ring. What
// lies before the publisher's first position is read and left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "ingest/itch_parser.h"
#include "run/itch_framing.h"
#include "run/pacer.h"

namespace depthcast::run {

class Publisher;

enum class SourceEndReason : std::uint8_t { end, stopped, fault };

struct SourceEnd {
  SourceEndReason reason = SourceEndReason::stopped;
  StreamFault fault;
  std::uint64_t position = 0;  // messages taken
};

// Why a message of the stream cannot be taken; empty when it can.
std::string describe(ingest::ItchFault fault, std::span<const std::uint8_t> message);

// Threads: start, stop and join by the owner; end() after join().
class ItchSource {
 public:
  ItchSource(Publisher& publisher, std::unique_ptr<ByteSource> bytes, const Pacing& pacing, std::int64_t midnight_ns);
  ~ItchSource();

  void start();
  // Asks the thread to end; returns at once.
  void stop();
  void join();
  const SourceEnd& end() const { return end_; }

 private:
  void run();
  // Waits until the message is due, having handed on what came before; false when stopped.
  bool wait_until(std::int64_t due_ns);
  // Where nothing says when a message is due: waits for those who follow the broadcast ring. False when stopped.
  bool wait_for_followers();
  // Waits until the ring has room for one more message; false when stopped.
  bool wait_for_room();
  void hand_on();

  Publisher& publisher_;
  std::unique_ptr<ByteSource> bytes_;
  ItchFraming framing_;
  ingest::ItchParser parser_;
  Pacer pacer_;
  std::size_t claimed_ = 0;  // cells granted by the ring and not yet published
  std::size_t filled_ = 0;   // of them, filled
  SourceEnd end_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace depthcast::run

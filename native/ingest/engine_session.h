// One connection of an engine, from its login on: bytes in, events into the channel's input, bytes out. Pure: no
// socket, no clock, no thread; time is passed in. docs/ingest.md, "Socket".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ingest/engine_frames.h"
#include "ingest/numbered_input.h"

namespace depthcast::ingest {

struct EngineLimits {
  std::uint32_t frame_bytes_max = std::uint32_t{1} << 20;
  std::uint32_t batch_events_max = 16'384;
  std::int64_t login_ns = 5'000'000'000;
  std::int64_t heartbeat_ns = 1'000'000'000;
  std::int64_t idle_ns = 5'000'000'000;
};

// What a session tells the engine of the channel.
struct EngineChannel {
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::uint8_t acknowledge = 1;
};

// Threads: one. Memory: login_bytes_max before the login is accepted, frame_bytes_max and one read more afterwards.
class EngineSession {
 public:
  enum class State : std::uint8_t {
    login,   // no whole login yet
    verify,  // a login came: the owner decides, by accept() or refuse()
    streaming,
    blocked,  // events wait for room in the input: call step() again, and read nothing meanwhile
    ending,   // the engine has sent its last event; finish() when all of them are safe
    closed,   // what output() still holds is to be sent, then the connection closed
  };

  EngineSession(const EngineLimits& limits, const EngineChannel& channel, NumberedInput& input, std::int64_t now_ns);

  // Where the next bytes are to be read to: empty while nothing more can be taken.
  std::span<std::uint8_t> room();
  void received(std::size_t bytes, std::int64_t now_ns);
  // Takes what the bytes hold.
  State step();
  // Time has passed: heartbeats, and silence that lasts too long.
  void tick(std::int64_t now_ns);
  // The latest moment at which tick() should be called again.
  std::int64_t tick_due_ns() const;

  State state() const { return state_; }
  // Of the login; valid from `verify` on.
  const std::string& engine() const { return engine_; }
  // Forgets it: a secret is not kept.
  std::string take_token() { return std::exchange(token_, {}); }
  // Events up to `safe` are. The engine is to go on behind that, though more may have been taken: until then they could
  // be lost with us. What comes again is passed over.
  void accept(std::int64_t now_ns, std::uint64_t safe);
  void refuse(Refusal code, const std::string& detail);
  // Events up to this one are safe.
  void acknowledge(std::uint64_t event);
  // An earlier connection has said that there is nothing more to come: as if this one had.
  void end_day();
  // All events are safe: says so and closes.
  void finish();

  std::span<const std::uint8_t> output() const { return output_.bytes(); }
  void sent(std::size_t bytes) { output_.sent(bytes); }

  // Why it was closed from here; none where the engine ended it in order.
  Refusal refusal() const { return refusal_; }
  const std::string& detail() const { return detail_; }
  std::uint64_t batches() const { return batches_; }

 private:
  void take_frame(const frames::Frame& frame);
  void take_login(const frames::Login& login);
  void take_batch(const frames::Batch& batch);
  void take_end(std::uint64_t next);
  void drop(std::size_t bytes);
  bool go_on();
  std::size_t length_max() const { return accepted_ ? limits_.frame_bytes_max : login_bytes_max - sizeof(FramePrefix); }

  EngineLimits limits_;
  EngineChannel channel_;
  NumberedInput& input_;
  State state_ = State::login;
  bool accepted_ = false;
  std::vector<std::uint8_t> buffer_;  // operator new aligns it
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t frame_bytes_ = 0;  // of the frame whose events are being taken
  EventBatch batch_;
  FrameOutput output_;
  std::string engine_;
  std::string token_;
  std::uint64_t oldest_ = 0;
  std::uint64_t expected_ = 0;  // told with a refusal before the login is accepted
  std::uint64_t acknowledged_ = 0;
  std::uint64_t batches_ = 0;
  Refusal refusal_ = Refusal::none;
  std::string detail_;
  std::int64_t heard_ns_;
  std::int64_t told_ns_;
};

}  // namespace depthcast::ingest

// A source that a matching engine on this machine fills: the reader of include/depthcast/publisher.h. docs/ingest.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "include/depthcast/event_ring.h"
#include "io/waiting.h"
#include "run/event_source.h"

namespace depthcast::run {

struct EventRingInfo {
  std::uint64_t stream = 0;
  std::uint64_t published = 0;
  std::uint64_t committed = 0;
};

// What stands at `path` now; empty where there is no file. Throws as engine::RingFile does, also where another
// distributor reads it.
std::optional<EventRingInfo> look_at_event_ring(const std::string& path);

// Takes each event once, in the order of its number, and gives the engine its slot back when it is committed. Nothing
// that the engine writes is trusted: an event is copied, then looked at; an index that cannot be ends the source.
class SharedMemorySource final : public EventSource {
 public:
  // Attaches. Throws as engine::RingFile does, and where the file holds another stream than that.
  SharedMemorySource(const std::string& path, std::uint64_t stream, io::WaitStrategy wait);

  SourceEnd run(SourceInput& input) override;
  std::vector<SourceFigure> figures() const override;

 private:
  enum class Step : std::uint8_t { took, nothing, ended, broken };

  bool begin(const SourceInput& input);
  Step step(SourceInput& input);
  enum class Taken : std::uint8_t { whole, half, broken };
  Taken take_one(SourceInput& input, bool ended);
  bool read(std::uint64_t number, engine::Event& event);
  void commit(const SourceInput& input);
  void wait(std::uint32_t idle_rounds) const;
  bool fail(const std::string& expected);

  engine::RingFile file_;
  engine::RingHeader* header_;
  io::WaitStrategy wait_;
  std::uint64_t taken_ = 0;  // number of the last event taken
  std::uint64_t published_ = 0;
  std::uint64_t committed_ = 0;
  std::string fault_;
  std::atomic<std::uint64_t> taken_told_{0};  // of taken_, for figures()
  std::atomic<std::uint64_t> malformed_{0};
};

}  // namespace depthcast::run

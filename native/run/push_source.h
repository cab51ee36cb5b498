// A source that is pushed into from another thread of this process: the publisher SDK without a socket.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "run/input_sink.h"
#include "run/safe_position.h"

namespace depthcast::run {

// What push() found.
struct PushResult {
  ingest::BatchFault fault = ingest::BatchFault::none;
  std::uint64_t at = 0;    // number of the event that is wrong
  bool hole = false;       // events are missing before the batch
  std::uint64_t next = 0;  // the number that is expected now; 0: the source has not begun, or has ended
};

// Threads: run() on the source's, the rest on any; they exclude each other. The one who pushes writes the input ring
// while the source's thread waits.
class PushInput {
 public:
  explicit PushInput(AcknowledgePolicy policy) : safe_(policy) {}

  // Takes what there is room for. Never waits.
  PushResult push(const ingest::frames::Batch& batch, std::size_t events_max);
  // The number that is expected; 0 as in PushResult.
  std::uint64_t next() const;
  // Events up to this one are safe.
  std::uint64_t acknowledged() const;
  // Nothing more comes: what was pushed is published, the session ends.
  void end();

 private:
  friend class PushSource;

  SourceEnd run(SourceInput& input);
  void interrupt();
  std::vector<SourceFigure> figures() const;
  std::uint64_t read_safe() const;

  // While run() lasts.
  struct Open {
    explicit Open(SourceInput& source_input)
        : input(source_input), sink(source_input), numbered(sink, source_input.first_position()) {}
    SourceInput& input;
    InputSink sink;
    ingest::NumberedInput numbered;
  };

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Open> open_;
  mutable SafeInput safe_;
  mutable std::uint64_t acknowledged_ = 0;
  std::uint64_t repeated_ = 0;
  bool ended_ = false;
};

class PushSource final : public EventSource {
 public:
  explicit PushSource(std::shared_ptr<PushInput> input) : input_(std::move(input)) {}

  SourceEnd run(SourceInput& input) override { return input_->run(input); }
  void interrupt() override { input_->interrupt(); }
  std::vector<SourceFigure> figures() const override { return input_->figures(); }

 private:
  std::shared_ptr<PushInput> input_;
};

}  // namespace depthcast::run

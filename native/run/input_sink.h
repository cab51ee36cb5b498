// An engine's batches into the input ring of a source.
#pragma once

#include "ingest/numbered_input.h"
#include "run/event_source.h"

namespace depthcast::run {

// Threads: the source's.
class InputSink final : public ingest::EventSink {
 public:
  explicit InputSink(SourceInput& input) : input_(input) {}

  void take(ingest::EventBatch& batch) override {
    if (input_.followers_need_time()) return;
    while (!batch.done()) {
      const std::size_t cells = batch.cells();
      if (!input_.room(cells)) break;
      batch.take(input_.cell(0), cells == 2 ? &input_.cell(1) : nullptr);
      input_.put(cells);
    }
    input_.hand_on();
  }

 private:
  SourceInput& input_;
};

}  // namespace depthcast::run

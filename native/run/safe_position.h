// Up to which event of a source all is safe, by the policy of its acknowledgements. docs/ingest.md, "Acknowledgements".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "run/event_source.h"

namespace depthcast::run {

enum class AcknowledgePolicy : std::uint8_t {
  committed = 1,  // stands in the broadcast ring: survives the process, not the system
  journaled = 2,  // written to the journal: the same, and can be read again
  durable = 3,    // on the disk: survives the system
};

// What a journal must have taken before a position is safe. Pure. Threads: one.
class SafePosition {
 public:
  // All that came of the events up to `position` has numbers up to `sequence`. Both never fall.
  void committed(std::uint64_t position, std::uint64_t sequence) {
    if (position <= last_) return;
    // Full: this one waits for its turn; what it says is said by the next that is taken.
    if (count_ == marks_.size()) return;
    marks_[(first_ + count_++) % marks_.size()] = {position, sequence};
    last_ = position;
  }
  // The journal has everything up to `sequence`. Returns the position that is safe.
  std::uint64_t reached(std::uint64_t sequence) {
    while (count_ != 0 && marks_[first_].sequence <= sequence) {
      safe_ = marks_[first_].position;
      first_ = (first_ + 1) % marks_.size();
      --count_;
    }
    return safe_;
  }

 private:
  struct Mark {
    std::uint64_t position;
    std::uint64_t sequence;
  };
  std::array<Mark, 256> marks_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t safe_ = 0;
};

// The same of a source's input. Threads: the source's.
class SafeInput {
 public:
  explicit SafeInput(AcknowledgePolicy policy) : policy_(policy) {}

  std::uint64_t read(const SourceInput& input) {
    const std::uint64_t position = input.committed_position();
    if (policy_ == AcknowledgePolicy::committed) return position;
    safe_.committed(position, input.committed_sequence());
    return safe_.reached(input.journal_sequence(policy_ == AcknowledgePolicy::durable));
  }

 private:
  AcknowledgePolicy policy_;
  SafePosition safe_;
};

}  // namespace depthcast::run

#include "run/push_source.h"

namespace depthcast::run {

PushResult PushInput::push(const ingest::frames::Batch& batch, std::size_t events_max) {
  const std::lock_guard lock(mutex_);
  PushResult result;
  if (!open_ || ended_ || open_->input.stopping()) return result;
  ingest::NumberedInput& numbered = open_->numbered;
  ingest::EventBatch events;
  result.fault = ingest::EventBatch::read(batch, events_max, events, result.at);
  if (result.fault == ingest::BatchFault::none) {
    result.hole = !numbered.begin(events);
    if (!result.hole) numbered.take(events);
  }
  result.next = numbered.next();
  return result;
}

std::uint64_t PushInput::next() const {
  const std::lock_guard lock(mutex_);
  return open_ && !ended_ ? open_->numbered.next() : 0;
}

std::uint64_t PushInput::read_safe() const {
  if (open_) acknowledged_ = safe_.read(open_->input);
  return acknowledged_;
}

std::uint64_t PushInput::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return read_safe();
}

void PushInput::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

void PushInput::interrupt() {
  // Without the lock, the wake-up could come between the sleeper's look and its sleep.
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

SourceEnd PushInput::run(SourceInput& input) {
  constexpr std::chrono::milliseconds safe_pause{1};
  std::unique_lock lock(mutex_);
  open_.emplace(input);
  changed_.wait(lock, [&] { return ended_ || input.stopping(); });
  // All of it is safe before the session ends; who waits for acknowledgements sees the last one.
  while (ended_ && !input.stopping() && read_safe() + 1 < open_->numbered.next()) changed_.wait_for(lock, safe_pause);
  SourceEnd end;
  end.reason = ended_ ? SourceEndReason::end : SourceEndReason::stopped;
  end.position = open_->numbered.next() - 1;
  repeated_ = open_->numbered.repeated();
  read_safe();
  open_.reset();
  return end;
}

std::vector<SourceFigure> PushInput::figures() const {
  const std::lock_guard lock(mutex_);
  return {{"eventNext", open_ ? open_->numbered.next() : 0},
          {"eventsRepeated", open_ ? open_->numbered.repeated() : repeated_},
          {"acknowledged", read_safe()}};
}

}  // namespace depthcast::run

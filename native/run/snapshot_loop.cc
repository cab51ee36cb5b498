#include "run/snapshot_loop.h"

#include <algorithm>

#include "encode/prefix.h"

namespace depthcast::run {

bool SnapshotLoop::step(std::int64_t now_ns) {
  if (generation_ == nullptr || now_ns < due_ns_) return false;
  due_ns_ = std::max(due_ns_, now_ns - burst_ns);
  const std::vector<std::uint8_t>& bytes = generation_->bytes;
  bool sent = false;
  while (due_ns_ <= now_ns && pass_ < passes) {
    const std::size_t length = encode::datagram_length({bytes.data() + offset_, bytes.size() - offset_});
    if (length == 0) {  // the end of the pass
      offset_ = 0;
      ++pass_;
      continue;
    }
    sender_.add(bytes.data() + offset_, length);
    offset_ += length;
    due_ns_ += static_cast<std::int64_t>(length * 1'000'000'000 / bytes_per_second_);
    sent = true;
  }
  sender_.flush();
  if (pass_ == passes) {
    ++rounds_;
    generation_ = nullptr;
  }
  return sent;
}

}  // namespace depthcast::run

#include "run/itch_framing.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace depthcast::run {
namespace {

constexpr std::size_t prefix_bytes = 2;
constexpr std::size_t message_room = prefix_bytes + 65'536;  // the longest message, so that one always fits

std::size_t length_at(const std::uint8_t* bytes) { return static_cast<std::size_t>(bytes[0]) << 8 | bytes[1]; }

}  // namespace

bool ItchFraming::fill(std::size_t wanted, const std::atomic<bool>& stop) {
  while (end_ - begin_ < wanted) {
    if (buffer_.size() - end_ < message_room) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const std::size_t taken = source_.read({buffer_.data() + end_, buffer_.size() - end_}, stop, read_error_);
    if (taken == 0) return false;
    end_ += taken;
  }
  return true;
}

bool ItchFraming::buffered() const {
  const std::size_t held = end_ - begin_;
  return held >= prefix_bytes && held >= prefix_bytes + length_at(buffer_.data() + begin_);
}

ItchFraming::Next ItchFraming::fail(std::string expected) {
  fault_ = {message_offset_, std::move(expected)};
  return Next::fault;
}

ItchFraming::Next ItchFraming::next(std::span<const std::uint8_t>& message, const std::atomic<bool>& stop) {
  message_offset_ = stream_offset_;
  // Pairs with the store in SourceInput::stop(): a stop is not taken for the end of a broken file.
  const auto stopped = [&] { return stop.load(std::memory_order_acquire); };
  if (!fill(prefix_bytes, stop)) {
    if (!read_error_.empty()) return fail(read_error_);
    if (end_ == begin_ || stopped()) return Next::end;
    return fail("a 2-byte length, but the file ends after 1 byte of it");
  }
  const std::size_t length = length_at(buffer_.data() + begin_);
  if (length == 0) {
    // Nasdaq's BinaryFILE ends a session so; bytes behind it make it a broken file.
    if (!fill(prefix_bytes + 1, stop)) {
      stream_offset_ += prefix_bytes;
      begin_ += prefix_bytes;
      return read_error_.empty() ? Next::end : fail(read_error_);
    }
    return fail("the length of a message, but it is 0 and more bytes follow");
  }
  if (!fill(prefix_bytes + length, stop)) {
    if (!read_error_.empty()) return fail(read_error_);
    if (stopped()) return Next::end;
    return fail("a message of " + std::to_string(length) + " bytes, but the file ends after " +
                std::to_string(end_ - begin_ - prefix_bytes) + " of them");
  }
  message = {buffer_.data() + begin_ + prefix_bytes, length};
  begin_ += prefix_bytes + length;
  stream_offset_ += prefix_bytes + length;
  return Next::message;
}

}  // namespace depthcast::run

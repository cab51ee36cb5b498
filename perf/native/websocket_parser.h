// One client's end of a WebSocket in perf programs: frames of a server, and the blocks of their payload. Trusts the
// server; unlike a client it copies nothing and looks at no payload but what it is told to.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace depthcast::perf {

// What came, in this order. Spans are valid during the call.
class WebSocketEvents {
 public:
  virtual ~WebSocketEvents() = default;
  virtual void on_frame(std::size_t payload_bytes) = 0;
  // A block with its prefix of 16 bytes; empty where it came in pieces: it counts, and cannot be looked at.
  virtual void on_block(std::span<const std::uint8_t> block) = 0;
  virtual void on_text(const std::string& text) = 0;
  virtual void on_ping() = 0;
  virtual void on_close(std::uint16_t code) = 0;
};

class WebSocketParser {
 public:
  void take(std::span<const std::uint8_t> bytes, WebSocketEvents& events) {
    while (!bytes.empty()) {
      if (payload_left_ == 0) {
        bytes = take_header(bytes, events);
        continue;
      }
      const std::size_t count = bytes.size() < payload_left_ ? bytes.size() : static_cast<std::size_t>(payload_left_);
      take_payload(bytes.first(count), events);
      payload_left_ -= count;
      if (payload_left_ == 0) end_frame(events);
      bytes = bytes.subspan(count);
    }
  }

 private:
  static constexpr std::size_t prefix_bytes = 16;
  static constexpr std::size_t text_kept = 512;

  std::span<const std::uint8_t> take_header(std::span<const std::uint8_t> bytes, WebSocketEvents& events) {
    header_[header_used_++] = bytes.front();
    const std::size_t wanted = header_used_ < 2 ? 2 : 2 + length_bytes();
    if (header_used_ == wanted && header_used_ >= 2) {
      opcode_ = header_[0] & 0x0f;
      payload_left_ = header_[1] & 0x7f;
      if (length_bytes() != 0) {
        payload_left_ = 0;
        for (std::size_t index = 2; index < wanted; ++index) payload_left_ = payload_left_ << 8 | header_[index];
      }
      header_used_ = 0;
      text_.clear();
      if (opcode_ == 2 || opcode_ == 0) events.on_frame(payload_left_);
      if (payload_left_ == 0) end_frame(events);
    }
    return bytes.subspan(1);
  }

  std::size_t length_bytes() const {
    const int length = header_[1] & 0x7f;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
  }

  void take_payload(std::span<const std::uint8_t> bytes, WebSocketEvents& events) {
    if (opcode_ != 2 && opcode_ != 0) {
      if (text_.size() < text_kept) text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return;
    }
    while (!bytes.empty()) {
      if (block_left_ != 0) {
        const std::size_t count = bytes.size() < block_left_ ? bytes.size() : block_left_;
        block_left_ -= count;
        bytes = bytes.subspan(count);
        if (block_left_ == 0) events.on_block({});
        continue;
      }
      if (prefix_used_ == 0 && bytes.size() >= prefix_bytes) {
        const std::size_t length = prefix_bytes + length_of(bytes.data());
        if (length <= bytes.size()) {
          events.on_block(bytes.first(length));
          bytes = bytes.subspan(length);
          continue;
        }
      }
      prefix_[prefix_used_++] = bytes.front();
      bytes = bytes.subspan(1);
      if (prefix_used_ < prefix_bytes) continue;
      prefix_used_ = 0;
      block_left_ = length_of(prefix_);
      if (block_left_ == 0) events.on_block({});
    }
  }

  static std::size_t length_of(const std::uint8_t* prefix) {
    std::uint32_t length = 0;
    std::memcpy(&length, prefix + 8, sizeof length);
    return length;
  }

  void end_frame(WebSocketEvents& events) {
    if (opcode_ == 1) events.on_text(text_);
    if (opcode_ == 9) events.on_ping();
    if (opcode_ == 8) {
      const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text_[at]); };
      events.on_close(text_.size() < 2 ? 1005 : static_cast<std::uint16_t>(byte(0) << 8 | byte(1)));
    }
  }

  std::uint8_t header_[14] = {};
  std::size_t header_used_ = 0;
  unsigned opcode_ = 0;
  std::uint64_t payload_left_ = 0;
  std::string text_;
  std::uint8_t prefix_[prefix_bytes] = {};
  std::size_t prefix_used_ = 0;
  std::size_t block_left_ = 0;
};

}  // namespace depthcast::perf

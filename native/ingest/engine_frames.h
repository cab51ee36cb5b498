// Frames between engine and distributor: an 8-byte prefix, then one FlatBuffers root. docs/ingest.md, "Socket".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "generated/ingest_generated.h"

namespace depthcast::ingest {

struct FramePrefix {
  std::uint32_t magic;
  std::uint32_t length;  // of the root: a multiple of 8, so that every frame of a stream is aligned
};
static_assert(sizeof(FramePrefix) == 8);

constexpr std::uint32_t frame_magic = 0x31494344;  // "DCI1"
constexpr std::uint16_t frames_version = 2;
constexpr std::size_t login_bytes_max = 8'192;
constexpr std::size_t token_bytes_max = 4'096;
constexpr std::size_t engine_name_bytes_max = 64;

// Why a connection ends; docs/ingest.md lists them with their cures. Numbers are frozen.
enum class Refusal : std::uint16_t {
  none = 0,
  bad_frame = 1,
  version = 2,
  login_expected = 3,
  token = 4,
  login_timeout = 5,
  engine_connected = 6,
  events_unavailable = 7,
  hole = 8,
  bad_event = 9,
  idle = 10,
  replaced = 11,
  closing = 12,
  unexpected_frame = 13,
};

enum class FrameStatus : std::uint8_t { incomplete, whole, wrong_magic, wrong_length, malformed };

// The first frame of `bytes`, which are aligned to 8. `whole`: verified, and `bytes_used` of it are the frame.
FrameStatus read_frame(std::span<const std::uint8_t> bytes, std::size_t length_max, const frames::Frame*& frame,
                       std::size_t& bytes_used);

// Builds frames behind each other in memory that is used again. Threads: one.
class FrameOutput {
 public:
  struct Welcome {
    std::uint8_t acknowledge;
    std::uint32_t channel;
    std::uint64_t session;
    std::uint64_t next;
    std::uint32_t frame_bytes_max;
    std::uint32_t batch_events_max;
    std::uint32_t heartbeat_ms;
    std::uint32_t idle_ms;
  };

  void login_accepted(const Welcome& welcome);
  void ack(std::uint64_t event);
  void refused(Refusal code, std::uint64_t expected, const std::string& message);
  void heartbeat(std::uint64_t next);
  void end_of_day(std::uint64_t next);

  std::span<const std::uint8_t> bytes() const { return std::span(bytes_).subspan(sent_); }
  void sent(std::size_t count) {
    sent_ += count;
    if (sent_ < bytes_.size()) return;
    bytes_.clear();
    sent_ = 0;
  }

 private:
  template <typename Payload>
  void add(frames::FramePayload type, flatbuffers::Offset<Payload> payload);

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<std::uint8_t> bytes_;
  std::size_t sent_ = 0;
};

}  // namespace depthcast::ingest

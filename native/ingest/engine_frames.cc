#include "ingest/engine_frames.h"

#include <cstring>

namespace depthcast::ingest {

FrameStatus read_frame(std::span<const std::uint8_t> bytes, std::size_t length_max, const frames::Frame*& frame,
                       std::size_t& bytes_used) {
  constexpr flatbuffers::uoffset_t tables_max = 4;  // a frame, its payload, and room for later versions
  constexpr flatbuffers::uoffset_t depth_max = 4;
  if (bytes.size() < sizeof(FramePrefix)) return FrameStatus::incomplete;
  FramePrefix prefix;
  std::memcpy(&prefix, bytes.data(), sizeof prefix);
  if (prefix.magic != frame_magic) return FrameStatus::wrong_magic;
  if (prefix.length == 0 || prefix.length % 8 != 0 || prefix.length > length_max) return FrameStatus::wrong_length;
  if (bytes.size() - sizeof prefix < prefix.length) return FrameStatus::incomplete;
  const std::uint8_t* root = bytes.data() + sizeof prefix;
  flatbuffers::Verifier verifier(root, prefix.length, depth_max, tables_max);
  if (!frames::VerifyFrameBuffer(verifier)) return FrameStatus::malformed;
  frame = frames::GetFrame(root);
  bytes_used = sizeof prefix + prefix.length;
  return FrameStatus::whole;
}

template <typename Payload>
void FrameOutput::add(frames::FramePayload type, flatbuffers::Offset<Payload> payload) {
  builder_.Finish(frames::CreateFrame(builder_, type, payload.Union()));
  const std::size_t length = (std::size_t{builder_.GetSize()} + 7) / 8 * 8;
  const FramePrefix prefix{frame_magic, static_cast<std::uint32_t>(length)};
  const auto* first = reinterpret_cast<const std::uint8_t*>(&prefix);
  bytes_.insert(bytes_.end(), first, first + sizeof prefix);
  bytes_.insert(bytes_.end(), builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize());
  bytes_.resize(bytes_.size() + length - builder_.GetSize());
  builder_.Clear();
}

void FrameOutput::login_accepted(const Welcome& welcome) {
  add(frames::FramePayload::LoginAccepted,
      frames::CreateLoginAccepted(builder_, frames_version, welcome.acknowledge, welcome.channel, welcome.session,
                                  welcome.next, welcome.frame_bytes_max, welcome.batch_events_max, welcome.heartbeat_ms,
                                  welcome.idle_ms));
}

void FrameOutput::ack(std::uint64_t event) { add(frames::FramePayload::Ack, frames::CreateAck(builder_, event)); }

void FrameOutput::refused(Refusal code, std::uint64_t expected, const std::string& message) {
  const auto text = builder_.CreateString(message);
  add(frames::FramePayload::Refused, frames::CreateRefused(builder_, static_cast<std::uint16_t>(code), expected, text));
}

void FrameOutput::heartbeat(std::uint64_t next) {
  add(frames::FramePayload::Heartbeat, frames::CreateHeartbeat(builder_, next));
}

void FrameOutput::end_of_day(std::uint64_t next) {
  add(frames::FramePayload::EndOfDay, frames::CreateEndOfDay(builder_, next));
}

}  // namespace depthcast::ingest

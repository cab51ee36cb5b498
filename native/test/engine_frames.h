// An engine's side of ingest frames, built by the generated code: what the shipped reader is tested against.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "generated/ingest_generated.h"
#include "ingest/engine_frames.h"

namespace depthcast::test {

using Bytes = std::vector<std::uint8_t>;

template <typename Create>
Bytes engine_frame(ingest::frames::FramePayload type, Create create) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ingest::frames::CreateFrame(builder, type, create(builder).Union()));
  const auto length = static_cast<std::uint32_t>((builder.GetSize() + 7) / 8 * 8);
  const ingest::FramePrefix prefix{ingest::frame_magic, length};
  Bytes bytes(sizeof prefix + length);
  std::memcpy(bytes.data(), &prefix, sizeof prefix);
  std::memcpy(bytes.data() + sizeof prefix, builder.GetBufferPointer(), builder.GetSize());
  return bytes;
}

inline Bytes login_frame(std::uint64_t oldest = 0, const std::string& token = "secret",
                         std::uint16_t version = ingest::frames_version, const std::string& engine = "matcher") {
  return engine_frame(ingest::frames::FramePayload::Login, [&](auto& builder) {
    return ingest::frames::CreateLoginDirect(builder, version, version, token.c_str(), engine.c_str(), oldest);
  });
}

inline ingest::frames::Event engine_event(std::uint64_t order_id, ingest::InputKind kind = ingest::InputKind::add,
                                          std::uint8_t side = 1) {
  const bool is_trade = kind == ingest::InputKind::trade;
  return {order_id,
          0,
          100,
          10,
          1'000,
          1,
          static_cast<std::uint8_t>(kind),
          side,
          static_cast<std::uint8_t>(is_trade ? Kind::trade : Kind::none),
          0};
}

struct BatchContent {
  std::uint64_t first = 1;
  std::vector<ingest::frames::Event> events;
  std::vector<ingest::frames::TradeFields> trades;
  std::vector<ingest::frames::Definition> definitions;
};

inline Bytes batch_frame(const BatchContent& content) {
  return engine_frame(ingest::frames::FramePayload::Batch, [&](auto& builder) {
    return ingest::frames::CreateBatchDirect(builder, content.first, &content.events, &content.trades,
                                             &content.definitions);
  });
}

// Adds with the numbers first … first + count - 1, each its own order id.
inline Bytes adds_frame(std::uint64_t first, std::size_t count) {
  BatchContent content{first, {}, {}, {}};
  for (std::size_t index = 0; index < count; ++index) content.events.push_back(engine_event(first + index));
  return batch_frame(content);
}

inline ingest::frames::Definition definition_of(const std::string& symbol) {
  std::uint64_t words[2] = {0, 0};
  std::memcpy(words, symbol.data(), std::min(symbol.size(), sizeof words));
  return {words[0], words[1], -100, 2'000, 1, 5, -2, 0, 0, 0};
}

}  // namespace depthcast::test

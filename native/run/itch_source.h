// A source of ITCH 5.0 messages: reads, parses and paces them. What lies before the publisher's first position is read
// and left out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ingest/itch_parser.h"
#include "run/event_source.h"
#include "run/itch_framing.h"
#include "run/pacer.h"

namespace depthcast::run {

// Why a message of the stream cannot be taken; empty when it can.
std::string describe(ingest::ItchFault fault, std::span<const std::uint8_t> message);

class ItchSource final : public EventSource {
 public:
  ItchSource(std::unique_ptr<ByteSource> bytes, const Pacing& pacing, std::int64_t midnight_ns);

  SourceEnd run(SourceInput& input) override;

 private:
  std::unique_ptr<ByteSource> bytes_;
  ItchFraming framing_;
  ingest::ItchParser parser_;
  Pacer pacer_;
};

}  // namespace depthcast::run

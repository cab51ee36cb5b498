// Nasdaq TotalView-ITCH 5.0 messages into input events.
// Source: "Nasdaq TotalView-ITCH 5.0" specification, section 1 (message formats); offsets and lengths are its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ingest/input_event.h"

namespace depthcast::ingest {

// Bytes of a message of that type, type byte included; 0 for a type that the specification does not know.
std::size_t itch_length(std::uint8_t type);

enum class ItchFault : std::uint8_t { none, empty, unknown_type, wrong_length };

// Threads: one. Allocation-free after construction. Remembers which stocks were defined: where R is missing, the
// first message that names a stock defines it.
class ItchParser {
 public:
  // One message makes at most a definition (2 cells) and its own event (2 cells).
  static constexpr std::size_t cells_max = 4;

  // `midnight_ns`: CLOCK_REALTIME of the trading day's midnight; ITCH times count from there.
  explicit ItchParser(std::int64_t midnight_ns) : midnight_ns_(midnight_ns), defined_(65'536 / 64) {
    define(0);  // what concerns no stock names none
  }

  // That stock was defined before the first message, in an earlier run.
  void set_defined(std::uint32_t locate) {
    if (locate < 65'536) define(locate);
  }

  // Parses one message (without its length prefix). `position` is its number. Returns the cells written.
  std::size_t parse(std::span<const std::uint8_t> message, std::uint64_t position, std::span<InputCell, cells_max> out,
                    ItchFault& fault);

 private:
  bool is_defined(std::uint32_t locate) const { return (defined_[locate / 64] >> (locate % 64) & 1U) != 0; }
  bool define(std::uint32_t locate);

  std::int64_t midnight_ns_;
  std::vector<std::uint64_t> defined_;  // one bit for each stock locate
};

}  // namespace depthcast::ingest

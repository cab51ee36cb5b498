// Where a replay's datagrams come from: a journal, or an ITCH file that is sequenced and encoded again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "book/replica.h"
#include "encode/packet_reader.h"
#include "run/byte_source.h"

namespace depthcast::run {

// What cannot be replayed, and why. Numbers are 0 where none, or none that are known, are gone.
struct ReplayMissing {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string why;
  std::uint64_t segment = 0;  // of a journal: where it stands; 0: nowhere
  std::uint64_t offset = 0;
};

enum class ReplayNext : std::uint8_t { packet, missing, end };

struct ReplayItem {
  std::span<const std::uint8_t> datagram;  // valid until the next call
  encode::PacketView packet;
  ReplayMissing missing;
};

// Threads: one at a time.
class ReplaySource {
 public:
  virtual ~ReplaySource() = default;
  virtual std::uint32_t channel() const = 0;
  virtual std::uint64_t session() const = 0;
  virtual std::uint64_t identity() const = 0;
  // The lowest number that it can give, and the number after the last; 0: not known.
  virtual std::uint64_t first_sequence() const = 0;
  virtual std::uint64_t next_sequence() const = 0;
  // Brings the replica as near to the state before `sequence` as it can without replaying, and goes to the packet that
  // follows that state. Returns the last number that the replica holds then; nothing (0) where it starts at the oldest.
  virtual std::uint64_t start_before(std::uint64_t sequence, book::Replica* replica) = 0;
  // The first number with that event time or a later one; empty where there is none, 0 where only reading on will tell.
  virtual std::optional<std::uint64_t> sequence_at(std::int64_t time_ns) = 0;
  virtual ReplayNext next(ReplayItem& item, const std::atomic<bool>& stop) = 0;
  // Of an input file: bytes taken so far.
  virtual std::uint64_t bytes_taken() const { return 0; }
};

struct ItchReplayOptions {
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::size_t datagram_bytes = 1'400;
  book::BookLimits limits;
  std::uint64_t digest_messages = 10'000;
  std::int64_t midnight_ns = 0;
};
std::unique_ptr<ReplaySource> make_itch_replay(std::unique_ptr<ByteSource> bytes, const ItchReplayOptions& options);

// `folder`: a state folder or a folder of segments; `session` 0: the newest. Throws std::invalid_argument where there
// is no such session, std::system_error where it cannot be read.
std::unique_ptr<ReplaySource> make_journal_replay(const std::string& folder, std::uint64_t session,
                                                  const book::BookLimits& limits);

}  // namespace depthcast::run

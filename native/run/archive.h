// The numbered datagrams of a channel's past, exactly as they were multicast: from the ring, and before that from the
// journal.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/broadcast_ring.h"
#include "io/shared_memory.h"
#include "run/ring_followers.h"

namespace depthcast::run {

// What a journal looks like from here; JournalPast (run/journal_past.h) is the one that reads files.
class PastDatagrams {
 public:
  enum class Step : std::uint8_t { datagram, hole, end };
  struct Found {
    std::span<const std::uint8_t> bytes;  // valid until the next call
    std::uint64_t first_sequence = 0;     // of a datagram
    std::uint64_t count = 0;
  };
  virtual ~PastDatagrams() = default;
  // Goes to the datagram that holds that number or, where a hole begins there, to the hole; false: nothing there.
  virtual bool seek(std::uint64_t session, std::uint64_t sequence) = 0;
  virtual Step next(Found& found) = 0;
  // The lowest number of that session; 0: none.
  virtual std::uint64_t oldest(std::uint64_t session) = 0;
};

enum class ArchiveStatus : std::uint8_t { ok = 0, too_low, too_high, unavailable, wrong_session };
const char* name_of(ArchiveStatus status);

struct ArchiveRead {
  ArchiveStatus status = ArchiveStatus::ok;
  // The first number that was not given: behind the last datagram, which may be behind what was asked for. With `ok`
  // and next <= last the byte bound was reached: ask again from there.
  std::uint64_t next = 0;
  // Where status is not ok: it holds for `next` … `until` of what was asked for.
  std::uint64_t until = 0;
  std::uint32_t datagrams = 0;
};

// Where the ring is: in memory of this process (which must outlive the archive), or in a file of another.
struct RingPlace {
  const void* memory = nullptr;
  std::size_t bytes = 0;
  std::string path;
  RingFollowers* followers = nullptr;  // of this process; may be null
};

// Threads: one. Never blocks on the writer, and is never seen by it. A ring in a file is looked for again when its
// writer has gone or the file is another one: then the session may be another, too.
class Archive {
 public:
  // Throws std::runtime_error where the memory is no ring. A path at which there is no ring yet is tried again later.
  explicit Archive(const RingPlace& ring, std::unique_ptr<PastDatagrams> past = nullptr);

  // Looks whether the ring has been replaced, at most ten times a second. Call it now and then.
  void refresh(std::int64_t now_ns);

  // Appends whole datagrams that hold numbers from first … last to `out`, each once, until that would make it longer
  // than bytes_max (but one always fits). 1 <= first <= last.
  ArchiveRead read(std::uint64_t session, std::uint64_t first, std::uint64_t last, std::size_t bytes_max,
                   std::vector<std::uint8_t>& out);

  // The current session, 0: there is no ring yet.
  std::uint64_t session() const { return session_; }
  std::uint32_t channel() const;
  // The number that the next message will carry.
  std::uint64_t next() const;
  // The lowest number that can be had; next() where there is none.
  std::uint64_t oldest() const;
  bool ended() const;
  // Identity and boot id of the ring's writer.
  RingOrigin origin() const;
  // Another reader of the same ring, behind its newest record; for this thread, and only until ring_version() changes.
  std::optional<BroadcastReader> reader() const;
  // Changes whenever another ring has been opened.
  std::uint64_t ring_version() const { return ring_version_; }
  std::uint64_t ring_datagrams() const { return ring_datagrams_; }
  std::uint64_t past_datagrams() const { return past_datagrams_; }

 private:
  enum class Source : std::uint8_t { done, bound, gone };
  struct Wanted {
    std::uint64_t first;
    std::uint64_t last;
    std::size_t bytes_max;
    std::vector<std::uint8_t>& out;
  };

  bool open();
  Source read_ring(const Wanted& wanted, ArchiveRead& result);
  Source read_past(const Wanted& wanted, ArchiveRead& result, std::uint64_t& hole_last);
  bool fits(const Wanted& wanted, std::size_t bytes, const ArchiveRead& result) const {
    return result.datagrams == 0 || wanted.out.size() + bytes <= wanted.bytes_max;
  }

  RingPlace place_;
  std::unique_ptr<PastDatagrams> past_;
  std::optional<io::SharedMemory> mapping_;
  ino_t inode_ = 0;
  std::uint64_t ring_version_ = 0;
  std::optional<BroadcastReader> ring_;
  std::uint64_t session_ = 0;
  std::uint64_t ring_position_ = 0;  // the number at which the ring's reader stands; 0: unknown
  std::uint64_t past_position_ = 0;  // the same of the journal's
  mutable std::uint64_t past_oldest_ = 0;
  std::int64_t refreshed_ns_ = 0;
  std::int64_t past_due_ns_ = 0;
  std::vector<std::uint8_t> scratch_;
  std::uint64_t ring_datagrams_ = 0;
  std::uint64_t past_datagrams_ = 0;
};

}  // namespace depthcast::run

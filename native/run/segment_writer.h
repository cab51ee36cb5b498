// One journal segment being written, with its index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/storage.h"
#include "journal/index_format.h"
#include "run/journal_files.h"

namespace depthcast::run {

// A record that waits to be written; points to memory of the caller's.
struct PendingRecord {
  journal::RecordType type;
  std::span<const std::uint8_t> payload;
  encode::PacketView packet;  // of a packet
  journal::Hole hole;         // of a hole
};
PendingRecord pending_hole(const journal::Hole& hole);  // its payload is set when it is added

// Threads: one. Functions that return int: 0, or the number of the system's error; after an error of write() or sync()
// only abandon() may follow.
class SegmentWriter {
 public:
  // `storage` must outlive it.
  explicit SegmentWriter(io::Storage& storage) : storage_(storage) {}
  ~SegmentWriter() { abandon(); }
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // A new segment; leaves nothing behind where that fails.
  int create(const std::string& folder, const journal::SegmentHeader& header);

  struct Resumed {
    bool is_open = false;             // goes on in that segment; else it has an end, or nothing in it and is gone
    std::uint64_t next_sequence = 0;  // the number after its last whole record; 0: nothing in it
    std::uint64_t bytes_cut = 0;
    journal::SegmentHeader header{};
  };
  // Goes on with a segment that has no end record: what stands behind its last whole record is cut off (and kept in a
  // file ".cut" beside it where whole records stand there), its index is made anew. Throws std::system_error, and
  // std::runtime_error for a segment whose header is damaged.
  Resumed resume(const std::string& folder, const SegmentName& name);

  bool is_open() const { return file_ >= 0; }
  std::uint64_t bytes() const { return written_ + staged_.size(); }  // staged ones included
  std::size_t staged_bytes() const { return staged_.size(); }
  const journal::SegmentTally& tally() const { return tally_; }
  const SegmentName& name() const { return name_; }

  void add(const PendingRecord& record);
  // Writes what was added since, and the index entries of it.
  int write();
  int sync();
  // An fsync of this segment has failed: no later one says anything of it.
  bool sync_failed() const { return sync_failed_; }
  // The end record; then, with `durable`, everything to the disk, the folder included.
  int close(std::int64_t now_ns, bool durable);
  // Without an end record, for one that is to go on.
  int close_open();
  // Takes back what was added and not yet written whole, and leaves the segment without an end record.
  void abandon();
  // Errors of the index: it is given up then, and can be made anew.
  std::uint64_t index_errors() const { return index_errors_; }

 private:
  void write_index();
  void give_up_index();
  void close_files();

  io::Storage& storage_;
  std::string folder_;
  SegmentName name_{};
  int file_ = -1;
  int index_file_ = -1;
  std::uint64_t written_ = 0;
  std::uint64_t index_written_ = 0;
  std::uint64_t index_errors_ = 0;
  bool sync_failed_ = false;
  std::vector<std::uint8_t> staged_;
  journal::SegmentTally tally_{1};
  journal::IndexBuilder index_{journal::SegmentHeader{}};
};

}  // namespace depthcast::run

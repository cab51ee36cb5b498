// Segments written anew from what can be read of them.
#pragma once

#include <cstdint>
#include <string>

#include "run/segment_writer.h"

namespace depthcast::run {

// Records that are read go into `writer`, which is open; where numbers are missing in between, a hole of `reason`.
// Threads: one.
class SegmentCopy {
 public:
  SegmentCopy(SegmentWriter& writer, journal::HoleReason reason) : writer_(writer), reason_(reason) {}

  // An end record, and what stands there already, is passed over. Returns 0 or the number of the system's error.
  int add(const journal::RecordView& record);
  // Numbers up to `last` that have not come are missing.
  void add_hole(std::uint64_t last);
  std::uint64_t missing() const { return missing_; }

 private:
  SegmentWriter& writer_;
  journal::HoleReason reason_;
  std::uint64_t missing_ = 0;
};

struct SegmentRewritten {
  int error = 0;              // of the system; 0: done
  std::uint64_t missing = 0;  // numbers that could not be read any more: a hole says so
};
// A segment whose fsync has failed, with that header and numbers up to `last`: what the system still gives of it goes,
// record by record checked, into a new file, which is synced and takes its place. A segment that is gone needs nothing.
SegmentRewritten rewrite_segment(io::Storage& storage, const std::string& folder, const journal::SegmentHeader& header,
                                 std::uint64_t last);

// Marks a segment whose fsync has failed, for the next process of this boot: another fsync would succeed falsely.
std::string unsynced_mark(const std::string& folder, const SegmentName& name);

}  // namespace depthcast::run

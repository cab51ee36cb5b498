// Which segments a journal no longer keeps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/storage.h"
#include "run/journal_files.h"

namespace depthcast::run {

// The bound in bytes is a promise about the disk: it holds whatever needs the segments. The bound in age spares the
// segments of the newest session that follow its oldest checkpoint. Segments go oldest first, without leaving holes,
// and never the newest of the newest session.
struct Retention {
  std::uint64_t retain_bytes = 0;     // 0: no bound
  std::int64_t retain_ns = 0;         // since the last write; 0: no bound
  std::uint64_t before_sequence = 0;  // of the newest session: segments that hold only lower numbers go; 0: none
  std::string checkpoints_folder;     // empty: none
};

// In the order in which to remove them.
std::vector<SegmentFile> segments_to_remove(const std::string& folder, const Retention& retention, std::int64_t now_ns);

// Removes a segment and its index. Returns 0 or the system's error.
int remove_segment(const std::string& folder, const SegmentName& name, io::Storage& storage);

}  // namespace depthcast::run

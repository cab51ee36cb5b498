#include "run/journal_retention.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "run/segment_cursor.h"
#include "run/segment_rewrite.h"

namespace depthcast::run {
namespace {

// The first number behind a segment: where the next one of its session begins.
std::optional<std::uint64_t> first_after(const std::string& folder, const std::vector<SegmentFile>& segments,
                                         std::size_t index) {
  if (index + 1 >= segments.size() || segments[index + 1].name.session != segments[index].name.session) {
    return std::nullopt;
  }
  SegmentCursor cursor;
  journal::SegmentHeader header{};
  if (!cursor.open(folder, segments[index + 1].name)) return std::nullopt;
  if (cursor.header(header) != journal::Fault::none) return std::nullopt;
  return header.first_sequence;
}

std::optional<std::uint64_t> oldest_checkpoint(const std::string& folder, std::uint64_t session) {
  if (folder.empty()) return std::nullopt;
  for (const CheckpointName& name : list_checkpoints(folder)) {
    if (name.session == session) return name.sequence;
  }
  return std::nullopt;
}

}  // namespace

std::vector<SegmentFile> segments_to_remove(const std::string& folder, const Retention& retention,
                                            std::int64_t now_ns) {
  std::vector<SegmentFile> removed;
  const std::vector<SegmentFile> segments = list_segments(folder);
  if (segments.empty()) return removed;
  const std::uint64_t session = segments.back().name.session;
  const auto checkpoint = oldest_checkpoint(retention.checkpoints_folder, session);
  std::uint64_t total = 0;
  for (const SegmentFile& segment : segments) total += segment.bytes;

  for (std::size_t index = 0; index + 1 < segments.size(); ++index) {
    const SegmentFile& segment = segments[index];
    const bool current = segment.name.session == session;
    const auto after = current ? first_after(folder, segments, index) : std::nullopt;
    // Numbers up to the checkpoint's are in the checkpoint.
    const bool needed = current && checkpoint && (!after || *after > *checkpoint + 1);
    const bool too_many = retention.retain_bytes != 0 && total > retention.retain_bytes;
    const bool too_old = retention.retain_ns != 0 && now_ns - segment.changed_ns > retention.retain_ns && !needed;
    const bool asked = retention.before_sequence != 0 && (!current || (after && *after <= retention.before_sequence));
    if (!too_many && !too_old && !asked) break;
    total -= segment.bytes;
    removed.push_back(segment);
  }
  return removed;
}

int remove_segment(const std::string& folder, const SegmentName& name, io::Storage& storage) {
  if (storage.remove(folder + '/' + segment_file_name(name)) != 0 && errno != ENOENT) return errno;
  if (storage.remove(folder + '/' + index_file_name(name)) != 0 && errno != ENOENT) return errno;
  static_cast<void>(storage.remove(unsynced_mark(folder, name)));
  return 0;
}

}  // namespace depthcast::run

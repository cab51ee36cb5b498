// Names and places of the journal's files. docs/recovery.md, "The state folder".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_descriptor.h"

namespace depthcast::run {

struct SegmentName {
  std::uint64_t session;
  std::uint64_t number;
  auto operator<=>(const SegmentName&) const = default;
};
// Without the folder and with the ending: "…-00000001.dcj".
std::string segment_file_name(const SegmentName& name);
std::string index_file_name(const SegmentName& name);
std::string checkpoint_file_name(std::uint64_t session, std::uint64_t sequence);

struct SegmentFile {
  SegmentName name;
  std::uint64_t bytes;
  std::int64_t changed_ns;  // CLOCK_REALTIME, last write
};
// In order of session and number; files of other names are passed over. Throws std::system_error where the folder
// cannot be read; a folder that is not there has none.
std::vector<SegmentFile> list_segments(const std::string& folder);
std::vector<SegmentName> list_indexes(const std::string& folder);

struct CheckpointName {
  std::uint64_t session;
  std::uint64_t sequence;
  auto operator<=>(const CheckpointName&) const = default;
};
std::vector<CheckpointName> list_checkpoints(const std::string& folder);

// Where a user's folder keeps what: either a state folder, or the folder of segments itself.
struct JournalPlaces {
  std::string journal;
  std::string checkpoints;  // empty: none
  std::string lock;         // of the distributor that writes here; empty: none
};
// Throws std::system_error where there is no such folder.
JournalPlaces journal_places(const std::string& folder);

// Held by whoever changes a state folder: the distributor while it runs, a tool while it repairs or prunes. True where
// another one holds it; `held` keeps it where it was free. Throws std::system_error where it cannot be opened.
bool take_lock(const std::string& path, io::FileDescriptor& held);
// Looks without taking it; takes it in passing, so ask only where it matters.
bool is_locked(const std::string& path);

// A whole file, at most `bytes_max` of it. Throws std::system_error.
std::vector<std::uint8_t> read_whole_file(const std::string& path, std::uint64_t bytes_max);

// Makes the folder (mode 0700) and those above it that are not there. Throws std::system_error.
void make_folder(const std::string& path);

}  // namespace depthcast::run

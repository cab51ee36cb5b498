// One segment, read record by record, also while it grows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "journal/segment_format.h"
#include "run/journal_files.h"

namespace depthcast::run {

// Threads: one. What a record points to is valid until the next call. Throws std::system_error for errors of reading.
class SegmentCursor {
 public:
  SegmentCursor() = default;
  // False where the file is not there (any more).
  bool open(const std::string& folder, const SegmentName& name);
  bool is_open() const { return file_.open(); }
  void close() { file_ = io::FileDescriptor(); }

  const SegmentName& name() const { return name_; }
  // What is wrong with the header, looked at anew while it is incomplete.
  journal::Fault header(journal::SegmentHeader& header);

  // The record at offset(); with a fault the cursor stays, otherwise it goes behind it. `incomplete` at the file's end
  //: nothing more there, or not yet.
  journal::Fault next(journal::RecordView& record);
  std::uint64_t offset() const { return offset_; }
  void go_to(std::uint64_t offset) { offset_ = offset; }
  // The file's size now.
  std::uint64_t size() const;
  // Goes to the first valid record behind the present offset; false, and nothing changes, where there is none.
  bool find_next();

 private:
  static constexpr std::size_t buffer_bytes = 256 * 1024;

  // What is buffered from offset_ on where that is at least `wanted` bytes or reaches the file's end;
  // else read anew.
  std::span<const std::uint8_t> look(std::size_t wanted);
  journal::Place place() const { return {name_.session, name_.number, offset_}; }

  io::FileDescriptor file_;
  SegmentName name_{};
  std::uint64_t offset_ = sizeof(journal::SegmentHeader);
  std::vector<std::uint64_t> buffer_;  // words: records are read in place, aligned to 8
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffered_ = 0;
  bool buffered_to_end_ = false;  // as the file's end was then
};

}  // namespace depthcast::run

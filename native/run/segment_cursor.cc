#include "run/segment_cursor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

namespace depthcast::run {

using journal::Fault;
namespace {
constexpr std::size_t anew = std::numeric_limits<std::size_t>::max();
}  // namespace

bool SegmentCursor::open(const std::string& folder, const SegmentName& name) {
  const std::string path = folder + '/' + segment_file_name(name);
  file_ = io::FileDescriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file_.open() && errno != ENOENT) throw std::system_error(errno, std::generic_category(), "open " + path);
  name_ = name;
  offset_ = sizeof(journal::SegmentHeader);
  buffered_ = 0;
  return file_.open();
}

std::uint64_t SegmentCursor::size() const {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) {
    throw std::system_error(errno, std::generic_category(), "look at " + segment_file_name(name_));
  }
  return static_cast<std::uint64_t>(status.st_size);
}

std::span<const std::uint8_t> SegmentCursor::look(std::size_t wanted) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(buffer_.data());
  const std::uint64_t end = buffer_offset_ + buffered_;
  if (offset_ >= buffer_offset_ && offset_ < end && (end - offset_ >= wanted || (buffered_to_end_ && wanted != anew))) {
    return {bytes + (offset_ - buffer_offset_), static_cast<std::size_t>(end - offset_)};
  }
  if (buffer_.empty()) buffer_.resize(buffer_bytes / 8);
  buffer_offset_ = offset_;
  buffered_ = 0;
  buffered_to_end_ = false;
  while (buffered_ < buffer_bytes) {
    const ssize_t got = pread(file_.get(), reinterpret_cast<std::uint8_t*>(buffer_.data()) + buffered_,
                              buffer_bytes - buffered_, static_cast<off_t>(buffer_offset_ + buffered_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "read " + segment_file_name(name_));
    buffered_to_end_ = got == 0;
    if (got == 0) break;
    buffered_ += static_cast<std::size_t>(got);
  }
  return {reinterpret_cast<const std::uint8_t*>(buffer_.data()), buffered_};
}

Fault SegmentCursor::header(journal::SegmentHeader& header) {
  std::uint8_t bytes[sizeof(journal::SegmentHeader)];
  ssize_t got = 0;
  do {
    got = pread(file_.get(), bytes, sizeof bytes, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw std::system_error(errno, std::generic_category(), "read " + segment_file_name(name_));
  return journal::read_segment_header({bytes, static_cast<std::size_t>(got)}, name_.session, name_.number, header);
}

Fault SegmentCursor::next(journal::RecordView& record) {
  Fault fault = journal::read_record(look(1), place(), record);
  // It may go on behind the buffer, and what was buffered may be older than what a writer has put there since.
  if (fault != Fault::none) fault = journal::read_record(look(anew), place(), record);
  if (fault == Fault::none) offset_ += record.bytes;
  return fault;
}

bool SegmentCursor::find_next() {
  const std::uint64_t from = offset_;
  const std::uint64_t end = size();
  journal::RecordView record;
  for (offset_ = (from + journal::record_alignment) & ~(journal::record_alignment - 1);
       offset_ + sizeof(journal::RecordHeader) <= end; offset_ += journal::record_alignment) {
    // Cheap to refuse: the marker and the header's CRC are looked at first.
    if (journal::read_record(look(journal::record_bytes_max), place(), record) == Fault::none) return true;
  }
  offset_ = from;
  return false;
}

}  // namespace depthcast::run

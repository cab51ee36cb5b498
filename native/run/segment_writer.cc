#include "run/segment_writer.h"

#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "run/segment_cursor.h"

namespace depthcast::run {
namespace {

std::span<const std::uint8_t> bytes_of(const journal::Hole& hole) {
  return {reinterpret_cast<const std::uint8_t*>(&hole), sizeof hole};
}

[[noreturn]] void fail(const std::string& step, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), step + " " + path);
}

}  // namespace

PendingRecord pending_hole(const journal::Hole& hole) { return {journal::RecordType::hole, {}, {}, hole}; }

int SegmentWriter::create(const std::string& folder, const journal::SegmentHeader& header) {
  folder_ = folder;
  name_ = {header.session, header.number};
  tally_ = journal::SegmentTally(header.first_sequence);
  index_ = journal::IndexBuilder(header);
  written_ = index_written_ = 0;
  sync_failed_ = false;
  staged_.clear();
  const std::string path = folder + '/' + segment_file_name(name_);
  file_ = storage_.create(path);
  if (file_ < 0) return errno;
  int error = io::write_all(storage_, file_, &header, sizeof header, 0);
  if (error != 0) {
    ::close(std::exchange(file_, -1));
    static_cast<void>(storage_.remove(path));
    return error;
  }
  written_ = sizeof header;
  const std::string index_path = folder + '/' + index_file_name(name_);
  static_cast<void>(storage_.remove(index_path));  // of a segment that is no more
  index_file_ = storage_.create(index_path);
  if (index_file_ < 0) ++index_errors_;
  write_index();
  return 0;
}

void SegmentWriter::add(const PendingRecord& record) {
  const journal::Place place{name_.session, name_.number, bytes()};
  journal::RecordView view;
  view.type = record.type;
  view.payload = record.type == journal::RecordType::hole ? bytes_of(record.hole) : record.payload;
  view.packet = record.packet;
  view.hole = record.hole;
  view.header = append_record(staged_, place, record.type, view.payload);
  tally_.take(view);
  index_.take(view, place.offset);
}

int SegmentWriter::write() {
  const int error = io::write_all(storage_, file_, staged_.data(), staged_.size(), written_);
  if (error != 0) return error;
  written_ += staged_.size();
  staged_.clear();
  write_index();
  return 0;
}

void SegmentWriter::write_index() {
  const std::vector<std::uint8_t> bytes = index_.take_bytes();
  if (index_file_ < 0 || bytes.empty()) return;
  if (io::write_all(storage_, index_file_, bytes.data(), bytes.size(), index_written_) != 0) return give_up_index();
  index_written_ += bytes.size();
}

// A reader makes do without it, `repair` makes it anew.
void SegmentWriter::give_up_index() {
  ++index_errors_;
  ::close(std::exchange(index_file_, -1));
  static_cast<void>(storage_.remove(folder_ + '/' + index_file_name(name_)));
}

int SegmentWriter::sync() {
  if (storage_.sync(file_) == 0) return 0;
  sync_failed_ = true;
  return errno;
}

int SegmentWriter::close(std::int64_t now_ns, bool durable) {
  const journal::SegmentEnd end = tally_.end(now_ns);
  const journal::Place place{name_.session, name_.number, bytes()};
  append_record(staged_, place, journal::RecordType::end, {reinterpret_cast<const std::uint8_t*>(&end), sizeof end});
  int error = write();
  if (error == 0 && durable) {
    error = sync();
    if (index_file_ >= 0 && storage_.sync(index_file_) != 0) ++index_errors_;
    if (error == 0 && storage_.sync_folder(folder_) != 0) {
      sync_failed_ = true;  // its name is as needed as its bytes
      error = errno;
    }
  }
  if (error == 0) close_files();
  return error;
}

int SegmentWriter::close_open() {
  int error = write();
  if (error == 0) error = sync();
  if (error == 0) close_files();
  return error;
}

void SegmentWriter::abandon() {
  if (file_ < 0) return;
  staged_.clear();
  // Makes room, too. Where it fails, what stands there is a tail as after a kill: readers pass over it.
  static_cast<void>(storage_.truncate(file_, written_));
  close_files();
}

void SegmentWriter::close_files() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  if (index_file_ >= 0) ::close(std::exchange(index_file_, -1));
}

SegmentWriter::Resumed SegmentWriter::resume(const std::string& folder, const SegmentName& name) {
  folder_ = folder;
  name_ = name;
  sync_failed_ = false;
  staged_.clear();
  Resumed resumed;
  SegmentCursor cursor;
  if (!cursor.open(folder, name)) return resumed;
  const std::string path = folder + '/' + segment_file_name(name);
  const journal::Fault fault = cursor.header(resumed.header);
  if (fault == journal::Fault::incomplete) {  // nothing came to stand in it
    if (storage_.remove(path) != 0) fail("remove", path);
    static_cast<void>(storage_.remove(folder + '/' + index_file_name(name)));
    return resumed;
  }
  if (fault != journal::Fault::none) {
    throw std::runtime_error("segment " + path + " has a damaged header: " + name_of(fault));
  }
  tally_ = journal::SegmentTally(resumed.header.first_sequence);
  index_ = journal::IndexBuilder(resumed.header);
  journal::RecordView record;
  written_ = cursor.offset();
  while (cursor.next(record) == journal::Fault::none && tally_.take(record) == journal::Fault::none) {
    index_.take(record, written_);
    written_ = cursor.offset();
  }
  cursor.go_to(written_);
  resumed.next_sequence = tally_.next_sequence();
  if (tally_.closed()) return resumed;
  resumed.bytes_cut = cursor.size() - written_;
  if (resumed.bytes_cut != 0 && cursor.find_next()) {
    const auto whole = read_whole_file(path, UINT64_MAX);
    const std::string kept = path + ".cut";
    static_cast<void>(storage_.remove(kept));
    const io::FileDescriptor file(storage_.create(kept));
    if (!file.open() || io::write_all(storage_, file.get(), whole.data(), whole.size(), 0) != 0) fail("keep", kept);
  }
  file_ = storage_.open(path);
  if (file_ < 0) fail("open", path);
  if (resumed.bytes_cut != 0 && (storage_.truncate(file_, written_) != 0 || storage_.sync(file_) != 0)) {
    fail("cut", path);
  }
  const std::string index_path = folder + '/' + index_file_name(name);
  static_cast<void>(storage_.remove(index_path));
  index_file_ = storage_.create(index_path);
  index_written_ = 0;
  if (index_file_ < 0) ++index_errors_;
  write_index();
  resumed.is_open = true;
  return resumed;
}

}  // namespace depthcast::run

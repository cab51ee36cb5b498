#include "run/segment_rewrite.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "io/clock.h"
#include "run/segment_cursor.h"

namespace depthcast::run {
namespace {

constexpr std::size_t write_bytes = std::size_t{1} << 20;

int copy_records(const std::string& folder, const SegmentName& name, SegmentCopy& copy) {
  SegmentCursor cursor;
  if (!cursor.open(folder, name)) return ENOENT;
  journal::RecordView record;
  while (true) {
    if (cursor.next(record) == journal::Fault::none) {
      if (const int error = copy.add(record); error != 0) return error;
    } else if (!cursor.find_next()) {
      return 0;
    }
  }
}

int rewrite(io::Storage& storage, const std::string& folder, const journal::SegmentHeader& header, std::uint64_t last,
            std::uint64_t& missing) {
  const SegmentName name{header.session, header.number};
  const std::string segment = folder + '/' + segment_file_name(name);
  const std::string draft = folder + "/rewrite.tmp";
  std::filesystem::remove_all(draft);  // of one that was cut short
  make_folder(draft);
  SegmentWriter writer(storage);
  if (const int error = writer.create(draft, header); error != 0) return error;
  SegmentCopy copy(writer, journal::HoleReason::write_error);
  int error = copy_records(folder, name, copy);
  if (error != 0) return error;
  copy.add_hole(last);
  missing = copy.missing();
  if (error = writer.close(io::realtime_ns(), true); error != 0) return error;
  const std::string index = folder + '/' + index_file_name(name);
  if (storage.rename(draft + '/' + segment_file_name(name), segment) != 0) return errno;
  // A reader makes do without an index, not with one of other records.
  if (storage.rename(draft + '/' + index_file_name(name), index) != 0) static_cast<void>(storage.remove(index));
  if (storage.sync_folder(folder) != 0) return errno;
  std::filesystem::remove_all(draft);
  return 0;
}

}  // namespace

int SegmentCopy::add(const journal::RecordView& record) {
  if (record.type == journal::RecordType::end) return 0;
  const bool hole = record.type == journal::RecordType::hole;
  const std::uint64_t first = hole ? record.hole.first : record.packet.first_sequence;
  const std::uint64_t next = hole ? record.hole.last + 1 : first + record.packet.count;
  add_hole(first - 1);
  const std::uint64_t expected = writer_.tally().next_sequence();
  // What stands there already, and a heartbeat of an older state.
  if (next < expected || (next == expected && (hole || record.packet.count != 0))) return 0;
  if (hole) {
    journal::Hole rest = record.hole;
    rest.first = std::max(rest.first, expected);
    writer_.add(pending_hole(rest));
  } else {
    writer_.add({record.type, record.payload, record.packet, {}});
  }
  return writer_.staged_bytes() >= write_bytes ? writer_.write() : 0;
}

void SegmentCopy::add_hole(std::uint64_t last) {
  const std::uint64_t first = writer_.tally().next_sequence();
  if (last < first) return;
  writer_.add(pending_hole({first, last, reason_, 0}));
  missing_ += last - first + 1;
}

SegmentRewritten rewrite_segment(io::Storage& storage, const std::string& folder, const journal::SegmentHeader& header,
                                 std::uint64_t last) {
  SegmentRewritten done;
  try {
    done.error = rewrite(storage, folder, header, last, done.missing);
  } catch (const std::system_error& error) {
    done.error = error.code().value();
  }
  // Retention has taken it: the journal promises nothing of it any more.
  if (done.error == ENOENT &&
      !std::filesystem::exists(folder + '/' + segment_file_name({header.session, header.number})))
    return {};
  return done;
}

std::string unsynced_mark(const std::string& folder, const SegmentName& name) {
  return folder + '/' + segment_file_name(name) + ".unsynced";
}

}  // namespace depthcast::run

// What of the journal is on the disk, and what becomes of a segment whose fsync has failed.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/clock.h"
#include "run/journal_writer.h"
#include "run/segment_cursor.h"
#include "run/segment_rewrite.h"

namespace depthcast::run {

bool JournalWriter::is_marked(const SegmentName& name) const {
  return ::access(unsynced_mark(options_.folder, name).c_str(), F_OK) == 0;
}

// Who closed them may have had another policy. Where nothing new comes, nothing else would ever say that they are
// durable; where it does, an fsync of the last segment would say so of all.
void JournalWriter::sync_closed(std::span<const SegmentName> names) {
  const bool folder_failed = storage_.sync_folder(options_.folder) != 0;
  if (folder_failed) note(errno);
  for (std::size_t index = 0; index < names.size(); ++index) {
    const SegmentName& name = names[index];
    bool failed = folder_failed || is_marked(name);
    if (!failed) {
      const io::FileDescriptor file(storage_.open(options_.folder + '/' + segment_file_name(name)));
      failed = !file.open() || storage_.sync(file.get()) != 0;
      if (failed) note(errno);
    }
    if (!failed) {
      counters_.add(JournalCounter::fsyncs);
      continue;
    }
    SegmentCursor cursor;
    journal::SegmentHeader header;
    if (!cursor.open(options_.folder, name) || cursor.header(header) != journal::Fault::none) continue;
    doubt(header, last_of(names, index));
  }
  if (!segment_.is_open()) tell_durable(written_sequence_);
}

// The number before the segment that follows.
std::uint64_t JournalWriter::last_of(std::span<const SegmentName> names, std::size_t index) const {
  SegmentCursor cursor;
  journal::SegmentHeader header = header_;
  if (index + 1 < names.size() &&
      (!cursor.open(options_.folder, names[index + 1]) || cursor.header(header) != journal::Fault::none)) {
    return 0;
  }
  const bool newest = index + 1 == names.size() && !segment_.is_open();
  return newest ? written_sequence_ : header.first_sequence - 1;
}

int JournalWriter::sync() {
  synced_ns_ = io::monotonic_ns();
  if (!unsynced_ || !segment_.is_open()) return 0;
  const ActivityScope scope(options_.activities.get(), Activity::fsync);
  int error = segment_.sync();
  // The segment's name is as needed as its bytes.
  if (error == 0 && folder_unsynced_ && storage_.sync_folder(options_.folder) != 0) error = errno;
  const std::int64_t end = io::monotonic_ns();
  counters_.raise(JournalCounter::fsync_ns_max, static_cast<std::uint64_t>(end - synced_ns_));
  synced_ns_ = end;
  if (error != 0) {
    fail_segment(true);
    return note(error);
  }
  unsynced_ = folder_unsynced_ = false;
  counters_.add(JournalCounter::fsyncs);
  tell_durable(written_sequence_);
  return 0;
}

void JournalWriter::fail_segment(bool sync_failed) {
  // What stands in it whole is to be as durable as if it had been closed. An fsync that has failed is not tried again:
  // the system may have dropped what it could not write.
  sync_failed = sync_failed || segment_.sync_failed();
  if (!sync_failed && unsynced_ && options_.fsync != FsyncPolicy::never) {
    sync_failed = segment_.sync() != 0 || (folder_unsynced_ && storage_.sync_folder(options_.folder) != 0);
    if (sync_failed) count_error(errno);
  }
  segment_.abandon();
  unsynced_ = false;
  if (sync_failed) doubt(header_, written_sequence_);
}

void JournalWriter::doubt(const journal::SegmentHeader& header, std::uint64_t last) {
  doubtful_.push_back({header, last});
  counters_.set(JournalCounter::unsynced_segments, doubtful_.size());
  rewrite_pause_ns_ = options_.retry_ns;
  rewrite_due_ns_ = io::monotonic_ns() + rewrite_pause_ns_;
  const io::FileDescriptor mark(storage_.create(unsynced_mark(options_.folder, {header.session, header.number})));
}

// Every number up to `sequence` was synced, unless it stands in a segment that is doubtful.
void JournalWriter::tell_durable(std::uint64_t sequence) {
  synced_sequence_ = std::max(synced_sequence_, sequence);
  if (doubtful_.empty()) counters_.set(JournalCounter::sequence_durable, synced_sequence_);
}

// The oldest one; then all before it is safe.
int JournalWriter::rewrite_doubtful() {
  const Doubtful oldest = doubtful_.front();
  const SegmentRewritten done = rewrite_segment(storage_, options_.folder, oldest.header, oldest.last);
  if (done.error != 0) {
    count_error(done.error);
    return done.error;
  }
  static_cast<void>(storage_.remove(unsynced_mark(options_.folder, {oldest.header.session, oldest.header.number})));
  doubtful_.erase(doubtful_.begin());
  counters_.set(JournalCounter::unsynced_segments, doubtful_.size());
  counters_.add(JournalCounter::segments_rewritten);
  counters_.add(JournalCounter::missing_messages, done.missing);
  counters_.raise(JournalCounter::sequence_durable, oldest.last);
  tell_durable(oldest.last);
  return 0;
}

// Beside what is written: a disk that has no room for it must not stop that.
void JournalWriter::rewrite_in_time(std::int64_t now_ns) {
  if (doubtful_.empty() || now_ns < rewrite_due_ns_) return;
  if (rewrite_doubtful() == 0) {
    rewrite_pause_ns_ = options_.retry_ns;
  } else {
    rewrite_due_ns_ = io::monotonic_ns() + rewrite_pause_ns_;
    rewrite_pause_ns_ = std::min(2 * rewrite_pause_ns_, options_.retry_ns_max);
  }
}

}  // namespace depthcast::run

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "io/clock.h"
#include "run/checkpoint_file.h"
#include "run/journal_tools.h"
#include "run/segment_rewrite.h"

namespace depthcast::run {
namespace {

constexpr const char* damaged_ending = ".damaged";

void require(int error, const std::string& step, const std::string& path) {
  if (error != 0) throw std::system_error(error, std::generic_category(), step + " " + path);
}

// For whoever is to change something.
io::FileDescriptor lock_for_change(const JournalPlaces& places) {
  io::FileDescriptor held;
  if (!take_lock(places.lock, held)) return held;
  throw std::runtime_error(places.lock + " is held: a distributor is running on this folder, or another tool");
}

class Repairer {
 public:
  Repairer(const JournalPlaces& places, bool keep_damaged, const std::atomic<bool>& stop)
      : places_(places), keep_damaged_(keep_damaged), stop_(stop), storage_(io::Storage::system()) {}

  std::vector<JournalRepair> run() {
    draft_ = places_.journal + "/repair.tmp";
    std::filesystem::remove_all(draft_);  // of a repair that was cut short
    const std::vector<SegmentFile> files = list_segments(places_.journal);
    for (std::size_t index = 0; index < files.size() && !stopped(); ++index) {
      const bool last = index + 1 == files.size();
      repair_segment(files[index].name, last ? nullptr : &files[index + 1].name);
    }
    if (!stopped()) repair_indexes_without_segment(files);
    if (!stopped() && !places_.checkpoints.empty()) repair_checkpoints();
    std::filesystem::remove_all(draft_);
    return std::move(repairs_);
  }

 private:
  // Pairs with the store of whoever asks to stop.
  bool stopped() const { return stop_.load(std::memory_order_acquire); }

  // Where the session goes on; 0: it does not, or that cannot be read.
  std::uint64_t first_of(const SegmentName* name, std::uint64_t session) const {
    if (name == nullptr || name->session != session) return 0;
    return scan_segment(places_.journal, *name, stop_).first_sequence;
  }

  void repair_segment(const SegmentName& name, const SegmentName* following) {
    if (name.session != session_) {
      session_ = name.session;
      expected_ = 0;
      header_.reset();
    }
    const SegmentScan scan = scan_segment(places_.journal, name, stop_);
    if (stopped()) return;
    if (scan.header) header_ = scan.header;
    const bool damaged =
        std::any_of(scan.faults.begin(), scan.faults.end(), [](const SegmentFault& fault) { return !fault.index; });
    const std::uint64_t ahead = first_of(following, name.session);
    const bool lacks = scan.next_sequence != 0 && ahead > scan.next_sequence;
    const bool nothing = scan.first_sequence == 0 && !damaged;  // opened and never written to
    if (damaged || lacks) {
      rewrite(scan, ahead, following == nullptr);
    } else if (nothing) {
      if (following == nullptr) return;
      require(remove_segment(places_.journal, name, storage_), "remove", segment_file_name(name));
      repairs_.push_back({segment_file_name(name), "removed", 0, 0});
    } else {
      if (!scan.faults.empty()) make_index(scan);
      expected_ = std::max(expected_, scan.next_sequence);
    }
  }

  journal::SegmentHeader header_for(const SegmentScan& scan, const journal::RecordView* first) const {
    journal::SegmentHeader header = scan.header.value_or(header_.value_or(journal::SegmentHeader{}));
    header.session = scan.name.session;
    header.number = scan.name.number;
    if (scan.header) return header;
    header.first_sequence = expected_ != 0 ? expected_ : scan.first_sequence;
    header.first_position = 0;
    if (first != nullptr && first->type == journal::RecordType::packet) {
      header.channel = first->packet.channel;
      header.first_position = first->packet.input_position;
    }
    seal(header);
    return header;
  }

  // Everything that can be read, in a new file, with holes where nothing can.
  void rewrite(const SegmentScan& scan, std::uint64_t ahead, bool newest) {
    make_folder(draft_);
    SegmentWriter writer(storage_);
    SegmentCopy copy(writer, journal::HoleReason::damage);
    const auto open = [&](const journal::RecordView* first) {
      const journal::SegmentHeader header = header_for(scan, first);
      require(writer.create(draft_, header), "create", draft_);
    };
    scan_segment(places_.journal, scan.name, stop_, [&](const journal::RecordView& record) {
      if (record.type == journal::RecordType::end) return;
      if (!writer.is_open()) open(&record);
      require(copy.add(record), "write", draft_);
    });
    if (stopped()) return;
    const std::uint64_t end = std::max(ahead, scan.end_next_sequence);
    if (!writer.is_open() && (scan.header || expected_ != 0) && end > std::max(expected_, scan.first_sequence))
      open(nullptr);
    const std::string file = segment_file_name(scan.name);
    if (!writer.is_open()) {  // nothing in it that anyone could use
      set_aside(places_.journal + '/' + file);
      static_cast<void>(storage_.remove(places_.journal + '/' + index_file_name(scan.name)));
      repairs_.push_back({file, "removed", 0, 0});
      return;
    }
    if (end != 0) copy.add_hole(end - 1);
    const std::uint64_t packets = writer.tally().packets();
    expected_ = writer.tally().next_sequence();
    const bool goes_on = newest && !scan.closed;
    require(goes_on ? writer.close_open() : writer.close(io::realtime_ns(), true), "write", draft_);
    replace(scan.name);
    repairs_.push_back({file, "rewritten", packets, copy.missing()});
  }

  // The new files take the place of the old ones; at no time is there none.
  void replace(const SegmentName& name) {
    const std::string segment = places_.journal + '/' + segment_file_name(name);
    const std::string index = places_.journal + '/' + index_file_name(name);
    if (keep_damaged_) {
      static_cast<void>(storage_.remove(segment + damaged_ending));
      require(link(segment.c_str(), (segment + damaged_ending).c_str()) == 0 ? 0 : errno, "keep", segment);
    }
    const auto move = [&](const std::string& to, const std::string& file) {
      require(storage_.rename(draft_ + '/' + file, to) == 0 ? 0 : errno, "rename", to);
    };
    move(segment, segment_file_name(name));
    move(index, index_file_name(name));
    require(storage_.sync_folder(places_.journal) == 0 ? 0 : errno, "sync", places_.journal);
  }

  void set_aside(const std::string& path) {
    const int done = keep_damaged_ ? storage_.rename(path, path + damaged_ending) : storage_.remove(path);
    require(done == 0 ? 0 : errno, keep_damaged_ ? "rename" : "remove", path);
  }

  void make_index(const SegmentScan& scan) {
    make_folder(draft_);
    const std::string file = index_file_name(scan.name);
    const std::string draft = draft_ + '/' + file;
    const io::FileDescriptor out(storage_.create(draft));
    require(out.open() ? 0 : errno, "create", draft);
    require(io::write_all(storage_, out.get(), scan.index.data(), scan.index.size(), 0), "write", draft);
    require(storage_.sync(out.get()) == 0 ? 0 : errno, "sync", draft);
    require(storage_.rename(draft, places_.journal + '/' + file) == 0 ? 0 : errno, "rename", draft);
    repairs_.push_back({file, "index made anew", scan.packets, 0});
  }

  void repair_indexes_without_segment(const std::vector<SegmentFile>& files) {
    for (const SegmentName& name : list_indexes(places_.journal)) {
      if (std::any_of(files.begin(), files.end(), [&](const SegmentFile& file) { return file.name == name; })) continue;
      set_aside(places_.journal + '/' + index_file_name(name));
      repairs_.push_back({index_file_name(name), "removed", 0, 0});
    }
  }

  void repair_checkpoints() {
    for (const CheckpointName& name : list_checkpoints(places_.checkpoints)) {
      std::uint64_t offset = 0;
      CheckpointFile checkpoint;
      if (CheckpointFile::check(places_.checkpoints, name, offset, checkpoint) == journal::Fault::none) continue;
      const std::string file = checkpoint_file_name(name.session, name.sequence);
      set_aside(places_.checkpoints + '/' + file);
      repairs_.push_back({file, "removed", 0, 0});
    }
  }

  const JournalPlaces& places_;
  bool keep_damaged_;
  const std::atomic<bool>& stop_;
  io::Storage& storage_;
  std::string draft_;
  std::vector<JournalRepair> repairs_;
  std::uint64_t session_ = 0;
  std::uint64_t expected_ = 0;                    // number after the segments so far; 0: none yet
  std::optional<journal::SegmentHeader> header_;  // of the session, for one that has lost its own
};

}  // namespace

std::vector<JournalRepair> repair_journal(const JournalPlaces& places, bool keep_damaged,
                                          const std::atomic<bool>& stop) {
  const io::FileDescriptor lock = lock_for_change(places);
  return Repairer(places, keep_damaged, stop).run();
}

std::vector<SegmentFile> prune_journal(const JournalPlaces& places, const Retention& retention, bool dry_run) {
  io::FileDescriptor lock;
  if (!dry_run) lock = lock_for_change(places);
  std::vector<SegmentFile> files = segments_to_remove(places.journal, retention, io::realtime_ns());
  if (dry_run) return files;
  for (const SegmentFile& file : files) {
    require(remove_segment(places.journal, file.name, io::Storage::system()), "remove", segment_file_name(file.name));
  }
  return files;
}

}  // namespace depthcast::run

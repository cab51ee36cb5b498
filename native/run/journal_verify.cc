#include <algorithm>
#include <filesystem>
#include <map>

#include "run/checkpoint_file.h"
#include "run/journal_tools.h"

namespace depthcast::run {
namespace {

using journal::Fault;

constexpr std::size_t faults_max = 10'000;
constexpr std::size_t holes_max = 100'000;

class Verifier {
 public:
  Verifier(const JournalPlaces& places, const std::atomic<bool>& stop) : places_(places), stop_(stop) {}

  JournalVerification run() {
    const std::vector<SegmentFile> files = list_segments(places_.journal);
    for (const SegmentFile& file : files) {
      // Pairs with the store of whoever asks to stop.
      if (stop_.load(std::memory_order_acquire)) return std::move(result_);
      check_segment(file.name, file.name == files.back().name);
    }
    check_orphans(files);
    check_checkpoints();
    return std::move(result_);
  }

 private:
  void add(JournalFault fault) {
    ++result_.faults_total;
    if (result_.faults.size() < faults_max) result_.faults.push_back(std::move(fault));
  }

  void check_segment(const SegmentName& name, bool newest) {
    SegmentScan scan = scan_segment(places_.journal, name, stop_);
    if (scan.bytes == 0 && scan.faults.empty() && !scan.tail) {  // removed meanwhile: what follows begins anew
      next_sequence_ = 0;
      return;
    }
    if (newest && !scan.closed && !scan.faults.empty() && is_at_work()) forgive_tail(scan);
    ++result_.segments;
    if (name.session != session_) begin_session(name.session);
    result_.packets += scan.packets;
    result_.messages += scan.messages;
    result_.bytes += scan.bytes;
    for (const journal::Hole& hole : scan.holes) {
      if (result_.holes.size() < holes_max) result_.holes.push_back({name.session, hole});
    }
    check_order(name, scan);
    for (const SegmentFault& fault : scan.faults) {
      const std::string file = fault.index ? index_file_name(name) : segment_file_name(name);
      const std::string what = std::string(fault.index ? "index_" : "") + name_of(fault.fault);
      add({file, fault.offset, what, name.session, fault.first, fault.last});
    }
    result_.faults_total += scan.faults_total - scan.faults.size();
  }

  bool is_at_work() {
    result_.in_use = result_.in_use || is_locked(places_.lock);
    return result_.in_use;
  }

  // A record that is being written is no fault, nor is an index whose file was not yet there.
  static void forgive_tail(SegmentScan& scan) {
    std::erase_if(scan.faults, [&](const SegmentFault& fault) {
      return fault.fault == Fault::incomplete && (fault.index || fault.offset == scan.tail.value_or(0));
    });
    scan.faults_total = scan.faults.size();
  }

  void begin_session(std::uint64_t session) {
    session_ = session;
    next_sequence_ = 0;
    header_.reset();
    ++result_.sessions;
  }

  void check_order(const SegmentName& name, const SegmentScan& scan) {
    if (scan.header) {
      if (header_ && (header_->channel != scan.header->channel || header_->identity != scan.header->identity)) {
        add({segment_file_name(name), 0, name_of(Fault::wrong_session), name.session});
      }
      header_ = scan.header;
    }
    if (scan.first_sequence == 0) return;
    if (next_sequence_ != 0 && scan.first_sequence > next_sequence_) {
      add({segment_file_name(name), 0, "missing_numbers", name.session, next_sequence_, scan.first_sequence - 1});
    }
    next_sequence_ = std::max(next_sequence_, scan.next_sequence);
  }

  void check_orphans(const std::vector<SegmentFile>& files) {
    for (const SegmentName& name : list_indexes(places_.journal)) {
      const bool found =
          std::any_of(files.begin(), files.end(), [&](const SegmentFile& file) { return file.name == name; });
      std::error_code ignored;
      const bool come = std::filesystem::exists(places_.journal + '/' + segment_file_name(name), ignored);
      if (!found && !come) add({index_file_name(name), 0, "orphan_index", name.session});
    }
  }

  void check_checkpoints() {
    if (places_.checkpoints.empty()) return;
    for (const CheckpointName& name : list_checkpoints(places_.checkpoints)) {
      if (stop_.load(std::memory_order_acquire)) return;  // as above
      const std::string file = checkpoint_file_name(name.session, name.sequence);
      std::error_code ignored;
      if (!std::filesystem::exists(places_.checkpoints + '/' + file, ignored)) continue;  // removed meanwhile
      ++result_.checkpoints;
      std::uint64_t offset = 0;
      CheckpointFile checkpoint;
      const Fault fault = CheckpointFile::check(places_.checkpoints, name, offset, checkpoint);
      if (fault != Fault::none) add({file, offset, name_of(fault), name.session});
    }
  }

  const JournalPlaces& places_;
  const std::atomic<bool>& stop_;
  JournalVerification result_;
  std::uint64_t session_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::optional<journal::SegmentHeader> header_;
};

}  // namespace

JournalVerification verify_journal(const JournalPlaces& places, const std::atomic<bool>& stop) {
  return Verifier(places, stop).run();
}

}  // namespace depthcast::run

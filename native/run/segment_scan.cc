#include "run/segment_scan.h"

#include <cerrno>
#include <system_error>

namespace depthcast::run {
namespace {

using journal::Fault;
using journal::RecordType;

// The index first: a writer at work puts its entries in after their records.
std::optional<std::vector<std::uint8_t>> read_index_file(const std::string& folder, const SegmentName& name) {
  try {
    return read_whole_file(folder + '/' + index_file_name(name), UINT64_MAX);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOENT) return std::nullopt;
    throw;
  }
}

void check_index(const std::optional<std::vector<std::uint8_t>>& actual, SegmentScan& scan) {
  if (!actual) return scan.add({true, 0, Fault::incomplete});
  const auto difference = journal::index_difference(*actual, scan.index, scan.closed);
  if (!difference) return;
  const bool wanting = *difference == actual->size();
  scan.add({true, *difference, wanting ? Fault::incomplete : Fault::wrong_crc});
}

class Scanner {
 public:
  Scanner(SegmentCursor& cursor, SegmentScan& scan, const EachRecord& each)
      : cursor_(cursor), scan_(scan), each_(each) {}

  void run(const std::atomic<bool>& stop) {
    read_header();
    // Pairs with the store of whoever asks to stop.
    while (!stop.load(std::memory_order_acquire)) {
      const std::uint64_t offset = cursor_.offset();
      const Fault fault = cursor_.next(record_);
      if (fault == Fault::none) {
        take(offset);
      } else if (!pass_over(offset, fault)) {
        break;
      }
    }
    finish();
  }

 private:
  void read_header() {
    journal::SegmentHeader header{};
    const Fault fault = cursor_.header(header);
    if (fault == Fault::none) {
      scan_.header = header;
      start(header.first_sequence);
      index_.emplace(header);
    } else if (fault == Fault::incomplete && scan_.bytes == 0) {
      scan_.tail = 0;
    } else {
      scan_.add({false, 0, fault});
    }
  }

  void start(std::uint64_t first_sequence) {
    tally_.emplace(first_sequence);
    scan_.first_sequence = first_sequence;
  }

  std::uint64_t first_of_record() const {
    if (record_.type == RecordType::hole) return record_.hole.first;
    return record_.type == RecordType::packet ? record_.packet.first_sequence : record_.end.next_sequence;
  }

  void take(std::uint64_t offset) {
    if (!tally_) start(first_of_record());
    const std::uint64_t expected = tally_->next_sequence();
    Fault fault = tally_->take(record_);
    if (damaged_ && fault == Fault::wrong_end) fault = Fault::none;  // follows from what was reported already
    if (record_.type == RecordType::end) {
      scan_.closed = true;
      scan_.end_next_sequence = record_.end.next_sequence;
    }
    if (scan_.header && record_.type == RecordType::packet && record_.packet.channel != scan_.header->channel) {
      fault = Fault::wrong_session;
    }
    if (record_.type == RecordType::hole) scan_.holes.push_back(record_.hole);
    const std::uint64_t first = first_of_record();
    if (damaged_ && fault == Fault::wrong_numbers && first > expected) {
      // What the damage took.
      if (!scan_.faults.empty() && scan_.faults.back().first == 0) {
        scan_.faults.back().first = expected;
        scan_.faults.back().last = first - 1;
      }
    } else if (fault != Fault::none) {
      scan_.add({false, offset, fault, first > expected ? expected : 0, first > expected ? first - 1 : 0});
    }
    if (index_) index_->take(record_, offset);
    if (each_) each_(record_);
  }

  // Goes on behind what is no record. False at the end.
  bool pass_over(std::uint64_t offset, Fault fault) {
    const std::uint64_t size = cursor_.size();
    if (offset >= size) return false;
    if (scan_.closed) fault = Fault::trailing_bytes;
    if (fault == Fault::incomplete) scan_.tail = offset;
    scan_.add({false, offset, fault});
    damaged_ = true;
    return cursor_.find_next();
  }

  void finish() {
    if (!tally_) return;
    scan_.next_sequence = tally_->next_sequence();
    scan_.packets = tally_->packets();
    scan_.messages = tally_->messages();
    if (index_) scan_.index = index_->take_bytes();
  }

  SegmentCursor& cursor_;
  SegmentScan& scan_;
  const EachRecord& each_;
  journal::RecordView record_;
  std::optional<journal::SegmentTally> tally_;
  std::optional<journal::IndexBuilder> index_;
  bool damaged_ = false;
};

}  // namespace

SegmentScan scan_segment(const std::string& folder, const SegmentName& name, const std::atomic<bool>& stop,
                         const EachRecord& each) {
  SegmentScan scan;
  scan.name = name;
  const auto index = read_index_file(folder, name);
  SegmentCursor cursor;
  if (!cursor.open(folder, name)) return scan;
  scan.bytes = cursor.size();
  Scanner(cursor, scan, each).run(stop);
  // Of a damaged segment it cannot be known.
  if (scan.faults.empty() && scan.header) check_index(index, scan);
  return scan;
}

}  // namespace depthcast::run

// Everything that is wrong with one segment and its index, and what can be read of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "journal/index_format.h"
#include "run/segment_cursor.h"

namespace depthcast::run {

struct SegmentFault {
  bool index = false;  // of the index beside it
  std::uint64_t offset = 0;
  journal::Fault fault{};
  std::uint64_t first = 0;  // numbers that are missing because of it; 0: none, or not known
  std::uint64_t last = 0;
};

struct SegmentScan {
  SegmentName name{};
  std::uint64_t bytes = 0;
  std::optional<journal::SegmentHeader> header;  // where it is sound
  std::uint64_t first_sequence = 0;              // 0: nothing in it
  std::uint64_t next_sequence = 0;
  std::uint64_t packets = 0;
  std::uint64_t messages = 0;
  std::vector<journal::Hole> holes;
  bool closed = false;
  std::uint64_t end_next_sequence = 0;  // what its end record says
  std::optional<std::uint64_t> tail;    // where bytes begin that are no whole record, as a writer at work leaves them
  std::vector<SegmentFault> faults;     // at most faults_max
  std::uint64_t faults_total = 0;
  std::vector<std::uint8_t> index;  // as it has to be

  static constexpr std::size_t faults_max = 1'000;
  void add(const SegmentFault& fault) {
    ++faults_total;
    if (faults.size() < faults_max) faults.push_back(fault);
  }
};

using EachRecord = std::function<void(const journal::RecordView&)>;

// Reads the segment from its first byte to its last, over damage; `each` gets every whole record in order. Throws
// std::system_error. A segment that is gone has no bytes.
SegmentScan scan_segment(const std::string& folder, const SegmentName& name, const std::atomic<bool>& stop,
                         const EachRecord& each = {});

}  // namespace depthcast::run

// What an operator does with a journal: verify, repair, list, prune. Each call reads the files as they are; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "run/journal_reader.h"
#include "run/journal_retention.h"
#include "run/segment_scan.h"

namespace depthcast::run {

struct JournalFault {
  std::string file;  // name, without folders
  std::uint64_t offset = 0;
  std::string fault;  // journal::name_of, "index_…", "missing_numbers", "orphan_index"
  std::uint64_t session = 0;
  std::uint64_t first = 0;  // numbers that are missing because of it; 0: none, or not known
  std::uint64_t last = 0;
};

struct JournalHole {
  std::uint64_t session;
  journal::Hole hole;
};

struct JournalVerification {
  std::uint64_t segments = 0;
  std::uint64_t sessions = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t packets = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  bool in_use = false;  // a distributor is at work: a record being written at the end of the newest segment is no fault
  std::vector<JournalHole> holes;
  std::vector<JournalFault> faults;  // at most 10,000
  std::uint64_t faults_total = 0;
};
// Every segment, index and checkpoint, byte by byte. Throws std::system_error where one cannot be read.
JournalVerification verify_journal(const JournalPlaces& places, const std::atomic<bool>& stop);

struct JournalRepair {
  std::string file;
  std::string action;         // "rewritten", "removed", "index made anew"
  std::uint64_t packets = 0;  // kept
  std::uint64_t missing = 0;  // numbers that are a hole now and were not before
};
// Mends what verify_journal finds: a damaged segment is written anew with every packet that can be read, with holes
// where none can, and takes the place of the old one in one step; an index is made anew; a damaged checkpoint is taken
// away. What was damaged stays beside it as ".damaged", unless `keep_damaged` is false. Throws std::runtime_error where
// a distributor is at work, std::system_error.
std::vector<JournalRepair> repair_journal(const JournalPlaces& places, bool keep_damaged,
                                          const std::atomic<bool>& stop);

struct ListedSegment {
  SegmentName name{};
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;
  journal::Fault fault{};  // of the header
  journal::SegmentHeader header{};
  bool closed = false;
  std::uint64_t next_sequence = 0;  // closed ones only
};
struct ListedCheckpoint {
  CheckpointName name{};
  std::uint64_t bytes = 0;
};
struct JournalListing {
  std::vector<JournalSession> sessions;
  std::vector<ListedSegment> segments;
  std::vector<ListedCheckpoint> checkpoints;
};
JournalListing list_journal(const JournalPlaces& places);

// Removes (or with `dry_run` only names) what the retention does not keep. Throws as repair_journal does.
std::vector<SegmentFile> prune_journal(const JournalPlaces& places, const Retention& retention, bool dry_run);

// One record as `cat` tells it.
struct ListedRecord {
  JournalRead read{};
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;  // of the datagram
  wire::Payload payload{};
  std::uint32_t messages = 0;
  std::int64_t time_ns = 0;
  std::uint64_t position = 0;
  journal::HoleReason reason{};
  journal::Fault fault{};
};
struct JournalPage {
  std::uint64_t session = 0;  // 0: there is none
  bool found = false;         // false: the number is older or younger than anything there
  bool more = false;          // records may follow at `next`
  JournalPlace next;
  std::vector<ListedRecord> records;
};
// At most `limit` records, from a number on (0: the oldest), or from `place` where its segment is not 0. `session` 0:
// the newest.
JournalPage read_journal(const JournalPlaces& places, std::uint64_t session, std::uint64_t sequence,
                         const JournalPlace& place, std::size_t limit);

}  // namespace depthcast::run

// A journal on the disk for tests: its folder, its writer's options, what a reader finds in it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "run/journal_reader.h"
#include "run/journal_writer.h"
#include "test/journal_packets.h"
#include "test/run_scratch.h"

namespace depthcast::test {

inline run::JournalOptions journal_options(const std::string& folder) {
  run::JournalOptions options;
  options.folder = folder;
  options.channel = journal_channel;
  options.session = journal_session;
  options.identity = 9;
  options.boot_id = {1, 2, 3};
  options.fsync = run::FsyncPolicy::never;
  options.retry_ns = 1'000'000;
  options.retry_ns_max = 2'000'000;
  return options;
}

inline std::uint64_t figure(const run::JournalWriter& writer, run::JournalCounter name) {
  return writer.counters().get(name);
}

inline std::string first_segment(const std::string& folder) {
  return folder + '/' + run::segment_file_name({journal_session, 1});
}
inline std::string first_index(const std::string& folder) {
  return folder + '/' + run::index_file_name({journal_session, 1});
}

// "1-3 hole 4-9 10 heartbeat(11) damaged 11-12": what stands there, in order.
inline std::string told(run::JournalReader& reader) {
  std::string text;
  run::JournalRecord record;
  for (int records = 0; records < 1'000'000; ++records) {
    const run::JournalRead read = reader.next(record);
    if (read == run::JournalRead::end) return text;
    if (!text.empty()) text += ' ';
    const std::string range = record.first_sequence == record.last_sequence
                                  ? std::to_string(record.first_sequence)
                                  : std::to_string(record.first_sequence) + '-' + std::to_string(record.last_sequence);
    if (read == run::JournalRead::hole) text += "hole " + range;
    if (read == run::JournalRead::damaged) text += "damaged " + range;
    if (read != run::JournalRead::packet) continue;
    text += record.packet.count == 0 ? "heartbeat(" + std::to_string(record.first_sequence) + ")" : range;
  }
  return text + " without end";
}

inline std::string told(const std::string& folder, std::uint64_t session = journal_session) {
  run::JournalReader reader(folder);
  return reader.seek_oldest(session) ? told(reader) : "nothing";
}

}  // namespace depthcast::test

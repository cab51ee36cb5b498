#include "run/journal_past.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "encode/prefix.h"
#include "run/checkpoint_file.h"

namespace depthcast::run {

bool JournalPast::seek(std::uint64_t session, std::uint64_t sequence) {
  try {
    return reader_.seek(session, sequence);
  } catch (const std::exception&) {
    return false;
  }
}

PastDatagrams::Step JournalPast::next(Found& found) {
  // Damage of unknown extent names no numbers; what comes behind it tells how far it went.
  constexpr int damaged_max = 1'000;
  try {
    for (int step = 0; step < damaged_max; ++step) {
      JournalRecord record;
      const JournalRead read = reader_.next(record);
      if (read == JournalRead::end) return Step::end;
      if (read == JournalRead::damaged && record.last_sequence < record.first_sequence) continue;
      found = {record.datagram, record.first_sequence, record.last_sequence + 1 - record.first_sequence};
      return read == JournalRead::packet ? Step::datagram : Step::hole;
    }
  } catch (const std::exception&) {
    return Step::end;
  }
  return Step::end;
}

std::uint64_t JournalPast::oldest(std::uint64_t session) {
  try {
    return reader_.oldest_sequence(session);
  } catch (const std::exception&) {
    return 0;
  }
}

std::vector<std::uint8_t> CheckpointFiles::newest(std::uint64_t session, std::uint64_t sequence_max) {
  try {
    std::vector<CheckpointName> names = list_checkpoints(folder_);
    std::erase_if(names,
                  [&](const CheckpointName& name) { return name.session != session || name.sequence > sequence_max; });
    std::sort(names.begin(), names.end());
    // A damaged one is passed over.
    for (; !names.empty(); names.pop_back()) {
      CheckpointFile file;
      std::uint64_t offset = 0;
      if (CheckpointFile::check(folder_, names.back(), offset, file) != journal::Fault::none) continue;
      std::vector<std::uint8_t> bytes;
      for (const auto& datagram : file.datagrams()) bytes.insert(bytes.end(), datagram.begin(), datagram.end());
      return bytes;
    }
  } catch (const std::exception&) {
    // Gone meanwhile, or not to be read: there is none.
  }
  return {};
}

void CheckpointFiles::write(const Generation& generation) {
  journal::CheckpointHeader header{};
  header.channel = generation.channel;
  header.session = generation.session;
  header.identity = generation.identity;
  std::copy(generation.boot_id.begin(), generation.boot_id.end(), header.boot_id);
  header.generation = generation.number;
  header.sequence = generation.sequence;
  header.position = generation.position;
  header.event_time_ns = generation.event_time_ns;
  header.digest = generation.digest;
  write_checkpoint(folder_, header, [&](const DatagramSink& sink) { encode::each_datagram(generation.bytes, sink); });
  prune_checkpoints(folder_, generation.session, kept_);
}

std::unique_ptr<PastDatagrams> journal_past(const std::string& folder) {
  return folder.empty() ? nullptr : std::make_unique<JournalPast>(folder);
}

}  // namespace depthcast::run

// A journal's packets as they were multicast, from the newest checkpoint before the place where a replay starts.
#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "encode/snapshot_assembler.h"
#include "run/checkpoint_file.h"
#include "run/journal_files.h"
#include "run/journal_reader.h"
#include "run/replay_source.h"

namespace depthcast::run {
namespace {

std::string reason_of(journal::HoleReason reason) {
  switch (reason) {
    case journal::HoleReason::lapped: return "a hole in the journal: the writer was too slow";
    case journal::HoleReason::write_error: return "a hole in the journal: it could not be written";
    default: return "a hole in the journal: damage that was cut out";
  }
}

class JournalReplay final : public ReplaySource {
 public:
  JournalReplay(JournalPlaces places, std::uint64_t session, const book::BookLimits& limits)
      : places_(std::move(places)), reader_(places_.journal), limits_(limits) {
    const std::vector<JournalSession> sessions = reader_.sessions();
    if (sessions.empty()) throw std::invalid_argument("there is no journal in " + places_.journal);
    const auto found = session == 0 ? std::prev(sessions.end())
                                    : std::find_if(sessions.begin(), sessions.end(),
                                                   [&](const JournalSession& one) { return one.session == session; });
    if (found == sessions.end()) {
      std::string known;
      for (const JournalSession& one : sessions) known += (known.empty() ? "" : ", ") + std::to_string(one.session);
      throw std::invalid_argument("session " + std::to_string(session) + " is not in the journal, which has " + known);
    }
    session_ = *found;
  }

  std::uint32_t channel() const override { return session_.channel; }
  std::uint64_t session() const override { return session_.session; }
  std::uint64_t identity() const override { return session_.identity; }
  std::uint64_t first_sequence() const override { return session_.first_sequence; }
  std::uint64_t next_sequence() const override { return session_.next_sequence; }

  std::uint64_t start_before(std::uint64_t sequence, book::Replica* replica) override {
    if (replica == nullptr) {
      if (sequence <= session_.first_sequence || !reader_.seek(session_.session, sequence)) seek_oldest();
      // Nothing before it is wanted.
      return std::max(sequence, session_.first_sequence) - 1;
    }
    const std::uint64_t state = load_checkpoint(sequence, *replica);
    if (state == 0 || !reader_.seek(session_.session, state + 1)) seek_oldest();
    return state;
  }

  std::optional<std::uint64_t> sequence_at(std::int64_t time_ns) override {
    if (!reader_.seek_time(session_.session, time_ns)) return std::nullopt;
    JournalRecord record;
    if (reader_.next(record) == JournalRead::end) return std::nullopt;
    return record.first_sequence;
  }

  ReplayNext next(ReplayItem& item, const std::atomic<bool>& /*stop*/) override {
    if (at_end_) return ReplayNext::end;
    JournalRecord record;
    switch (reader_.next(record)) {
      case JournalRead::packet:
        item.datagram = record.datagram;
        item.packet = record.packet;
        return ReplayNext::packet;
      case JournalRead::hole:
        item.missing = {record.first_sequence, record.last_sequence, reason_of(record.reason), record.segment,
                        record.offset};
        return ReplayNext::missing;
      case JournalRead::damaged: {
        const bool known = record.last_sequence >= record.first_sequence && record.last_sequence != 0;
        item.missing = {known ? record.first_sequence : 0, known ? record.last_sequence : 0,
                        std::string("damage in the journal: ") + journal::name_of(record.fault), record.segment,
                        record.offset};
        return ReplayNext::missing;
      }
      default: return ReplayNext::end;
    }
  }

 private:
  void seek_oldest() { at_end_ = !reader_.seek_oldest(session_.session); }

  // The newest sound checkpoint that holds less than `sequence`: its last number, or 0.
  std::uint64_t load_checkpoint(std::uint64_t sequence, book::Replica& replica) {
    if (places_.checkpoints.empty()) return 0;
    std::vector<CheckpointName> names = list_checkpoints(places_.checkpoints);
    std::reverse(names.begin(), names.end());
    for (const CheckpointName& name : names) {
      // A state that the journal does not follow is of no use.
      if (name.session != session_.session || name.sequence >= sequence) continue;
      if (name.sequence + 1 < session_.first_sequence) continue;
      CheckpointFile file;
      std::uint64_t offset = 0;
      if (CheckpointFile::check(places_.checkpoints, name, offset, file) != journal::Fault::none) continue;
      encode::SnapshotLimits limits;
      limits.channel = session_.channel;
      limits.instruments_max = limits_.instruments_max;
      encode::SnapshotAssembler assembler(limits);
      assembler.reset(session_.session);
      encode::PacketView view;
      for (const std::span<const std::uint8_t> datagram : file.datagrams()) {
        if (encode::read_packet(datagram, view) == encode::PacketStatus::ok) assembler.offer(view);
      }
      if (!assembler.complete() || !assembler.verify()) continue;
      if (assembler.load_into(replica) == book::SnapshotRefusal::none) return name.sequence;
      replica.reset();
    }
    return 0;
  }

  JournalPlaces places_;
  JournalReader reader_;
  book::BookLimits limits_;
  JournalSession session_;
  bool at_end_ = false;
};

}  // namespace

std::unique_ptr<ReplaySource> make_journal_replay(const std::string& folder, std::uint64_t session,
                                                  const book::BookLimits& limits) {
  return std::make_unique<JournalReplay>(journal_places(folder), session, limits);
}

}  // namespace depthcast::run

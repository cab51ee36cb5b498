// The state folder at the turn of a trading day: what an ended session left opens the next one. docs/ingest.md,
// "Trading day".
#include <algorithm>
#include <stdexcept>

#include "run/carry_over.h"
#include "run/journal_reader.h"
#include "run/restoration.h"
#include "run/state_folder.h"

namespace depthcast::run {

void StateFolder::carry_over(book::Book& book, Start& start) {
  std::vector<JournalSession> sessions = JournalReader(journal_folder()).sessions();
  std::erase_if(sessions, [&](const JournalSession& one) { return one.channel != options_.channel; });
  while (!sessions.empty() && !carry_from(sessions.back().session, book, start)) sessions.pop_back();
  book.reset();
}

// From its newest checkpoint that is sound, or from its first message, up to its end. False where it has nothing but
// what it was itself given by the one before.
bool StateFolder::carry_from(std::uint64_t session, book::Book& book, Start& start) {
  std::vector<CheckpointName> checkpoints = list_checkpoints(checkpoints_folder());
  std::erase_if(checkpoints, [&](const CheckpointName& name) { return name.session != session; });
  std::string fault;
  while (true) {
    const CheckpointName* checkpoint = checkpoints.empty() ? nullptr : &checkpoints.back();
    book.reset();
    Restoration restoration(book, options_.channel, session, options_.datagram_bytes);
    bool ended = false;
    std::uint64_t position = 0;
    if (execute_whole(session, checkpoint, restoration, ended, position, fault)) {
      book::SequencerState state = restoration.state();
      if (!ended && only_restated(session, state.position)) return false;
      if (!ended) fault = "it did not end in good order";
      if (!ended) break;
      state.position = options_.carry_position ? std::max(position, state.position) : 0;
      start.restated = restate(book, state);
      start.state.position = state.position;
      start.state.time_ns = state.time_ns;
      carried_orders_ = book.live_orders();
      carried_session_ = session;
      return true;
    }
    if (checkpoint == nullptr) break;
    checkpoints.pop_back();
  }
  throw std::runtime_error("the orders of session " + std::to_string(session) + " cannot be carried over: " + fault);
}

bool StateFolder::execute_whole(std::uint64_t session, const CheckpointName* checkpoint, Restoration& restoration,
                                bool& ended, std::uint64_t& position, std::string& fault) const {
  if (checkpoint != nullptr && !load_checkpoint(restoration, *checkpoint, position, fault)) return false;
  JournalReader reader(journal_folder());
  if (!reader.seek(session, restoration.next_sequence())) {
    fault = "the journal does not go back to message " + std::to_string(restoration.next_sequence());
    return false;
  }
  JournalRecord record;
  JournalRead read = JournalRead::end;
  while ((read = reader.next(record)) == JournalRead::packet) {
    if (!restoration.take(record.datagram)) break;
    if (record.packet.heartbeat == nullptr) continue;
    ended = record.packet.heartbeat->end_of_session();
    position = std::max(position, record.packet.input_position);
  }
  const bool whole = read == JournalRead::end && restoration.complete();
  if (!whole) fault = restoration.fault().empty() ? "the journal has a hole or is damaged" : restoration.fault();
  return whole;
}

bool StateFolder::only_restated(std::uint64_t session, std::uint64_t position) const {
  JournalReader reader(journal_folder());
  JournalRecord record;
  if (!reader.seek(session, 1) || reader.next(record) != JournalRead::packet) return false;
  const encode::PacketView& packet = record.packet;
  return packet.first_sequence == 1 && !packet.book.empty() && packet.book[0].kind == Kind::clear &&
         packet.book[0].instrument == channel_instrument && packet.input_position == position;
}

}  // namespace depthcast::run

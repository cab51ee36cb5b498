// The state folder of one channel: what a restart needs to go on with the same session. docs/recovery.md, "Continuity".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "run/journal_files.h"
#include "run/journal_writer.h"
#include "run/publisher_start.h"

namespace depthcast::run {

struct StateOptions {
  std::string folder;
  std::string ring_path;  // empty: "ring" in the folder
  std::uint32_t channel = 1;
  // Only this session may be continued; 0: whichever was interrupted.
  std::uint64_t session_wanted = 0;
  std::uint64_t session_new = 1;  // what a new session is called, unless an earlier one was called that or higher
  // A new session opens with what the last one left, and where `carry_position` is set with the source's next position.
  bool carry_over = false;
  bool carry_position = false;
  std::uint64_t ring_identity = 0;  // Publisher::ring_identity_of()
  std::uint64_t identity = 0;       // identity_of()
  std::size_t datagram_bytes = 1'400;
  // The source can give any position again, also one that was committed: a restart begins with the last one that left a
  // message, and compares. False: it begins behind the last one committed.
  bool source_repeats = true;
  JournalOptions journal;  // policies; the folder, the session and who writes are filled in here
};

// Of the running system; the same until it is started again. All zeros where it cannot be told.
journal::BootId read_boot_id();

// Threads: the one that constructs the publisher. Holds the folder's lock as long as it lives.
class StateFolder final : public StartPoint {
 public:
  // Makes what is missing. Throws std::system_error where the folder cannot be used, std::runtime_error where another
  // distributor uses it.
  explicit StateFolder(StateOptions options);

  // Continues the interrupted session where that can be proved, else says in reason() why a new one begins.
  Start begin(book::Book& book) override;
  io::SharedMemory make_ring(std::size_t bytes) override;
  void ring_ready(io::SharedMemory& ring) override;

  // Orders that the new session opens with, and where they come from; 0: none.
  std::uint64_t carried_orders() const { return carried_orders_; }
  std::uint64_t carried_session() const { return carried_session_; }
  bool continued() const { return continued_; }
  // Why it was not continued; empty where it was.
  const std::string& reason() const { return reason_; }

  // The journal of the session that begin() has chosen, fed from `ring`, which must outlive it. After ring_ready().
  std::unique_ptr<JournalWriter> open_journal(const io::SharedMemory& ring, RingFollowers* followers = nullptr);
  std::string journal_folder() const { return options_.folder + "/journal"; }
  std::string checkpoints_folder() const { return options_.folder + "/checkpoints"; }
  const std::string& ring_path() const { return options_.ring_path; }

 private:
  struct OldRing;

  // Throws std::runtime_error with the reason where the session cannot be continued.
  Start resume(book::Book& book);
  void complete_journal(OldRing& ring);
  Start restore(book::Book& book, const OldRing& ring);
  bool restore_from(book::Book& book, const CheckpointName* checkpoint, std::uint64_t session,
                    std::uint64_t next_sequence, std::uint64_t committed, Start& start, std::string& fault);
  bool load_checkpoint(Restoration& restoration, const CheckpointName& checkpoint, std::uint64_t& position,
                       std::string& fault) const;
  // Throws std::runtime_error where what an ended session left cannot be had.
  void carry_over(book::Book& book, Start& start);
  bool carry_from(std::uint64_t session, book::Book& book, Start& start);
  bool execute_whole(std::uint64_t session, const CheckpointName* checkpoint, Restoration& restoration, bool& ended,
                     std::uint64_t& position, std::string& fault) const;
  // Nothing but the restatement that it opened with was published in that session.
  bool only_restated(std::uint64_t session, std::uint64_t position) const;
  std::uint64_t session_last() const;
  JournalOptions journal_options(std::uint64_t session, bool continues) const;

  StateOptions options_;
  io::FileDescriptor lock_;
  journal::BootId boot_id_{};
  std::uint64_t session_ = 0;
  std::uint64_t session_before_ = 0;  // highest session that left something
  bool continued_ = false;
  std::uint64_t carried_orders_ = 0;
  std::uint64_t carried_session_ = 0;
  std::string reason_;
};

}  // namespace depthcast::run

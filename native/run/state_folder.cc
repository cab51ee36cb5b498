#include "run/state_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "run/checkpoint_file.h"
#include "run/journal_reader.h"
#include "run/restoration.h"

namespace depthcast::run {
namespace {

std::string range_text(std::uint64_t first, std::uint64_t last) {
  return std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace

journal::BootId read_boot_id() {
  journal::BootId id{};
  std::vector<std::uint8_t> text;
  try {
    text = read_whole_file("/proc/sys/kernel/random/boot_id", 64);
  } catch (const std::system_error&) {
    return id;
  }
  std::size_t digits = 0;
  for (const std::uint8_t letter : text) {
    if (std::isxdigit(letter) == 0 || digits == 2 * id.size()) continue;
    const int value = std::isdigit(letter) != 0 ? letter - '0' : std::tolower(letter) - 'a' + 10;
    id[digits / 2] = static_cast<std::uint8_t>(id[digits / 2] << 4 | value);
    ++digits;
  }
  return id;
}

// The ring that an earlier run left behind.
struct StateFolder::OldRing {
  explicit OldRing(const std::string& path)
      : memory(io::SharedMemory::open(path)), reader(memory.data(), memory.bytes()) {}

  // Calls `each(datagram, record)` for every record that is retained, from the oldest on.
  template <typename Each>
  void each_record(Each each) {
    if (!reader.seek_oldest()) return;
    RingRecord record{};
    while (reader.poll({reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size() * 8}, record) ==
           RingPoll::record) {
      each(std::span(reinterpret_cast<const std::uint8_t*>(buffer.data()), record.length), record);
    }
  }

  io::SharedMemory memory;
  BroadcastReader reader;
  std::vector<std::uint64_t> buffer = std::vector<std::uint64_t>(reader.header().capacity / 64);
};

StateFolder::StateFolder(StateOptions options) : options_(std::move(options)), boot_id_(read_boot_id()) {
  if (options_.ring_path.empty()) options_.ring_path = options_.folder + "/ring";
  make_folder(options_.folder);
  make_folder(journal_folder());
  make_folder(checkpoints_folder());
  if (take_lock(options_.folder + "/lock", lock_)) {
    throw std::runtime_error("the state folder " + options_.folder + " is in use by another distributor or tool");
  }
}

JournalOptions StateFolder::journal_options(std::uint64_t session, bool continues) const {
  JournalOptions journal = options_.journal;
  journal.folder = journal_folder();
  journal.checkpoints_folder = checkpoints_folder();
  journal.channel = options_.channel;
  journal.session = session;
  journal.identity = options_.identity;
  journal.boot_id = boot_id_;
  journal.resume = continues;
  return journal;
}

std::uint64_t StateFolder::session_last() const {
  std::uint64_t last = session_before_;
  for (const SegmentFile& segment : list_segments(journal_folder())) last = std::max(last, segment.name.session);
  for (const CheckpointName& checkpoint : list_checkpoints(checkpoints_folder())) {
    last = std::max(last, checkpoint.session);
  }
  return last;
}

Start StateFolder::begin(book::Book& book) {
  Start start;
  try {
    start = resume(book);
    continued_ = true;
  } catch (const std::exception& error) {
    reason_ = error.what();
    book.reset();
    start = {};
    start.session = std::max(options_.session_new, session_last() + 1);
  }
  if (!continued_ && options_.carry_over) carry_over(book, start);
  start.boot_id = boot_id_;
  start.continued = continued_;
  session_ = start.session;
  return start;
}

Start StateFolder::resume(book::Book& book) {
  if (access(options_.ring_path.c_str(), F_OK) != 0) throw std::runtime_error("no session was interrupted here");
  OldRing ring(options_.ring_path);
  const RingHeader& header = ring.reader.header();
  session_before_ = header.session;
  if (std::memcmp(header.boot_id, boot_id_.data(), boot_id_.size()) != 0) {
    throw std::runtime_error("the system was started anew since");
  }
  if (header.channel != options_.channel || header.identity != options_.ring_identity) {
    throw std::runtime_error(
        "channel, limits, line A's datagrams or the source are not those of the interrupted session");
  }
  if (options_.session_wanted != 0 && options_.session_wanted != header.session) {
    throw std::runtime_error("another session was asked for");
  }
  if (ring.reader.writer_state() == WriterState::ended) throw std::runtime_error("the last session had ended");
  complete_journal(ring);
  Start start = restore(book, ring);
  const std::uint64_t last = start.expected.empty() ? start.state.position : start.expected.back().stamp.position;
  if (start.next_sequence > 1 && only_restated(start.session, last)) {
    throw std::runtime_error("the session was interrupted before anything of the source was published");
  }
  return start;
}

// What was committed to the ring and is not in the journal yet goes there now.
void StateFolder::complete_journal(OldRing& ring) {
  JournalWriter journal(journal_options(ring.reader.header().session, true), nullptr, 0);
  const std::uint64_t next = ring.reader.next_sequence();
  if (journal.next_sequence() < ring.reader.oldest_sequence() && journal.next_sequence() < next) {
    throw std::runtime_error("messages " + range_text(journal.next_sequence(), ring.reader.oldest_sequence() - 1) +
                             " are neither in the journal nor in the ring");
  }
  ring.each_record([&](std::span<const std::uint8_t> datagram, const RingRecord& record) {
    if (record.count != 0 && record.first_sequence + record.count > journal.next_sequence()) journal.append(datagram);
  });
  if (journal.next_sequence() != next) {
    throw std::runtime_error("the journal ends before message " + std::to_string(journal.next_sequence()) +
                             ", the ring before message " + std::to_string(next));
  }
  journal.flush();
}

Start StateFolder::restore(book::Book& book, const OldRing& ring) {
  const std::uint64_t session = ring.reader.header().session;
  const std::uint64_t next = ring.reader.next_sequence();
  const std::uint64_t committed = options_.source_repeats ? 0 : ring.reader.input_position();
  Start start;
  std::string fault;
  std::vector<CheckpointName> checkpoints = list_checkpoints(checkpoints_folder());
  std::erase_if(checkpoints,
                [&](const CheckpointName& name) { return name.session != session || name.sequence >= next; });
  bool restored = false;
  while (!restored && !checkpoints.empty()) {
    restored = restore_from(book, &checkpoints.back(), session, next, committed, start, fault);
    checkpoints.pop_back();
  }
  if (!restored && !restore_from(book, nullptr, session, next, committed, start, fault)) {
    throw std::runtime_error("what was published cannot be executed again: " + fault);
  }
  start.session = session;
  start.next_sequence = next;
  OldRing& all = const_cast<OldRing&>(ring);
  all.each_record([&](std::span<const std::uint8_t> datagram, const RingRecord& record) {
    if (record.count == 0 || all.reader.position() <= all.reader.sent_position()) return;
    start.unsent.emplace_back(datagram.begin(), datagram.end());
  });
  return start;
}

bool StateFolder::load_checkpoint(Restoration& restoration, const CheckpointName& checkpoint, std::uint64_t& position,
                                  std::string& fault) const {
  std::uint64_t offset = 0;
  CheckpointFile file;
  if (CheckpointFile::check(checkpoints_folder(), checkpoint, offset, file) != journal::Fault::none) {
    fault = "the checkpoint of message " + std::to_string(checkpoint.sequence) + " is damaged";
    return false;
  }
  for (const auto datagram : file.datagrams()) {
    if (!restoration.load(datagram)) break;
  }
  if (!restoration.end_load()) {
    fault = restoration.fault();
    return false;
  }
  position = file.header().position;
  return true;
}

// From that checkpoint, or from the first message. False, and why, where it cannot be done so.
bool StateFolder::restore_from(book::Book& book, const CheckpointName* checkpoint, std::uint64_t session,
                               std::uint64_t next_sequence, std::uint64_t committed, Start& start, std::string& fault) {
  book.reset();
  Restoration restoration(book, options_.channel, session, options_.datagram_bytes);
  std::uint64_t position = 0;
  if (checkpoint != nullptr && !load_checkpoint(restoration, *checkpoint, position, fault)) return false;
  JournalReader reader(journal_folder());
  const bool empty = next_sequence == restoration.next_sequence();
  if (!empty && !reader.seek(session, restoration.next_sequence())) {
    fault = "the journal does not go back to message " + std::to_string(restoration.next_sequence());
    return false;
  }
  JournalRecord record;
  while (!empty && restoration.next_sequence() < next_sequence) {
    const JournalRead read = reader.next(record);
    if (read != JournalRead::packet) {
      fault = "the journal has no message " + std::to_string(restoration.next_sequence());
      return false;
    }
    if (!restoration.take(record.datagram)) {
      fault = restoration.fault();
      return false;
    }
  }
  const bool settled = restoration.settle(committed);
  if (!restoration.fault().empty()) {
    fault = restoration.fault();
    return false;
  }
  // Else it is not known whether the last position was complete, so the checkpoint must lie before it.
  if (!settled && checkpoint != nullptr &&
      (restoration.expected().empty() || restoration.expected().front().stamp.position == position)) {
    fault = "the checkpoint of message " + std::to_string(checkpoint->sequence) + " is too young";
    return false;
  }
  start.state = restoration.state();
  start.expected = restoration.expected();
  return true;
}

io::SharedMemory StateFolder::make_ring(std::size_t bytes) {
  const std::string path = options_.ring_path + ".new";
  unlink(path.c_str());  // of a start that did not get so far
  return io::SharedMemory::create(path, bytes);
}

void StateFolder::ring_ready(io::SharedMemory& ring) { ring.rename(options_.ring_path); }

std::unique_ptr<JournalWriter> StateFolder::open_journal(const io::SharedMemory& ring, RingFollowers* followers) {
  JournalOptions journal = journal_options(session_, continued_);
  journal.followers = followers;
  return std::make_unique<JournalWriter>(journal, ring.data(), ring.bytes());
}

}  // namespace depthcast::run

// The journal read in order, from any number or time, also while it is being written.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/index_format.h"
#include "run/segment_cursor.h"

namespace depthcast::run {

enum class JournalRead : std::uint8_t {
  packet,
  hole,     // the journal says itself that it does not have these numbers
  end,      // nothing more now; a session that is being written may go on
  damaged,  // bytes that are no record, or numbers missing without a word; the next call goes on behind them
};

struct JournalRecord {
  std::span<const std::uint8_t> datagram;  // of a packet, exactly as it was multicast; valid until the next call
  encode::PacketView packet;               // the same, checked
  std::uint64_t first_sequence = 0;  // of the packet, or of what is missing; where the packet has no numbers, the next
  std::uint64_t last_sequence = 0;   // its last; damaged: 0 where it is not known; no numbers: first_sequence - 1
  journal::HoleReason reason{};      // of a hole
  journal::Fault fault{};            // of damage
  std::uint64_t segment = 0;         // where it stands
  std::uint64_t offset = 0;
};

struct JournalPlace {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t expected = 0;  // number that has to come there; 0: any
};

struct JournalSession {
  std::uint64_t session = 0;
  std::uint32_t channel = 0;
  std::uint64_t identity = 0;
  journal::BootId boot_id{};
  std::uint64_t first_sequence = 0;  // oldest number that is kept, or named as missing
  std::uint64_t next_sequence = 0;   // the number after the newest
  std::int64_t first_time_ns = 0;    // event times of the first and the last message; 0: no message
  std::int64_t last_time_ns = 0;
  std::int64_t created_ns = 0;  // of its oldest segment
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  bool closed = false;  // its last segment has an end record
};

// Threads: one. Safe while a writer appends to the same folder and while segments are removed. Throws
// std::system_error where files cannot be read; a folder that is not there is an empty journal.
class JournalReader {
 public:
  explicit JournalReader(std::string folder);

  // In ascending order; reads the end of each session.
  std::vector<JournalSession> sessions();
  // The lowest number of the session that is kept (or named as missing); 0 where there is no such session.
  std::uint64_t oldest_sequence(std::uint64_t session);

  // Goes to the record that holds this number, or names it as missing. True also for the number after the newest: then
  // next() says `end` until it comes. False for older or younger ones and other sessions; next() says `end` then.
  bool seek(std::uint64_t session, std::uint64_t sequence);
  // Goes to the first packet with a message of this event time or later; false where there is none.
  bool seek_time(std::uint64_t session, std::int64_t time_ns);
  // Goes to the session's oldest record.
  bool seek_oldest(std::uint64_t session);
  // Where next() goes on, and back to there with any reader; false where that segment is gone.
  JournalPlace place() const { return {cursor_.name().number, cursor_.offset(), expected_}; }
  bool seek_place(std::uint64_t session, const JournalPlace& place);

  // Holes and packets come in ascending order and without overlap, save that a packet may begin with numbers that the
  // one before ended with.
  JournalRead next(JournalRecord& record);

 private:
  struct Known {
    std::uint64_t number;
    journal::SegmentHeader header;
  };

  std::vector<std::uint64_t> numbers_of(std::uint64_t session) const;
  // Segments of the session with sound headers.
  std::vector<Known> segments_of(std::uint64_t session) const;
  // The last one that begins at or before the number; headers that are not sound are passed over.
  std::optional<Known> segment_with(std::uint64_t session, std::uint64_t sequence) const;
  bool open(std::uint64_t session, std::uint64_t number);
  bool open_at(std::uint64_t session, const Known& segment, const journal::IndexEntry* entry);
  // Where the session goes on behind the present segment; 0: nowhere (yet).
  std::uint64_t following() const;
  std::vector<journal::IndexEntry> index_of(std::uint64_t session, std::uint64_t number) const;
  JournalRead take(JournalRecord& record, const journal::RecordView& view, bool& passed_over);
  JournalRead report_damage(JournalRecord& record, journal::Fault fault);
  JournalRead report_missing(JournalRecord& record, std::uint64_t first);
  std::uint64_t first_number_ahead();
  // Reads on until `found(kind, record)` and stays before that record; false at the end.
  template <typename Found>
  bool scan(Found found);
  void describe_end(JournalSession& session, std::uint64_t number);

  std::string folder_;
  SegmentCursor cursor_;
  std::uint64_t expected_ = 0;  // number that has to come next; 0: any
  // Damage that nothing stands behind (yet) is reported once.
  std::uint64_t damage_segment_ = 0;
  std::uint64_t damage_offset_ = 0;
  std::optional<JournalRecord> waiting_;  // damage that seek() stopped at
  bool closed_ = false;                   // the last record read was an end record
};

}  // namespace depthcast::run

#include "run/journal_reader.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace depthcast::run {

using journal::Fault;

JournalReader::JournalReader(std::string folder) : folder_(std::move(folder)) {}

std::vector<std::uint64_t> JournalReader::numbers_of(std::uint64_t session) const {
  std::vector<std::uint64_t> numbers;
  for (const SegmentFile& file : list_segments(folder_)) {
    if (file.name.session == session) numbers.push_back(file.name.number);
  }
  return numbers;
}

std::vector<JournalReader::Known> JournalReader::segments_of(std::uint64_t session) const {
  std::vector<Known> segments;
  SegmentCursor cursor;
  for (const std::uint64_t number : numbers_of(session)) {
    Known known{number, {}};
    // It may be removed meanwhile, or not yet have its header.
    if (cursor.open(folder_, {session, number}) && cursor.header(known.header) == Fault::none) {
      segments.push_back(known);
    }
  }
  return segments;
}

std::optional<JournalReader::Known> JournalReader::segment_with(std::uint64_t session, std::uint64_t sequence) const {
  const std::vector<std::uint64_t> numbers = numbers_of(session);
  std::optional<Known> found;
  SegmentCursor cursor;
  for (std::size_t low = 0, high = numbers.size(); low < high;) {
    const std::size_t middle = low + (high - low) / 2;
    // The nearest one at or before the middle that tells where it begins.
    std::optional<Known> known;
    std::size_t at = middle + 1;
    while (!known && at-- > low) {
      Known one{numbers[at], {}};
      if (cursor.open(folder_, {session, one.number}) && cursor.header(one.header) == Fault::none) known = one;
    }
    if (known && known->header.first_sequence > sequence) {
      high = at;
    } else {
      if (known) found = known;
      low = middle + 1;
    }
  }
  return found;
}

bool JournalReader::open(std::uint64_t session, std::uint64_t number) {
  closed_ = false;
  return cursor_.open(folder_, {session, number});
}

std::uint64_t JournalReader::following() const {
  const std::vector<std::uint64_t> numbers = numbers_of(cursor_.name().session);
  const auto next = std::upper_bound(numbers.begin(), numbers.end(), cursor_.name().number);
  return next == numbers.end() ? 0 : *next;
}

std::vector<journal::IndexEntry> JournalReader::index_of(std::uint64_t session, std::uint64_t number) const {
  try {
    const auto bytes = read_whole_file(folder_ + '/' + index_file_name({session, number}), UINT64_MAX);
    return journal::read_index(bytes, session, number);
  } catch (const std::system_error&) {
    return {};  // without it the segment is read from its beginning
  }
}

// An entry is a hint: the record decides.
bool JournalReader::open_at(std::uint64_t session, const Known& segment, const journal::IndexEntry* entry) {
  waiting_.reset();
  damage_segment_ = 0;
  if (!open(session, segment.number)) return false;
  expected_ = segment.header.first_sequence;
  if (entry == nullptr || entry->offset % journal::record_alignment != 0) return true;
  journal::RecordView view;
  cursor_.go_to(entry->offset);
  const bool sound = entry->offset > sizeof(journal::SegmentHeader) && cursor_.next(view) == Fault::none &&
                     view.type == journal::RecordType::packet && view.packet.first_sequence == entry->sequence;
  cursor_.go_to(sound ? entry->offset : sizeof(journal::SegmentHeader));
  if (sound) expected_ = entry->sequence;
  return true;
}

// The first number of the first record that can be read behind the cursor, in this segment (the cursor goes there) or
// in the next one (which is opened); 0 where there is none.
std::uint64_t JournalReader::first_number_ahead() {
  if (cursor_.find_next()) {
    const std::uint64_t offset = cursor_.offset();
    journal::RecordView view;
    cursor_.next(view);
    cursor_.go_to(offset);
    if (view.type == journal::RecordType::hole) return view.hole.first;
    return view.type == journal::RecordType::packet ? view.packet.first_sequence : view.end.next_sequence;
  }
  const std::uint64_t number = following();
  if (number == 0 || !open(cursor_.name().session, number)) return 0;
  journal::SegmentHeader header{};
  return cursor_.header(header) == Fault::none ? header.first_sequence : 0;
}

JournalRead JournalReader::report_damage(JournalRecord& record, Fault fault) {
  if (damage_segment_ == record.segment && damage_offset_ == record.offset) return JournalRead::end;
  damage_segment_ = record.segment;
  damage_offset_ = record.offset;
  record.fault = fault;
  record.first_sequence = expected_;
  const std::uint64_t ahead = first_number_ahead();
  record.last_sequence = ahead == 0 ? 0 : ahead - 1;
  if (ahead > expected_) expected_ = ahead;
  return JournalRead::damaged;
}

// The record at the cursor begins behind what had to come.
JournalRead JournalReader::report_missing(JournalRecord& record, std::uint64_t first) {
  cursor_.go_to(record.offset);
  record.fault = Fault::wrong_numbers;
  record.first_sequence = expected_;
  record.last_sequence = first - 1;
  expected_ = first;
  return JournalRead::damaged;
}

JournalRead JournalReader::take(JournalRecord& record, const journal::RecordView& view, bool& passed_over) {
  passed_over = false;
  closed_ = view.type == journal::RecordType::end;
  if (closed_) {
    if (expected_ != 0 && view.end.next_sequence > expected_) return report_missing(record, view.end.next_sequence);
    passed_over = true;
    return JournalRead::end;
  }
  const bool hole = view.type == journal::RecordType::hole;
  const std::uint64_t first = hole ? view.hole.first : view.packet.first_sequence;
  const std::uint64_t last = hole ? view.hole.last : first + view.packet.count - 1;
  if (expected_ != 0 && first > expected_) return report_missing(record, first);
  // Stands there twice: a segment was given up after an error and could not be cut back.
  passed_over = last + 1 < expected_ || (last + 1 == expected_ && (hole || view.packet.count != 0));
  if (passed_over) return JournalRead::end;
  expected_ = last + 1;
  record.first_sequence = first;
  record.last_sequence = last;
  record.reason = view.hole.reason;
  record.datagram = hole ? std::span<const std::uint8_t>() : view.payload;
  record.packet = view.packet;
  return hole ? JournalRead::hole : JournalRead::packet;
}

JournalRead JournalReader::next(JournalRecord& record) {
  if (waiting_) {
    record = *std::exchange(waiting_, std::nullopt);
    return JournalRead::damaged;
  }
  journal::RecordView view;
  while (cursor_.is_open()) {
    record = {};
    record.segment = cursor_.name().number;
    record.offset = cursor_.offset();
    Fault fault = cursor_.next(view);
    if (fault == Fault::incomplete) {
      const std::uint64_t number = following();
      if (number == 0) return JournalRead::end;
      // It was written to its end before the next one was begun: look once more.
      fault = cursor_.next(view);
      if (fault == Fault::incomplete) {
        journal::SegmentHeader header{};
        SegmentCursor ahead;
        if (!ahead.open(folder_, {cursor_.name().session, number})) continue;  // removed meanwhile
        if (ahead.header(header) == Fault::incomplete) return JournalRead::end;
        open(cursor_.name().session, number);
        continue;
      }
    }
    if (fault != Fault::none) return report_damage(record, fault);
    bool passed_over = false;
    const JournalRead read = take(record, view, passed_over);
    if (!passed_over) return read;
  }
  return JournalRead::end;
}

template <typename Found>
bool JournalReader::scan(Found found) {
  JournalRecord record;
  while (true) {
    const JournalRead read = next(record);
    if (read == JournalRead::end) return false;
    if (!found(read, record)) continue;
    if (read == JournalRead::damaged) {
      waiting_ = record;
    } else {
      if (cursor_.name().number != record.segment) open(cursor_.name().session, record.segment);
      cursor_.go_to(record.offset);
      expected_ = 0;
    }
    return true;
  }
}

bool JournalReader::seek(std::uint64_t session, std::uint64_t sequence) {
  cursor_.close();
  const std::optional<Known> known = segment_with(session, sequence);
  if (!known) return false;
  const Known& segment = *known;
  const auto entries = index_of(session, segment.number);
  const auto later =
      std::upper_bound(entries.begin(), entries.end(), sequence,
                       [](std::uint64_t wanted, const journal::IndexEntry& entry) { return wanted < entry.sequence; });
  if (!open_at(session, segment, later == entries.begin() ? nullptr : &*std::prev(later))) return false;
  const bool found = scan([&](JournalRead read, const JournalRecord& record) {
    return record.last_sequence >= sequence || (read == JournalRead::damaged && record.last_sequence == 0);
  });
  if (found || expected_ == sequence) return true;
  cursor_.close();
  return false;
}

bool JournalReader::seek_time(std::uint64_t session, std::int64_t time_ns) {
  cursor_.close();
  const std::vector<Known> segments = segments_of(session);
  if (segments.empty()) return false;
  // The last entry before that time, of all segments: packets between two entries may hold it.
  std::optional<std::pair<std::size_t, journal::IndexEntry>> begin;
  for (std::size_t index = 0; index < segments.size(); ++index) {
    bool later = false;
    for (const journal::IndexEntry& entry : index_of(session, segments[index].number)) {
      later = entry.time_ns >= time_ns;
      if (later) break;
      begin = {index, entry};
    }
    if (later) break;
  }
  const bool opened =
      begin ? open_at(session, segments[begin->first], &begin->second) : open_at(session, segments.front(), nullptr);
  return opened && scan([&](JournalRead read, const JournalRecord& record) {
           return read == JournalRead::packet && record.packet.count != 0 &&
                  journal::last_time_of(record.packet) >= time_ns;
         });
}

bool JournalReader::seek_oldest(std::uint64_t session) {
  cursor_.close();
  const std::vector<Known> segments = segments_of(session);
  return !segments.empty() && open_at(session, segments.front(), nullptr);
}

bool JournalReader::seek_place(std::uint64_t session, const JournalPlace& place) {
  waiting_.reset();
  damage_segment_ = 0;
  expected_ = place.expected;
  if (!open(session, place.segment)) return false;
  const std::uint64_t offset = place.offset & ~(journal::record_alignment - 1);
  cursor_.go_to(std::max<std::uint64_t>(offset, sizeof(journal::SegmentHeader)));
  return true;
}

std::uint64_t JournalReader::oldest_sequence(std::uint64_t session) {
  SegmentCursor cursor;
  journal::SegmentHeader header{};
  for (const std::uint64_t number : numbers_of(session)) {
    if (cursor.open(folder_, {session, number}) && cursor.header(header) == Fault::none) return header.first_sequence;
  }
  return 0;
}

void JournalReader::describe_end(JournalSession& session, std::uint64_t number) {
  const auto entries = index_of(session.session, number);
  SegmentCursor cursor;
  Known known{number, {}};
  if (!cursor.open(folder_, {session.session, number}) || cursor.header(known.header) != Fault::none) return;
  if (!open_at(session.session, known, entries.empty() ? nullptr : &entries.back())) return;
  session.next_sequence = expected_;
  JournalRecord record;
  for (JournalRead read = next(record); read != JournalRead::end; read = next(record)) {
    if (record.last_sequence >= session.next_sequence) session.next_sequence = record.last_sequence + 1;
    if (read == JournalRead::packet && record.packet.count != 0) {
      session.last_time_ns = journal::last_time_of(record.packet);
    }
  }
  session.closed = closed_;
}

std::vector<JournalSession> JournalReader::sessions() {
  std::vector<JournalSession> sessions;
  for (const SegmentFile& file : list_segments(folder_)) {
    if (sessions.empty() || sessions.back().session != file.name.session) {
      sessions.emplace_back().session = file.name.session;
    }
    ++sessions.back().segments;
    sessions.back().bytes += file.bytes;
  }
  for (JournalSession& session : sessions) {
    JournalReader reader(folder_);
    const std::vector<Known> segments = reader.segments_of(session.session);
    if (segments.empty()) continue;
    const journal::SegmentHeader& header = segments.front().header;
    session.channel = header.channel;
    session.identity = header.identity;
    std::copy(std::begin(header.boot_id), std::end(header.boot_id), session.boot_id.begin());
    session.created_ns = header.created_ns;
    session.first_sequence = session.next_sequence = header.first_sequence;
    JournalRecord record;
    if (reader.seek_oldest(session.session)) {
      while (session.first_time_ns == 0) {
        const JournalRead read = reader.next(record);
        if (read == JournalRead::end) break;
        if (read == JournalRead::packet && record.packet.count != 0) session.first_time_ns = record.packet.base_time_ns;
      }
    }
    reader.describe_end(session, segments.back().number);
  }
  return sessions;
}

}  // namespace depthcast::run

#include <filesystem>

#include "run/journal_tools.h"

namespace depthcast::run {

JournalListing list_journal(const JournalPlaces& places) {
  JournalListing listing;
  listing.sessions = JournalReader(places.journal).sessions();
  for (const SegmentFile& file : list_segments(places.journal)) {
    ListedSegment segment{file.name, file.bytes, file.changed_ns};
    SegmentCursor cursor;
    if (!cursor.open(places.journal, file.name)) continue;
    segment.fault = cursor.header(segment.header);
    constexpr std::uint64_t end_bytes = journal::record_bytes(sizeof(journal::SegmentEnd));
    if (file.bytes >= sizeof(journal::SegmentHeader) + end_bytes) {
      journal::RecordView record;
      cursor.go_to(file.bytes - end_bytes);
      if (cursor.offset() % journal::record_alignment == 0 && cursor.next(record) == journal::Fault::none &&
          record.type == journal::RecordType::end) {
        segment.closed = true;
        segment.next_sequence = record.end.next_sequence;
      }
    }
    listing.segments.push_back(segment);
  }
  if (places.checkpoints.empty()) return listing;
  for (const CheckpointName& name : list_checkpoints(places.checkpoints)) {
    std::error_code error;
    const std::string path = places.checkpoints + '/' + checkpoint_file_name(name.session, name.sequence);
    const std::uint64_t bytes = std::filesystem::file_size(path, error);
    if (!error) listing.checkpoints.push_back({name, bytes});
  }
  return listing;
}

JournalPage read_journal(const JournalPlaces& places, std::uint64_t session, std::uint64_t sequence,
                         const JournalPlace& place, std::size_t limit) {
  JournalPage page;
  const std::vector<SegmentFile> files = list_segments(places.journal);
  if (files.empty()) return page;
  page.session = session != 0 ? session : files.back().name.session;
  JournalReader reader(places.journal);
  if (place.segment != 0) {
    page.found = reader.seek_place(page.session, place);
  } else {
    page.found = sequence == 0 ? reader.seek_oldest(page.session) : reader.seek(page.session, sequence);
  }
  if (!page.found) return page;
  JournalRecord record;
  while (page.records.size() < limit) {
    const JournalRead read = reader.next(record);
    if (read == JournalRead::end) return page;
    const encode::PacketView& packet = record.packet;
    page.records.push_back({read, record.first_sequence, record.last_sequence, record.segment, record.offset,
                            static_cast<std::uint32_t>(record.datagram.size()), packet.payload, packet.count,
                            packet.base_time_ns, packet.input_position, record.reason, record.fault});
  }
  page.more = true;
  page.next = reader.place();
  return page;
}

}  // namespace depthcast::run

#include "journal/index_format.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/crc32c.h"

namespace depthcast::journal {
namespace {

std::uint32_t entry_crc(const IndexEntry& entry, std::uint64_t session, std::uint64_t number, std::uint64_t index) {
  const std::uint64_t place[] = {session, number, index};
  return crc32c(crc32c(0, &entry, offsetof(IndexEntry, crc)), place, sizeof place);
}

template <typename Value>
void append(std::vector<std::uint8_t>& out, const Value& value) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

}  // namespace

IndexBuilder::IndexBuilder(const SegmentHeader& segment) : session_(segment.session), number_(segment.number) {
  IndexHeader header{index_magic, format_version, segment.channel, session_, number_, {}, 0};
  header.crc = crc32c(0, &header, offsetof(IndexHeader, crc));
  append(bytes_, header);
}

void IndexBuilder::take(const RecordView& record, std::uint64_t offset) {
  if (record.type != RecordType::packet || record.packet.count == 0 || offset < next_offset_) return;
  IndexEntry entry{record.packet.first_sequence, offset, record.packet.base_time_ns, 0, 0};
  entry.crc = entry_crc(entry, session_, number_, entries_++);
  append(bytes_, entry);
  next_offset_ = offset + index_step_bytes;
}

std::vector<std::uint8_t> IndexBuilder::take_bytes() { return std::exchange(bytes_, {}); }

std::vector<IndexEntry> read_index(std::span<const std::uint8_t> bytes, std::uint64_t session, std::uint64_t number) {
  std::vector<IndexEntry> entries;
  IndexHeader header{};
  if (bytes.size() < sizeof header) return entries;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != index_magic || header.version != format_version || header.session != session ||
      header.number != number || header.crc != crc32c(0, &header, offsetof(IndexHeader, crc))) {
    return entries;
  }
  entries.reserve((bytes.size() - sizeof header) / sizeof(IndexEntry));
  for (std::size_t at = sizeof header; at + sizeof(IndexEntry) <= bytes.size(); at += sizeof(IndexEntry)) {
    IndexEntry entry{};
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    if (entry.crc != entry_crc(entry, session, number, entries.size())) break;
    entries.push_back(entry);
  }
  return entries;
}

std::optional<std::uint64_t> index_difference(std::span<const std::uint8_t> actual,
                                              std::span<const std::uint8_t> expected, bool complete) {
  const auto [found, wanted] = std::mismatch(actual.begin(), actual.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::uint64_t>(found - actual.begin());
  if (found != actual.end()) return at;
  if (wanted != expected.end() && complete) return at;
  return std::nullopt;
}

}  // namespace depthcast::journal

#include "run/checkpoint_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/crash_point.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr const char* temporary_ending = ".tmp";
constexpr std::size_t write_bytes = std::size_t{1} << 20;

[[noreturn]] void fail(int error, const std::string& step, const std::string& path) {
  throw std::system_error(error, std::generic_category(), step + " " + path);
}

// The file being written. Leaves nothing behind unless commit() was reached.
class Draft {
 public:
  Draft(io::Storage& storage, std::string path) : storage_(storage), path_(std::move(path)) {
    static_cast<void>(storage_.remove(path_));  // left by a crash
    file_ = storage_.create(path_);
    if (file_ < 0) fail(errno, "create", path_);
  }
  ~Draft() {
    ::close(file_);
    if (!committed_) static_cast<void>(storage_.remove(path_));
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  std::uint64_t bytes() const { return written_ + staged_.size(); }
  std::vector<std::uint8_t>& staged() { return staged_; }
  void write() {
    const int error = io::write_all(storage_, file_, staged_.data(), staged_.size(), written_);
    if (error != 0) fail(error, "write", path_);
    written_ += staged_.size();
    staged_.clear();
  }
  void commit(const std::string& folder, const std::string& path) {
    write();
    if (storage_.sync(file_) != 0) fail(errno, "sync", path_);
    crash_point(CrashPoint::checkpoint);
    if (storage_.rename(path_, path) != 0) fail(errno, "rename", path_);
    committed_ = true;
    if (storage_.sync_folder(folder) != 0) fail(errno, "sync", folder);
  }

 private:
  io::Storage& storage_;
  std::string path_;
  int file_;
  std::uint64_t written_ = 0;
  std::vector<std::uint8_t> staged_;
  bool committed_ = false;
};

template <typename Value>
std::span<const std::uint8_t> bytes_of(const Value& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

}  // namespace

std::string write_checkpoint(const std::string& folder, journal::CheckpointHeader header,
                             const std::function<void(const DatagramSink&)>& produce, io::Storage& storage) {
  make_folder(folder);
  if (header.created_ns == 0) header.created_ns = io::realtime_ns();
  seal(header);
  std::string path = folder + '/' + checkpoint_file_name(header.session, header.sequence);
  Draft draft(storage, path + temporary_ending);
  const auto head = bytes_of(header);
  draft.staged().assign(head.begin(), head.end());
  journal::SegmentTally tally(header.sequence + 1);
  std::vector<std::uint64_t> aligned;  // read_packet wants words
  produce([&](std::span<const std::uint8_t> datagram) {
    aligned.resize((datagram.size() + 7) / 8);
    std::copy(datagram.begin(), datagram.end(), reinterpret_cast<std::uint8_t*>(aligned.data()));
    journal::RecordView record;
    record.payload = {reinterpret_cast<const std::uint8_t*>(aligned.data()), datagram.size()};
    const bool sound = datagram.size() <= journal::record_payload_max &&
                       encode::read_packet(record.payload, record.packet) == encode::PacketStatus::ok &&
                       record.packet.session == header.session && record.packet.channel == header.channel &&
                       record.packet.count == 0 && record.packet.first_sequence == header.sequence + 1;
    if (!sound) throw std::invalid_argument("datagram is no part of a snapshot of that session and sequence");
    record.header =
        append_record(draft.staged(), place_in(header, draft.bytes()), journal::RecordType::packet, record.payload);
    tally.take(record);
    if (draft.staged().size() >= write_bytes) draft.write();
  });
  const journal::SegmentEnd end = tally.end(header.created_ns);
  append_record(draft.staged(), place_in(header, draft.bytes()), journal::RecordType::end, bytes_of(end));
  draft.commit(folder, path);
  return path;
}

std::size_t prune_checkpoints(const std::string& folder, std::uint64_t session, std::size_t kept,
                              io::Storage& storage) {
  std::size_t removed = 0;
  const std::vector<CheckpointName> names = list_checkpoints(folder);
  std::size_t own = 0;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (name->session > session || own++ < kept) continue;  // newest first
    const std::string path = folder + '/' + checkpoint_file_name(name->session, name->sequence);
    if (storage.remove(path) == 0) ++removed;
  }
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = file.path().string();
    if (path.ends_with(std::string(".dcc") + temporary_ending) && storage.remove(path) == 0) ++removed;
  }
  return removed;
}

journal::Fault CheckpointFile::check(const std::string& folder, const CheckpointName& name, std::uint64_t& offset,
                                     CheckpointFile& file) {
  using journal::Fault;
  file = {};
  file.bytes_ = read_whole_file(folder + '/' + checkpoint_file_name(name.session, name.sequence), UINT64_MAX);
  offset = 0;
  const std::span<const std::uint8_t> bytes = file.bytes_;
  if (const Fault fault = read_checkpoint_header(bytes, file.header_); fault != Fault::none) return fault;
  if (file.header_.session != name.session || file.header_.sequence != name.sequence) return Fault::wrong_session;
  journal::SegmentTally tally(file.header_.sequence + 1);
  journal::RecordView record;
  offset = sizeof(journal::CheckpointHeader);
  while (!tally.closed()) {
    Fault fault = journal::read_record(bytes.subspan(offset), place_in(file.header_, offset), record);
    if (fault == Fault::none) fault = tally.take(record);
    if (fault == Fault::none && record.type == journal::RecordType::hole) fault = Fault::wrong_type;
    if (fault == Fault::none && record.type == journal::RecordType::packet &&
        (record.packet.count != 0 || record.packet.channel != file.header_.channel)) {
      fault = Fault::wrong_packet;
    }
    if (fault != Fault::none) return fault;
    if (record.type == journal::RecordType::packet) file.datagrams_.push_back(record.payload);
    offset += record.bytes;
  }
  return offset == bytes.size() ? Fault::none : Fault::trailing_bytes;
}

CheckpointFile CheckpointFile::read(const std::string& folder, const CheckpointName& name) {
  CheckpointFile file;
  std::uint64_t offset = 0;
  const journal::Fault fault = check(folder, name, offset, file);
  if (fault == journal::Fault::none) return file;
  throw std::runtime_error("checkpoint " + checkpoint_file_name(name.session, name.sequence) + " is damaged at byte " +
                           std::to_string(offset) + ": " + name_of(fault));
}

}  // namespace depthcast::run

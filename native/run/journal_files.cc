#include "run/journal_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace depthcast::run {
namespace {

constexpr std::size_t session_digits = 20;
constexpr std::size_t number_digits = 8;
constexpr std::size_t sequence_digits = 20;

[[noreturn]] void fail(const std::string& step, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), step + " " + path);
}

std::string file_name(std::uint64_t session, std::uint64_t second, std::size_t digits, const char* ending) {
  char text[64];
  std::snprintf(text, sizeof text, "%020llu-%0*llu%s", static_cast<unsigned long long>(session),
                static_cast<int>(digits), static_cast<unsigned long long>(second), ending);
  return text;
}

std::optional<std::uint64_t> digits_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Numbers {
  std::uint64_t first;
  std::uint64_t second;
};

std::optional<Numbers> parse(std::string_view name, std::size_t digits, std::string_view ending) {
  if (name.size() != session_digits + 1 + digits + ending.size() || !name.ends_with(ending)) return std::nullopt;
  if (name[session_digits] != '-') return std::nullopt;
  const auto first = digits_of(name.substr(0, session_digits));
  const auto second = digits_of(name.substr(session_digits + 1, digits));
  if (!first || !second) return std::nullopt;
  return Numbers{*first, *second};
}

// Calls `each(numbers, path)` for every file of that form.
template <typename Each>
void list(const std::string& folder, std::size_t digits, std::string_view ending, Each each) {
  std::error_code error;
  std::filesystem::directory_iterator files(folder, error);
  if (error == std::errc::no_such_file_or_directory) return;
  if (error) throw std::system_error(error, "list " + folder);
  for (const auto& file : files) {
    if (const auto numbers = parse(file.path().filename().string(), digits, ending)) {
      each(*numbers, file.path().string());
    }
  }
}

}  // namespace

std::string segment_file_name(const SegmentName& name) {
  return file_name(name.session, name.number, number_digits, ".dcj");
}
std::string index_file_name(const SegmentName& name) {
  return file_name(name.session, name.number, number_digits, ".dci");
}
std::string checkpoint_file_name(std::uint64_t session, std::uint64_t sequence) {
  return file_name(session, sequence, sequence_digits, ".dcc");
}

std::vector<SegmentFile> list_segments(const std::string& folder) {
  std::vector<SegmentFile> segments;
  list(folder, number_digits, ".dcj", [&](const Numbers& numbers, const std::string& path) {
    struct stat status {};
    // It may have been removed since it was listed.
    if (lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    segments.push_back({{numbers.first, numbers.second},
                        static_cast<std::uint64_t>(status.st_size),
                        std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec});
  });
  std::sort(segments.begin(), segments.end(),
            [](const SegmentFile& left, const SegmentFile& right) { return left.name < right.name; });
  return segments;
}

std::vector<SegmentName> list_indexes(const std::string& folder) {
  std::vector<SegmentName> indexes;
  list(folder, number_digits, ".dci", [&](const Numbers& numbers, const std::string&) {
    indexes.push_back({numbers.first, numbers.second});
  });
  std::sort(indexes.begin(), indexes.end());
  return indexes;
}

std::vector<CheckpointName> list_checkpoints(const std::string& folder) {
  std::vector<CheckpointName> checkpoints;
  list(folder, sequence_digits, ".dcc", [&](const Numbers& numbers, const std::string&) {
    checkpoints.push_back({numbers.first, numbers.second});
  });
  std::sort(checkpoints.begin(), checkpoints.end());
  return checkpoints;
}

JournalPlaces journal_places(const std::string& folder) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder)) {
    throw std::system_error(fs::exists(folder) ? ENOTDIR : ENOENT, std::generic_category(), "open " + folder);
  }
  if (fs::is_directory(folder + "/journal")) {
    return {folder + "/journal", folder + "/checkpoints", folder + "/lock"};
  }
  // The folder of segments itself; a state folder may be around it.
  const std::string above = folder + "/..";
  const bool within_state = fs::weakly_canonical(folder).filename() == "journal" && fs::exists(above + "/lock");
  return {folder, within_state ? above + "/checkpoints" : "", within_state ? above + "/lock" : ""};
}

bool take_lock(const std::string& path, io::FileDescriptor& held) {
  if (path.empty()) return false;
  io::FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.open()) fail("open", path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
    held = std::move(file);
    return false;
  }
  if (errno == EWOULDBLOCK) return true;
  fail("lock", path);
}

bool is_locked(const std::string& path) {
  if (path.empty()) return false;
  const io::FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return file.open() && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::vector<std::uint8_t> read_whole_file(const std::string& path, std::uint64_t bytes_max) {
  const io::FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open()) fail("open", path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail("look at", path);
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    fail("read", path);
  }
  std::vector<std::uint8_t> bytes(
      static_cast<std::size_t>(std::min(static_cast<std::uint64_t>(status.st_size), bytes_max)));
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t got = pread(file.get(), bytes.data() + taken, bytes.size() - taken, static_cast<off_t>(taken));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) break;
    taken += static_cast<std::size_t>(got);
  }
  bytes.resize(taken);
  return bytes;
}

void make_folder(const std::string& path) {
  namespace fs = std::filesystem;
  if (fs::is_directory(path)) return;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty() && !fs::exists(parent)) make_folder(parent.string());
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("make folder", path);
}

}  // namespace depthcast::run

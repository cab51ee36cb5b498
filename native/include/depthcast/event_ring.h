// depthcast: the shared-memory ring between a matching engine and a distributor, as both sides see it. docs/ingest.md.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "event.h"

namespace depthcast::engine {

static_assert(std::endian::native == std::endian::little, "the ring is little-endian");

constexpr std::uint64_t ring_magic = 0x474e495254564344ULL;  // "DCVTRING"
constexpr std::uint32_t ring_layout_version = 2;
constexpr std::uint64_t ring_slots_min = 1'024;
constexpr std::uint64_t ring_slots_max = std::uint64_t{1} << 26;
constexpr std::size_t ring_header_bytes = 4'096;

// The first page. Event n stands in slot (n - 1) % slots.
struct RingHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t slot_bytes;
  std::uint64_t slots;   // a power of two
  std::uint64_t stream;  // of this file, never 0: another file's numbers mean other events
  // The engine's: the number of the last whole event.
  alignas(64) std::atomic<std::uint64_t> published;
  std::atomic<std::uint32_t> ended;  // 1: there will be no more
  std::atomic<std::uint32_t> writer_pid;
  // The distributor's: it has everything up to this number for good, so those slots may be used again.
  alignas(64) std::atomic<std::uint64_t> committed;
  std::atomic<std::uint32_t> reader_pid;
};
static_assert(sizeof(RingHeader) <= ring_header_bytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);

constexpr std::size_t ring_bytes(std::uint64_t slots) { return ring_header_bytes + slots * sizeof(Event); }

// Which bytes of the file a side holds locked while it is attached.
enum class RingSide : std::uint8_t { writer = 0, reader = 1 };

// The mapped file. Errors: std::system_error naming the step and the path, std::runtime_error saying what is wrong with
// it. Threads: one.
class RingFile {
 public:
  // A new file at `path` with the writer's lock held; it appears there whole or not at all. False in `made`, and
  // nothing changes, where something has that name already, unless it is to take its place.
  static RingFile create(const std::string& path, std::uint64_t slots, std::uint64_t stream, bool replace, bool& made) {
    if (!std::has_single_bit(slots) || slots < ring_slots_min || slots > ring_slots_max) {
      throw std::runtime_error("slots must be a power of two, " + std::to_string(ring_slots_min) + " to " +
                               std::to_string(ring_slots_max) + ", not " + std::to_string(slots));
    }
    const std::string temporary = path + "." + std::to_string(getpid());
    unlink(temporary.c_str());  // of a process that had this number and did not get so far
    RingFile file(path);
    file.descriptor_ = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file.descriptor_ < 0) file.fail("create");
    try {
      // All of it now: where memory is short, this says so, and not a SIGBUS at some later write.
      errno = posix_fallocate(file.descriptor_, 0, static_cast<off_t>(ring_bytes(slots)));
      if (errno != 0) file.fail("size");
      file.map(ring_bytes(slots));
      RingHeader& header = file.header();
      header.layout_version = ring_layout_version;
      header.slot_bytes = sizeof(Event);
      header.slots = slots;
      header.stream = stream;
      header.magic = ring_magic;
      file.lock(RingSide::writer);
      const int failed = replace ? ::rename(temporary.c_str(), path.c_str()) : ::link(temporary.c_str(), path.c_str());
      made = failed == 0;
      if (failed != 0 && (replace || errno != EEXIST)) file.fail("name");
    } catch (...) {
      unlink(temporary.c_str());
      throw;
    }
    if (!replace) unlink(temporary.c_str());
    return file;
  }

  // An existing file. Refuses what is not a regular file of this user with mode 0600, and what is no ring of this
  // layout. Takes the lock of `side`.
  static RingFile open(const std::string& path, RingSide side) {
    constexpr int tries = 100;
    for (int tried = 0; tried < tries; ++tried) {
      RingFile file = open_now(path, side);
      // Another one may have got the name before the lock was ours; in the old one we would write to nobody.
      if (file.in_place()) return file;
    }
    throw std::runtime_error(path + " is replaced again and again");
  }

  RingFile(RingFile&& other) noexcept
      : path_(std::move(other.path_)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        slots_(other.slots_) {}
  RingFile& operator=(RingFile&&) = delete;
  ~RingFile() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
    if (descriptor_ >= 0) ::close(descriptor_);  // and gives the lock back
  }

  RingHeader& header() const { return *static_cast<RingHeader*>(memory_); }
  // As checked when it was opened: the header's own field may change.
  std::uint64_t slots() const { return slots_; }
  Event* slot(std::uint64_t number) const {
    return reinterpret_cast<Event*>(static_cast<char*>(memory_) + ring_header_bytes) + ((number - 1) & (slots_ - 1));
  }
  // Whether the path still leads to this file.
  bool in_place() const {
    struct stat here {};
    struct stat there {};
    return fstat(descriptor_, &here) == 0 && lstat(path_.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
  }

 private:
  explicit RingFile(std::string path) : path_(std::move(path)) {}

  static RingFile open_now(const std::string& path, RingSide side) {
    RingFile file(path);
    // O_NONBLOCK: whoever has put a pipe there must not keep us waiting.
    file.descriptor_ = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file.descriptor_ < 0) file.fail("open");
    struct stat found {};
    if (fstat(file.descriptor_, &found) != 0) file.fail("look at");
    if (!S_ISREG(found.st_mode)) file.refuse("is no regular file");
    if (found.st_uid != geteuid()) file.refuse("belongs to user " + std::to_string(found.st_uid));
    if ((found.st_mode & 0777) != 0600) file.refuse("may be used by others: its mode must be 0600");
    const auto bytes = static_cast<std::size_t>(found.st_size);
    if (bytes < ring_header_bytes) file.refuse("is too short for a ring");
    file.map(bytes);
    const RingHeader& header = file.header();
    const std::uint64_t slots = header.slots;
    if (header.magic != ring_magic) file.refuse("is no ring of events");
    if (header.layout_version != ring_layout_version || header.slot_bytes != sizeof(Event)) {
      file.refuse("has layout version " + std::to_string(header.layout_version) + ", expected " +
                  std::to_string(ring_layout_version));
    }
    if (!std::has_single_bit(slots) || slots < ring_slots_min || slots > ring_slots_max || bytes != ring_bytes(slots)) {
      file.refuse("is " + std::to_string(bytes) + " bytes long, which is not what its " + std::to_string(slots) +
                  " slots need");
    }
    file.slots_ = slots;
    file.lock(side);
    return file;
  }

  [[noreturn]] void fail(const char* step) const {
    throw std::system_error(errno, std::generic_category(), std::string(step) + " " + path_);
  }
  [[noreturn]] void refuse(const std::string& why) const { throw std::runtime_error(path_ + " " + why); }

  void map(std::size_t bytes) {
    memory_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor_, 0);
    if (memory_ == MAP_FAILED) {
      memory_ = nullptr;
      fail("map");
    }
    bytes_ = bytes;
    slots_ = (bytes - ring_header_bytes) / sizeof(Event);
  }

  // Of this open file, so that a second one in the same process is refused too; the system gives it back however the
  // process ends.
  void lock(RingSide side) {
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = static_cast<off_t>(side);
    wanted.l_len = 1;
    auto& pid = side == RingSide::writer ? header().writer_pid : header().reader_pid;
    if (fcntl(descriptor_, F_OFD_SETLK, &wanted) != 0) {
      if (errno != EAGAIN && errno != EACCES) fail("lock");
      refuse(std::string(side == RingSide::writer ? "is written by process " : "is read by process ") +
             std::to_string(pid.load(std::memory_order_relaxed)));
    }
    pid.store(static_cast<std::uint32_t>(getpid()), std::memory_order_relaxed);  // for messages only
  }

  std::string path_;
  int descriptor_ = -1;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint64_t slots_ = 0;
};

}  // namespace depthcast::engine

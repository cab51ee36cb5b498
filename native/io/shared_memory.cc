#include "io/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "io/file_descriptor.h"

namespace depthcast::io {
namespace {

[[noreturn]] void fail(const std::string& step, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), step + " " + path);
}

}  // namespace

SharedMemory SharedMemory::create(const std::string& path, std::size_t bytes) {
  SharedMemory memory;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  FileDescriptor file;
  if (!path.empty()) {
    file = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.open()) fail("create", path);
    memory.path_ = path;
    // All of it now: where memory is short, this says so, and not a SIGBUS at some later write.
    errno = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    if (errno != 0) fail("size", path);
    flags = MAP_SHARED;
  }
  memory.data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, file.get(), 0);
  if (memory.data_ == MAP_FAILED) {
    memory.data_ = nullptr;
    fail("map", path);
  }
  memory.bytes_ = bytes;
  return memory;
}

void SharedMemory::rename(const std::string& path) {
  if (std::rename(path_.c_str(), path.c_str()) != 0) fail("rename " + path_ + " to", path);
  path_ = path;
}

SharedMemory SharedMemory::open(const std::string& path) {
  // O_NONBLOCK: whoever has put a pipe there must not keep us waiting.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open()) fail("open", path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail("look at", path);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 0022) != 0) {
    errno = EACCES;
    fail("not a private file of this user:", path);
  }
  SharedMemory memory;
  memory.bytes_ = static_cast<std::size_t>(status.st_size);
  memory.data_ = mmap(nullptr, memory.bytes_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory.data_ == MAP_FAILED) {
    memory.data_ = nullptr;
    fail("map", path);
  }
  return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      path_(std::exchange(other.path_, {})) {}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace depthcast::io

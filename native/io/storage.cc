#include "io/storage.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "io/file_descriptor.h"

namespace depthcast::io {

int Storage::create(const std::string& path) {
  return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int Storage::open(const std::string& path) { return ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC); }

std::ptrdiff_t Storage::write(int file, const void* bytes, std::size_t size, std::uint64_t offset) {
  return ::pwrite(file, bytes, size, static_cast<off_t>(offset));
}

int Storage::truncate(int file, std::uint64_t size) { return ::ftruncate(file, static_cast<off_t>(size)); }

int Storage::sync(int file) { return ::fdatasync(file); }

int Storage::sync_folder(const std::string& folder) {
  const FileDescriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file.open() ? ::fsync(file.get()) : -1;
}

int Storage::rename(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()); }

int Storage::remove(const std::string& path) { return ::unlink(path.c_str()); }

Storage& Storage::system() {
  static Storage storage;
  return storage;
}

int write_all(Storage& storage, int file, const void* bytes, std::size_t size, std::uint64_t offset) {
  const auto* next = static_cast<const std::uint8_t*>(bytes);
  while (size != 0) {
    const std::ptrdiff_t taken = storage.write(file, next, size, offset);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) return errno;
    if (taken == 0) return EIO;
    next += taken;
    offset += static_cast<std::uint64_t>(taken);
    size -= static_cast<std::size_t>(taken);
  }
  return 0;
}

}  // namespace depthcast::io

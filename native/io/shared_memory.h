// Memory that processes of one user share: mode 0600, created O_EXCL and O_NOFOLLOW, mapped read-only by readers.
#pragma once

#include <cstddef>
#include <string>

namespace depthcast::io {

// Errors: std::system_error naming the step and the path. Threads: construct and destroy on one.
class SharedMemory {
 public:
  // The writer's: a new zeroed file of `bytes`, unlinked when the object goes. An empty path: private memory.
  static SharedMemory create(const std::string& path, std::size_t bytes);
  // Gives the writer's file another name, in place of whatever had it. Throws std::system_error.
  void rename(const std::string& path);
  // The file stays when the object goes.
  void keep() { path_.clear(); }
  // A reader's: refuses files that belong to another user or that others may write.
  static SharedMemory open(const std::string& path);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  SharedMemory(const SharedMemory&) = delete;
  ~SharedMemory();

  void* data() { return data_; }
  const void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  SharedMemory() = default;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::string path_;  // to be unlinked; empty for readers
};

}  // namespace depthcast::io

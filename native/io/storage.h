// The few calls on files that the journal makes, so that a test can put errors in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace depthcast::io {

// Calls return -1 and set errno where they fail, as the system does. Threads: any, one for each descriptor.
class Storage {
 public:
  virtual ~Storage() = default;
  // A new file for writing, mode 0600; refuses where there is one, and links.
  virtual int create(const std::string& path);
  // An existing file for writing; refuses links.
  virtual int open(const std::string& path);
  // May write less than asked.
  virtual std::ptrdiff_t write(int file, const void* bytes, std::size_t size, std::uint64_t offset);
  virtual int truncate(int file, std::uint64_t size);
  // Contents, and what is needed to read them again, are on the disk when it returns.
  virtual int sync(int file);
  // The same for the names in a folder.
  virtual int sync_folder(const std::string& folder);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int remove(const std::string& path);

  // The system's.
  static Storage& system();
};

// Writes all of it at `offset`. Returns 0 or the error's number; what was written before it stays.
int write_all(Storage& storage, int file, const void* bytes, std::size_t size, std::uint64_t offset);

}  // namespace depthcast::io

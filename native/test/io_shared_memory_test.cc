#include "io/shared_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using io::SharedMemory;

constexpr std::size_t size = 100'000;

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}

bool exists(const std::string& path) { return mode_of(path) != 0; }

TEST(sharedMemoryIsAPrivateFileWhateverTheUmask) {
  const ScratchFolder folder("/dev/shm");
  const mode_t before = umask(0);
  {
    const SharedMemory memory = SharedMemory::create(folder / "ring", size);
    CHECK_EQUAL(mode_of(folder / "ring"), static_cast<mode_t>(S_IFREG | 0600));
    CHECK_EQUAL(memory.bytes(), size);
    CHECK_EQUAL(memory.path(), folder / "ring");
  }
  umask(before);
}

TEST(sharedMemoryIsZeroedAndSeenByItsReaders) {
  const ScratchFolder folder("/dev/shm");
  SharedMemory memory = SharedMemory::create(folder / "ring", size);
  const SharedMemory reader = SharedMemory::open(folder / "ring");
  CHECK_EQUAL(reader.bytes(), size);
  auto* words = static_cast<std::uint8_t*>(memory.data());
  const auto* seen = static_cast<const std::uint8_t*>(reader.data());
  for (std::size_t index = 0; index < size; ++index) REQUIRE_EQUAL(seen[index], 0U);
  std::memset(words, 0x5a, size);
  for (std::size_t index = 0; index < size; ++index) REQUIRE_EQUAL(seen[index], 0x5aU);
}

TEST(sharedMemoryCannotBeWrittenByReaders) {
  const ScratchFolder folder("/dev/shm");
  const SharedMemory memory = SharedMemory::create(folder / "ring", size);
  SharedMemory reader = SharedMemory::open(folder / "ring");
  CHECK(mprotect(reader.data(), reader.bytes(), PROT_READ | PROT_WRITE) != 0);
  CHECK_EQUAL(errno, EACCES);
}

TEST(sharedMemoryIsUnlinkedAtTheEndAndStaysForItsReaders) {
  const ScratchFolder folder("/dev/shm");
  auto memory = std::make_unique<SharedMemory>(SharedMemory::create(folder / "ring", size));
  static_cast<std::uint8_t*>(memory->data())[7] = 9;
  { const SharedMemory passing = SharedMemory::open(folder / "ring"); }
  CHECK(exists(folder / "ring"));  // a reader takes nothing away
  const SharedMemory reader = SharedMemory::open(folder / "ring");
  CHECK_EQUAL(reader.path(), "");
  memory.reset();
  CHECK(!exists(folder / "ring"));
  CHECK_EQUAL(static_cast<const std::uint8_t*>(reader.data())[7], 9U);
  const SharedMemory next = SharedMemory::create(folder / "ring", size);  // the name is free again
}

TEST(sharedMemoryIsUnlinkedOnceWhenItMoves) {
  const ScratchFolder folder("/dev/shm");
  {
    SharedMemory first = SharedMemory::create(folder / "ring", size);
    void* data = first.data();
    const SharedMemory second(std::move(first));
    CHECK(second.data() == data);
    CHECK_EQUAL(second.path(), folder / "ring");
    { const SharedMemory gone(std::move(first)); }  // what was moved from holds nothing
    CHECK(exists(folder / "ring"));
  }
  CHECK(!exists(folder / "ring"));
}

TEST(sharedMemoryTakesNoFileThatExists) {
  const ScratchFolder folder("/dev/shm");
  write_file(folder / "ring", {1, 2, 3});
  CHECK_THROWS(SharedMemory::create(folder / "ring", size), std::system_error, "create " + (folder / "ring"));
  CHECK(read_file(folder / "ring") == std::vector<std::uint8_t>({1, 2, 3}));
  const SharedMemory memory = SharedMemory::create(folder / "other", size);
  CHECK_THROWS(SharedMemory::create(folder / "other", size), std::system_error, "File exists");
  CHECK(exists(folder / "other"));
}

TEST(sharedMemoryFollowsNoSymbolicLink) {
  const ScratchFolder folder("/dev/shm");
  write_file(folder / "target", std::vector<std::uint8_t>(100));
  REQUIRE(symlink((folder / "target").c_str(), (folder / "link").c_str()) == 0);
  REQUIRE(symlink((folder / "nothing").c_str(), (folder / "dangling").c_str()) == 0);
  CHECK_THROWS(SharedMemory::create(folder / "link", size), std::system_error, "create");
  CHECK_THROWS(SharedMemory::create(folder / "dangling", size), std::system_error, "create");
  CHECK_THROWS(SharedMemory::open(folder / "link"), std::system_error, "open " + (folder / "link"));
  CHECK(!exists(folder / "nothing"));
  CHECK(exists(folder / "link"));
}

TEST(sharedMemoryOfOthersOrThatOthersMayWriteIsRefused) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  const SharedMemory memory = SharedMemory::create(path, size);
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK_THROWS(SharedMemory::open(path), std::system_error, "not a private file of this user: " + path);
  }
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  CHECK_EQUAL(SharedMemory::open(path).bytes(), size);
  if (geteuid() != 0) return note("no root: the owner cannot be changed");
  REQUIRE(chown(path.c_str(), 65'534, 65'534) == 0);
  CHECK_THROWS(SharedMemory::open(path), std::system_error, "not a private file");
}

TEST(sharedMemoryIsNoFolderNoPipeAndNotEmpty) {
  const ScratchFolder folder("/dev/shm");
  REQUIRE(mkdir((folder / "folder").c_str(), 0700) == 0);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  write_file(folder / "empty", {});
  REQUIRE(chmod((folder / "empty").c_str(), 0600) == 0);
  CHECK_THROWS(SharedMemory::open(folder / "folder"), std::system_error, "not a private file");
  CHECK_THROWS(SharedMemory::open(folder / "pipe"), std::system_error,
               "not a private file");  // and it does not wait
  CHECK_THROWS(SharedMemory::open(folder / "empty"), std::system_error, "map");
  CHECK_THROWS(SharedMemory::open(folder / "nothing"), std::system_error, "No such file");
  CHECK_THROWS(SharedMemory::create(folder / "no/ring", size), std::system_error, "No such file");
  CHECK_THROWS(SharedMemory::create(folder / "none", 0), std::system_error, "none");
  CHECK(!exists(folder / "none"));
}

// The kernel would give out pages as they are written, and kill the writer when
// there are none left.
TEST(sharedMemoryLargerThanItsFileSystemIsRefusedAtOnce) {
  const ScratchFolder folder("/dev/shm");
  struct statvfs room {};
  REQUIRE(statvfs("/dev/shm", &room) == 0);
  if (room.f_blocks == 0) return note("/dev/shm has no limit");
  const std::size_t all = static_cast<std::size_t>(room.f_blocks) * room.f_frsize;
  CHECK_THROWS(SharedMemory::create(folder / "ring", all + (std::size_t{1} << 20)), std::system_error, "No space left");
  CHECK(!exists(folder / "ring"));
}

TEST(sharedMemoryWithoutAPathIsPrivate) {
  SharedMemory memory = SharedMemory::create("", size);
  CHECK_EQUAL(memory.bytes(), size);
  CHECK_EQUAL(memory.path(), "");
  std::memset(memory.data(), 1, size);
}

}  // namespace
}  // namespace depthcast::test

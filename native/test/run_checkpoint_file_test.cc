#include <atomic>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "run/checkpoint_file.h"
#include "run/journal_tools.h"
#include "test/journal_packets.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

journal::CheckpointHeader header_at(std::uint64_t sequence) {
  journal::CheckpointHeader header{};
  header.channel = journal_channel;
  header.session = journal_session;
  header.identity = 9;
  header.sequence = sequence;
  header.position = sequence * 2;
  header.digest = 1234;
  return header;
}

// Anything without numbers will do: these files look at no snapshot's content.
std::vector<Datagram> datagrams_after(std::uint64_t sequence, std::size_t count) {
  JournalPackets packets(journal_session, sequence + 1);
  std::vector<Datagram> datagrams;
  for (std::size_t index = 0; index < count; ++index) datagrams.push_back(packets.heartbeat(index));
  return datagrams;
}

std::string write(const std::string& folder, std::uint64_t sequence, const std::vector<Datagram>& datagrams,
                  io::Storage& storage = io::Storage::system()) {
  return run::write_checkpoint(
      folder, header_at(sequence),
      [&](const run::DatagramSink& sink) {
        for (const Datagram& datagram : datagrams) sink(datagram);
      },
      storage);
}

TEST(checkpointGivesBackItsDatagrams) {
  const ScratchFolder folder;
  const auto datagrams = datagrams_after(50, 10);
  write(folder / "checkpoints", 50, datagrams);
  const auto names = run::list_checkpoints(folder / "checkpoints");
  REQUIRE_EQUAL(names.size(), 1U);
  const auto file = run::CheckpointFile::read(folder / "checkpoints", names[0]);
  CHECK_EQUAL(file.header().sequence, 50U);
  CHECK_EQUAL(file.header().position, 100U);
  CHECK_EQUAL(file.header().digest, 1234U);
  CHECK(file.header().created_ns != 0);
  REQUIRE_EQUAL(file.datagrams().size(), datagrams.size());
  for (std::size_t index = 0; index < datagrams.size(); ++index) {
    CHECK(std::equal(file.datagrams()[index].begin(), file.datagrams()[index].end(), datagrams[index].begin(),
                     datagrams[index].end()));
  }
}

TEST(checkpointWithAnyBitFlippedOrAnyByteCutIsRefusedByName) {
  const ScratchFolder folder;
  const std::string path = write(folder / "checkpoints", 50, datagrams_after(50, 2));
  const auto whole = read_file(path);
  const auto refused = [&] {
    try {
      run::CheckpointFile::read(folder / "checkpoints", {journal_session, 50});
    } catch (const std::runtime_error& error) {
      return std::string(error.what()).find("00000050.dcc is damaged at byte ") != std::string::npos;
    }
    return false;
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += sanitized ? 13 : 1) {
    auto bytes = whole;
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    write_file(path, bytes);
    if (!refused()) fail(__FILE__, __LINE__, "bit " + std::to_string(bit));
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(path, std::vector<std::uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    if (!refused()) fail(__FILE__, __LINE__, "cut at " + std::to_string(size));
  }
  std::filesystem::create_directories(folder / "journal");
  const std::atomic<bool> go_on{false};
  const auto places = run::journal_places(folder / "");
  const auto verification = run::verify_journal(places, go_on);
  REQUIRE_EQUAL(verification.faults_total, 1U);
  CHECK_EQUAL(verification.faults[0].file, run::checkpoint_file_name(journal_session, 50));
  run::repair_journal(places, true, go_on);
  CHECK_EQUAL(run::verify_journal(places, go_on).faults_total, 0U);
  CHECK(std::filesystem::exists(path + ".damaged"));
}

TEST(checkpointIsWrittenWholeOrNotAtAll) {
  class FullStorage final : public io::Storage {
   public:
    std::ptrdiff_t write(int, const void*, std::size_t, std::uint64_t) override {
      errno = ENOSPC;
      return -1;
    }
  };
  const ScratchFolder folder;
  FullStorage full;
  CHECK_THROWS(write(folder / "checkpoints", 50, datagrams_after(50, 2), full), std::system_error, "write");
  CHECK_THROWS(write(folder / "checkpoints", 50, datagrams_after(51, 1)), std::invalid_argument,
               "no part of a snapshot");
  CHECK_THROWS(write(folder / "checkpoints", 50, {JournalPackets(journal_session, 51).numbered()}),
               std::invalid_argument, "no part of a snapshot");
  CHECK(std::filesystem::is_empty(folder / "checkpoints"));
}

TEST(checkpointsOfAllSessionsArePrunedToTheNewest) {
  const ScratchFolder folder;
  for (const std::uint64_t sequence : {10U, 20U, 30U, 40U})
    write(folder / "checkpoints", sequence, datagrams_after(sequence, 1));
  write_file((folder / "checkpoints") + "/x.dcc.tmp", {1});
  CHECK_EQUAL(run::prune_checkpoints(folder / "checkpoints", journal_session, 2), 3U);
  const auto names = run::list_checkpoints(folder / "checkpoints");
  REQUIRE_EQUAL(names.size(), 2U);
  CHECK_EQUAL(names[0].sequence, 30U);
  CHECK_EQUAL(names[1].sequence, 40U);
  CHECK_EQUAL(run::prune_checkpoints(folder / "checkpoints", journal_session - 1, 1), 0U);
}

}  // namespace
}  // namespace depthcast::test

// What inspect_itch says of files, what simulate_to_file writes, and the
// sources of bytes themselves.
#include "run/itch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "ingest/itch_parser.h"
#include "run/itch_source.h"
#include "test/itch_messages.h"
#include "test/run_itch_bytes.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::ItchInspection;

const std::atomic<bool> running{false};

ItchInspection inspect(const Bytes& bytes) {
  PieceSource source(bytes);
  return run::inspect_itch(source, running);
}

std::string fault_of(const ItchInspection& inspection) {
  if (!inspection.fault) return "none";
  return "at " + std::to_string(inspection.fault->offset) + ": " + inspection.fault->expected;
}

Bytes two_stocks() {
  Bytes stream;
  append_message(stream, itch_directory(5, 1'000, "AAPL    ").bytes());
  append_message(stream, itch_add(5, 2'000, 1, 'B', 100, 10'000).bytes());
  append_message(stream, itch_add(9, 3'000, 2, 'S', 100, 10'100).bytes());  // names a stock that no R has defined
  append_message(stream, itch_execute(5, 2'500, 1, 40, 77).bytes());        // a time that goes back
  append_message(stream, itch_delete(5, 4'000, 1).bytes());
  return stream;
}

TEST(inspectionCountsMessagesTypesSymbolsAndTimes) {
  const Bytes stream = two_stocks();
  const ItchInspection found = inspect(stream);
  CHECK_EQUAL(fault_of(found), "none");
  CHECK_EQUAL(found.messages, 5U);
  CHECK_EQUAL(found.bytes, stream.size());
  CHECK_EQUAL(found.types['R'], 1U);
  CHECK_EQUAL(found.types['A'], 2U);
  CHECK_EQUAL(found.types['E'], 1U);
  CHECK_EQUAL(found.types['D'], 1U);
  CHECK_EQUAL(found.types['U'], 0U);
  CHECK(found.symbols == std::vector<std::string>({"AAPL", "TEST"}));
  CHECK_EQUAL(found.first_time_ns, 1'000);
  CHECK_EQUAL(found.last_time_ns, 4'000);
  CHECK_EQUAL(found.times_going_back, 1U);
}

TEST(inspectionOfNothingFindsNothing) {
  const ItchInspection found = inspect({});
  CHECK_EQUAL(fault_of(found), "none");
  CHECK_EQUAL(found.messages, 0U);
  CHECK_EQUAL(found.bytes, 0U);
  CHECK(found.symbols.empty());
}

TEST(inspectionEndsWhereTheFileBreaksAndKeepsWhatCameBefore) {
  const Bytes whole = two_stocks();
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    const ItchInspection found = inspect(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at)));
    std::uint64_t types = 0;
    for (const std::uint64_t count : found.types) types += count;
    REQUIRE_EQUAL(types, found.messages);
    REQUIRE(found.bytes <= at);
    REQUIRE_EQUAL(found.fault.has_value(), found.bytes != at);
    if (found.fault) REQUIRE_EQUAL(found.fault->offset, found.bytes);
  }
}

TEST(inspectionSaysWhatItExpectedInsteadOfWhatItFound) {
  const Bytes good = two_stocks();
  const std::string at = "at " + std::to_string(good.size()) + ": ";
  const auto with = [&](const Bytes& message) {
    Bytes stream = good;
    append_message(stream, message);
    append_message(stream, itch_delete(5, 4'000, 1).bytes());
    return fault_of(inspect(stream));
  };
  CHECK_EQUAL(with({0x7a}), at + "an ITCH 5.0 message type, but it is 0x7a");
  CHECK_EQUAL(with({0x0f, 1, 2}), at + "an ITCH 5.0 message type, but it is 0x0f");
  CHECK_EQUAL(with({'A', 1, 2}), at + "a message of type A with 36 bytes, but it has 3");
  Bytes longer(37);
  longer[0] = 'A';
  CHECK_EQUAL(with(longer), at + "a message of type A with 36 bytes, but it has 37");
  CHECK_EQUAL(with({}), at + "the length of a message, but it is 0 and more bytes follow");
}

TEST(everyTypeIsDescribedByItsLengthWhenThatIsWrong) {
  for (const ItchType& type : itch_types) {
    const Bytes message(type.length - 1, static_cast<std::uint8_t>(type.type));
    CHECK_EQUAL(run::describe(ingest::ItchFault::wrong_length, message),
                std::string("a message of type ") + type.type + " with " + std::to_string(type.length) +
                    " bytes, but it has " + std::to_string(type.length - 1));
  }
  const Bytes message = {0xff};
  CHECK_EQUAL(run::describe(ingest::ItchFault::unknown_type, message), "an ITCH 5.0 message type, but it is 0xff");
  CHECK_EQUAL(run::describe(ingest::ItchFault::empty, {}), "a message, but it is empty");
  CHECK_EQUAL(run::describe(ingest::ItchFault::none, message), "");
}

ingest::SimulatedExchangeOptions small_exchange(std::uint64_t messages) {
  ingest::SimulatedExchangeOptions options;
  options.seed = 5;
  options.symbols = 7;
  options.messages = messages;
  options.live_orders = 300;
  return options;
}

Bytes drain(run::ByteSource& source, std::size_t most) {
  Bytes all;
  Bytes piece(4'096);
  std::string error;
  while (all.size() < most) {
    const std::size_t taken = source.read(piece, running, error);
    if (taken == 0) break;
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  CHECK_EQUAL(error, "");
  return all;
}

TEST(simulatedFileHoldsTheSameFlowAsTheSimulatedSource) {
  const ScratchFolder folder;
  const std::string path = folder / "flow.itch";
  CHECK_EQUAL(run::simulate_to_file(path, small_exchange(50'000), running), 50'000U);
  const Bytes written = read_file(path);
  const auto source = run::make_simulated_source(small_exchange(50'000));
  CHECK(drain(*source, written.size() + 1) == written);
  const ItchInspection found = inspect(written);
  CHECK_EQUAL(fault_of(found), "none");
  CHECK_EQUAL(found.messages, 50'000U);
  CHECK_EQUAL(found.symbols.size(), 7U);
  CHECK_EQUAL(found.times_going_back, 0U);
  // Again into the same file: shorter than before, it holds nothing of the old
  // one.
  CHECK_EQUAL(run::simulate_to_file(path, small_exchange(1'000), running), 1'000U);
  CHECK_EQUAL(inspect(read_file(path)).messages, 1'000U);
}

TEST(simulatedFileNeedsAnEndAndAPlace) {
  const ScratchFolder folder;
  CHECK_THROWS(run::simulate_to_file(folder / "a", small_exchange(0), running), std::invalid_argument, "has an end");
  CHECK_THROWS(run::simulate_to_file(folder / "none/a", small_exchange(100), running), std::system_error, "none/a");
  if (access("/dev/full", W_OK) == 0) {
    CHECK_THROWS(run::simulate_to_file("/dev/full", small_exchange(100), running), std::system_error,
                 "write /dev/full");
  }
  const std::atomic<bool> stopped{true};
  CHECK_EQUAL(run::simulate_to_file(folder / "stopped", small_exchange(100'000), stopped), 0U);
}

io::FileDescriptor open_to_read(const std::string& path) {
  return io::FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

TEST(descriptorSourceReadsAFileToItsEnd) {
  const ScratchFolder folder;
  Bytes bytes(100'000);
  Random random(seed());
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  write_file(folder / "bytes", bytes);
  const auto source = run::make_descriptor_source(open_to_read(folder / "bytes"));
  CHECK(drain(*source, ~std::size_t{0}) == bytes);
}

TEST(descriptorSourceSaysWhyItCannotRead) {
  const ScratchFolder folder;
  const auto source = run::make_descriptor_source(open_to_read(folder / ""));
  PieceSource none({});
  run::ItchFraming framing(*source);
  std::span<const std::uint8_t> message;
  CHECK(framing.next(message, running) == run::ItchFraming::Next::fault);
  CHECK_EQUAL(framing.fault().expected, "bytes that can be read, but: Is a directory");
}

TEST(descriptorSourceWaitsForAPipeUntilItIsStopped) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const io::FileDescriptor write_end(ends[1]);
  const auto source = run::make_descriptor_source(io::FileDescriptor(ends[0]));
  std::atomic<bool> stop{false};
  std::string error;
  Bytes out(100);
  REQUIRE(write(write_end.get(), "abc", 3) == 3);
  CHECK_EQUAL(source->read(out, stop, error), 3U);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_EQUAL(write(write_end.get(), "de", 2), 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop.store(true, std::memory_order_release);
  });
  CHECK_EQUAL(source->read(out, stop, error), 2U);
  const auto start = std::chrono::steady_clock::now();
  CHECK_EQUAL(source->read(out, stop, error), 0U);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  writer.join();
  CHECK_EQUAL(error, "");
}

TEST(descriptorSourceSeesTheEndOfAPipe) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const auto source = run::make_descriptor_source(io::FileDescriptor(ends[0]));
  std::string error;
  Bytes out(100);
  {
    const io::FileDescriptor write_end(ends[1]);
    REQUIRE(write(write_end.get(), "abc", 3) == 3);
  }
  CHECK_EQUAL(source->read(out, running, error), 3U);
  CHECK_EQUAL(source->read(out, running, error), 0U);
  CHECK_EQUAL(error, "");
}

}  // namespace
}  // namespace depthcast::test

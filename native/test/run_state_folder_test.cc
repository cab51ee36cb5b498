#include "run/state_folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "core/crash_point.h"
#include "core/crc32c.h"
#include "core/digest.h"
#include "run/journal_reader.h"
#include "test/run_channel.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Publisher;
using run::PublisherOptions;
using run::StateFolder;

PublisherOptions options_of(const io::LineAddress& line) {
  PublisherOptions options = publisher_options();
  options.lines.resize(1);
  options.datagram_bytes.resize(1);
  options.lines[0].address = line;
  options.ring_bytes = std::size_t{4} << 20;
  options.digest_messages = 300;
  return options;
}

std::shared_ptr<StateFolder> open_state(const std::string& folder, const PublisherOptions& publisher,
                                        std::uint64_t wanted = 0) {
  run::StateOptions options;
  options.folder = folder;
  options.channel = publisher.channel;
  options.session_wanted = wanted;
  options.session_new = 5;
  options.ring_identity = Publisher::ring_identity_of(publisher);
  options.identity = run::identity_of(publisher);
  options.datagram_bytes = publisher.datagram_bytes[0];
  options.journal.fsync = run::FsyncPolicy::never;
  options.journal.segment_bytes = std::size_t{1} << 20;
  return std::make_shared<StateFolder>(options);
}

// One life of a distributor: to the end of the flow, unless somebody kills it.
struct Life {
  Life(const std::string& folder, PublisherOptions options, const ingest::SimulatedExchangeOptions& flow, double rate)
      : state(open_state(folder, options)) {
    options.start = state;
    publisher = std::make_unique<Publisher>(options, [] {});
    journal = state->open_journal(publisher->ring_memory(), &publisher->followers());
    source = simulated(*publisher, flow, rate);
  }
  void run() {
    journal->start();
    publisher->start();
    source->start();
    source->join();
    publisher->join();
    journal->stop();
  }
  std::shared_ptr<StateFolder> state;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<run::JournalWriter> journal;
  std::unique_ptr<run::SourceThread> source;
};

// Reads line A with code of its own: every number, what it said, and the last digest.
class LineRecord {
 public:
  explicit LineRecord(const io::LineAddress& line) {
    io::ReceiverOptions options;
    options.address = line;
    options.receive_buffer_bytes = 64 << 20;
    receiver_ = std::make_unique<io::UdpReceiver>(options);
  }
  void listen(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    do {
      if (receiver_->receive([&](std::span<const std::uint8_t> datagram) { take(datagram); }) == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  std::uint64_t drops() const { return receiver_->kernel_drops(); }

  std::map<std::uint64_t, std::uint64_t> sessions;  // packets by session
  std::vector<std::uint64_t> said{0};               // hash of what each number said
  std::uint64_t skipped = 0;
  std::uint64_t repeated = 0;
  std::uint64_t contradicted = 0;
  std::uint64_t digest = 0;
  std::uint64_t digest_next = 0;
  bool ended = false;

 private:
  void take(std::span<const std::uint8_t> datagram) {
    encode::PacketView view;
    if (encode::read_packet(datagram, view) != encode::PacketStatus::ok) return;
    ++sessions[view.session];
    if (view.heartbeat != nullptr) {
      ended = ended || view.heartbeat->end_of_session();
      if (view.heartbeat->digest_valid()) digest = view.heartbeat->digest(), digest_next = view.first_sequence;
    }
    run::each_sequenced(view, [&](const run::SequencedMessage& message) {
      note(message);
      return true;
    });
  }
  void note(const run::SequencedMessage& message) {
    std::uint64_t hash = digest::mix64(static_cast<std::uint64_t>(message.stamp.time_ns) + message.detail);
    const auto add = [&](const void* bytes, std::size_t size) { hash = digest::mix64(hash + crc32c(0, bytes, size)); };
    std::visit(
        [&](auto copy) {
          if constexpr (!std::is_same_v<decltype(copy), run::SequencedDefinition>) copy.time_offset = 0;
          add(&copy, sizeof copy);
        },
        message.message);
    const std::uint64_t number = message.stamp.sequence;
    if (number == said.size()) {
      said.push_back(hash);
    } else if (number < said.size()) {
      ++repeated;
      if (said[number] != hash) ++contradicted;
    } else {
      ++skipped;
      said.resize(number, 0);
      said.push_back(hash);
    }
  }
  std::unique_ptr<io::UdpReceiver> receiver_;
};

// Another life in a process of its own; returns its exit code, or minus the signal that ended it.
int live(const std::string& folder, const PublisherOptions& options, const ingest::SimulatedExchangeOptions& flow,
         double rate, LineRecord& record, std::chrono::milliseconds time, const std::string& crash_at) {
  const pid_t child = fork();
  if (child == 0) {
    CrashPlan::of_process().arm(crash_at.c_str());
    try {
      Life(folder, options, flow, rate).run();
    } catch (const std::exception& error) {
      static_cast<void>(!write(2, error.what(), std::strlen(error.what())));
      _exit(3);
    }
    _exit(0);
  }
  const auto end = std::chrono::steady_clock::now() + time;
  int status = 0;
  pid_t gone = 0;
  while (gone == 0 && std::chrono::steady_clock::now() < end) {
    record.listen(std::chrono::milliseconds(1));
    gone = waitpid(child, &status, WNOHANG);
  }
  if (gone == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  record.listen(std::chrono::milliseconds(1));
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void survive(const std::vector<std::string>& crashes, std::chrono::milliseconds most, std::uint64_t messages) {
  const ScratchFolder folder("/dev/shm");
  const io::LineAddress line = fresh_line();
  LineRecord record(line);
  const PublisherOptions options = options_of(line);
  Random random(seed());
  const auto flow = small_flow(seed(), messages);
  std::size_t killed = 0;
  for (const std::string& crash : crashes) {
    const auto time = crash.empty()
                          ? std::chrono::milliseconds(random.between(1, static_cast<std::uint64_t>(most.count())))
                          : std::chrono::milliseconds(20'000);
    const int end = live(folder / "state", options, flow, 150'000, record, time, crash);
    CHECK(end == -SIGKILL || end == 0);
    if (end == -SIGKILL) ++killed;
    if (record.ended) break;  // the flow was not long enough for all of them
  }
  for (int more = 0; more < 5 && !record.ended; ++more) {
    CHECK_EQUAL(live(folder / "state", options, flow, 0, record, std::chrono::seconds(60), ""), 0);
  }
  record.listen(std::chrono::milliseconds(20));
  CHECK(record.ended);
  CHECK(killed * 2 >= crashes.size());
  if (record.drops() != 0) {
    std::printf("# %lu datagrams dropped by the kernel: nothing can be said\n", record.drops());
    return;
  }
  ReferenceChannel reference;
  reference.take(flow);
  CHECK_EQUAL(record.sessions.size(), 1U);
  CHECK_EQUAL(record.skipped, 0U);
  CHECK_EQUAL(record.contradicted, 0U);
  CHECK_EQUAL(record.said.size(), reference.last() + 1);
  CHECK_EQUAL(record.digest, reference.writer.digest());
  CHECK_EQUAL(record.digest_next, reference.last() + 1);
  // The journal has the same.
  run::JournalReader reader(folder / "state/journal");
  REQUIRE(reader.seek(record.sessions.begin()->first, 1));
  run::JournalRecord journaled;
  std::uint64_t next = 1;
  while (reader.next(journaled) == run::JournalRead::packet) {
    if (journaled.packet.count == 0) continue;
    CHECK(journaled.first_sequence <= next);
    next = journaled.last_sequence + 1;
  }
  CHECK_EQUAL(next, reference.last() + 1);
}

TEST(sessionSurvivesBeingKilledAtRandomInstants) {
  survive(std::vector<std::string>(static_cast<std::size_t>(work(100))), std::chrono::milliseconds(25), work(250'000));
}

TEST(sessionSurvivesBeingKilledAtEveryNamedPoint) {
  Random random(seed());
  std::vector<std::string> crashes;
  for (std::uint64_t round = 0; round < work(8); ++round) {
    for (const char* point : {"reserve", "commit", "send"}) {
      crashes.push_back(std::string(point) + ':' + std::to_string(random.between(1, 60)));
    }
    crashes.emplace_back("segment:1");
  }
  survive(crashes, {}, work(500'000));
}

TEST(sessionIsNotContinuedWhereThatCannotBeProved) {
  const ScratchFolder folder("/dev/shm");
  const io::LineAddress line = fresh_line();
  LineRecord record(line);
  const PublisherOptions options = options_of(line);
  const auto flow = small_flow(seed(), 20'000);
  const std::string state = folder / "state";
  const auto interrupt = [&] {
    std::filesystem::remove_all(state);
    REQUIRE_EQUAL(live(state, options, flow, 100'000, record, std::chrono::seconds(20), "send:12"), -SIGKILL);
  };
  const auto reason_for = [&](PublisherOptions changed, std::uint64_t wanted = 0) {
    const auto opened = open_state(state, changed, wanted);
    book::Book book(changed.limits);
    const run::Start start = opened->begin(book);
    CHECK_EQUAL(start.continued, opened->reason().empty());
    if (!start.continued) {
      CHECK(start.session > 5);
      CHECK_EQUAL(start.next_sequence, 1U);
      CHECK(start.expected.empty() && start.unsent.empty());
      CHECK_EQUAL(book.live_orders(), 0U);
    }
    return opened->reason();
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };

  interrupt();
  CHECK_EQUAL(reason_for(options), "");
  CHECK_EQUAL(reason_for(options), "");  // looking changes nothing
  CHECK_EQUAL(reason_for(options, 5), "");
  CHECK(has(reason_for(options, 6), "another session"));
  PublisherOptions changed = options;
  changed.limits.orders_max += 1;
  CHECK(has(reason_for(changed), "not those of the interrupted session"));
  changed = options;
  changed.source_identity = 9;
  CHECK(has(reason_for(changed), "not those of the interrupted session"));
  changed = options;
  changed.datagram_bytes[0] = 1'200;
  CHECK(has(reason_for(changed), "not those of the interrupted session"));
  {
    const auto held = open_state(state, options);
    CHECK_THROWS(open_state(state, options), std::runtime_error, "in use");
  }
  {  // the machine was started anew
    std::fstream ring(state + "/ring", std::ios::in | std::ios::out | std::ios::binary);
    ring.seekp(offsetof(RingHeader, boot_id));
    ring.put('x');
  }
  CHECK(has(reason_for(options), "started anew"));

  interrupt();
  std::filesystem::remove(state + "/ring");
  CHECK(has(reason_for(options), "no session was interrupted"));

  // A lost page of the journal that the ring does not reach back to.
  std::filesystem::remove_all(state);
  changed = options;
  changed.ring_bytes = std::size_t{1} << 20;
  REQUIRE_EQUAL(live(state, changed, small_flow(seed(), 200'000), 0, record, std::chrono::seconds(20), "send:200"),
                -SIGKILL);
  CHECK_EQUAL(reason_for(changed), "");
  std::vector<std::filesystem::path> segments;
  for (const auto& file : std::filesystem::directory_iterator(state + "/journal")) {
    if (file.path().extension() == ".dcj") segments.push_back(file.path());
  }
  REQUIRE(segments.size() > 2);
  {
    std::fstream segment(*std::min_element(segments.begin(), segments.end()),
                         std::ios::in | std::ios::out | std::ios::binary);
    segment.seekp(8'192);
    segment << std::string(4'096, '\0');
  }
  CHECK(has(reason_for(changed), "the journal has no message"));

  // A session that has ended in good order is not continued, and the next has a higher id.
  std::filesystem::remove_all(state);
  REQUIRE_EQUAL(live(state, options, small_flow(seed(), 500), 0, record, std::chrono::seconds(20), ""), 0);
  CHECK(has(reason_for(options), "no session was interrupted"));
}

// Another source under the same name: what it gives is not what was published.
// A start that has something to restate, and nothing else.
class CarriedStart final : public run::StartPoint {
 public:
  explicit CarriedStart(std::vector<ingest::InputCell> cells) : cells_(std::move(cells)) {}
  run::Start begin(book::Book&) override {
    run::Start start;
    start.session = 5;
    start.restated = cells_;
    return start;
  }
  io::SharedMemory make_ring(std::size_t bytes) override { return io::SharedMemory::create(folder_ / "ring", bytes); }
  void ring_ready(io::SharedMemory&) override {}

 private:
  ScratchFolder folder_{"/dev/shm"};
  std::vector<ingest::InputCell> cells_;
};

// Else the parser of a feed that goes on in mid-day would take them for unknown, and define them anew by what little it
// knows of them.
TEST(sessionThatCarriesOrdersOverTellsTheSourceWhichInstrumentsAreDefined) {
  std::vector<ingest::InputCell> cells(6);
  const auto set = [&](std::size_t at, ingest::InputKind kind, std::uint32_t source_code) {
    cells[at].event = {0, 0, 0, 0, 0, 0, source_code, kind, Side::none, Kind::none, 0};
  };
  set(0, ingest::InputKind::clear, 0);
  for (const std::uint32_t code : {7U, 4'000U}) {
    const std::size_t at = code == 7U ? 1 : 4;
    set(at, ingest::InputKind::definition, code);
    cells[at + 1].definition = {};
    cells[at + 1].definition.symbol[0] = 'A';
  }
  set(3, ingest::InputKind::status, 7);
  PublisherOptions options = options_of(fresh_line());
  options.start = std::make_shared<CarriedStart>(cells);
  Publisher publisher(options, [] {});
  const std::vector<std::uint32_t> defined{7, 4'000};
  publisher.start();
  publisher.end_input();
  publisher.join();
  CHECK(publisher.source_codes_before() == defined);
}

TEST(sessionEndsWhereTheSourceContradictsWhatWasPublished) {
  const ScratchFolder folder("/dev/shm");
  const io::LineAddress line = fresh_line();
  LineRecord record(line);
  const PublisherOptions options = options_of(line);
  const std::string state = folder / "state";
  REQUIRE_EQUAL(live(state, options, small_flow(seed(), 20'000), 100'000, record, std::chrono::seconds(20), "send:15"),
                -SIGKILL);
  const auto last = static_cast<std::uint64_t>(record.said.size() - 1);
  Life life(state, options, small_flow(seed() + 1, 20'000), 0);
  REQUIRE(life.state->continued());
  life.journal->start();
  life.publisher->start();
  life.source->start();
  life.publisher->join();
  life.source->stop();
  life.source->join();
  life.journal->stop();
  CHECK(life.publisher->contradiction() != 0);
  CHECK(life.publisher->contradiction() <= last + 200);
  record.listen(std::chrono::milliseconds(20));
  CHECK(record.ended);
  CHECK_EQUAL(record.contradicted, 0U);
}

}  // namespace
}  // namespace depthcast::test

#include "include/depthcast/publisher.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>

#include "test/engine_events.h"
#include "test/random.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using engine::Event;
using engine::Publisher;
using engine::PushStatus;
using engine::RingFile;
using engine::RingHeader;
using engine::RingSide;

constexpr std::uint64_t slots = engine::ring_slots_min;

// The other side, as simple as can be.
class Taker {
 public:
  explicit Taker(const std::string& path) : file_(RingFile::open(path, RingSide::reader)) {}
  RingHeader& header() { return file_.header(); }
  std::uint64_t published() { return header().published.load(std::memory_order_acquire); }  // pairs with publish()
  void commit(std::uint64_t number) {
    header().committed.store(number, std::memory_order_release);  // pairs with look_for_room()
  }
  Event at(std::uint64_t number) { return *file_.slot(number); }

 private:
  RingFile file_;
};

template <typename Change>
void change_file(const std::string& path, std::streamoff at, Change value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

TEST(publisherAgreesWithANaiveRingWhateverIsDone) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  Random random(seed());
  auto publisher = std::make_unique<Publisher>(path, engine::PublisherOptions{slots, false});
  Taker taker(path);
  CHECK(publisher->fresh());
  std::uint64_t staged = 0;
  std::uint64_t published = 0;
  std::uint64_t committed = 0;
  std::uint64_t full = 0;
  for (std::uint64_t step = 0; step < work(400'000) + 20'000; ++step) {
    const std::uint64_t choice = random.below(100);
    if (choice < 80) {
      const Event event = engine_event(staged + 1);
      const PushStatus expected = staged + 1 - committed > slots ? PushStatus::full : PushStatus::ok;
      const bool alone = choice < 20;
      const PushStatus status = alone ? publisher->try_push(event) : publisher->stage(event);
      REQUIRE(status == expected);
      if (status == PushStatus::full) ++full;
      if (status == PushStatus::ok) ++staged;
      if (status == PushStatus::ok && alone) published = staged;
    } else if (choice < 84) {
      publisher->publish();
      published = staged;
    } else if (choice < 85) {
      publisher->discard();
      staged = published;
    } else if (choice < 87) {
      REQUIRE(publisher->stage(engine_event(staged + 2)) == PushStatus::hole);
      if (staged != 0) REQUIRE(publisher->stage(engine_event(staged)) == PushStatus::repeated);
    } else if (choice < 89 && random.below(20) == 0) {
      publisher.reset();  // what was staged only has not happened
      publisher = std::make_unique<Publisher>(path);
      staged = published;
      CHECK(!publisher->fresh());
    } else if (random.below(50) == 0) {
      const std::uint64_t until = committed + random.below(published - committed + 1);
      REQUIRE_EQUAL(taker.published(), published);
      for (std::uint64_t number = committed + 1; number <= until; ++number) {
        REQUIRE(same(taker.at(number), engine_event(number)));
      }
      committed = until;
      taker.commit(until);
    }
    REQUIRE_EQUAL(publisher->next(), staged + 1);
    REQUIRE_EQUAL(publisher->last(), published);
    REQUIRE_EQUAL(publisher->committed(), committed);
    REQUIRE_EQUAL(publisher->room(), slots - (staged - committed));
  }
  CHECK(full > 0);
  CHECK(committed > 3 * slots);
}

TEST(publisherRefusesWhatLacksSomething) {
  const ScratchFolder folder("/dev/shm");
  Publisher publisher(folder / "ring", {slots, false});
  const Event good = engine::add(1, 1, 1, engine::Side::buy, 10, 5);
  const auto refused = [&](auto change) {
    Event event = good;
    change(event);
    return publisher.try_push(event) == PushStatus::malformed;
  };
  CHECK(refused([](Event& event) { event.quantity = 0; }));
  CHECK(refused([](Event& event) { event.side = engine::Side::none; }));
  CHECK(refused([](Event& event) { event.side = engine::Side{3}; }));
  CHECK(refused([](Event& event) { event.kind = engine::EventKind::none; }));
  CHECK(refused([](Event& event) { event.kind = engine::EventKind{engine::event_kinds}; }));
  CHECK(refused([](Event& event) { event.kind = engine::EventKind{200}; }));
  CHECK(refused([](Event& event) { event.instrument = 0; }));
  CHECK(refused([](Event& event) { event.instrument = 65'536; }));
  CHECK(refused([](Event& event) { event.flags = 0x80; }));
  CHECK(refused([](Event& event) { event.time_ns = -1; }));
  CHECK(refused([](Event& event) { event.time_ns = engine::event_time_max; }));
  CHECK(refused([](Event& event) { event.kind = engine::EventKind::system; }));
  for (const std::string_view symbol : {"", "A B", "A\nB", "\x1b[2J"}) {
    CHECK(refused([&](Event& event) { event = engine::define(1, 1, {.symbol = symbol}); }));
  }
  CHECK(refused([](Event& event) { event = engine::define(1, 1, {.symbol = std::string_view("A\0B", 3)}); }));
  CHECK(engine::well_formed(engine::define(1, 1, {.symbol = "SIXTEEN-LETTERS."})));
  CHECK(refused([](Event& event) { event = engine::define(1, 1, {.symbol = "A", .tick = 1LL << 32}); }));
  CHECK(refused([](Event& event) { event = engine::define(1, 1, {.symbol = "A", .tick = -1}); }));
  CHECK(refused([](Event& event) { event = engine::define(1, 1, {.symbol = "A"}).and_more(); }));
  CHECK(refused([](Event& event) { event = engine::limits(1, 1, 5, 4); }));
  CHECK(refused([](Event& event) { event = engine::limits(1, 0, 4, 5); }));
  CHECK(refused([](Event& event) { event = engine::status(1, 1, engine::Status{6}); }));
  CHECK(refused([](Event& event) { event = engine::reference(1, 1, engine::Reference{0}); }));
  CHECK(refused([](Event& event) { event = engine::reference(1, 1, engine::Reference{9}); }));
  CHECK(refused([](Event& event) { event.flags = engine::has_fields; }));
  // All or nothing: the second one is wrong.
  auto pair = engine::price_discovery(1, 1, {});
  pair[1].time_ns = -1;
  CHECK(publisher.try_push(pair) == PushStatus::malformed);
  CHECK_EQUAL(publisher.next(), 1U);
  CHECK_EQUAL(publisher.last(), 0U);
  CHECK(publisher.try_push(good) == PushStatus::ok);
  publisher.end();
  CHECK(publisher.try_push(good) == PushStatus::ended);
}

TEST(publisherIsNotFooledByTheOtherSide) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  Publisher publisher(path, {slots, false});
  Taker taker(path);
  for (std::uint64_t number = 1; number <= slots; ++number) publisher.try_push(engine_event(number));
  taker.commit(slots + 1);  // more than there is
  CHECK(publisher.try_push(engine_event(slots + 1)) == PushStatus::broken);
  taker.commit(500);
  CHECK(publisher.try_push(engine_event(slots + 1)) == PushStatus::ok);
  for (std::uint64_t number = slots + 2; number <= slots + 500; ++number) publisher.try_push(engine_event(number));
  taker.commit(499);  // back
  CHECK(publisher.try_push(engine_event(slots + 501)) == PushStatus::broken);
}

TEST(ringFileIsRefusedUnlessItIsThisUsersAloneAndWhole) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  const auto make = [&] {
    unlink(path.c_str());
    Publisher(path, {slots, false}).try_push(engine_event(1));
  };
  const auto open = [&] { Publisher{path}; };
  make();
  struct stat found {};
  REQUIRE_EQUAL(stat(path.c_str(), &found), 0);
  CHECK_EQUAL(found.st_mode & 0777U, 0600U);
  chmod(path.c_str(), 0640);
  CHECK_THROWS(open(), std::runtime_error, "its mode must be 0600");
  make();
  change_file(path, 0, std::uint64_t{5});
  CHECK_THROWS(open(), std::runtime_error, "is no ring of events");
  make();
  change_file(path, 8, std::uint32_t{3});
  CHECK_THROWS(open(), std::runtime_error, "has layout version 3, expected 2");
  make();
  change_file(path, 16, std::uint64_t{2 * slots});
  CHECK_THROWS(open(), std::runtime_error, "which is not what its 2048 slots need");
  make();
  change_file(path, 16, std::uint64_t{slots - 1});
  CHECK_THROWS(open(), std::runtime_error, "which is not what its 1023 slots need");
  make();
  REQUIRE_EQUAL(truncate(path.c_str(), 70'000), 0);
  CHECK_THROWS(open(), std::runtime_error, "is 70000 bytes long");
  REQUIRE_EQUAL(truncate(path.c_str(), 100), 0);
  CHECK_THROWS(open(), std::runtime_error, "is too short for a ring");
  make();
  change_file(path, 64, std::uint64_t{5'000});
  CHECK_THROWS(open(), std::runtime_error, "contradicts itself: 5000 events were published, 0 committed");
  make();
  const std::string link = folder / "link";
  REQUIRE_EQUAL(symlink(path.c_str(), link.c_str()), 0);
  CHECK_THROWS(Publisher{link}, std::system_error, "open");
  REQUIRE_EQUAL(mkdir((folder / "folder").c_str(), 0700), 0);
  CHECK_THROWS(Publisher(folder / "folder"), std::exception, "folder");
  CHECK_THROWS(Publisher(folder / "none/ring"), std::system_error, "create");
  CHECK_THROWS(Publisher(folder / "odd", {1'000, false}), std::runtime_error, "slots must be a power of two");
  if (geteuid() == 0) {
    REQUIRE_EQUAL(chown(path.c_str(), 1, 1), 0);
    CHECK_THROWS(open(), std::runtime_error, "belongs to user 1");
  }
}

TEST(ringFileHasOneWriterAndOneReader) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  auto first = std::make_unique<Publisher>(path, engine::PublisherOptions{slots, false});
  const std::string pid = std::to_string(getpid());
  CHECK_THROWS(Publisher{path}, std::runtime_error, "is written by process " + pid);
  CHECK_THROWS(Publisher(path, {slots, true}), std::runtime_error, "is written by process " + pid);
  const Taker taker(path);
  CHECK_THROWS(Taker{path}, std::runtime_error, "is read by process " + pid);
  const std::uint64_t stream = first->stream();
  first->try_push(engine_event(1));
  first.reset();
  CHECK_EQUAL(Publisher{path}.last(), 1U);
  const Publisher fresh(path, {slots, true});
  CHECK(fresh.fresh());
  CHECK_EQUAL(fresh.last(), 0U);
  CHECK(fresh.stream() > stream);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "")) ++files;
  CHECK_EQUAL(files, 1U);
}

// Between an open and its lock the file may have been replaced: who goes on must go on in the one with the name.
TEST(whoAttachesWhileTheRingIsBegunAnewWritesToTheNewOne) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  static_cast<void>(Publisher{path, {slots, false}});
  std::atomic<bool> done{false};
  std::thread renewer([&] {
    while (!done) {
      try {
        static_cast<void>(Publisher{path, {slots, true}});
      } catch (const std::runtime_error&) {
        std::this_thread::yield();  // the other one writes
      }
    }
  });
  for (int attached = 0; attached < 300;) {
    try {
      const Publisher publisher(path);
      CHECK_EQUAL(publisher.stream(), engine::RingFile::open(path, engine::RingSide::reader).header().stream);
      ++attached;
    } catch (const std::runtime_error&) {
      std::this_thread::yield();
    }
  }
  done = true;
  renewer.join();
}

// An engine that is killed at any instruction and comes again, many times: every event is there once, whole, in order.
TEST(writerThatIsKilledAnywhereLeavesWholeEventsOnly) {
  const ScratchFolder folder("/dev/shm");
  const std::string path = folder / "ring";
  Random random(seed());
  { const Publisher made(path, {slots, false}); }
  Taker taker(path);
  std::uint64_t taken = 0;
  std::uint64_t restarts_with_news = 0;
  const auto take = [&] {
    const std::uint64_t published = taker.published();
    REQUIRE(published >= taken);
    while (taken < published) {
      ++taken;
      REQUIRE(same(taker.at(taken), engine_event(taken)));
    }
    taker.commit(taken);
  };
  for (int life = 0; life < 40; ++life) {
    const std::uint64_t before = taken;
    const pid_t child = fork();
    if (child == 0) {
      Publisher publisher(path);
      for (std::uint64_t number = publisher.next();; ++number) {
        while (publisher.stage(engine_event(number)) == PushStatus::full) publisher.publish();
        if (number % 7 == 0) publisher.publish();
      }
    }
    REQUIRE(child > 0);
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random.between(500, 4'000));
    do take();
    while (std::chrono::steady_clock::now() < until);
    kill(child, SIGKILL);
    REQUIRE_EQUAL(waitpid(child, nullptr, 0), child);
    take();
    if (taken > before) ++restarts_with_news;
  }
  CHECK(restarts_with_news > 0);
  note(std::to_string(taken) + " events, " + std::to_string(restarts_with_news) + " of 40 lives pushed some");
}

}  // namespace
}  // namespace depthcast::test

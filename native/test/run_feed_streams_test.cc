#include <arpa/inet.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "io/file_descriptor.h"
#include "run/mold_stream.h"
#include "run/soup_stream.h"
#include "test/io_lines.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::FeedMessage;
using run::FeedNext;

TEST(aNameThatTheResolverHangsOnHoldsNobodyUp) {
  struct Gate {
    std::atomic<int> asked{0};
    std::atomic<bool> open{false};
  };
  const auto gate = std::make_shared<Gate>();
  run::SoupOptions options;
  options.host = "nowhere.invalid";
  options.port = 1;
  options.backoff_ns = 1;
  options.resolve = [gate](const std::string& host, std::uint16_t port) {
    gate->asked += host == "nowhere.invalid" && port == 1 ? 1 : 100;
    while (!gate->open) std::this_thread::yield();
    return std::vector<io::StreamAddress>();
  };
  FeedMessage message{};
  {
    run::SoupStream stream(options);
    stream.begin(1);
    for (int round = 0; round < 10; ++round) {
      CHECK(stream.next(message) == FeedNext::idle);
      stream.wait();
    }
    while (gate->asked == 0) std::this_thread::yield();
    CHECK_EQUAL(gate->asked.load(), 1);
    stream.leave();
  }
  // The stream is gone, its lookup still runs.
  {
    run::SoupStream stream(options);
    stream.begin(1);
    gate->open = true;
    // What was not found is looked up again.
    while (gate->asked < 4) {
      CHECK(stream.next(message) == FeedNext::idle);
      stream.wait();
    }
  }
}

TEST(aFloodOfRubbishLetsTheSourceBeStopped) {
  constexpr std::uint64_t datagrams = 1'500;
  const io::LineAddress line = fresh_line();
  run::MoldStreamOptions options;
  options.lines = {line};
  run::MoldStream stream(options);
  stream.begin(1);
  const io::FileDescriptor sender(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(sender.open());
  in_addr loopback{};
  inet_pton(AF_INET, "127.0.0.1", &loopback);
  REQUIRE_EQUAL(setsockopt(sender.get(), IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(line.port);
  inet_pton(AF_INET, line.group.c_str(), &to.sin_addr);
  for (std::uint64_t count = 0; count < datagrams; ++count) {
    REQUIRE_EQUAL(sendto(sender.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
  }
  FeedMessage message{};
  const auto seen = [&] { return stream.counters().get(run::FeedCounter::malformed); };
  CHECK(stream.next(message) == FeedNext::idle);
  // (A kernel with little room for it may have dropped some.)
  CHECK(seen() != 0 && seen() < datagrams / 2);
  const std::uint64_t first = seen();
  stream.wait();
  CHECK(stream.next(message) == FeedNext::idle);
  CHECK(seen() > first || first < 512);
}

}  // namespace
}  // namespace depthcast::test

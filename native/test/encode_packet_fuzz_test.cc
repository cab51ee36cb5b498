// Hostile packets, bounded and seeded. The open-ended form is fuzz/packet_reader_fuzzer.cc.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "test/packet_consumer.h"
#include "test/packet_mutator.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using encode::PacketStatus;

TEST(hostilePacketsBreakNeitherTheReaderNorTheBook) {
  const std::vector<Datagram> corpus = fuzz_corpus();
  PacketMutator mutator(corpus, seed());
  Random random(seed());
  PacketConsumer consumer;
  const std::uint64_t packets = work(2'000'000);
  for (std::uint64_t packet = 0; packet < packets; ++packet) {
    const Datagram datagram = mutator.next();
    consumer.consume(datagram);
    // An honest one in between, so that the book has something to lose.
    if (packet % 4 == 0) consumer.consume(random.pick(corpus));
    if (packet % 512 != 0) continue;
    if (const std::string fault = consumer.audit(); !fault.empty()) {
      fail_and_stop(__FILE__, __LINE__, "packet " + std::to_string(packet) + ": " + fault);
    }
  }
  std::string line = std::to_string(packets) + " mutated packets:";
  for (std::size_t index = 0; index < encode::packet_statuses; ++index) {
    line += ' ' + std::string(encode::name_of(static_cast<PacketStatus>(index))) + ' ' +
            std::to_string(consumer.statuses()[index]);
    CHECK(consumer.statuses()[index] > 0);
  }
  note(line + "; " + std::to_string(consumer.applied()) + " messages applied");
  // The mutations are not so wild that nothing gets through.
  CHECK(consumer.statuses()[0] > packets / 3);
}

TEST(honestPacketsOfTheCorpusAreAllAccepted) {
  PacketConsumer consumer;
  for (const Datagram& datagram : fuzz_corpus()) {
    CHECK(consumer.consume(datagram) == PacketStatus::ok);
    CHECK_EQUAL(consumer.audit(), "");
  }
  CHECK(consumer.applied() > 500);
}

// The prefix alone, at every length, aligned as read_packet wants it.
TEST(readerSurvivesRandomBytesOfEveryLength) {
  Random random(seed());
  PacketConsumer consumer;
  for (std::uint64_t round = 0; round < work(20'000); ++round) {
    Datagram datagram(static_cast<std::size_t>(random.below(200)));
    for (std::uint8_t& byte : datagram)
      byte = static_cast<std::uint8_t>(random.chance(1, 2) ? random.below(32) : random.next());
    if (datagram.size() >= 16 && random.chance(9, 10)) {
      const encode::Prefix prefix{encode::prefix_magic, encode::wire_version, 0, 0, 0};
      std::memcpy(datagram.data(), &prefix, sizeof prefix);
      repair(datagram);
    }
    consumer.consume(datagram);
  }
  CHECK_EQUAL(consumer.audit(), "");
}

}  // namespace
}  // namespace depthcast::test

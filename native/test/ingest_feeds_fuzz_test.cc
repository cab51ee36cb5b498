// Any bytes as SoupBinTCP, MoldUDP64 and captures: no read beyond them, always an end, and bounded memory.
#include <algorithm>

#include "ingest/moldudp64.h"
#include "ingest/pcap.h"
#include "ingest/soupbintcp.h"
#include "test/feed_bytes.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

// Bytes in memory of their own size, so that a read beyond them is seen by AddressSanitizer.
void damage(FeedBytes& bytes, Random& random) {
  for (std::uint64_t count = random.below(5); count > 0 && !bytes.empty(); --count) {
    const std::size_t at = static_cast<std::size_t>(random.below(bytes.size()));
    switch (random.below(5)) {
      case 0: bytes[at] = static_cast<std::uint8_t>(random.next()); break;
      case 1: bytes[at] = random.chance(1, 2) ? 0xff : 0; break;
      case 2: bytes.resize(at); break;
      case 3: put(bytes, FeedBytes(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end())); break;
      default: bytes[std::min(at, std::size_t{20})] ^= static_cast<std::uint8_t>(1U << random.below(8)); break;
    }
  }
  bytes.shrink_to_fit();
}

TEST(hostileSoupBytesBreakNothing) {
  Random random(seed());
  std::uint64_t messages = 0;
  std::uint64_t faults = 0;
  for (std::uint64_t round = 0; round < work(60'000); ++round) {
    FeedBytes bytes = random.chance(9, 10) ? soup_accepted("DAY1", 1) : FeedBytes();
    constexpr char types[] = {'S', 'S', 'S', 'H', '+', 'U', 'Z', 'A', 'J', 'L', '?'};
    for (std::uint64_t count = random.below(8); count > 0; --count) {
      const char type = types[random.below(random.chance(3, 4) ? 6 : std::size(types))];
      const bool bare = type == 'H' || type == 'Z';
      put(bytes, soup(type, bare ? std::string() : std::string(static_cast<std::size_t>(random.below(60)), 'x')));
    }
    damage(bytes, random);
    ingest::SoupSession session;
    session.login({"USER", "PASS", "", 1, 0}, 0);
    std::span<const std::uint8_t> rest(bytes);
    std::uint64_t taken = 0;
    while (true) {
      std::size_t used = 0;
      std::span<const std::uint8_t> message;
      const ingest::SoupNext next = session.next(rest, used, message, 1);
      if (next == ingest::SoupNext::fault) ++faults;
      if (next == ingest::SoupNext::more || next == ingest::SoupNext::fault) break;
      REQUIRE(used >= 3 && used <= rest.size());
      if (next == ingest::SoupNext::message) {
        ++taken;
        REQUIRE_EQUAL(message.size(), used - 3);
      }
      rest = rest.subspan(used);
    }
    if (session.logged_in()) REQUIRE_EQUAL(session.sequence(), 1 + taken);
    messages += taken;
  }
  CHECK(messages > 0 && faults > 0);
  note(std::to_string(messages) + " messages, " + std::to_string(faults) + " faults");
}

TEST(hostileMoldPacketsBreakNothing) {
  Random random(seed());
  std::uint64_t messages = 0;
  std::uint64_t malformed = 0;
  for (std::uint64_t round = 0; round < work(2'000); ++round) {
    ingest::MoldOptions options;
    options.parked_bytes_max = 4'096;
    options.first_sequence = random.between(1, 3);
    ingest::MoldReceiver receiver(options);
    std::uint64_t previous = 0;
    std::int64_t now_ns = 1;
    for (std::uint64_t count = 40; count > 0; --count) {
      std::vector<FeedBytes> blocks(static_cast<std::size_t>(random.below(6)));
      for (FeedBytes& block : blocks) block.resize(static_cast<std::size_t>(random.below(40)));
      FeedBytes packet = mold(random.chance(1, 20) ? "DAY2" : "DAY1", random.between(1, 80), blocks);
      if (random.chance(1, 40)) packet = mold_end("DAY1", random.between(40, 90));
      if (random.chance(1, 3)) damage(packet, random);
      now_ns += static_cast<std::int64_t>(random.below(50'000'000));
      receiver.on_packet(packet, now_ns);
      std::span<const std::uint8_t> message;
      std::uint64_t sequence = 0;
      std::uint64_t sum = 0;
      while (receiver.next(message, sequence)) {
        REQUIRE(sequence > previous);
        previous = sequence;
        ++messages;
        for (const std::uint8_t byte : message) sum += byte;
      }
      ingest::MoldRequest request;
      if (receiver.request_due(now_ns, request)) {
        REQUIRE(request.count > 0 && request.count <= options.request_messages_max);
        REQUIRE(request.sequence >= receiver.next_sequence());
      }
      if (receiver.hole_lost(now_ns) || (receiver.overfull() && random.chance(1, 10))) receiver.give_up();
      REQUIRE(sum < ~std::uint64_t{0});
    }
    malformed += receiver.counters().malformed;
  }
  CHECK(messages > 0 && malformed > 0);
  note(std::to_string(messages) + " messages, " + std::to_string(malformed) + " packets refused");
}

TEST(hostileCapturesBreakNothing) {
  Random random(seed());
  std::uint64_t datagrams = 0;
  std::uint64_t faults = 0;
  constexpr std::uint32_t links[] = {0, 1, 12, 101, 108, 113, 228, 276, 9};
  for (std::uint64_t round = 0; round < work(40'000); ++round) {
    const std::uint32_t link = links[random.below(std::size(links))];
    FeedBytes packet = ipv4_udp(FeedBytes(static_cast<std::size_t>(random.below(40)), 'x'));
    if (random.chance(1, 3)) damage(packet, random);
    FeedBytes frame;
    if (link == 1) {
      frame = ethernet(packet, random.chance(1, 2));
    } else {
      frame = packet;
    }
    FeedBytes bytes;
    if (random.chance(1, 2)) {
      CaptureBytes capture(random.chance(1, 2), random.chance(1, 2), link);
      for (std::uint64_t count = random.below(4); count > 0; --count) capture.record(1, 2, frame);
      bytes = capture.bytes;
    } else {
      bytes = next_generation(static_cast<std::uint16_t>(link), random.next(), frame);
    }
    if (random.chance(1, 2)) damage(bytes, random);
    ingest::PcapReader reader;
    std::span<const std::uint8_t> rest(bytes);
    for (std::size_t steps = 0; true; ++steps) {
      REQUIRE(steps <= bytes.size());
      std::size_t used = 0;
      ingest::PcapRecord record;
      const ingest::PcapNext next = reader.next(rest, used, record);
      if (next == ingest::PcapNext::fault) ++faults;
      if (next == ingest::PcapNext::more || next == ingest::PcapNext::fault) break;
      REQUIRE(used <= rest.size());
      if (next == ingest::PcapNext::record) {
        ingest::UdpFrame udp;
        if (ingest::read_frame(record.link_type, record.frame, udp) == ingest::FrameKind::udp) {
          ++datagrams;
          REQUIRE(udp.payload.size() <= record.frame.size());
        }
      }
      rest = rest.subspan(used);
    }
  }
  CHECK(datagrams > 0 && faults > 0);
  note(std::to_string(datagrams) + " datagrams, " + std::to_string(faults) + " faults");
}

}  // namespace
}  // namespace depthcast::test

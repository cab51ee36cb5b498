#include "ingest/pcap.h"

#include "test/feed_bytes.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::FrameKind;
using ingest::PcapFault;
using ingest::PcapNext;
using ingest::PcapReader;
using ingest::PcapRecord;
using ingest::UdpFrame;

struct Read {
  std::vector<PcapRecord> records;
  std::vector<FeedBytes> frames;
  PcapFault fault = PcapFault::none;
  std::size_t left = 0;
};

Read read_all(const FeedBytes& bytes) {
  Read result;
  PcapReader reader;
  std::span<const std::uint8_t> rest(bytes);
  while (true) {
    std::size_t used = 0;
    PcapRecord record;
    const PcapNext next = reader.next(rest, used, record);
    if (next == PcapNext::more || next == PcapNext::fault) break;
    rest = rest.subspan(used);
    if (next == PcapNext::skipped) continue;
    result.records.push_back(record);
    result.frames.emplace_back(record.frame.begin(), record.frame.end());
  }
  result.fault = reader.fault();
  result.left = rest.size();
  return result;
}

const FeedBytes payload = {'d', 'a', 't', 'a'};

TEST(capturesAreReadInBothByteOrdersAndUnits) {
  for (const bool big : {false, true}) {
    for (const bool nanoseconds : {false, true}) {
      CaptureBytes capture(big, nanoseconds, 1);
      capture.record(1'577'710'800, 123'456, ethernet(ipv4_udp(payload)));
      capture.record(1'577'710'801, 7, ethernet(ipv4_udp(payload)), 2'000);
      const Read read = read_all(capture.bytes);
      REQUIRE_EQUAL(read.records.size(), 2);
      CHECK_EQUAL(read.records[0].time_ns, 1'577'710'800'000'000'000 + 123'456 * (nanoseconds ? 1 : 1'000));
      CHECK_EQUAL(read.records[0].link_type, 1);
      CHECK(!read.records[0].truncated && read.records[1].truncated);
      CHECK(read.frames[0] == ethernet(ipv4_udp(payload)));
      CHECK_EQUAL(read.left, 0);
    }
  }
}

TEST(nextGenerationCapturesAreRead) {
  const FeedBytes bytes = next_generation(1, 1'577'710'800'123'456'789, ethernet(ipv4_udp(payload)));
  const Read read = read_all(bytes);
  REQUIRE_EQUAL(read.records.size(), 1);
  CHECK_EQUAL(read.records[0].time_ns, 1'577'710'800'123'456'789);
  CHECK(read.frames[0] == ethernet(ipv4_udp(payload)));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const Read cut = read_all({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
    CHECK(cut.fault == PcapFault::none);
    CHECK_EQUAL(cut.records.size(), 0);
  }
}

TEST(whatIsNoCaptureIsRefused) {
  CHECK(read_all({1, 2, 3, 4, 5}).fault == PcapFault::unknown_format);
  CaptureBytes capture(true, false, 1);
  capture.bytes[5] = 9;
  CHECK(read_all(capture.bytes).fault == PcapFault::unknown_version);
  CaptureBytes huge(true, false, 1);
  huge.record(0, 0, {});
  huge.bytes[24 + 8] = 0x7f;
  CHECK(read_all(huge.bytes).fault == PcapFault::record_too_long);
  FeedBytes blocks = next_generation(1, 1, {});
  blocks[blocks.size() - 1] = 9;
  CHECK(read_all(blocks).fault == PcapFault::bad_block);
}

TEST(datagramsAreFoundInEveryKindOfFrame) {
  const FeedBytes packet = ipv4_udp(payload);
  const auto found = [&](std::uint32_t link_type, const FeedBytes& frame) {
    UdpFrame udp;
    CHECK(ingest::read_frame(link_type, frame, udp) == FrameKind::udp);
    CHECK(FeedBytes(udp.payload.begin(), udp.payload.end()) == payload);
    CHECK_EQUAL(udp.destination, 0xefc01a09U);
    CHECK_EQUAL(udp.destination_port, 26'477);
    CHECK_EQUAL(udp.source, 0x0a000001U);
    CHECK_EQUAL(udp.source_port, 4'000);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      CHECK(ingest::read_frame(link_type, std::span(frame).first(length), udp) == FrameKind::truncated);
    }
  };
  found(1, ethernet(packet));
  found(1, ethernet(packet, true));
  found(101, packet);
  found(228, packet);
  FeedBytes cooked(14, 0);
  put(cooked, 2, 0x0800);
  put(cooked, packet);
  found(113, cooked);
  FeedBytes cooked_2;
  put(cooked_2, 2, 0x0800);
  cooked_2.resize(20);
  put(cooked_2, packet);
  found(276, cooked_2);
  FeedBytes loopback;
  put_little(loopback, 4, 2);
  put(loopback, packet);
  found(0, loopback);
  FeedBytes padded = ethernet(packet);
  padded.resize(60);
  UdpFrame udp;
  CHECK(ingest::read_frame(1, padded, udp) == FrameKind::udp);
  CHECK_EQUAL(udp.payload.size(), 4);
}

TEST(whatIsNoWholeDatagramIsToldApart) {
  UdpFrame udp;
  const auto kind = [&](FeedBytes packet) { return ingest::read_frame(101, packet, udp); };
  const auto with = [&](std::size_t offset, std::uint8_t value) {
    FeedBytes packet = ipv4_udp(payload);
    packet[offset] = value;
    return packet;
  };
  CHECK(kind(with(0, 0x65)) == FrameKind::other);     // IPv6
  CHECK(kind(with(0, 0x44)) == FrameKind::other);     // a header of 16 bytes
  CHECK(kind(with(9, 6)) == FrameKind::other);        // TCP
  CHECK(kind(with(6, 0x20)) == FrameKind::fragment);  // more fragments
  CHECK(kind(with(7, 1)) == FrameKind::fragment);     // not the first
  CHECK(kind(with(6, 0x40)) == FrameKind::udp);       // "do not fragment" is no fragment
  CHECK(kind(with(25, 7)) == FrameKind::other);       // shorter than its header
  CHECK(kind(with(25, 200)) == FrameKind::other);     // longer than the packet
  CHECK(ingest::read_frame(999, ipv4_udp(payload), udp) == FrameKind::unknown_link);
  FeedBytes arp(12, 2);
  put(arp, 2, 0x0806);
  CHECK(ingest::read_frame(1, arp, udp) == FrameKind::other);
}

}  // namespace
}  // namespace depthcast::test

// libFuzzer on SoupBinTCP, MoldUDP64 and captures; by hand, not part of any build. The input's first byte chooses:
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Inative \
//     native/test/fuzz/ingest_feeds_fuzzer.cc native/ingest/{soupbintcp,moldudp64,pcap}.cc -o /tmp/ingest_feeds_fuzzer
//   /tmp/ingest_feeds_fuzzer -max_len=4096 -max_total_time=300
#include <cstdlib>

#include "ingest/moldudp64.h"
#include "ingest/pcap.h"
#include "ingest/soupbintcp.h"

namespace {

using Bytes = std::span<const std::uint8_t>;

void soup(Bytes bytes) {
  depthcast::ingest::SoupSession session;
  session.login({"USER", "PASS", "", 0, 0}, 0);
  while (true) {
    std::size_t used = 0;
    Bytes message;
    const depthcast::ingest::SoupNext next = session.next(bytes, used, message, 1);
    if (next == depthcast::ingest::SoupNext::more || next == depthcast::ingest::SoupNext::fault) return;
    if (used == 0 || used > bytes.size()) std::abort();
    bytes = bytes.subspan(used);
  }
}

// Datagrams of the lengths that the input says.
void mold(Bytes bytes) {
  depthcast::ingest::MoldOptions options;
  options.parked_bytes_max = 65'536;
  depthcast::ingest::MoldReceiver receiver(options);
  std::uint64_t previous = 0;
  std::int64_t now_ns = 1;
  while (!bytes.empty()) {
    const std::size_t length = std::min<std::size_t>(bytes[0], bytes.size() - 1);
    receiver.on_packet(bytes.subspan(1, length), now_ns += 100'000'000);
    bytes = bytes.subspan(1 + length);
    Bytes message;
    std::uint64_t sequence = 0;
    while (receiver.next(message, sequence)) {
      if (sequence <= previous) std::abort();
      previous = sequence;
    }
    depthcast::ingest::MoldRequest request;
    receiver.request_due(now_ns, request);
    if (receiver.hole_lost(now_ns)) receiver.give_up();
  }
}

void capture(Bytes bytes) {
  depthcast::ingest::PcapReader reader;
  while (true) {
    std::size_t used = 0;
    depthcast::ingest::PcapRecord record;
    const depthcast::ingest::PcapNext next = reader.next(bytes, used, record);
    if (next == depthcast::ingest::PcapNext::more || next == depthcast::ingest::PcapNext::fault) return;
    if (used > bytes.size()) std::abort();
    bytes = bytes.subspan(used);
    depthcast::ingest::UdpFrame udp;
    if (next == depthcast::ingest::PcapNext::record) {
      depthcast::ingest::read_frame(record.link_type, record.frame, udp);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0: soup(bytes); break;
    case 1: mold(bytes); break;
    default: capture(bytes); break;
  }
  return 0;
}

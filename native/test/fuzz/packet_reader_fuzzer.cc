// libFuzzer on read_packet and the book behind it; by hand, not part of any build:
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Inative \
//     -isystem .generated/include native/test/fuzz/packet_reader_fuzzer.cc
//     native/test/{packet_consumer,packets,golden}.cc \ native/test/test_runner.cc native/{core,book,encode}/*.cc
//     native/ingest/itch_parser.cc -o /tmp/packet_reader_fuzzer
//   /tmp/packet_reader_fuzzer -max_len=2048 -max_total_time=300 native/test/golden/v1
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "test/packet_consumer.h"
#include "test/packet_mutator.h"

using depthcast::test::Datagram;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

const std::vector<Datagram>& corpus() {
  static const std::vector<Datagram> all = depthcast::test::fuzz_corpus();
  return all;
}

}  // namespace

// libFuzzer's own mutations or ours; then the prefix is made right, or nothing would get past its CRC.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  Datagram datagram(data, data + size);
  if (seed % 2 == 0) {
    datagram.resize(size_max);
    datagram.resize(LLVMFuzzerMutate(datagram.data(), size, size_max));
  } else {
    depthcast::test::PacketMutator(corpus(), seed).mutate(datagram);
  }
  if (seed % 16 != 0) depthcast::test::repair(datagram);
  datagram.resize(std::min(datagram.size(), size_max));
  std::copy(datagram.begin(), datagram.end(), data);
  return datagram.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static depthcast::test::PacketConsumer consumer;
  static std::uint64_t packets = 0;
  consumer.consume(Datagram(data, data + size));
  // The book keeps its state between inputs: an audit now and then is enough, and a fault says where to look.
  if (++packets % 256 != 0) return 0;
  if (const std::string fault = consumer.audit(); !fault.empty()) {
    std::fprintf(stderr, "audit: %s\n", fault.c_str());
    std::abort();
  }
  return 0;
}

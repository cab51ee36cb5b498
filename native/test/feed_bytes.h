// SoupBinTCP, MoldUDP64 and capture bytes for tests, built from the specifications and not from the code under test.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthcast::test {

using FeedBytes = std::vector<std::uint8_t>;

inline void put(FeedBytes& out, std::size_t size, std::uint64_t value) {
  for (std::size_t index = 0; index < size; ++index) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * (size - 1 - index))));
  }
}
inline void put_little(FeedBytes& out, std::size_t size, std::uint64_t value) {
  for (std::size_t index = 0; index < size; ++index) out.push_back(static_cast<std::uint8_t>(value >> (8 * index)));
}
// Byte by byte: GCC 12 sees overflows in vector::insert that are not there (GCC bug 107852).
inline void put(FeedBytes& out, std::string_view text) {
  for (const char letter : text) out.push_back(static_cast<std::uint8_t>(letter));
}
inline void put(FeedBytes& out, const FeedBytes& bytes) {
  for (const std::uint8_t byte : bytes) out.push_back(byte);
}

inline FeedBytes soup(char type, std::string_view payload = {}) {
  FeedBytes out;
  put(out, 2, payload.size() + 1);
  out.push_back(static_cast<std::uint8_t>(type));
  put(out, payload);
  return out;
}
inline FeedBytes soup_accepted(std::string session, std::uint64_t sequence) {
  session.insert(0, 10 - session.size(), ' ');
  const std::string number = std::to_string(sequence);
  return soup('A', session + std::string(20 - number.size(), ' ') + number);
}

inline FeedBytes mold(std::string session, std::uint64_t sequence, const std::vector<FeedBytes>& messages) {
  FeedBytes out;
  session.resize(10, ' ');
  put(out, session);
  put(out, 8, sequence);
  put(out, 2, messages.size());
  for (const FeedBytes& message : messages) {
    put(out, 2, message.size());
    put(out, message);
  }
  return out;
}
inline FeedBytes mold_end(std::string session, std::uint64_t sequence) {
  FeedBytes out = mold(std::move(session), sequence, {});
  out[18] = out[19] = 0xff;
  return out;
}

// A datagram in IPv4, to 239.192.26.9:26477 where nothing else is said.
inline FeedBytes ipv4_udp(const FeedBytes& payload, std::uint32_t group = 0xefc01a09, std::uint16_t port = 26'477) {
  FeedBytes out = {0x45, 0};
  put(out, 2, 28 + payload.size());
  put(out, 4, 0x00010000);
  put(out, 4, 0x10110000);
  put(out, 4, 0x0a000001);
  put(out, 4, group);
  put(out, 2, 4'000);
  put(out, 2, port);
  put(out, 2, 8 + payload.size());
  put(out, 2, 0);
  put(out, payload);
  return out;
}
inline FeedBytes ethernet(const FeedBytes& packet, bool vlan = false) {
  FeedBytes out(12, 0x02);
  if (vlan) put(out, 4, 0x8100000a);
  put(out, 2, 0x0800);
  put(out, packet);
  return out;
}

// A classic capture, big- or little-endian.
class CaptureBytes {
 public:
  CaptureBytes(bool big, bool nanoseconds, std::uint32_t link_type) : big_(big) {
    number(4, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    number(2, 2);
    number(2, 4);
    number(4, 0);
    number(4, 0);
    number(4, 65'535);
    number(4, link_type);
  }
  void record(std::uint32_t seconds, std::uint32_t fraction, const FeedBytes& frame, std::size_t original = 0) {
    number(4, seconds);
    number(4, fraction);
    number(4, frame.size());
    number(4, original == 0 ? frame.size() : original);
    put(bytes, frame);
  }
  FeedBytes bytes;

 private:
  void number(std::size_t size, std::uint64_t value) {
    if (big_) {
      put(bytes, size, value);
    } else {
      put_little(bytes, size, value);
    }
  }
  bool big_;
};

inline FeedBytes next_generation_block(std::uint32_t type, FeedBytes body) {
  while (body.size() % 4 != 0) body.push_back(0);
  FeedBytes out;
  put_little(out, 4, type);
  put_little(out, 4, body.size() + 12);
  put(out, body);
  put_little(out, 4, body.size() + 12);
  return out;
}
// A section, one interface in nanoseconds, and a packet at `time_ns`.
inline FeedBytes next_generation(std::uint16_t link_type, std::uint64_t time_ns, const FeedBytes& frame) {
  FeedBytes section;
  put_little(section, 4, 0x1a2b3c4d);
  put_little(section, 4, 1);
  put_little(section, 8, ~std::uint64_t{0});
  FeedBytes interface;
  put_little(interface, 4, link_type);
  put_little(interface, 4, 65'535);
  put_little(interface, 2, 9);
  put_little(interface, 2, 1);
  put_little(interface, 4, 9);
  put_little(interface, 4, 0);
  FeedBytes packet;
  put_little(packet, 4, 0);
  put_little(packet, 4, time_ns >> 32);
  put_little(packet, 4, time_ns & 0xffffffffU);
  put_little(packet, 4, frame.size());
  put_little(packet, 4, frame.size());
  put(packet, frame);
  FeedBytes out = next_generation_block(0x0a0d0d0a, section);
  put(out, next_generation_block(1, interface));
  put(out, next_generation_block(6, packet));
  return out;
}

}  // namespace depthcast::test

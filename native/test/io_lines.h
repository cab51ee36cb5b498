// Lines of the tests: multicast on the loopback interface, TTL 0, groups and
// ports that no other run uses.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "io/udp_socket.h"

namespace depthcast::test {

inline io::LineAddress fresh_line() {
  static std::atomic<unsigned> count{0};  // pairs with itself: any thread may ask for a line
  const unsigned id = static_cast<unsigned>(getpid()) * 61 + count.fetch_add(1, std::memory_order_relaxed);
  io::LineAddress address;
  address.group = "239.192." + std::to_string(id / 250 % 250 + 1) + '.' + std::to_string(id % 250 + 1);
  address.port = static_cast<std::uint16_t>(20'000 + id % 10'000);
  return address;
}

// Datagram number `number` of a test: its bytes follow from number and length.
inline std::vector<std::uint8_t> datagram_of(std::uint64_t number, std::size_t length) {
  std::vector<std::uint8_t> bytes(length);
  for (std::size_t index = 0; index < length; ++index) {
    bytes[index] = static_cast<std::uint8_t>((number * 0x9e3779b97f4a7c15ULL >> (8 * (index % 8))) + index / 8);
  }
  return bytes;
}

// Keeps datagrams until they are sent, and what a receiver got.
class DatagramTest {
 public:
  // Remembers it and gives it to the sender.
  void add(io::UdpSender& sender, std::size_t length) {
    sent.push_back(datagram_of(sent.size(), length));
    sender.add(sent.back().data(), length);
  }
  // Takes what is there until `count` datagrams have come in all, or nothing
  // has come for `patience`.
  void receive(io::UdpReceiver& receiver, std::size_t count,
               std::chrono::milliseconds patience = std::chrono::milliseconds(3'000)) {
    auto last = std::chrono::steady_clock::now();
    while (received.size() < count && std::chrono::steady_clock::now() - last < patience) {
      const std::size_t taken = receiver.receive([&](std::span<const std::uint8_t> datagram) {
        if (reinterpret_cast<std::uintptr_t>(datagram.data()) % 8 != 0) ++unaligned;
        received.emplace_back(datagram.begin(), datagram.end());
      });
      if (taken != 0) {
        last = std::chrono::steady_clock::now();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    }
  }
  // Empty when all that was sent has come, once and in order.
  std::string difference() const {
    if (unaligned != 0) return std::to_string(unaligned) + " datagrams are not aligned";
    if (received.size() != sent.size()) {
      return std::to_string(received.size()) + " datagrams of " + std::to_string(sent.size()) + " have come";
    }
    for (std::size_t index = 0; index < sent.size(); ++index) {
      if (received[index] != sent[index]) return "datagram " + std::to_string(index) + " is another one";
    }
    return {};
  }

  std::vector<std::vector<std::uint8_t>> sent;
  std::vector<std::vector<std::uint8_t>> received;
  std::size_t unaligned = 0;
};

}  // namespace depthcast::test

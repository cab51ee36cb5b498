#include "io/udp_socket.h"

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "test/io_lines.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using io::LineAddress;
using io::ReceiverOptions;
using io::SenderOptions;
using io::UdpReceiver;
using io::UdpSender;

SenderOptions sender_options(const LineAddress& address, bool segmentation = true) {
  SenderOptions options;
  options.address = address;
  options.segmentation = segmentation;
  return options;
}

ReceiverOptions receiver_options(const LineAddress& address, bool coalescing = true) {
  ReceiverOptions options;
  options.address = address;
  options.coalescing = coalescing;
  options.receive_buffer_bytes = 212'992;  // what every system allows
  return options;
}

// What one line carries is the same whatever either end offers.
template <typename Send>
void over_all_kinds_of_lines(Send send) {
  for (const bool segmentation : {true, false}) {
    for (const bool coalescing : {true, false}) {
      const LineAddress address = fresh_line();
      UdpReceiver receiver(receiver_options(address, coalescing));
      UdpSender sender(sender_options(address, segmentation));
      DatagramTest test;
      send(test, sender, receiver);
      test.receive(receiver, test.sent.size());
      const std::string difference = test.difference();
      if (!difference.empty()) {
        fail(__FILE__, __LINE__,
             std::string("segmentation ") + (segmentation ? "on" : "off") + ", coalescing " +
                 (coalescing ? "on: " : "off: ") + difference);
      }
      std::uint64_t bytes = 0;
      for (const auto& datagram : test.sent) bytes += datagram.size();
      CHECK_EQUAL(sender.datagrams(), test.sent.size());
      CHECK_EQUAL(sender.bytes(), bytes);
      CHECK_EQUAL(sender.datagrams_failed(), 0U);
      CHECK_EQUAL(sender.last_error(), 0);
      CHECK_EQUAL(receiver.kernel_drops(), 0U);
      CHECK_EQUAL(receiver.receive_errors(), 0U);
    }
  }
}

TEST(udpRunsOfEqualSizeArriveAsSingleDatagramsInOrder) {
  over_all_kinds_of_lines([](DatagramTest& test, UdpSender& sender, UdpReceiver&) {
    for (int count = 0; count < 100; ++count) test.add(sender, 1'400);
    sender.flush();
  });
}

TEST(udpDatagramsOfAllSizesArriveInOrder) {
  Random random(seed());
  over_all_kinds_of_lines([&](DatagramTest& test, UdpSender& sender, UdpReceiver& receiver) {
    for (int batch = 0; batch < 40; ++batch) {
      for (std::uint64_t run = random.between(1, 3); run > 0; --run) {
        const auto length = static_cast<std::size_t>(random.between(1, random.chance(1, 8) ? 8'952 : 1'500));
        for (std::uint64_t count = random.between(1, length > 1'500 ? 3 : 20); count > 0; --count) {
          test.add(sender, length);
        }
        if (random.chance(1, 2)) test.add(sender, static_cast<std::size_t>(random.between(1, length)));
      }
      sender.flush();
      test.receive(receiver, test.sent.size());
    }
  });
}

TEST(udpSenderMakesOneBufferOfEqualDatagramsAndAShorterLast) {
  const LineAddress address = fresh_line();
  UdpReceiver receiver(receiver_options(address, false));
  UdpSender sender(sender_options(address));
  if (!sender.segmentation()) return note("this kernel knows no UDP_SEGMENT");
  DatagramTest test;
  // 46 x 1,400 bytes are all that one buffer holds; 100, 100, 40 are one
  // buffer; 200 begins another.
  for (int count = 0; count < 46; ++count) test.add(sender, 1'400);
  for (const std::size_t length : {100, 100, 40, 200}) test.add(sender, length);
  sender.flush();
  test.receive(receiver, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
  CHECK_EQUAL(sender.send_calls(), 1U);
}

TEST(udpSenderSendsByItselfWhenTooMuchWaits) {
  const LineAddress address = fresh_line();
  UdpReceiver receiver(receiver_options(address));
  UdpSender sender(sender_options(address));
  DatagramTest test;
  for (int count = 0; count < 2'500; ++count) test.add(sender, 64);
  CHECK_EQUAL(sender.datagrams(), 2'048U);
  test.receive(receiver, 2'048);
  sender.flush();
  const std::uint64_t calls = sender.send_calls();
  sender.flush();  // nothing waits
  CHECK_EQUAL(sender.send_calls(), calls);
  test.receive(receiver, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
}

TEST(udpEveryReceiverOfAGroupGetsItsCopy) {
  const LineAddress address = fresh_line();
  UdpReceiver first(receiver_options(address));
  UdpReceiver second(receiver_options(address, false));
  UdpSender sender(sender_options(address));
  DatagramTest test;
  for (int count = 0; count < 50; ++count) test.add(sender, 500);
  sender.flush();
  test.receive(first, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
  test.received.clear();
  test.receive(second, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
}

TEST(udpReceiverHearsOnlyItsOwnGroup) {
  LineAddress address = fresh_line();
  LineAddress other = fresh_line();
  other.port = address.port;
  UdpReceiver receiver(receiver_options(address));
  UdpReceiver receiver_of_other(receiver_options(other));
  UdpSender sender(sender_options(other));
  DatagramTest test;
  test.add(sender, 500);
  sender.flush();
  test.receive(receiver_of_other, 1);
  CHECK_EQUAL(test.difference(), "");
  test.received.clear();
  test.receive(receiver, 1, std::chrono::milliseconds(20));
  CHECK_EQUAL(test.received.size(), 0U);
}

TEST(udpUnicastWorksLikeMulticast) {
  LineAddress address = fresh_line();
  address.group = "127.0.0.1";
  UdpReceiver receiver(receiver_options(address));
  UdpSender sender(sender_options(address));
  DatagramTest test;
  for (int count = 0; count < 100; ++count) test.add(sender, 700);
  sender.flush();
  test.receive(receiver, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
}

TEST(udpReceiverTakesOnlyFromItsSourcesAndCountsTheRest) {
  for (const bool coalescing : {true, false}) {
    const LineAddress address = fresh_line();
    LineAddress from_two = address;
    from_two.interface_address = "127.0.0.2";
    ReceiverOptions options = receiver_options(address, coalescing);
    options.sources = {"127.0.0.9", "127.0.0.2"};
    UdpReceiver receiver(options);
    UdpSender foreign(sender_options(address));
    UdpSender wanted(sender_options(from_two));
    DatagramTest noise;
    for (int count = 0; count < 20; ++count) noise.add(foreign, 600);
    noise.add(foreign, 50);
    foreign.flush();
    DatagramTest test;
    for (int count = 0; count < 10; ++count) test.add(wanted, 600);
    wanted.flush();
    test.receive(receiver, test.sent.size());
    CHECK_EQUAL(test.difference(), "");
    CHECK_EQUAL(receiver.foreign_sources(), noise.sent.size());
  }
}

TEST(udpReceiverJoinsItsSourcesWhereTheKernelFilters) {
  const LineAddress address = fresh_line();
  LineAddress from_two = address;
  from_two.interface_address = "127.0.0.2";
  ReceiverOptions options = receiver_options(address);
  options.sources = {"127.0.0.2"};
  options.source_specific = true;
  UdpReceiver receiver(options);
  UdpSender foreign(sender_options(address));
  UdpSender wanted(sender_options(from_two));
  DatagramTest noise;
  noise.add(foreign, 600);
  foreign.flush();
  DatagramTest test;
  test.add(wanted, 600);
  wanted.flush();
  test.receive(receiver, 1);
  CHECK_EQUAL(test.difference(), "");
  CHECK_EQUAL(receiver.foreign_sources(), 0U);  // it never came that far
}

// Nobody reads and the buffer is tiny: what did not fit is told with what comes
// next.
TEST(udpReceiverCountsWhatTheKernelDropped) {
  const LineAddress address = fresh_line();
  ReceiverOptions options = receiver_options(address, false);
  options.receive_buffer_bytes = 8'192;
  UdpReceiver receiver(options);
  CHECK(receiver.receive_buffer_bytes() <= 65'536);
  UdpSender sender(sender_options(address));
  DatagramTest test;
  for (int count = 0; count < 500; ++count) test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, 500, std::chrono::milliseconds(50));
  const std::size_t kept = test.received.size();
  CHECK(kept > 0 && kept < 100);
  test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, kept + 1);
  CHECK_EQUAL(test.received.size(), kept + 1);
  CHECK_EQUAL(receiver.kernel_drops(), 500 - kept);
  // The same again: the figure adds up.
  for (int count = 0; count < 500; ++count) test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, 1'000, std::chrono::milliseconds(50));
  test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, test.received.size() + 1);
  CHECK_EQUAL(receiver.kernel_drops() + test.received.size(), test.sent.size());
}

// With coalescing the kernel counts runs: there is no telling how many
// datagrams, but that there were some.
TEST(udpReceiverThatCoalescesKnowsThatTheKernelDropped) {
  const LineAddress address = fresh_line();
  ReceiverOptions options = receiver_options(address);
  options.receive_buffer_bytes = 8'192;
  UdpReceiver receiver(options);
  UdpSender sender(sender_options(address));
  DatagramTest test;
  for (int count = 0; count < 1'000; ++count) test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, 1'000, std::chrono::milliseconds(50));
  test.add(sender, 1'000);
  sender.flush();
  test.receive(receiver, test.received.size() + 1);
  CHECK(receiver.kernel_drops() > 0);
  CHECK(receiver.kernel_drops() + test.received.size() <= test.sent.size());
}

TEST(udpReceiverHandsOnEmptyDatagramsSoThatTheyAreCounted) {
  for (const char* source : {"127.0.0.1", "127.0.0.9"}) {
    const LineAddress address = fresh_line();
    ReceiverOptions options = receiver_options(address);
    options.sources = {source};
    UdpReceiver receiver(options);
    UdpSender sender(sender_options(address));
    DatagramTest test;
    test.add(sender, 0);
    test.add(sender, 10);
    sender.flush();
    const bool wanted = std::string(source) == "127.0.0.1";
    test.receive(receiver, 2, std::chrono::milliseconds(wanted ? 3'000 : 20));
    CHECK_EQUAL(test.received.size(), wanted ? 2U : 0U);
    CHECK_EQUAL(receiver.foreign_sources(), wanted ? 0U : 2U);
  }
}

TEST(udpSenderCountsWhatCannotBeSentAndGoesOn) {
  const LineAddress address = fresh_line();
  UdpReceiver receiver(receiver_options(address));
  UdpSender sender(sender_options(address));
  DatagramTest test;
  test.add(sender, 1'400);
  const std::vector<std::uint8_t> too_long(65'508);  // one more than UDP can carry
  sender.add(too_long.data(), too_long.size());
  test.add(sender, 1'400);
  sender.flush();
  test.receive(receiver, 2);
  CHECK_EQUAL(test.difference(), "");
  CHECK_EQUAL(sender.datagrams(), 2U);
  CHECK_EQUAL(sender.datagrams_failed(), 1U);
  CHECK_EQUAL(sender.last_error(), EMSGSIZE);
  for (int count = 0; count < 100; ++count) test.add(sender, 1'400);
  sender.flush();
  test.receive(receiver, test.sent.size());
  CHECK_EQUAL(test.difference(), "");
  CHECK_EQUAL(sender.datagrams_failed(), 1U);
}

TEST(udpSenderToANetworkThatCannotBeReachedCountsEveryDatagram) {
  LineAddress address = fresh_line();
  address.group = "192.0.2.77";  // TEST-NET-1, from the loopback interface: no
                                 // way leads there
  UdpSender sender(sender_options(address));
  const std::vector<std::uint8_t> datagram(1'000);
  for (int round = 1; round <= 3; ++round) {
    for (int count = 0; count < 100; ++count) sender.add(datagram.data(), datagram.size());
    sender.flush();
    CHECK_EQUAL(sender.datagrams_failed(), static_cast<std::uint64_t>(100 * round));
  }
  CHECK(sender.last_error() != 0);
  CHECK_EQUAL(sender.datagrams(), 0U);
  CHECK_EQUAL(sender.bytes(), 0U);
}

TEST(udpReceiverWithNothingToReadReturnsAtOnce) {
  UdpReceiver receiver(receiver_options(fresh_line()));
  for (int count = 0; count < 100; ++count) {
    CHECK_EQUAL(receiver.receive([](std::span<const std::uint8_t>) {}), 0U);
  }
  CHECK_EQUAL(receiver.receive_errors(), 0U);
}

TEST(udpSocketsNameTheAddressThatIsWrong) {
  LineAddress address = fresh_line();
  const auto send_to = [](const LineAddress& to) { UdpSender{sender_options(to)}; };
  const auto receive_at = [](const LineAddress& at) { UdpReceiver{receiver_options(at)}; };
  LineAddress wrong = address;
  wrong.group = "239.192.1";
  CHECK_THROWS(send_to(wrong), std::invalid_argument, "group is \"239.192.1\", expected an IPv4 address");
  CHECK_THROWS(receive_at(wrong), std::invalid_argument, "group is \"239.192.1\"");
  wrong = address;
  wrong.interface_address = "lo";
  CHECK_THROWS(send_to(wrong), std::invalid_argument, "interface is \"lo\"");
  CHECK_THROWS(receive_at(wrong), std::invalid_argument, "interface is \"lo\"");
  wrong.interface_address = "192.0.2.200";  // no address of this host
  CHECK_THROWS(send_to(wrong), std::system_error, address.group + ":" + std::to_string(address.port));
  CHECK_THROWS(receive_at(wrong), std::system_error, "on 192.0.2.200");
  ReceiverOptions options = receiver_options(address);
  options.sources = {"here"};
  CHECK_THROWS(UdpReceiver(options), std::invalid_argument, "source is \"here\"");
  options.sources.clear();
  options.source_specific = true;
  CHECK_THROWS(UdpReceiver(options), std::invalid_argument, "source_specific needs");
}

}  // namespace
}  // namespace depthcast::test

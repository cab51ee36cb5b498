// A publisher without books, sockets and batches: one message a datagram, every datagram of the same length, at a
// steady rate into a ring that others map. Prints when it has begun; ends with its input.
#include <poll.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "core/broadcast_ring.h"
#include "encode/packet_writer.h"
#include "encode/prefix.h"
#include "io/clock.h"
#include "io/shared_memory.h"
#include "perf_support.h"

namespace depthcast::perf {
namespace {

constexpr std::uint32_t channel = 1;

class RingFeed final : public encode::PacketSink {
 public:
  RingFeed(const std::string& path, std::size_t capacity, std::size_t length)
      : length_(length),
        session_(static_cast<std::uint64_t>(io::realtime_ns())),
        memory_(io::SharedMemory::create(path, ring_bytes(capacity))),
        ring_(memory_.data(), capacity, channel, session_, static_cast<std::uint32_t>(getpid()),
              static_cast<std::uint64_t>(io::monotonic_ns())),
        packets_({channel, session_, encode::datagram_bytes_default}, *this) {
    send(Kind::add);
  }

  // One more message: an order that is changed again and again.
  void step() { send(Kind::modify); }
  void beat() { ring_.heartbeat(static_cast<std::uint64_t>(io::monotonic_ns())); }

 private:
  void send(Kind kind) {
    ++sequence_;
    const std::uint64_t quantity = 100 + sequence_ % 7;
    const std::uint16_t flags = flags::end_of_event | flags::book_affecting | flags::priority_kept;
    const std::int64_t now_ns = io::realtime_ns();
    const BookMessage message{1,    1'000'000, quantity, 0, 1, static_cast<std::uint32_t>(sequence_),
                              kind, Side::bid, flags};
    packets_.set_send_time(now_ns);
    packets_.on_book(message, {sequence_, now_ns, sequence_}, 0);
    packets_.flush();
    ring_.mark_sent();
  }
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    if (length > length_) throw std::invalid_argument("message-bytes is below what a message takes");
    const encode::Prefix padded = encode::prefix_of(root, length_);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&padded);
    ring_.write({bytes, prefix.size()}, root, length_, first_sequence, count);
  }

  std::size_t length_;
  std::uint64_t session_;
  std::uint64_t sequence_ = 0;
  io::SharedMemory memory_;
  BroadcastWriter ring_;
  encode::PacketWriter packets_;
};

}  // namespace

int ring_feed(Options& options) {
  const std::string path = options.text("path", "");
  const auto capacity = static_cast<std::size_t>(options.number("capacity", std::size_t{64} << 20));
  const auto length = static_cast<std::size_t>(options.number("message-bytes", 200));
  const double interval_ns = 1e9 / static_cast<double>(options.number("rate", 10'000));
  options.finish();
  RingFeed feed(path, capacity, length);
  std::printf("{\"ready\": 1}\n");
  std::fflush(stdout);
  const std::int64_t begin_ns = io::monotonic_ns();
  pollfd input{STDIN_FILENO, POLLIN, 0};
  for (std::uint64_t sent = 0;;) {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(io::monotonic_ns() - begin_ns) / interval_ns);
    for (; sent < due; ++sent) feed.step();
    feed.beat();
    constexpr timespec pause{0, 100'000};
    nanosleep(&pause, nullptr);
    if (poll(&input, 1, 0) != 0) return 0;
  }
}

}  // namespace depthcast::perf

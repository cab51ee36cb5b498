// Numbered messages -> FlatBuffers packets with prefix and CRC, and back through verifier and checks.
#include <cstring>
#include <memory>
#include <vector>

#include "core/digest.h"
#include "encode/packet_reader.h"
#include "encode/packet_writer.h"
#include "perf_support.h"

namespace depthcast::perf {
namespace {

class KeepingSink final : public encode::PacketSink {
 public:
  explicit KeepingSink(std::size_t bytes) : words_(bytes / 8) {}
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t /*first_sequence*/, std::uint32_t /*count*/) override {
    auto* to = reinterpret_cast<std::uint8_t*>(words_.data()) + used_;
    std::memcpy(to, prefix.data(), prefix.size());
    std::memcpy(to + prefix.size(), root.data(), root.size());
    std::memset(to + prefix.size() + root.size(), 0, length - prefix.size() - root.size());
    packets.push_back({to, length});
    used_ += (length + 7) / 8 * 8;
  }
  void clear() {
    packets.clear();
    used_ = 0;
  }
  std::vector<std::span<const std::uint8_t>> packets;

 private:
  std::vector<std::uint64_t> words_;
  std::size_t used_ = 0;
};

}  // namespace

int packet_encode(Options& options) {
  const std::uint64_t runs = options.number("runs", 7);
  const std::uint64_t messages = options.number("messages", 5'000'000);
  const auto datagram_bytes = static_cast<std::size_t>(options.number("datagram-bytes", 1'400));
  options.finish();
  constexpr std::uint64_t round = 10'000;  // messages that stay in the cache between writing and reading

  for (std::uint64_t run = 0; run < runs; ++run) {
    KeepingSink sink(round * 64 + (std::size_t{1} << 20));
    encode::PacketWriter writer({1, 1, datagram_bytes}, sink);
    double write_ns = 0;
    double read_ns = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t digest = 0;
    std::uint64_t sequence = 1;
    for (std::uint64_t done = 0; done < messages; done += round) {
      sink.clear();
      const Stopwatch writing;
      for (std::uint64_t index = 0; index < round; ++index, ++sequence) {
        const BookMessage message{sequence,  1'000'000, 100,
                                  0,         1,         static_cast<std::uint32_t>(sequence),
                                  Kind::add, Side::bid, flags::end_of_event | flags::book_affecting};
        writer.on_book(message, {sequence, static_cast<std::int64_t>(sequence), sequence}, 0);
      }
      writer.flush();
      write_ns += writing.ns();
      const Stopwatch reading;
      for (const auto& packet : sink.packets) {
        encode::PacketView view;
        if (encode::read_packet(packet, view) != encode::PacketStatus::ok) return 1;
        for (const BookMessage& message : view.book) digest += message.order_id * 31 + message.quantity;
      }
      read_ns += reading.ns();
      packets += sink.packets.size();
      for (const auto& packet : sink.packets) bytes += packet.size();
    }
    const auto total = static_cast<double>(sequence - 1);
    JsonLine()
        .add("encode_ns_per_message", write_ns / total)
        .add("decode_ns_per_message", read_ns / total)
        .add("encode_ns_per_packet", write_ns / static_cast<double>(packets))
        .add("decode_ns_per_packet", read_ns / static_cast<double>(packets))
        .add("messages", sequence - 1)
        .add("packets", packets)
        .add("bytes_per_message", static_cast<double>(bytes) / total)
        .add_text("digest", hex(digest::mix64(digest)))
        .print();
  }
  return 0;
}

}  // namespace depthcast::perf

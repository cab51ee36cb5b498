// An ITCH file through sequencer and packet writer, without a publisher: the same messages under the same numbers.
#include <array>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "book/batch.h"
#include "encode/packet_writer.h"
#include "ingest/itch_parser.h"
#include "io/clock.h"
#include "run/itch_framing.h"
#include "run/itch_source.h"
#include "run/replay_source.h"

namespace depthcast::run {
namespace {

constexpr std::size_t batch_messages = 256;

class ItchReplay final : public ReplaySource, private encode::PacketSink {
 public:
  ItchReplay(std::unique_ptr<ByteSource> bytes, const ItchReplayOptions& options)
      : options_(options),
        bytes_(std::move(bytes)),
        framing_(*bytes_),
        parser_(options.midnight_ns),
        book_(options.limits),
        writer_({options.channel, options.session, options.datagram_bytes}, *this),
        sequencer_(book_, writer_) {}

  std::uint32_t channel() const override { return options_.channel; }
  std::uint64_t session() const override { return options_.session; }
  std::uint64_t identity() const override { return 0; }
  std::uint64_t first_sequence() const override { return 1; }
  std::uint64_t next_sequence() const override { return ended_ ? sequencer_.next_sequence() : 0; }
  std::uint64_t start_before(std::uint64_t /*sequence*/, book::Replica* /*replica*/) override { return 0; }
  std::optional<std::uint64_t> sequence_at(std::int64_t /*time_ns*/) override { return 0; }
  std::uint64_t bytes_taken() const override { return framing_.bytes_taken(); }

  ReplayNext next(ReplayItem& item, const std::atomic<bool>& stop) override {
    while (begin_ == packets_.size()) {
      packets_.clear();
      words_.clear();
      begin_ = 0;
      if (fault_) {
        item.missing = *std::exchange(fault_, std::nullopt);
        return ReplayNext::missing;
      }
      if (ended_) return ReplayNext::end;
      read_batch(stop);
      if (stop.load(std::memory_order_acquire)) return ReplayNext::end;  // pairs with the owner's stop
    }
    const auto [offset, length] = packets_[begin_++];
    item.datagram = {reinterpret_cast<const std::uint8_t*>(words_.data() + offset), length};
    // Of our own making, and still read as any other: what is replayed is what a receiver would accept.
    if (encode::read_packet(item.datagram, item.packet) != encode::PacketStatus::ok) {
      item.missing = {0, 0, "a packet could not be made", 0, 0};
      return ReplayNext::missing;
    }
    return ReplayNext::packet;
  }

 private:
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t /*first_sequence*/, std::uint32_t /*count*/) override {
    const std::size_t offset = words_.size();
    words_.resize(offset + (length + 7) / 8, 0);
    auto* to = reinterpret_cast<std::uint8_t*>(words_.data() + offset);
    std::memcpy(to, prefix.data(), prefix.size());
    std::memcpy(to + prefix.size(), root.data(), root.size());
    packets_.emplace_back(offset, length);
  }

  void read_batch(const std::atomic<bool>& stop) {
    cells_.clear();
    std::array<ingest::InputCell, ingest::ItchParser::cells_max> parsed;
    for (std::size_t message = 0; message < batch_messages && !ended_; ++message) {
      std::span<const std::uint8_t> bytes;
      const ItchFraming::Next got = framing_.next(bytes, stop);
      if (got == ItchFraming::Next::end) {
        ended_ = !stop.load(std::memory_order_acquire);  // pairs with the owner's stop
        break;
      }
      ingest::ItchFault fault = ingest::ItchFault::none;
      const std::size_t count =
          got == ItchFraming::Next::fault ? 0 : parser_.parse(bytes, position_ + 1, parsed, fault);
      if (fault != ingest::ItchFault::none) framing_.fail(describe(fault, bytes));
      if (got == ItchFraming::Next::fault || fault != ingest::ItchFault::none) {
        ended_ = true;
        fault_ = ReplayMissing{0, 0,
                               "the file breaks at byte " + std::to_string(framing_.fault().offset) + ": expected " +
                                   framing_.fault().expected,
                               0, framing_.fault().offset};
        break;
      }
      ++position_;
      cells_.insert(cells_.end(), parsed.begin(), parsed.begin() + static_cast<std::ptrdiff_t>(count));
    }
    writer_.set_send_time(io::realtime_ns());
    book::apply_batch(
        sequencer_, cells_.size(), [this](std::size_t index) -> const ingest::InputCell& { return cells_[index]; },
        [this] {
          if (sequencer_.next_sequence() - digest_sequence_ > options_.digest_messages) heartbeat(false);
        });
    writer_.flush();
    if (ended_) heartbeat(true);
  }

  void heartbeat(bool end_of_session) {
    digest_sequence_ = sequencer_.next_sequence();
    writer_.heartbeat({digest_sequence_,
                       sequencer_.input_position(),
                       sequencer_.event_time_ns(),
                       book_.digest(),
                       digest_sequence_ > 1,
                       end_of_session,
                       identity(),
                       {}});
  }

  ItchReplayOptions options_;
  std::unique_ptr<ByteSource> bytes_;
  ItchFraming framing_;
  ingest::ItchParser parser_;
  book::Book book_;
  encode::PacketWriter writer_;
  book::Sequencer sequencer_;
  std::vector<ingest::InputCell> cells_;
  std::uint64_t position_ = 0;
  std::uint64_t digest_sequence_ = 0;
  bool ended_ = false;
  std::optional<ReplayMissing> fault_;
  // Packets of the last batch: place in words_, and length in bytes.
  std::vector<std::uint64_t> words_;
  std::vector<std::pair<std::size_t, std::size_t>> packets_;
  std::size_t begin_ = 0;
};

}  // namespace

std::unique_ptr<ReplaySource> make_itch_replay(std::unique_ptr<ByteSource> bytes, const ItchReplayOptions& options) {
  return std::make_unique<ItchReplay>(std::move(bytes), options);
}

}  // namespace depthcast::run

// Subscriptions `exact` and `filtered`: a snapshot, then every message, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/broadcast_ring.h"
#include "encode/packet_reader.h"
#include "gateway/subscription.h"

namespace depthcast::gateway {

// A state of the channel as the wire's snapshot datagrams. Never changed once made, but that its memory may be taken
// back: then `revoked` is set, and whoever sends it begins anew with another.
struct ChannelSnapshot {
  struct Extent {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<std::uint8_t> bytes;    // definitions first
  std::vector<Extent> by_instrument;  // of a whole channel: where each instrument's datagrams stand
  bool revoked = false;
  std::uint64_t generation = 0;                     // 0: of no instruments
  std::uint64_t sequence = 0;                       // S
  std::vector<std::uint32_t> instrument_sequences;  // at S, by instrument
};

// Packets of `exact` from one place of the ring to another: put together and checked once, for all who stand at the
// first.
struct PacketRun {
  std::uint64_t begin = 0;  // positions in the ring; equal: nothing
  std::uint64_t end = 0;
  std::uint64_t next = 0;  // the number that comes next, before and after it
  std::uint64_t next_after = 0;
  std::uint64_t messages = 0;
  std::vector<std::uint8_t> bytes;

  bool begins(std::uint64_t position, std::uint64_t number) const {
    return begin != end && begin == position && next == number;
  }
};

// Where packet subscriptions get what they send.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // A reader of the channel's ring; none: there is no ring now.
  virtual std::optional<BroadcastReader> reader() = 0;
  // What stands below that position of the ring is in the market; nothing beyond it is sent yet.
  virtual std::uint64_t position() const = 0;
  // One that includes at least the messages up to `sequence_min`. Null: not now, ask again. It may be of the whole
  // channel where some instruments are asked for: theirs are in it by_instrument.
  virtual std::shared_ptr<const ChannelSnapshot> snapshot(const InstrumentSet& instruments,
                                                          std::uint64_t sequence_min) = 0;
  // The one that was made last.
  virtual PacketRun& run() = 0;
  // Definitions of the next instruments from that place of the set on, as datagrams behind `out`; moves the place.
  virtual void define(const InstrumentSet& instruments, std::uint32_t& place, std::vector<std::uint8_t>& out) = 0;
  // Whether the message after `sequence` is still in the ring, or yet to come.
  virtual bool keeps(std::uint64_t sequence) = 0;
};

enum class PacketMode : std::uint8_t { exact, filtered };

class Packets : public Subscription {
 public:
  // `source` must outlive it. `exact` takes all instruments. `resume`: the last number that the client has; 0: none.
  // `why` it begins, if not for `resume`.
  Packets(PacketMode mode, InstrumentSet instruments, PacketSource& source, std::uint64_t resume = 0,
          SnapshotWhy why = SnapshotWhy::begin);

  void join(const Market& market) override;
  Compose compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                  bool flush) override;
  bool overrun(const Market& market) const override;
  std::uint64_t published(const Market& market) const override;
  void end_session(const Market& market) override;
  void restart() override { begin_snapshot(SnapshotWhy::slow); }
  void lose_ring() override;
  // `exact` alone: what `filtered` sends says what that client was sent before.
  bool level(const Subscription& other) const override;
  std::unique_ptr<Subscription> copy() const override { return std::make_unique<Packets>(*this); }

  // The number that the last snapshot, or the point of resuming, stands for.
  std::uint64_t begun_at() const { return begun_at_; }

 private:
  // `lost`: the ring has overtaken it, until it begins anew.
  enum class Step : std::uint8_t { resuming, snapshot, packets, lost };
  void begin_snapshot(SnapshotWhy why);
  // False where there is none now.
  bool take_snapshot();
  // Goes behind that number in the ring; false where the ring no longer has what follows it.
  bool follow(std::uint64_t sequence);
  bool resume(FrameWriter& frame, const FrameStamp& stamp);
  std::uint64_t cover(std::uint64_t session_messages);
  std::uint64_t session_messages(std::span<const std::uint32_t> instrument_sequences) const;
  // True: all of it is in frames.
  bool send_snapshot(FrameWriter& frame, const FrameStamp& stamp, std::size_t room);
  bool gather(std::span<const std::uint8_t> bytes, std::size_t room);
  bool gather_chosen(std::size_t room);
  void mark(FrameWriter& frame, const FrameStamp& stamp, std::uint32_t datagrams, bool last);
  Compose send_exact(FrameWriter& frame, std::size_t room);
  RingPoll make_run(PacketRun& run, std::size_t room);
  Compose send_packets(FrameWriter& frame, const FrameStamp& stamp, std::size_t room);
  void send(std::span<const std::uint8_t> datagram, FrameWriter& frame, const FrameStamp& stamp);
  void send_chosen(const encode::PacketView& view, FrameWriter& frame, const FrameStamp& stamp);
  void send_definitions(const encode::PacketView& view, FrameWriter& frame, const FrameStamp& stamp);
  void write(FrameWriter& frame, const FrameStamp& stamp, std::int64_t base_time_ns,
             std::span<const flatbuffers::Offset<wire::Definition>> definitions = {});
  void touch(std::uint32_t instrument);
  void send_digests(const Market& market, FrameWriter& frame, const FrameStamp& stamp);

  PacketMode mode_;
  InstrumentSet instruments_;
  PacketSource& source_;
  Step step_;
  std::shared_ptr<const ChannelSnapshot> snapshot_;
  SnapshotWhy why_;
  std::uint64_t covered_ = 0;  // by the snapshot
  std::uint32_t part_ = 0;     // the next mark's
  std::size_t offset_ = 0;     // in what of the snapshot is being sent
  // Of chosen instruments out of a whole channel: places that were defined, and those whose orders were sent.
  std::uint32_t defined_ = 0;
  std::uint32_t place_ = 0;
  std::vector<std::uint8_t> definitions_;
  std::vector<std::uint8_t> gathered_;  // for one frame
  std::uint32_t datagrams_ = 0;         // in it
  std::optional<BroadcastReader> reader_;
  std::uint64_t begun_at_ = 0;
  std::uint64_t next_ = 0;      // the number that comes next
  std::uint64_t previous_ = 0;  // filtered: the number sent last
  bool joined_ = false;
  std::uint64_t published_before_ = 0;
  std::uint64_t joined_at_ = 0;           // exact: the number before the first that counts
  std::vector<std::uint32_t> joined_by_;  // filtered: the same by instrument, of this session
  std::uint64_t covered_before_ = 0;      // of the tally, in sessions that have ended
  std::vector<std::uint8_t> scratch_;
  std::vector<std::uint64_t> sequences_;
  std::vector<BookMessage> book_;
  std::vector<std::uint64_t> details_;
  std::vector<TradeMessage> trades_;
  // filtered: instruments that were sent something since their last digest, oldest first, and by instrument whether
  // they are among them.
  std::deque<std::uint32_t> touched_;
  std::vector<bool> is_touched_;
  std::uint32_t digest_turn_ = 0;  // place of the instrument that is told next where nothing comes
  std::uint64_t digest_sent_ = 0;  // of the tally when digests were told last
  std::int64_t digest_due_ns_ = 0;
  std::vector<wire::InstrumentDigest> digests_;
};

}  // namespace depthcast::gateway

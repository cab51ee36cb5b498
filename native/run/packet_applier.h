// Checked packets onto a replica: clients, the snapshot replica and replay run this same code.
#pragma once

#include <cstdint>
#include <limits>

#include "book/replica.h"
#include "encode/packet_reader.h"

namespace depthcast::run {

// What an applier tells on the way.
class ApplyListener {
 public:
  virtual ~ApplyListener() = default;
  // The next message's position is beyond the one that was set by watch_position(): the books are as after that one.
  virtual void on_position_passed(std::uint64_t /*position*/) {}
  // A definition of a real instrument came, numbered or not, and the replica knows it now.
  virtual void on_definition(std::uint32_t /*instrument*/) {}
};

// Threads: the replica's. The packets must have been checked by encode::read_packet(). Nothing of it is kept.
class PacketApplier {
 public:
  // Both must outlive it; `listener` may be null.
  explicit PacketApplier(book::Replica& replica, ApplyListener* listener = nullptr)
      : replica_(replica), listener_(listener) {}

  static constexpr std::uint64_t no_position = std::numeric_limits<std::uint64_t>::max();
  // on_position_passed() is called before the first message of a position greater than `position`, again and again
  // until it has set another one.
  void watch_position(std::uint64_t position) { watched_ = position; }
  // Everything below `position` has been applied.
  void reach(std::uint64_t position) {
    if (position > watched_) listener_->on_position_passed(position);
  }

  // The messages of a numbered packet from the one with index `skip` on.
  void apply(const encode::PacketView& view, std::uint32_t skip = 0);
  // What an unnumbered one tells: repeated definitions, and the publisher's digests. Moves no book.
  void learn(const encode::PacketView& view);

 private:
  void apply_book(const encode::PacketView& view, std::uint32_t skip);
  void apply_trades(const encode::PacketView& view, std::uint32_t skip);
  void apply_definitions(const encode::PacketView& view, std::uint32_t skip);
  void learn_definition(const wire::Definition& definition);
  bool is_instrument(std::uint32_t instrument) const {
    return instrument != channel_instrument && instrument <= replica_.book().limits().instruments_max;
  }

  book::Replica& replica_;
  ApplyListener* listener_;
  std::uint64_t watched_ = no_position;
};

}  // namespace depthcast::run

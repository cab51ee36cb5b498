#include "run/replayer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

#include "encode/snapshot_writer.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr std::size_t missing_max = 65'536;
constexpr std::size_t updates_wait_max = Replayer::updates_max / 4;
constexpr std::size_t unsent_bytes_max = 65'536;
constexpr int end_of_session_repeats = 5;
constexpr std::chrono::milliseconds end_of_session_pause{10};
constexpr std::uint64_t sequence_max = std::numeric_limits<std::uint64_t>::max();
constexpr int packets_between_clocks = 64;

std::uint64_t last_of(const encode::PacketView& packet) { return packet.first_sequence + packet.count - 1; }

}  // namespace

// Cuts updates to the range that was asked for.
class Replayer::RangeSink final : public book::UpdateSink {
 public:
  RangeSink(const ReplayOptions& options, Delivery& delivery, ReplayProgress& progress)
      : options_(options), delivery_(delivery), progress_(progress) {}

  // What an earlier message of the same time range has begun goes on, though times may go back.
  void on_update(const book::Update& update) override {
    if (past_ || update.sequence < options_.from_sequence || update.sequence > options_.to_sequence) return;
    if (!begun_ && options_.from_time_ns && update.time_ns < *options_.from_time_ns) return;
    if (options_.to_time_ns && update.time_ns > *options_.to_time_ns) {
      past_ = true;
      delivery_.abandon();
      return;
    }
    begun_ = true;
    if (progress_.first == 0) progress_.first = update.sequence;
    progress_.last = update.sequence;
    progress_.time_ns = update.time_ns;
    ++progress_.messages;
    delivery_.on_update(update);
  }

 private:
  const ReplayOptions& options_;
  Delivery& delivery_;
  ReplayProgress& progress_;
  bool begun_ = false;
  bool past_ = false;
};

Replayer::Replayer(std::unique_ptr<ReplaySource> source, const ReplayOptions& options, ReplayTarget target)
    : source_(std::move(source)),
      options_(options),
      target_(std::move(target)),
      delivery_(options.updates ? updates_max : 2, DeliveryPolicy::stop),
      pacer_(options.pacing) {
  if (options.from_sequence == 0 || options.from_sequence > options.to_sequence) {
    throw std::invalid_argument("the range to replay is empty");
  }
  if (needs_books()) {
    if (options.updates) sink_ = std::make_unique<RangeSink>(options_, delivery_, progress_);
    replica_ = std::make_unique<book::Replica>(options.limits, sink_.get());
    applier_ = std::make_unique<PacketApplier>(*replica_);
    delivery_.attach(replica_->book());
  }
  for (const io::SenderOptions& line : options.lines) senders_.push_back(std::make_unique<io::UdpSender>(line));
  if (options.snapshot_line) snapshot_sender_ = std::make_unique<io::UdpSender>(*options.snapshot_line);
}

Replayer::~Replayer() = default;

// To where the replay starts: by time, then by number, with the newest state before that.
void Replayer::begin() {
  begun_ = true;
  if (options_.from_time_ns) {
    const std::optional<std::uint64_t> found = source_->sequence_at(*options_.from_time_ns);
    if (!found) return finish();
    options_.from_sequence = std::max(options_.from_sequence, *found);
  }
  const std::uint64_t state = source_->start_before(options_.from_sequence, replica_.get());
  const std::uint64_t oldest = source_->first_sequence();
  expected_ = state + 1;
  if (replica_ != nullptr) {
    progress_.snapshot_sequence = state;
    if (state == 0 && oldest > 1) {
      // Nothing tells the books before the oldest packet.
      progress_.books_right = false;
      replica_->on_missing(oldest - 1);
      expected_ = oldest;
    }
  }
  if (options_.from_sequence < oldest) {
    note_missing({options_.from_sequence, std::min(oldest - 1, options_.to_sequence), "no longer kept", 0, 0});
  }
}

void Replayer::note_missing(const ReplayMissing& missing) {
  if (missing_.size() < missing_max) missing_.push_back(missing);
}

// Numbers are gone between what came and `first`: by damage that the source has told, or without a word.
void Replayer::note_jump(std::uint64_t first) {
  if (first <= expected_ && damage_.empty()) return;
  const std::uint64_t low = std::max(expected_, options_.from_sequence);
  const std::uint64_t high = std::min(first - 1, options_.to_sequence);
  const bool lost = first > expected_;
  if (lost) {
    progress_.books_right = false;
    if (replica_ != nullptr) replica_->on_missing(first - 1);
  }
  if (damage_.empty()) damage_.push_back({0, 0, "missing without a record of it", 0, 0});
  for (std::size_t index = 0; index < damage_.size(); ++index) {
    ReplayMissing missing = damage_[index];
    // The numbers are told once, with the first.
    const bool named = lost && index == 0 && low <= high;
    missing.first = named ? low : 0;
    missing.last = named ? high : 0;
    // Damage before or behind the range is nobody's concern.
    if (named || (first > options_.from_sequence && expected_ <= options_.to_sequence)) note_missing(missing);
  }
  damage_.clear();
  expected_ = std::max(expected_, first);
}

// The next packet into item_; false at the end.
bool Replayer::fetch() {
  while (!stopped()) {
    switch (source_->next(item_, stop_)) {
      case ReplayNext::packet: return true;
      case ReplayNext::missing:
        if (item_.missing.first == 0) {
          damage_.push_back(item_.missing);
        } else {
          damage_.push_back(item_.missing);
          note_jump(item_.missing.last + 1);
        }
        break;
      case ReplayNext::end: return false;
    }
  }
  return false;
}

// False where the packet lies behind the range.
bool Replayer::take_packet() {
  const encode::PacketView& packet = item_.packet;
  if (packet.count != 0) {
    if (packet.first_sequence > options_.to_sequence) return false;
    if (options_.to_time_ns && progress_.started && packet.base_time_ns > *options_.to_time_ns) return false;
    note_jump(packet.first_sequence);
  } else if (!progress_.started || packet.first_sequence > options_.to_sequence) {
    // Heartbeats before the range say nothing about it; those behind it would tell of numbers that do not come.
    return packet.first_sequence <= options_.to_sequence || options_.to_sequence == sequence_max ||
           packet.first_sequence == options_.to_sequence + 1;
  }
  return true;
}

bool Replayer::is_due(std::int64_t until_ns) {
  if (!pacer_.paced() || !progress_.started) return true;
  if (item_.packet.count == 0) return true;
  const std::int64_t due_ns = pacer_.due_ns(progress_.messages + 1, item_.packet.base_time_ns, 0);
  std::int64_t now_ns = io::monotonic_ns();
  if (due_ns <= now_ns) return true;
  flush();
  while (now_ns < std::min(due_ns, until_ns) && !stopped()) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(due_ns, until_ns) - now_ns));
    now_ns = io::monotonic_ns();
  }
  return now_ns >= due_ns;
}

void Replayer::step(std::int64_t for_ns) {
  if (progress_.ended) return;
  if (!begun_) begin();
  const std::int64_t until_ns = io::monotonic_ns() + for_ns;
  for (int turn = 1; !progress_.ended; ++turn) {
    if (stopped()) break;
    if (options_.updates && delivery_.ring().size() >= updates_wait_max) break;
    if (!item_waiting_) {
      item_waiting_ = fetch();
      if (stopped()) break;
      if (!item_waiting_ || !take_packet()) {
        finish();
        break;
      }
    }
    if (!is_due(until_ns)) break;
    item_waiting_ = false;
    deliver();
    if (turn % packets_between_clocks != 0) continue;
    const std::int64_t now_ns = io::monotonic_ns();
    send_snapshot(now_ns);
    if (now_ns >= until_ns) break;
  }
  flush();
  send_snapshot(io::monotonic_ns());
}

void Replayer::deliver() {
  const encode::PacketView& packet = item_.packet;
  if (packet.count == 0) {
    if (!progress_.started) return;
    if (applier_ != nullptr) applier_->learn(packet);
    const bool ends = packet.heartbeat != nullptr && packet.heartbeat->end_of_session();
    progress_.session_ended = progress_.session_ended || ends;
    send(item_.datagram);
    for (int repeat = 1; ends && !senders_.empty() && repeat < end_of_session_repeats; ++repeat) {
      flush();
      std::this_thread::sleep_for(end_of_session_pause);
      send(item_.datagram);
    }
    if (target_ != nullptr) target_(item_.datagram);
    return;
  }
  const std::uint64_t last = last_of(packet);
  const bool before = last < options_.from_sequence ||
                      (!progress_.started && options_.from_time_ns && options_.from_sequence <= packet.first_sequence &&
                       packet.base_time_ns < *options_.from_time_ns && source_->next_sequence() == 0);
  if (!before && !progress_.started) {
    progress_.started = true;
    pacer_.due_ns(0, packet.base_time_ns, io::monotonic_ns());
    if (packet.first_sequence > 1 && !options_.lines.empty()) {
      make_snapshot();
      send_definitions();
      send_snapshot(io::monotonic_ns());
    }
  }
  const std::uint64_t skip = expected_ > packet.first_sequence ? expected_ - packet.first_sequence : 0;
  if (applier_ != nullptr && skip < packet.count) applier_->apply(packet, static_cast<std::uint32_t>(skip));
  expected_ = std::max(expected_, last + 1);
  progress_.at = last;
  if (before) return;
  ++progress_.packets;
  progress_.bytes += item_.datagram.size();
  send(item_.datagram);
  if (target_ != nullptr) target_(item_.datagram);
  if (options_.updates) return;  // the sink counts
  if (progress_.first == 0) progress_.first = packet.first_sequence;
  progress_.last = last;
  progress_.messages += packet.count;
  progress_.time_ns = packet.base_time_ns;
}

void Replayer::send(std::span<const std::uint8_t> datagram) {
  if (senders_.empty()) return;
  if (unsent_bytes_ + datagram.size() > unsent_bytes_max) flush();
  // The source may use its memory again before the sockets have read it.
  auto& kept = unsent_.emplace_back((datagram.size() + 7) / 8, 0);
  std::memcpy(kept.data(), datagram.data(), datagram.size());
  unsent_bytes_ += datagram.size();
  for (const auto& sender : senders_) sender->add(reinterpret_cast<const std::uint8_t*>(kept.data()), datagram.size());
}

void Replayer::flush() {
  progress_.send_failures = 0;
  for (const auto& sender : senders_) {
    sender->flush();
    progress_.send_failures += sender->datagrams_failed();
  }
  unsent_.clear();
  unsent_bytes_ = 0;
}

// The state before the first packet that is sent.
void Replayer::make_snapshot() {
  if (replica_->sequence() == 0) return;
  encode::SnapshotWriter writer(options_.datagram_bytes);
  const encode::SnapshotStamp stamp{
      source_->channel(),        source_->session(), 1, item_.packet.first_sequence - 1, replica_->position(),
      replica_->event_time_ns(), io::realtime_ns()};
  writer.write(*replica_, stamp, {}, [this](std::span<const std::uint8_t> datagram) {
    auto& kept = snapshot_.emplace_back((datagram.size() + 7) / 8, 0);
    std::memcpy(kept.data(), datagram.data(), datagram.size());
    snapshot_lengths_.push_back(datagram.size());
    encode::PacketView view;
    if (encode::read_packet(datagram, view) == encode::PacketStatus::ok && view.definitions != nullptr) ++definitions_;
  });
}

// A receiver in the middle must know the instruments before the messages that name them.
void Replayer::send_definitions() {
  for (std::size_t index = 0; index < definitions_; ++index) {
    send({reinterpret_cast<const std::uint8_t*>(snapshot_[index].data()), snapshot_lengths_[index]});
  }
  flush();
}

void Replayer::send_snapshot(std::int64_t now_ns) {
  if (snapshot_sender_ == nullptr || snapshot_.empty() || now_ns < snapshot_due_ns_) return;
  snapshot_due_ns_ = now_ns + options_.snapshot_every_ns;
  for (std::size_t index = 0; index < snapshot_.size(); ++index) {
    snapshot_sender_->add(reinterpret_cast<const std::uint8_t*>(snapshot_[index].data()), snapshot_lengths_[index]);
  }
  snapshot_sender_->flush();
}

void Replayer::finish() {
  if (progress_.ended) return;
  progress_.ended = true;
  flush();
  const std::uint64_t next = source_->next_sequence();
  if (!damage_.empty()) note_jump(next > expected_ && next <= options_.to_sequence ? next : expected_);
  if (options_.to_sequence != sequence_max && next != 0 && expected_ <= options_.to_sequence) {
    note_missing({std::max(expected_, options_.from_sequence), options_.to_sequence, "beyond the end", 0, 0});
  }
}

}  // namespace depthcast::run

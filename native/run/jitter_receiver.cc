#include "run/jitter_receiver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "encode/packet_reader.h"
#include "io/clock.h"
#include "io/waiting.h"

namespace depthcast::run {
namespace {

constexpr std::int64_t ping_ns_max = 200'000'000;

// Calls each(due_ns) for the messages from `skip` on of a packet that has been checked before.
template <typename Each>
void each_due(const wire::Packet& packet, std::uint32_t skip, Each each) {
  const std::int64_t base_ns = packet.base_time();
  const auto all = [&](const auto* messages) {
    for (std::uint32_t index = skip; index < messages->size(); ++index) {
      each(base_ns + messages->Get(index)->time_offset());
    }
  };
  switch (packet.payload_type()) {
    case wire::Payload::BookMessages: return all(packet.payload_as_BookMessages()->messages());
    case wire::Payload::TradeMessages: return all(packet.payload_as_TradeMessages()->messages());
    case wire::Payload::Definitions: return all(packet.payload_as_Definitions()->definitions());
    default: return;
  }
}

// Whether one of the intervals, ascending, meets [begin, end].
bool meets(const std::vector<JitterInterval>& intervals, std::int64_t begin_ns, std::int64_t end_ns) {
  const auto first =
      std::lower_bound(intervals.begin(), intervals.end(), begin_ns,
                       [](const JitterInterval& one, std::int64_t time_ns) { return one.end_ns < time_ns; });
  return first != intervals.end() && first->begin_ns <= end_ns;
}

}  // namespace

JitterReceiver::JitterReceiver(const JitterReceiverOptions& options)
    : options_(options), packets_(options.packets_max, true), due_(options.messages_max, true) {
  for (io::ReceiverOptions line : options.floor_lines) {
    line.timestamps = true;
    floor_.push_back(std::make_unique<io::UdpReceiver>(line));
  }
  if (!options.ping_path.empty()) ping_.emplace(io::SharedMemory::create(options.ping_path, sizeof(PingLine)));
}

void JitterReceiver::start(State what, std::int64_t give_up_ns) {
  give_up_ns_ = give_up_ns;
  started_ns_ = io::realtime_ns();
  stop_.store(false, std::memory_order_relaxed);  // before the store below
  if (what == State::ping) {
    ping_other_.reset();
    if (!ping_) return;
    ping_other_.emplace(io::SharedMemory::open(options_.ping_other_path));
    // Relaxed: the sender begins after it was told to.
    static_cast<PingLine*>(ping_->data())->turn.store(0, std::memory_order_relaxed);
  } else {
    packet_count_ = 0;
    due_count_ = 0;
    unrecorded_ = 0;
    if (what == State::floor) floor_seen_.assign(options_.packets_max, false);
    delivering_ = what == State::delivered;
    deliveries_.clear();
    if (delivering_) deliveries_.reserve(deliveries_max);
    stalls_.record(true);
  }
  state_.store(what, std::memory_order_release);  // pairs with the load in before_receive()
}

void JitterReceiver::finish() {
  stalls_.record(false);
  state_.store(State::idle, std::memory_order_release);  // pairs with state(): all that was measured is visible
}

std::uint64_t JitterReceiver::add_stages(LatencyHistogram (&stages)[static_cast<std::size_t>(ReceiverStage::count_)],
                                         const std::vector<JitterInterval>& sender_stalls) const {
  const auto stage = [&](ReceiverStage name) -> LatencyHistogram& { return stages[static_cast<std::size_t>(name)]; };
  std::vector<JitterInterval> own_stalls;
  for (const Stall& stall : stalls_.stalls()) {
    if (stall.machine()) own_stalls.push_back({stall.begin_ns, stall.end_ns});
  }
  std::uint64_t met = 0;
  std::size_t message = 0;
  for (std::size_t index = 0; index < packet_count_; ++index) {
    const JitterPacket& packet = packets_[index];
    const std::int64_t kernel_ns = packet.kernel_ns != 0 ? packet.kernel_ns : packet.received_ns;
    const bool own = meets(own_stalls, kernel_ns, packet.applied_ns);
    for (; message < packet.due_end; ++message) {
      stage(ReceiverStage::to_kernel).record(kernel_ns - due_[message]);
      stage(ReceiverStage::total).record(packet.applied_ns - due_[message]);
      if (own || meets(sender_stalls, due_[message], kernel_ns)) {
        ++met;
      } else {
        stage(ReceiverStage::total_without_stalls).record(packet.applied_ns - due_[message]);
      }
    }
    stage(ReceiverStage::queue).record(packet.received_ns - kernel_ns, packet.count);
    stage(ReceiverStage::apply).record(packet.applied_ns - packet.received_ns, packet.count);
    if (index == 0) continue;
    const JitterPacket& last = packets_[index - 1];
    stage(ReceiverStage::arrival)
        .record(std::abs((packet.received_ns - last.received_ns) - (packet.due_ns - last.due_ns)));
  }
  if (!deliveries_.empty()) add_deliveries(stage(ReceiverStage::javascript), stage(ReceiverStage::delivered));
  return met;
}

// The messages of a packet count as delivered with the last of them.
void JitterReceiver::add_deliveries(LatencyHistogram& javascript, LatencyHistogram& delivered) const {
  std::size_t message = 0;
  auto delivery = deliveries_.begin();
  for (std::size_t index = 0; index < packet_count_; ++index) {
    const JitterPacket& packet = packets_[index];
    while (delivery != deliveries_.end() && delivery->last_sequence < packet.last_sequence) ++delivery;
    if (delivery == deliveries_.end()) return;
    javascript.record(delivery->at_ns - packet.applied_ns, packet.count);
    for (; message < packet.due_end; ++message) delivered.record(delivery->at_ns - due_[message]);
  }
}

void JitterReceiver::delivered(std::uint64_t last_sequence) {
  const std::int64_t now_ns = io::realtime_ns();
  if (!javascript_use_) javascript_use_.emplace();
  if (!delivering_ || deliveries_.size() == deliveries_max) return;
  const std::uint64_t run_delay_ns = javascript_use_->read().run_delay_ns;
  deliveries_.push_back({last_sequence, now_ns, run_delay_ns - javascript_run_delay_ns_});
  javascript_run_delay_ns_ = run_delay_ns;
}

std::uint64_t JitterReceiver::undelivered() const {
  const std::uint64_t last = deliveries_.empty() ? 0 : deliveries_.back().last_sequence;
  std::uint64_t count = 0;
  for (std::size_t index = packet_count_; index-- > 0 && packets_[index].last_sequence > last;) {
    count += packets_[index].count;
  }
  return count;
}

void JitterReceiver::started() {
  use_.emplace();
  knows_run_delay_ = use_->knows_run_delay();
  last_ns_ = io::realtime_ns();
}

void JitterReceiver::wait() {
  const std::int64_t now_ns = io::realtime_ns();
  const auto read = [this] { return use_->read(); };
  if (busy_) {
    stalls_.worked(last_ns_, now_ns, read);
  } else {
    stalls_.waited(last_ns_, now_ns, read);
  }
  busy_ = false;
  last_ns_ = now_ns;
}

void JitterReceiver::before_receive() {
  wait();
  switch (state_.load(std::memory_order_acquire)) {  // pairs with start()
    case State::idle: return;
    case State::feed:
    case State::delivered:
      if (stopped() || last_ns_ > give_up_ns_) finish();
      return;
    case State::floor: run_floor(); break;
    case State::ping: run_ping(); break;
  }
  busy_ = true;
  finish();
}

void JitterReceiver::received() {
  received_ns_ = io::realtime_ns();
  busy_ = true;
}

void JitterReceiver::taken(std::size_t line, std::span<const std::uint8_t> datagram, std::int64_t kernel_ns,
                           std::uint64_t before, std::uint64_t after) {
  const State state = state_.load(std::memory_order_relaxed);  // this thread's own by now
  if (after <= before || (state != State::feed && state != State::delivered)) return;
  const std::int64_t applied_ns = io::realtime_ns();
  // It has been checked: it was applied.
  const wire::Packet& packet = *wire::GetPacket(datagram.data() + sizeof(encode::Prefix));
  const std::uint64_t first = packet.first_sequence();
  const std::uint64_t end = first + packet.count();
  // Due before it began: left over from the slice before, or what filled the books.
  if (packet.base_time() < started_ns_) return;
  if (first > before + 1 || end <= before + 1 || packet_count_ == packets_.size() ||
      due_count_ + packet.count() > due_.size()) {
    unrecorded_ += after - before;
    return;
  }
  const std::size_t due_first = due_count_;
  each_due(packet, static_cast<std::uint32_t>(before + 1 - first),
           [&](std::int64_t due_ns) { due_[due_count_++] = due_ns; });
  const std::size_t count = due_count_ - due_first;
  if (count == 0) return;
  unrecorded_ += after + 1 - std::min(after + 1, end);  // what had waited for this packet
  packets_[packet_count_++] = {kernel_ns,
                               received_ns_,
                               applied_ns,
                               due_[due_first],
                               end - 1,
                               due_count_,
                               static_cast<std::uint32_t>(count),
                               static_cast<std::uint32_t>(line)};
}

void JitterReceiver::run_floor() {
  while (!stopped() && last_ns_ < give_up_ns_) {
    bool any = false;
    for (std::uint32_t line = 0; line < floor_.size(); ++line) {
      std::int64_t now_ns = 0;
      io::UdpReceiver& receiver = *floor_[line];
      receiver.receive([&](std::span<const std::uint8_t> datagram) {
        if (now_ns == 0) now_ns = io::realtime_ns();
        any = take_floor(line, datagram, receiver.kernel_time_ns(), now_ns) || any;
      });
    }
    busy_ = any;
    if (!any) io::pause_core();
    wait();
  }
}

bool JitterReceiver::take_floor(std::uint32_t line, std::span<const std::uint8_t> datagram, std::int64_t kernel_ns,
                                std::int64_t now_ns) {
  FloorHeader header;
  if (datagram.size() < sizeof header) return true;
  std::memcpy(&header, datagram.data(), sizeof header);
  if (header.magic != floor_magic || header.count == 0 || header.instant_ns < started_ns_) return true;
  if (header.packet >= floor_seen_.size() || packet_count_ == packets_.size() ||
      due_count_ + header.count > due_.size()) {
    unrecorded_ += header.count;
    return true;
  }
  // The first copy counts, as in the feed.
  if (floor_seen_[header.packet]) return true;
  floor_seen_[header.packet] = true;
  for (std::uint32_t index = 0; index < header.count; ++index) due_[due_count_++] = header.instant_ns;
  packets_[packet_count_++] = {kernel_ns,     now_ns,     io::realtime_ns(), header.instant_ns,
                               header.packet, due_count_, header.count,      line};
  return true;
}

void JitterReceiver::run_ping() {
  if (!ping_other_) return;
  auto* own = static_cast<PingLine*>(ping_->data());
  const auto* theirs = static_cast<const PingLine*>(std::as_const(*ping_other_).data());
  const std::int64_t deadline_ns = io::realtime_ns() + ping_ns_max;
  std::uint64_t answered = 0;
  for (std::uint32_t look = 1;; ++look) {
    const std::uint64_t turn = theirs->turn.load(std::memory_order_acquire);  // pairs with the sender's store
    if (turn == ping_end) return;
    if (turn != answered) own->turn.store(answered = turn, std::memory_order_release);  // pairs with the sender's load
    if (look % 1'024 == 0 && (io::realtime_ns() > deadline_ns || stopped())) return;
  }
}

}  // namespace depthcast::run

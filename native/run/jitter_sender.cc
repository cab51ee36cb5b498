#include "run/jitter_sender.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "io/clock.h"
#include "io/waiting.h"
#include "run/itch_source.h"

namespace depthcast::run {
namespace {

// Whole messages only, so that every batch takes all that is in the ring: below Publisher::batch_cells.
constexpr std::size_t cells_at_once = 508;
constexpr std::size_t batches_max = std::size_t{1} << 21;
constexpr std::size_t floor_bytes = std::size_t{4} << 20;  // as much as goes before a socket's buffer is full
constexpr std::uint64_t ping_turns = 20'000;
constexpr std::uint64_t ping_share = 100;
constexpr std::int64_t ping_ns_max = 200'000'000;

}  // namespace

JitterSender::JitterSender(JitterSenderOptions options, std::unique_ptr<ByteSource> source)
    : options_(std::move(options)), source_(std::move(source)), framing_(*source_), floor_bytes_(floor_bytes / 8) {
  for (const io::SenderOptions& line : options_.floor_lines) floor_.push_back(std::make_unique<io::UdpSender>(line));
  if (!options_.ping_path.empty()) ping_.emplace(io::SharedMemory::create(options_.ping_path, sizeof(PingLine)));
  round_trips_.reserve(ping_turns / ping_share);
  if (options_.injection.what == Injection::What::fsync) {
    injected_file_ = io::FileDescriptor(open(options_.injection.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!injected_file_.open()) throw std::system_error(errno, std::generic_category(), options_.injection.path);
  }
}

bool JitterSender::read_message() {
  if (read_count_ != 0) return true;
  static const std::atomic<bool> running{false};
  std::span<const std::uint8_t> message;
  switch (framing_.next(message, running)) {
    case ItchFraming::Next::end: return false;
    case ItchFraming::Next::fault:
      throw std::runtime_error("the source breaks at byte " + std::to_string(framing_.fault().offset) + ": expected " +
                               framing_.fault().expected);
    default: break;
  }
  ingest::ItchFault fault = ingest::ItchFault::none;
  read_count_ = parser_.parse(message, ++position_, read_cells_, fault);
  if (fault != ingest::ItchFault::none) {
    throw std::runtime_error("the source breaks at byte " + std::to_string(framing_.offset()) + ": expected " +
                             describe(fault, message));
  }
  return true;
}

std::size_t JitterSender::prepare(std::size_t messages, std::int64_t length_ns, const LoadOptions& load) {
  cells_.clear();
  cells_end_.clear();
  due_.clear();
  next_ = 0;
  LoadOptions options = load;
  options.seed += slice_++;
  JitterSchedule schedule(options);
  while (messages == 0 || due_.size() < messages) {
    if (!read_message()) break;
    if (due_.empty()) first_position_ = position_;
    const std::int64_t due_ns = schedule.next(read_cells_[0].event.time_ns);
    if (messages == 0 && due_ns >= length_ns) break;
    if (due_.size() == messages_max) {
      throw std::runtime_error("a slice has more than " + std::to_string(messages_max) +
                               " messages: expected a lower rate or a shorter slice");
    }
    cells_.insert(cells_.end(), read_cells_, read_cells_ + read_count_);
    cells_end_.push_back(static_cast<std::uint32_t>(cells_.size()));
    due_.push_back(due_ns);
    read_count_ = 0;
  }
  reserve();
  return due_.size();
}

// Room for a batch of each message, touched beforehand.
void JitterSender::reserve() {
  const std::size_t batches = std::min(due_.size() + 1, batches_max);
  const std::size_t packets = batches + due_.size() / 4;
  if (batches_.size() < batches) batches_ = FixedArray<JitterBatch>(batches, true);
  if (packets_.size() < packets) packets_ = FixedArray<Packet>(packets, true);
}

void JitterSender::start_feed(std::int64_t start_ns, std::int64_t give_up_ns, bool inject) {
  start_ns_ = start_ns;
  injecting_ = inject && options_.injection.what != Injection::What::none;
  injection_due_ns_ = start_ns + options_.injection.every_ns / 2;
  give_up_ns_ = give_up_ns;
  next_ = 0;
  batch_count_ = 0;
  packet_count_ = 0;
  unrecorded_ = 0;
  stalls_.record(true);
  state_.store(State::feed, std::memory_order_release);  // pairs with the load in before_batch()
}

void JitterSender::start_floor(std::int64_t start_ns) {
  start_ns_ = start_ns;
  stalls_.record(true);
  state_.store(State::floor, std::memory_order_release);  // pairs with the load in before_batch()
}

void JitterSender::prepare_ping() {
  ping_other_.reset();
  if (!ping_) return;
  ping_other_.emplace(io::SharedMemory::open(options_.ping_other_path));
  // Relaxed: the receiver begins after it was told to.
  static_cast<PingLine*>(ping_->data())->turn.store(0, std::memory_order_relaxed);
}

void JitterSender::start_ping() {
  round_trips_.clear();
  state_.store(State::ping, std::memory_order_release);  // pairs with the load in before_batch()
}

void JitterSender::finish() {
  stalls_.record(false);
  state_.store(State::idle, std::memory_order_release);  // pairs with state(): all that was measured is visible
}

void JitterSender::add_stages(LatencyHistogram (&stages)[static_cast<std::size_t>(SenderStage::count_)]) const {
  const auto stage = [&](SenderStage name) -> LatencyHistogram& { return stages[static_cast<std::size_t>(name)]; };
  std::size_t message = 0;
  for (std::size_t index = 0; index < batch_count_; ++index) {
    const JitterBatch& batch = batches_[index];
    const std::size_t first = message;
    for (; message < due_.size() && first_position_ + message <= batch.last_position; ++message) {
      stage(SenderStage::ingest).record(batch.ingest_ns - start_ns_ - due_[message]);
    }
    const std::size_t count = message - first;
    if (count == 0) continue;
    stage(SenderStage::sequence).record(batch.sequenced_ns - batch.ingest_ns, count);
    stage(SenderStage::encode).record(batch.before_send_ns - batch.sequenced_ns, count);
    stage(SenderStage::send).record(batch.after_send_ns - batch.before_send_ns, count);
  }
  for (std::size_t bucket = 0; bucket < LatencyHistogram::buckets; ++bucket) {
    const auto value = static_cast<std::int64_t>(LatencyHistogram::bucket_value(bucket));
    if (const auto count = floor_wait_.count(bucket)) stage(SenderStage::floor_wait).record(value, count);
    if (const auto count = floor_send_.count(bucket)) stage(SenderStage::floor_send).record(value, count);
  }
}

void JitterSender::started() {
  use_.emplace();
  knows_run_delay_ = use_->knows_run_delay();
  last_ns_ = io::realtime_ns();
}

// One look at the clock, by a thread that did nothing but wait since the one before unless it is busy.
std::int64_t JitterSender::wait() {
  const std::int64_t now_ns = io::realtime_ns();
  const auto read = [this] { return use_->read(); };
  if (busy_) {
    stalls_.worked(last_ns_, now_ns, read);
  } else {
    stalls_.waited(last_ns_, now_ns, read);
  }
  busy_ = false;
  last_ns_ = now_ns;
  return now_ns;
}

void JitterSender::before_batch(SpscRing<ingest::InputCell>& input) {
  const std::int64_t now_ns = wait();
  switch (state_.load(std::memory_order_acquire)) {  // pairs with the stores in start_…()
    case State::idle: return;
    case State::feed: return feed(input, now_ns);
    case State::floor: run_floor(); break;
    case State::ping: run_ping(); break;
  }
  busy_ = true;
  finish();
}

void JitterSender::feed(SpscRing<ingest::InputCell>& input, std::int64_t now_ns) {
  if (next_ == due_.size() || now_ns > give_up_ns_ || aborted()) return finish();
  const std::size_t granted = input.claim(cells_at_once);
  std::size_t filled = 0;
  std::size_t cell = next_ == 0 ? 0 : cells_end_[next_ - 1];
  for (; next_ < due_.size() && start_ns_ + due_[next_] <= now_ns; ++next_) {
    const std::size_t end = cells_end_[next_];
    if (filled + (end - cell) > granted) break;
    const std::int64_t due_ns = start_ns_ + due_[next_];
    while (cell < end) {
      const std::uint32_t cells = ingest::cells_of(cells_[cell].event.kind);
      input.at_tail(filled) = cells_[cell];
      input.at_tail(filled).event.time_ns = due_ns;
      if (cells == 2) input.at_tail(filled + 1) = cells_[cell + 1];
      filled += cells;
      cell += cells;
    }
  }
  if (filled == 0) return;
  input.publish(filled);
  batch_.ingest_ns = now_ns;
  batch_open_ = true;
}

void JitterSender::sequenced(std::uint64_t position, std::uint64_t sequence) {
  if (!batch_open_) return;
  if (injecting_) inject();
  batch_.sequenced_ns = io::realtime_ns();
  batch_.last_position = position;
  batch_.last_sequence = sequence;
}

void JitterSender::packet(std::size_t length, std::uint32_t count) {
  if (!batch_open_) {
    busy_ = true;
    return;
  }
  if (packet_count_ == packets_.size()) {
    ++unrecorded_;
    return;
  }
  packets_[packet_count_++] = {static_cast<std::uint32_t>(length), count};
}

void JitterSender::before_send() {
  if (batch_open_) batch_.before_send_ns = io::realtime_ns();
}

void JitterSender::after_send() {
  if (!batch_open_) return;
  batch_open_ = false;
  batch_.after_send_ns = io::realtime_ns();
  batch_.packets_end = packet_count_;
  stalls_.worked(batch_.ingest_ns, batch_.after_send_ns, [this] { return use_->read(); });
  last_ns_ = batch_.after_send_ns;
  busy_ = false;
  if (batch_count_ == batches_.size()) {
    ++unrecorded_;
    return;
  }
  batches_[batch_count_++] = batch_;
}

void JitterSender::inject() {
  const Injection& injection = options_.injection;
  const std::int64_t begin_ns = io::realtime_ns();
  if (begin_ns < injection_due_ns_) return;
  injection_due_ns_ += injection.every_ns * ((begin_ns - injection_due_ns_) / injection.every_ns + 1);
  std::uint8_t page[4'096] = {};
  std::int64_t now_ns = begin_ns;
  do {
    if (injection.what == Injection::What::fsync) {
      page[0] = static_cast<std::uint8_t>(now_ns);
      if (pwrite(injected_file_.get(), page, sizeof page, 0) > 0) fsync(injected_file_.get());
    }
    now_ns = io::realtime_ns();
  } while (now_ns < begin_ns + injection.length_ns);
  activities_.add(Activity::injected, begin_ns);
}

// Each batch of the feed again, at the instant at which its last message was due.
void JitterSender::run_floor() {
  std::uint64_t packet = 0;
  for (std::size_t index = 0; index < batch_count_ && !aborted(); ++index) {
    const JitterBatch& batch = batches_[index];
    if (batch.last_position < first_position_ || batch.last_position - first_position_ >= due_.size()) continue;
    const std::int64_t instant_ns = start_ns_ + due_[batch.last_position - first_position_];
    std::int64_t now_ns = wait();
    while (now_ns < instant_ns && !aborted()) {
      io::pause_core();
      now_ns = wait();
    }
    send_floor(batch, packet, instant_ns, now_ns);
    packet = batch.packets_end;
  }
}

void JitterSender::send_floor(const JitterBatch& batch, std::uint64_t first_packet, std::int64_t instant_ns,
                              std::int64_t now_ns) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(floor_bytes_.data());
  std::uint64_t messages = 0;
  for (std::uint64_t index = first_packet; index < batch.packets_end; ++index) {
    const std::size_t length = std::max<std::size_t>(packets_[index].length, sizeof(FloorHeader));
    if (floor_used_ + length > floor_bytes) floor_used_ = 0;
    const FloorHeader header{floor_magic, index, instant_ns, packets_[index].count, slice_};
    std::memcpy(bytes + floor_used_, &header, sizeof header);
    for (const auto& line : floor_) line->add(bytes + floor_used_, length);
    floor_used_ += length;
    messages += packets_[index].count;
  }
  for (const auto& line : floor_) line->flush();
  const std::int64_t after_ns = io::realtime_ns();
  floor_wait_.record(now_ns - instant_ns, messages);
  floor_send_.record(after_ns - now_ns, messages);
  stalls_.worked(now_ns, after_ns, [this] { return use_->read(); });
  last_ns_ = after_ns;
  busy_ = false;
}

void JitterSender::run_ping() {
  if (!ping_other_) return;
  auto* own = static_cast<PingLine*>(ping_->data());
  const auto* theirs = static_cast<const PingLine*>(std::as_const(*ping_other_).data());
  const std::int64_t deadline_ns = io::realtime_ns() + ping_ns_max;
  std::int64_t share_ns = io::realtime_ns();
  for (std::uint64_t turn = 1; turn <= ping_turns; ++turn) {
    own->turn.store(turn, std::memory_order_release);  // pairs with the receiver's load
    for (std::uint32_t look = 1; theirs->turn.load(std::memory_order_acquire) != turn; ++look) {  // with its store
      if (look % 1'024 == 0 && (io::realtime_ns() > deadline_ns || aborted())) {
        own->turn.store(ping_end, std::memory_order_release);  // pairs with the receiver's load
        return;
      }
    }
    if (turn % ping_share != 0) continue;
    const std::int64_t now_ns = io::realtime_ns();
    // The first share waited for the other side to begin.
    if (turn != ping_share) round_trips_.push_back(static_cast<double>(now_ns - share_ns) / double{ping_share});
    share_ns = now_ns;
  }
  own->turn.store(ping_end, std::memory_order_release);  // pairs with the receiver's load
}

}  // namespace depthcast::run

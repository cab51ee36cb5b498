#include "run/journal_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "core/crash_point.h"
#include "io/clock.h"
#include "run/journal_retention.h"

namespace depthcast::run {
namespace {

constexpr std::size_t end_record_bytes = journal::record_bytes(sizeof(journal::SegmentEnd));
constexpr std::int64_t retain_every_ns = 10'000'000'000;
constexpr int segment_names_tried = 1'000;
// The smallest packet is longer; bounds the list of what waits.
constexpr std::size_t datagram_bytes_least = 64;

std::size_t round_up(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

}  // namespace

std::vector<std::string> journal_counter_names() {
  return {"segments",   "segmentsRemoved", "packets",         "messages", "bytes",       "batches",
          "fsyncs",     "holes",           "missingMessages", "lapped",   "writeErrors", "lastError",
          "failing",    "sequence",        "durable",         "lagBytes", "lagBytesMax", "refused",
          "writeNsMax", "fsyncNsMax",      "unsynced",        "rewritten"};
}

FsyncPolicy fsync_policy_of(const std::string& name) {
  if (name == "never") return FsyncPolicy::never;
  if (name == "interval") return FsyncPolicy::interval;
  if (name == "every-batch") return FsyncPolicy::every_batch;
  throw std::invalid_argument("fsync is \"" + name + "\", expected never, interval or every-batch");
}

JournalWriter::JournalWriter(const JournalOptions& options, const void* ring, std::size_t ring_bytes)
    : options_(options),
      storage_(options.storage != nullptr ? *options.storage : io::Storage::system()),
      segment_(storage_),
      buffer_(round_up(options.batch_bytes) + journal::record_payload_max, false),
      retry_ns_(options.retry_ns) {
  make_folder(options_.folder);
  pending_.reserve(buffer_.size() / datagram_bytes_least);
  if (ring != nullptr) reader_.emplace(ring, ring_bytes);
  resume();
  retained_ns_ = synced_ns_ = segment_opened_ns_ = io::monotonic_ns();
}

JournalWriter::~JournalWriter() { stop(); }

void JournalWriter::resume() {
  std::vector<SegmentName> names;
  for (const SegmentFile& file : list_segments(options_.folder)) {
    if (file.name.session == options_.session) names.push_back(file.name);
  }
  if (!names.empty()) number_ = names.back().number + 1;
  if (!options_.resume) return;
  // The last segments may be empty: a kill came between opening and writing.
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const SegmentWriter::Resumed resumed = segment_.resume(options_.folder, *name);
    if (resumed.next_sequence == 0) continue;
    if (resumed.header.channel != options_.channel || resumed.header.identity != options_.identity) {
      segment_.abandon();
      throw std::runtime_error("segment " + segment_file_name(*name) + " belongs to another channel or identity");
    }
    bytes_cut_ = resumed.bytes_cut;
    next_sequence_ = resumed.next_sequence;
    written_sequence_ = next_sequence_ - 1;
    header_ = resumed.header;
    counters_.set(JournalCounter::sequence, written_sequence_);
    const bool synced = options_.fsync != FsyncPolicy::never;
    // Nothing more is built on a segment whose fsync has failed.
    if (synced && is_marked(*name)) segment_.abandon();
    unsynced_ = folder_unsynced_ = segment_.is_open();
    const auto closed = static_cast<std::size_t>(names.rend() - name) - (segment_.is_open() ? 1 : 0);
    if (synced) sync_closed(std::span(names).first(closed));
    return;
  }
}

void JournalWriter::append(std::span<const std::uint8_t> datagram) {
  if (datagram.size() > journal::record_payload_max) throw std::invalid_argument("datagram is too long");
  if (is_full()) flush();
  std::copy(datagram.begin(), datagram.end(), room().begin());
  if (!take(datagram.size())) throw std::invalid_argument("datagram is no packet of this channel and session");
}

void JournalWriter::write_and_sync() {
  int error = write_pending();
  if (error == 0 && options_.fsync != FsyncPolicy::never) error = sync();
  require_written(error);
}

void JournalWriter::flush() {
  write_and_sync();
  while (!doubtful_.empty()) require_written(rewrite_doubtful());
}

void JournalWriter::require_written(int error) const {
  if (error != 0) throw std::system_error(error, std::generic_category(), "write the journal in " + options_.folder);
}

bool JournalWriter::is_full() const {
  return buffered_ + journal::record_payload_max > buffer_.size() || pending_.size() + 2 > pending_.capacity();
}

// The datagram stands in room(). Whatever the ring gives is checked: it may be another process's memory.
bool JournalWriter::take(std::size_t length) {
  const std::span<const std::uint8_t> datagram = room().first(length);
  encode::PacketView packet;
  if (encode::read_packet(datagram, packet) != encode::PacketStatus::ok || packet.channel != options_.channel ||
      packet.session != options_.session) {
    counters_.add(JournalCounter::refused);
    return false;
  }
  // What carries no numbers: only heartbeats tell something that nothing else in the journal does.
  if (packet.count == 0 && !keep_heartbeat(packet)) return true;
  if (packet.count != 0 && packet.first_sequence + packet.count <= next_sequence_) return true;
  if (packet.first_sequence > next_sequence_) add_hole(packet.first_sequence - 1);
  pending_.push_back({journal::RecordType::packet, datagram, packet, {}});
  buffered_ += round_up(length);
  next_sequence_ = packet.first_sequence + packet.count;
  return true;
}

bool JournalWriter::keep_heartbeat(const encode::PacketView& packet) {
  if (packet.heartbeat == nullptr || packet.first_sequence < next_sequence_) return false;
  const wire::Heartbeat& heartbeat = *packet.heartbeat;
  const bool ends = heartbeat.end_of_session() && !end_kept_;
  const bool news = packet.first_sequence != heartbeat_sequence_ ||
                    (heartbeat.digest_valid() && (!heartbeat_valid_ || heartbeat.digest() != heartbeat_digest_));
  if (!ends && !news) return false;
  heartbeat_sequence_ = packet.first_sequence;
  heartbeat_digest_ = heartbeat.digest();
  heartbeat_valid_ = heartbeat.digest_valid();
  end_kept_ = end_kept_ || heartbeat.end_of_session();
  return true;
}

void JournalWriter::add_hole(std::uint64_t last) {
  const auto reason = error_since_written_ ? journal::HoleReason::write_error : journal::HoleReason::lapped;
  pending_.push_back(pending_hole({next_sequence_, last, reason, 0}));
  next_sequence_ = last + 1;
}

int JournalWriter::open_segment(const PendingRecord& first) {
  journal::SegmentHeader header{};
  header.channel = options_.channel;
  header.session = options_.session;
  header.identity = options_.identity;
  std::copy(options_.boot_id.begin(), options_.boot_id.end(), header.boot_id);
  header.first_sequence = first.type == journal::RecordType::hole ? first.hole.first : first.packet.first_sequence;
  header.first_position = first.type == journal::RecordType::hole ? 0 : first.packet.input_position;
  header.created_ns = io::realtime_ns();
  int error = EEXIST;
  for (int tried = 0; error == EEXIST && tried < segment_names_tried; ++tried) {
    header.number = number_ + static_cast<std::uint64_t>(tried);
    seal(header);
    error = segment_.create(options_.folder, header);
  }
  if (error != 0) return error;
  crash_point(CrashPoint::segment);
  header_ = header;
  number_ = header.number + 1;
  folder_unsynced_ = true;
  segment_opened_ns_ = io::monotonic_ns();
  counters_.add(JournalCounter::segments);
  return 0;
}

// Writes as much of what waits as one segment takes.
int JournalWriter::write_some() {
  const ActivityScope scope(options_.activities.get(), Activity::journal_write);
  if (!segment_.is_open()) {
    if (const int error = open_segment(pending_[pending_done_]); error != 0) return note(error);
  }
  const journal::SegmentTally before = segment_.tally();
  const std::uint64_t bytes_before = segment_.bytes();
  std::size_t upto = pending_done_;
  bool full = false;
  for (; upto < pending_.size(); ++upto) {
    const PendingRecord& record = pending_[upto];
    const std::size_t payload =
        record.type == journal::RecordType::hole ? sizeof(journal::Hole) : record.payload.size();
    const bool empty = segment_.tally().packets() + segment_.tally().holes() == 0;
    full = !empty && segment_.bytes() + journal::record_bytes(payload) + end_record_bytes > options_.segment_bytes;
    if (full) break;
    segment_.add(record);
  }
  if (const int error = segment_.write(); error != 0) {
    fail_segment();
    return note(error);
  }
  note_index_errors();
  const journal::SegmentTally& after = segment_.tally();
  pending_done_ = upto;
  unsynced_ = true;
  written_sequence_ = after.next_sequence() - 1;
  counters_.add(JournalCounter::batches);
  counters_.add(JournalCounter::bytes, segment_.bytes() - bytes_before);
  counters_.add(JournalCounter::packets, after.packets() - before.packets());
  counters_.add(JournalCounter::messages, after.messages() - before.messages());
  counters_.add(JournalCounter::holes, after.holes() - before.holes());
  counters_.add(JournalCounter::missing_messages, after.missing() - before.missing());
  counters_.set(JournalCounter::sequence, written_sequence_);
  return full ? close_segment() : 0;
}

int JournalWriter::write_pending() {
  if (pending_.empty()) return 0;
  const std::int64_t begin = io::monotonic_ns();
  while (pending_done_ < pending_.size()) {
    if (const int error = write_some(); error != 0) return error;
  }
  pending_.clear();
  pending_done_ = 0;
  buffered_ = 0;
  counters_.raise(JournalCounter::write_ns_max, static_cast<std::uint64_t>(io::monotonic_ns() - begin));
  return options_.fsync == FsyncPolicy::every_batch ? sync() : 0;
}

int JournalWriter::close_segment() {
  if (!segment_.is_open()) return 0;
  const bool durable = options_.fsync != FsyncPolicy::never;
  const int error = segment_.close(io::realtime_ns(), durable);
  if (error != 0) {
    fail_segment();
    return note(error);
  }
  unsynced_ = folder_unsynced_ = false;
  if (durable) {
    counters_.add(JournalCounter::fsyncs);
    tell_durable(written_sequence_);
  }
  retain();
  return 0;
}

void JournalWriter::retain() {
  retained_ns_ = io::monotonic_ns();
  if (options_.retain_bytes == 0 && options_.retain_ns == 0) return;
  const Retention retention{options_.retain_bytes, options_.retain_ns, 0, options_.checkpoints_folder};
  try {
    for (const SegmentFile& file : segments_to_remove(options_.folder, retention, io::realtime_ns())) {
      if (note(remove_segment(options_.folder, file.name, storage_)) == 0)
        counters_.add(JournalCounter::segments_removed);
    }
  } catch (const std::system_error& error) {
    note(error.code().value());
  }
}

void JournalWriter::count_error(int error) {
  counters_.add(JournalCounter::write_errors);
  counters_.set(JournalCounter::last_error, static_cast<std::uint64_t>(error));
}

int JournalWriter::note(int error) {
  if (error == 0) return 0;
  count_error(error);
  counters_.set(JournalCounter::failing, 1);
  error_since_written_ = true;
  return error;
}

// What the segment's index could not take: the journal itself goes on.
void JournalWriter::note_index_errors() {
  if (segment_.index_errors() == index_errors_) return;
  counters_.add(JournalCounter::write_errors, segment_.index_errors() - index_errors_);
  index_errors_ = segment_.index_errors();
}

// True: something was taken. Stops where a batch is full.
bool JournalWriter::collect() {
  if (!reader_) return false;
  bool any = false;
  RingRecord record{};
  while (!is_full()) {
    switch (reader_->poll(room(), record)) {
      case RingPoll::record:
        take(record.length);
        any = true;
        break;
      case RingPoll::lapped:
        counters_.set(JournalCounter::lapped, reader_->lapped_count());
        catch_up();
        break;
      default: error_since_written_ = error_since_written_ && counters_.get(JournalCounter::failing) != 0; return any;
    }
  }
  return true;
}

// The newest record is where poll() left us. Half a ring back is as safe, and less is lost.
void JournalWriter::catch_up() {
  const std::uint64_t oldest = reader_->oldest_sequence();
  const std::uint64_t next = reader_->next_sequence();
  if (next > oldest) static_cast<void>(reader_->seek(std::max(next_sequence_, oldest + (next - oldest) / 2)));
}

void JournalWriter::measure_lag() {
  if (!reader_) return;
  // Pairs with the store in BroadcastWriter::write; a figure only.
  const std::uint64_t tail = reader_->header().tail.load(std::memory_order_relaxed);
  const std::uint64_t lag = tail > reader_->position() ? tail - reader_->position() : 0;
  counters_.set(JournalCounter::lag_bytes, lag);
  counters_.raise(JournalCounter::lag_bytes_max, lag);
}

void JournalWriter::wait(std::int64_t time_ns) {
  parker_.prepare();
  // Pairs with the store in stop().
  if (stop_.load(std::memory_order_acquire)) return parker_.cancel();
  parker_.sleep(time_ns);
}

// Fsync, rotation and retention when their time has come.
int JournalWriter::keep_time() {
  const std::int64_t now = io::monotonic_ns();
  int error = 0;
  if (options_.fsync == FsyncPolicy::interval && unsynced_ && now - synced_ns_ >= options_.fsync_ns) error = sync();
  if (error == 0 && options_.segment_ns != 0 && segment_.is_open() && now - segment_opened_ns_ >= options_.segment_ns) {
    error = close_segment();
  }
  if (options_.retain_ns != 0 && now - retained_ns_ >= retain_every_ns) retain();
  if (error == 0) rewrite_in_time(now);
  return error;
}

bool JournalWriter::write_or_wait() {
  int error = write_pending();
  if (error == 0) error = keep_time();
  if (error == 0) {
    retry_ns_ = options_.retry_ns;
    counters_.set(JournalCounter::failing, 0);
    return true;
  }
  wait(retry_ns_);
  retry_ns_ = std::min(retry_ns_ * 2, options_.retry_ns_max);
  return false;
}

void JournalWriter::run() {
  io::name_thread("dc-journal");
  if (options_.core >= 0) io::pin_to_core(options_.core);
  std::optional<std::uint64_t> last_position;  // where the ring ended when we were asked to stop
  while (true) {
    // Pairs with the store in stop(): what was committed before it is in the ring.
    const bool stopping = stop_.load(std::memory_order_acquire);
    if (stopping && !last_position) last_position = reader_->header().tail.load(std::memory_order_acquire);
    measure_lag();
    const bool any = collect();
    const bool written = write_or_wait();
    if (options_.followers != nullptr) options_.followers->reached(RingFollowers::Place::journal, reader_->position());
    if (stopping && (!any || !written || reader_->position() >= *last_position)) break;
    if (!any && written) wait(options_.poll_ns);
  }
  if (options_.followers != nullptr) options_.followers->leave(RingFollowers::Place::journal);
}

void JournalWriter::begin_at_next() {
  if (reader_->seek(next_sequence_)) return;
  // It is gone already, or still to come.
  if (reader_->next_sequence() > next_sequence_) reader_->seek_oldest();
}

void JournalWriter::start() {
  write_and_sync();
  if (!reader_ || started_) return;
  begin_at_next();
  started_ = true;
  // Before the thread gets its first turn: a source that runs meanwhile is to wait for it.
  if (options_.followers != nullptr) options_.followers->reached(RingFollowers::Place::journal, reader_->position());
  thread_ = std::thread([this] { run(); });
}

// What could not be written at the very end is given up, and counted.
void JournalWriter::finish() {
  if (write_pending() != 0) {
    for (std::size_t index = pending_done_; index < pending_.size(); ++index) {
      counters_.add(JournalCounter::missing_messages, pending_[index].packet.count);
    }
    pending_.clear();
    pending_done_ = 0;
    buffered_ = 0;
    next_sequence_ = written_sequence_ + 1;
  }
  static_cast<void>(close_segment());
  while (!doubtful_.empty() && rewrite_doubtful() == 0) {
  }
}

void JournalWriter::stop() {
  if (thread_.joinable()) {
    stop_.store(true, std::memory_order_release);  // pairs with the loads in run() and wait()
    parker_.wake();
    thread_.join();
  }
  finish();
}

}  // namespace depthcast::run

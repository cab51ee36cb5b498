// The journal of one channel: every numbered packet of the broadcast ring, in segments on the disk, by a thread of its
// own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/broadcast_ring.h"
#include "core/memory.h"
#include "io/storage.h"
#include "io/waiting.h"
#include "run/activity_log.h"
#include "run/counters.h"
#include "run/ring_followers.h"
#include "run/segment_writer.h"

namespace depthcast::run {

enum class JournalCounter : std::uint8_t {
  segments,          // opened
  segments_removed,  // by retention
  packets,           // written, kept heartbeats included
  messages,          // numbered ones, written
  bytes,
  batches,
  fsyncs,
  holes,             // recorded
  missing_messages,  // in holes, or given up at the end because they could not be written
  lapped,            // times that the ring overtook us
  write_errors,      // of writing, fsync, opening; the index included
  last_error,        // errno of the last one
  failing,           // 1 while the last attempt to write has failed
  sequence,          // last number written (or recorded as missing)
  sequence_durable,  // last number that is on the disk with all before it, or stands there as missing
  lag_bytes,         // in the ring, not yet taken
  lag_bytes_max,
  refused,       // datagrams that do not pass the packet reader, or belong to another session or channel
  write_ns_max,  // longest write, fsync not included
  fsync_ns_max,
  unsynced_segments,  // whose fsync has failed, and which are still to be written anew
  segments_rewritten,
  count_,
};
std::vector<std::string> journal_counter_names();

// When what is written reaches the disk. What each may lose: docs/recovery.md, "The journal".
enum class FsyncPolicy : std::uint8_t {
  never,        // the system decides; a power cut may take everything since the last segment was closed or more
  interval,     // a power cut takes at most what came since the last fsync: fsync_ns, and the time of one fsync
  every_batch,  // a power cut takes at most the batch being written
};
// Throws std::invalid_argument naming what is allowed: "never", "interval", "every-batch".
FsyncPolicy fsync_policy_of(const std::string& name);

struct JournalOptions {
  std::string folder;  // of the segments; made where it is not there
  std::uint32_t channel = 1;
  std::uint64_t session = 1;
  std::uint64_t identity = 0;
  journal::BootId boot_id{};
  bool resume = false;  // go on behind the last whole record of this session, if there is one
  FsyncPolicy fsync = FsyncPolicy::interval;
  std::int64_t fsync_ns = 100'000'000;
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;  // a new segment begins before this is exceeded
  std::int64_t segment_ns = 3'600'000'000'000;             // or when the segment is so old; 0: never
  std::uint64_t retain_bytes = 0;  // of all segments together, the open one never removed; 0: no bound
  std::int64_t retain_ns = 0;      // since a segment's last write; 0: no bound
  std::string checkpoints_folder;  // age spares what the oldest checkpoint of this session needs; empty: none
  std::size_t batch_bytes = std::size_t{1} << 20;
  std::int64_t retry_ns = 100'000'000;  // pause after an error; doubles
  std::int64_t retry_ns_max = 5'000'000'000;
  std::int64_t poll_ns = 500'000;           // sleep where the ring has nothing new
  int core = -1;                            // -1: not pinned
  io::Storage* storage = nullptr;           // null: the system's
  RingFollowers* followers = nullptr;       // of this process; told how far the ring has been taken
  std::shared_ptr<ActivityLog> activities;  // null: nothing is measured
};

// Threads: constructor, append, flush, start and stop on one; counters on any. The ring's memory must outlive it.
// Errors of the disk after construction never stop the feed: they are counted, what is not yet written waits in the
// ring, a new segment is tried after a pause, and what the ring had to give up meanwhile is recorded as a hole.
// Segments are opened with their first record: a session of which nothing came leaves no file.
class JournalWriter {
 public:
  // `ring` may be null: then only append() feeds it. Throws std::system_error where the folder cannot be used, and
  // std::runtime_error where `resume` finds that session damaged (repair it, or begin a new session).
  JournalWriter(const JournalOptions& options, const void* ring, std::size_t ring_bytes);
  ~JournalWriter();  // stop()
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  // The number that the next message must have; 1 for a new session. Before start() only, or after stop().
  std::uint64_t next_sequence() const { return next_sequence_; }
  // What resuming cut off because it was no whole record.
  std::uint64_t bytes_cut() const { return bytes_cut_; }

  // Before start() or without it: takes one datagram, as the ring would give it. Numbers that stand already are passed
  // over. Throws std::system_error where it cannot be written, std::invalid_argument where it is no packet of this
  // session.
  void append(std::span<const std::uint8_t> datagram);
  // What was appended is written, and synced unless the policy is `never`. Throws std::system_error.
  void flush();

  // From the number that is next, or from the oldest that the ring retains.
  void start();
  // Takes what the ring holds now, closes the segment with its end record, ends the thread. Safe to call twice.
  void stop();

  const Counters<JournalCounter>& counters() const { return counters_; }

 private:
  void resume();
  void sync_closed(std::span<const SegmentName> names);
  bool is_marked(const SegmentName& name) const;
  std::uint64_t last_of(std::span<const SegmentName> names, std::size_t index) const;
  void write_and_sync();
  void require_written(int error) const;
  void run();
  bool collect();
  void catch_up();
  // The datagram in room(). False: no packet of this session.
  bool take(std::size_t length);
  void add(const PendingRecord& record, std::uint64_t next_sequence);
  bool keep_heartbeat(const encode::PacketView& packet);
  void add_hole(std::uint64_t last);
  int write_pending();
  int write_some();
  int open_segment(const PendingRecord& first);
  int close_segment();
  int sync();
  int note(int error);
  void note_index_errors();
  void fail_segment(bool sync_failed = false);
  void doubt(const journal::SegmentHeader& header, std::uint64_t last);
  int rewrite_doubtful();
  void rewrite_in_time(std::int64_t now_ns);
  void tell_durable(std::uint64_t sequence);
  void count_error(int error);
  bool write_or_wait();
  int keep_time();
  void finish();
  void retain();
  void begin_at_next();
  bool is_full() const;
  void wait(std::int64_t time_ns);
  void measure_lag();
  std::span<std::uint8_t> room() { return {buffer_.data() + buffered_, journal::record_payload_max}; }

  JournalOptions options_;
  io::Storage& storage_;
  SegmentWriter segment_;
  std::optional<BroadcastReader> reader_;
  Counters<JournalCounter> counters_;

  // What was taken and not yet written; never more than batch_bytes and one record.
  FixedArray<std::uint8_t> buffer_;
  std::size_t buffered_ = 0;
  std::vector<PendingRecord> pending_;
  std::size_t pending_done_ = 0;

  // A segment whose fsync has failed, up to that number. The system may have dropped its pages, and a further fsync
  // would succeed all the same.
  struct Doubtful {
    journal::SegmentHeader header;
    std::uint64_t last;
  };
  std::vector<Doubtful> doubtful_;  // the oldest first
  std::int64_t rewrite_due_ns_ = 0;
  std::int64_t rewrite_pause_ns_ = 0;
  journal::SegmentHeader header_{};  // of the open segment

  std::uint64_t next_sequence_ = 1;
  std::uint64_t number_ = 1;  // of the next segment
  std::uint64_t bytes_cut_ = 0;
  std::uint64_t written_sequence_ = 0;
  std::uint64_t synced_sequence_ = 0;  // up to there, but for what is doubtful
  std::uint64_t index_errors_ = 0;
  bool unsynced_ = false;
  bool folder_unsynced_ = false;
  bool error_since_written_ = false;
  std::int64_t segment_opened_ns_ = 0;
  std::int64_t synced_ns_ = 0;
  std::int64_t retained_ns_ = 0;
  std::int64_t retry_ns_ = 0;
  // The heartbeat that was kept last.
  std::uint64_t heartbeat_sequence_ = 0;
  std::uint64_t heartbeat_digest_ = 0;
  bool heartbeat_valid_ = false;
  bool end_kept_ = false;

  io::Parker parker_;
  std::atomic<bool> stop_{false};
  bool started_ = false;
  std::thread thread_;
};

}  // namespace depthcast::run

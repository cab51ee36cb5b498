// A channel's books as a receiver keeps them: the very code that clients and the snapshot replica run.
// Pure: numbered messages in order in, books, states, digests' verdicts and updates out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "book/book.h"
#include "core/message.h"

namespace depthcast::book {

// How far an instrument's book can be trusted.
enum class InstrumentState : std::uint8_t {
  live = 0,         // every message of it was applied
  unconfirmed = 1,  // the channel had a hole; it may or may not have been hit
  stale = 2,        // it was hit: the book is wrong until a snapshot or an equal digest says otherwise
};

// One message as it is handed on. The best prices are those after it, hence the event's where it ends one; zero
// quantity: no such side.
struct Update {
  std::uint64_t sequence;
  std::uint64_t position;
  std::int64_t time_ns;
  std::uint64_t order_id;  // trades: trade id
  std::int64_t price;
  std::uint64_t quantity;
  std::uint64_t detail;
  std::int64_t bid_price;
  std::uint64_t bid_quantity;
  std::int64_t ask_price;
  std::uint64_t ask_quantity;
  std::uint64_t quantity_2;  // trades and auctions only, as are the next four
  std::int64_t price_2;
  std::int64_t price_3;
  std::int64_t price_4;
  std::int64_t price_5;
  std::uint64_t digest;  // the channel's after this message: the publisher's where it ends an event
  std::uint32_t instrument;
  std::uint32_t instrument_sequence;
  std::uint32_t code;
  std::uint16_t flags;
  Kind kind;
  Side side;
};
static_assert(sizeof(Update) == 152);

// Fills in the best prices of the update's instrument as they stand.
void show_best_prices(const Book& book, Update& update);

class UpdateSink {
 public:
  virtual ~UpdateSink() = default;
  virtual void on_update(const Update& update) = 0;
  // Every book was replaced by a snapshot's, which holds every message up to `sequence`; the next update may have any
  // number.
  virtual void on_snapshot(std::uint64_t /*sequence*/) {}
};

struct DefinitionRecord {
  bool defined = false;
  std::string symbol;
  std::int8_t price_exponent = 0;
  std::int8_t quantity_exponent = 0;
  std::uint32_t source_code = 0;
  std::uint32_t lot_size = 0;
  std::uint32_t price_increment = 0;
  std::int64_t price_low = 0;
  std::int64_t price_high = 0;
  std::vector<std::uint8_t> attributes;

  bool operator==(const DefinitionRecord&) const = default;
};

struct ReplicaCounters {
  std::uint64_t messages = 0;
  std::uint64_t events = 0;
  std::uint64_t refused[apply_results] = {};  // what the book would not apply, by ApplyResult
  std::uint64_t unknown_kinds = 0;            // of a later version, skipped
  std::uint64_t instrument_gaps = 0;          // jumps of an instrument sequence
  std::uint64_t digests_checked = 0;
  std::uint64_t digests_mismatched = 0;
  std::uint64_t digests_unchecked = 0;  // the state they refer to was no longer, or never, at hand
  std::uint64_t definitions_refused = 0;
};

struct MessageContext {
  std::uint64_t sequence;
  std::uint64_t position;
  std::int64_t time_ns;
};

// The state that a snapshot holds.
struct SnapshotHead {
  std::uint64_t sequence = 0;  // the last number that it includes, the end of an event
  std::uint64_t position = 0;
  std::int64_t time_ns = 0;
  std::uint64_t channel_digest = 0;
};

// Why a snapshot was not taken.
enum class SnapshotRefusal : std::uint8_t {
  none = 0,
  unknown_instrument,
  invalid_order,  // no side, no quantity, or a priority that its place or the snapshot's number forbids
  duplicate_order,
  order_limit,
  level_limit,
  quantity_overflow,
  digest_differs,
};
constexpr std::size_t snapshot_refusals = 8;
const char* name_of(SnapshotRefusal refusal);

// Threads: one, but for book().views().
class Replica {
 public:
  Replica(const BookLimits& limits, UpdateSink* sink);

  void on_book(const BookMessage& message, const MessageContext& context, std::uint64_t detail);
  // Fetches ahead what on_book() of a later message of the packet will touch; see Book::prefetch.
  void prefetch(const BookMessage& message, int stage, std::uint32_t& slot) const {
    book_.prefetch(message, stage, slot);
  }
  void on_trade(const TradeMessage& message, const MessageContext& context);
  // A definition with a number.
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, DefinitionRecord&& record,
                     const MessageContext& context);
  // A repeated one, without: fills in what a receiver that came late does not know yet.
  void learn_definition(std::uint32_t instrument, DefinitionRecord&& record);
  // Messages up to `last` were given up: every instrument is unconfirmed until it proves otherwise.
  void on_missing(std::uint64_t last);
  // The publisher's digests after message `sequence`.
  void on_digest(std::uint64_t sequence, std::uint64_t channel_digest);
  void on_instrument_digest(std::uint64_t sequence, std::uint32_t instrument, std::uint32_t instrument_sequence,
                            std::uint64_t digest);
  void reset();
  // Whom updates go to from now on; null: nobody. Between whole events.
  void deliver_to(UpdateSink* sink) { sink_ = sink; }

  // A snapshot of the session that is followed takes the place of every book: begin, each instrument in one or more
  // pieces (orders of one queue in queue order), finish. Definitions stay, and are learnt as ever. Nothing is published
  // before finish_snapshot(), and the sink hears on_snapshot() alone.
  void begin_snapshot(const SnapshotHead& head);
  // False once something was refused: then the rest is ignored.
  bool load_instrument(std::uint32_t instrument, std::uint32_t instrument_sequence, TradingStatus status,
                       std::span<const SnapshotOrderData> orders);
  // `none`: the books are the snapshot's, all live and proved by its digest. Otherwise they are empty and stale.
  SnapshotRefusal finish_snapshot();

  InstrumentState state(std::uint32_t instrument) const;
  const DefinitionRecord& definition(std::uint32_t instrument) const { return definitions_[instrument]; }
  // Largest instrument number seen so far.
  std::uint32_t instrument_last() const { return instrument_last_; }
  // Number and position of the last message applied, and of the last that ended an event.
  std::uint64_t sequence() const { return sequence_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t event_sequence() const { return event_sequence_; }
  std::int64_t event_time_ns() const { return event_time_ns_; }
  // Every instrument is live.
  bool whole() const { return hole_epoch_ == whole_epoch_ && stale_count_ == 0; }
  // Some digest of the publisher's was equal since the start of the session, or the snapshot's.
  bool proved() const { return proved_; }
  // The channel's digest after message `sequence`, if that ended an event and is not too long ago.
  std::optional<std::uint64_t> past_digest(std::uint64_t sequence) const {
    const PastDigest& past = past_[sequence % past_max];
    return past.sequence == sequence ? std::optional(past.digest) : std::nullopt;
  }
  const Book& book() const { return book_; }
  const ReplicaCounters& counters() const { return counters_; }
  // Bumped whenever a definition is learnt or changed.
  std::uint64_t definitions_version() const { return definitions_version_; }

 private:
  struct Trust {
    std::uint64_t confirmed_epoch = 0;  // the last hole that this instrument is known to have survived
    bool stale = false;
  };
  struct PastDigest {
    std::uint64_t sequence = 0;
    std::uint64_t digest = 0;
  };
  static constexpr std::size_t past_max = 65'536;  // more than six digests' distance at the busiest
  static constexpr std::size_t waiting_max = 64;

  bool in_range(std::uint32_t instrument) const { return instrument <= book_.limits().instruments_max; }
  // Checks and takes the instrument's own number.
  void follow(std::uint32_t instrument, std::uint32_t instrument_sequence);
  void set_stale(std::uint32_t instrument, bool stale);
  // Counts a message that could not be applied: its instrument's book can no longer be trusted.
  void refuse(std::uint32_t instrument, ApplyResult reason);
  void advance(const MessageContext& context, std::uint16_t message_flags);
  void end_event(const MessageContext& context);
  void check_channel_digest(std::uint64_t sequence, std::uint64_t theirs, std::uint64_t ours);
  void deliver(Update& update);
  SnapshotRefusal load_order(std::uint32_t instrument, const SnapshotOrderData& order);
  static bool ends_event(std::uint16_t message_flags) { return (message_flags & flags::end_of_event) != 0; }

  Book book_;
  UpdateSink* sink_;
  std::vector<DefinitionRecord> definitions_;
  std::vector<Trust> trust_;
  std::uint32_t instrument_last_ = 0;
  std::uint64_t definitions_version_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t event_sequence_ = 0;
  std::int64_t event_time_ns_ = 0;

  std::uint64_t hole_epoch_ = 0;   // holes so far
  std::uint64_t whole_epoch_ = 0;  // holes up to this one are known to have been survived by every instrument
  std::uint64_t stale_count_ = 0;
  std::uint64_t missing_last_ = 0;  // no digest of an earlier state proves that the last hole did no harm

  std::vector<PastDigest> past_;      // by sequence modulo past_max: the channel's digest at ends of events
  std::vector<PastDigest> waiting_;   // digests of messages that have not come yet
  std::uint64_t digest_checked_ = 0;  // the last sequence whose digest was looked at
  bool proved_ = false;

  SnapshotHead head_;  // of the snapshot being loaded
  SnapshotRefusal refusal_ = SnapshotRefusal::none;
  ReplicaCounters counters_;
};

}  // namespace depthcast::book

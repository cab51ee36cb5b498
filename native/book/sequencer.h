// Input events in, numbered messages out: the one place that gives numbers, and the writer of a channel's books.
// Pure: what it puts out depends on its input and its limits alone, never on time, batching or speed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "book/book.h"
#include "ingest/input_event.h"

namespace depthcast::book {

// What goes with every message besides the message itself.
struct Stamp {
  std::uint64_t sequence;
  std::int64_t time_ns;
  std::uint64_t position;
};

// An input event that contradicts the books or the instrument's definition.
struct Refusal {
  std::uint64_t position;
  std::int64_t time_ns;
  std::uint64_t order_id;
  std::int64_t price;
  std::uint64_t quantity;
  std::uint32_t source_code;
  ApplyResult reason;
  ingest::InputKind kind;
  bool passed;  // on, by the policy
};

// What is done with such events, for each reason. Part of a session's identity. docs/ingest.md, "Validation".
class ValidationPolicy {
 public:
  // Throws std::invalid_argument for a reason that cannot be passed on: what does not fit the books' limits.
  void pass_on(ApplyResult reason);
  bool passes(ApplyResult reason) const { return (passed_ >> static_cast<unsigned>(reason) & 1U) != 0; }
  std::uint32_t bits() const { return passed_; }

 private:
  std::uint32_t passed_ = 0;
};

// Takes the numbered messages in order. `time_offset` of the messages is not set yet: the packet decides its base.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void on_book(const BookMessage& message, const Stamp& stamp, std::uint64_t detail) = 0;
  virtual void on_trade(const TradeMessage& message, const Stamp& stamp) = 0;
  virtual void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                             const ingest::DefinitionData& definition, const Stamp& stamp) = 0;
  // Before what comes of it, where it is passed on.
  virtual void on_refused(const Refusal& /*refusal*/) {}
};

struct InstrumentRecord {
  std::uint32_t source_code = 0;
  ingest::DefinitionData definition{};
};

// Counters of one thread. A reader on another thread goes through run/counters.h.
struct SequencerCounters {
  std::uint64_t events = 0;                            // input events taken
  std::array<std::uint64_t, apply_results> refused{};  // by ApplyResult; `applied` stays 0
  std::array<std::uint64_t, apply_results> passed{};   // on, by policy
  std::uint64_t instruments_refused = 0;               // events of instruments past instruments_max
  std::uint64_t definitions_repeated = 0;
  std::uint64_t adds_lost = 0;  // replaces whose new order did not fit
};

// Where a sequencer goes on. The book that belongs to it carries the instrument sequences.
struct SequencerState {
  std::uint64_t next_sequence = 1;
  std::uint64_t position = 0;  // of the last input event taken
  std::int64_t time_ns = 0;
  std::uint32_t open_messages = 0;        // of an event that goes on
  std::vector<InstrumentRecord> records;  // by instrument; empty, or from 0, which is the channel and has none
};

// Threads: the publisher's only.
class Sequencer {
 public:
  // `first_sequence`: number of the first message, normally 1.
  Sequencer(Book& book, MessageSink& sink, std::uint64_t first_sequence = 1, const ValidationPolicy& policy = {});
  // Goes on from `state`. Throws std::invalid_argument where it holds more instruments than the book can.
  Sequencer(Book& book, MessageSink& sink, const SequencerState& state, const ValidationPolicy& policy = {});

  // What fetch_ahead() has found out about an event. apply() verifies it and looks for itself where it does not hold,
  // so that a hint may be stale or missing without harm.
  struct Hint {
    std::uint32_t instrument = no_index;
    std::uint32_t slot = no_index;   // of the order that the event is about
    std::uint32_t level = no_index;  // that an add will join
  };
  // Events that follow each other.
  static constexpr std::size_t group_max = 32;
  struct Group {
    std::size_t count = 0;
    const ingest::InputEvent* events[group_max];
    Hint hints[group_max];
  };

  // Takes one event, and publishes the depth views; `extension` is its second cell where it has one.
  void apply(const ingest::InputEvent& event, const ingest::InputCell* extension) {
    apply(event, extension, Hint());
    end_batch();
  }
  // The same within a batch: what many of its events have changed is published once, by end_batch().
  void apply(const ingest::InputEvent& event, const ingest::InputCell* extension, const Hint& hint);
  // Readers see whole events only: where one goes on, all of it is published by a later batch.
  void end_batch() {
    if (!event_open()) book_.publish_views();
  }
  // The last message taken is not the last of its event: no digest may be told.
  bool event_open() const { return open_messages_ != 0; }

  // Whether fetch_ahead() would do no good; see Book::fits_cache().
  bool fits_cache() const { return book_.fits_cache(); }
  // Fetches into the cache what apply() of the group's events will touch, and sets their hints.
  void fetch_ahead(Group& group) const;

  std::uint64_t next_sequence() const { return next_sequence_; }
  std::uint64_t input_position() const { return position_; }
  std::int64_t event_time_ns() const { return time_ns_; }
  const SequencerCounters& counters() const { return counters_; }
  // Defined instruments are 1 … instrument_count().
  std::uint32_t instrument_count() const { return instrument_count_; }
  const InstrumentRecord& record(std::uint32_t instrument) const { return records_[instrument]; }

 private:
  static constexpr std::uint32_t source_codes_max = 65'536;
  static constexpr std::uint32_t event_messages_max = 65'535;
  static constexpr std::uint32_t no_instrument = 0xffffffffU;

  void take(const ingest::InputEvent& event, const ingest::InputCell* extension, const Hint& hint);
  void end_open_event(const ingest::InputEvent& event);
  // Whether the message that is given a number next ends its event. Room is left for both messages of a replace.
  bool ends(const ingest::InputEvent& event) const {
    return (event.bits & ingest::input_goes_on) == 0 || open_messages_ >= event_messages_max - 2;
  }
  std::uint32_t instrument_of(std::uint32_t source_code) const;
  std::uint32_t order_of(const ingest::InputEvent& event, const Hint& hint);
  void define(const ingest::InputEvent& event, const ingest::DefinitionData& told);
  void limits(const ingest::InputEvent& event, std::uint32_t instrument);
  void tell_definition(const ingest::InputEvent& event, std::uint32_t instrument, const InstrumentRecord& record);
  void clear(const ingest::InputEvent& event, std::uint32_t instrument);
  void delist(const ingest::InputEvent& event, std::uint32_t instrument);
  void add(const ingest::InputEvent& event, std::uint32_t instrument, const Hint& hint);
  void execute(const ingest::InputEvent& event, const Hint& hint);
  void cancel(const ingest::InputEvent& event, const Hint& hint);
  void delete_order(const ingest::InputEvent& event, const Hint& hint);
  void replace(const ingest::InputEvent& event, const Hint& hint);
  void add_again(BookMessage& message, const ingest::InputEvent& event);
  void take_place_of(std::uint32_t slot, BookMessage& removal, BookMessage& addition, const ingest::InputEvent& event,
                     std::uint64_t detail);
  void status(const ingest::InputEvent& event, std::uint32_t instrument);
  void reference(const ingest::InputEvent& event, std::uint32_t instrument);
  void trade(const ingest::InputEvent& event, const ingest::TradeData& data, std::uint32_t instrument);

  BookMessage message_for(Kind kind, std::uint32_t slot) const;
  ApplyResult emit(ApplyResult result, BookMessage& message, const ingest::InputEvent& event, std::uint64_t detail);
  Stamp take_number(const ingest::InputEvent& event);
  std::uint32_t take_instrument_number(std::uint32_t instrument);
  // Counts it and tells it; true where the policy passes it on.
  bool tolerates(ApplyResult reason, const ingest::InputEvent& event);
  // The same; what is passed on and fits no book goes out as a reference message.
  void refuse(ApplyResult reason, const ingest::InputEvent& event);
  // Whether an order may stand at the event's price in that instrument.
  bool may_stand(const ingest::InputEvent& event, std::uint32_t instrument);
  bool fits_definition(const ingest::InputEvent& event, const ingest::DefinitionData& definition);
  void set_record(std::uint32_t instrument, const InstrumentRecord& record);
  // After the last message of an input.
  void finish(const ingest::InputEvent& event, bool ended) {
    if (!ended) return;
    book_.close_event(next_sequence_ - 1, event.time_ns);
    open_messages_ = 0;
  }

  Book& book_;
  MessageSink& sink_;
  std::uint64_t next_sequence_;
  std::uint64_t position_ = 0;
  std::int64_t time_ns_ = 0;
  std::uint32_t open_messages_ = 0;  // of the event that goes on
  std::uint32_t instrument_count_ = 0;
  std::vector<std::uint32_t> by_source_code_;
  std::vector<InstrumentRecord> records_;
  ValidationPolicy policy_;
  bool grids_ = false;  // some definition says which prices there are
  SequencerCounters counters_;
};

}  // namespace depthcast::book

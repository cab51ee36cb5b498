#include "run/publisher.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "book/batch.h"
#include "core/digest.h"
#include "io/clock.h"

namespace depthcast::run {
namespace {

constexpr std::size_t ring_bytes_min = std::size_t{1} << 20;
constexpr std::size_t digests_in_turn = 16;
// All definitions come round about once in so many repetitions.
constexpr std::uint32_t definition_rounds = 25;
constexpr std::int64_t clock_offset_every_ns = 100'000'000;
constexpr int end_of_session_repeats = 5;
constexpr std::chrono::milliseconds end_of_session_pause{10};

}  // namespace

std::uint64_t identity_of(const PublisherOptions& options) {
  std::uint64_t hash = encode::wire_version;
  const std::uint64_t parts[] = {options.channel, options.limits.orders_max, options.limits.levels_max,
                                 options.limits.instruments_max, options.validation.bits()};
  for (const std::uint64_t part : parts) hash = digest::mix64(hash + part);
  return hash;
}

std::vector<std::string> publisher_counter_names() {
  std::vector<std::string> names = {
      "inputEvents",         "inputPosition", "inputWaiting", "sequence",    "packets",          "batches",
      "batchEventsMax",      "heartbeats",    "instruments",  "liveOrders",  "digest",           "instrumentsRefused",
      "definitionsRepeated", "addsLost",      "datagramsA",   "bytesA",      "sendCallsA",       "datagramsFailedA",
      "lastErrorA",          "datagramsB",    "bytesB",       "sendCallsB",  "datagramsFailedB", "lastErrorB",
      "loopNsMax",           "threadId",      "coreRefused",  "lockedBytes", "lockError"};
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    names.push_back(std::string("refused.") + book::name_of(static_cast<book::ApplyResult>(result)));
  }
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    names.push_back(std::string("passed.") + book::name_of(static_cast<book::ApplyResult>(result)));
  }
  names.push_back("refusalsUntold");
  return names;
}

// One multicast line: its socket and, where its datagrams are cut differently from line A's, its own packets.
class Publisher::Line final : public encode::PacketSink {
 public:
  explicit Line(const io::SenderOptions& options) : sender(options) {}

  // Packets of its own: kept here until flush(), since the socket reads them then.
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t /*first_sequence*/, std::uint32_t /*count*/) override {
    if (used_ + length > staging_.size()) flush();
    std::uint8_t* to = staging_.data() + used_;
    std::copy(prefix.begin(), prefix.end(), to);
    std::copy(root.begin(), root.end(), to + prefix.size());
    std::fill(to + prefix.size() + root.size(), to + length, std::uint8_t{0});
    sender.add(to, length);
    used_ += length;
  }
  void flush() {
    sender.flush();
    used_ = 0;
  }

  io::UdpSender sender;
  std::unique_ptr<encode::PacketWriter> writer;

 private:
  std::vector<std::uint8_t> staging_ = std::vector<std::uint8_t>(std::size_t{1} << 18);
  std::size_t used_ = 0;
};

// Where numbered messages go: encoded once for line A and the ring, and again for a line with other packet sizes.
class Publisher::Output final : public book::MessageSink, public encode::PacketSink {
 public:
  Output(const PublisherOptions& options, const Start& start, std::uint64_t identity, void* ring_memory,
         std::int64_t now_ns, SpscRing<PublishedDefinition>& definitions, SpscRing<book::Refusal>& refusals)
      : definitions_(definitions),
        refusals_(refusals),
        ring_(ring_memory, options.ring_bytes, options.channel, options.session, static_cast<std::uint32_t>(getpid()),
              static_cast<std::uint64_t>(now_ns), {identity, start.boot_id, first_in_ring(start)}),
        probe_(options.probe.get()),
        expected_(start.expected),
        writer_({options.channel, options.session, options.datagram_bytes[0]}, *this) {
    for (std::size_t index = 0; index < options.lines.size(); ++index) {
      lines_.push_back(std::make_unique<Line>(options.lines[index]));
      if (options.datagram_bytes[index] == options.datagram_bytes[0]) continue;
      lines_[index]->writer = std::make_unique<encode::PacketWriter>(
          encode::PacketOptions{options.channel, options.session, options.datagram_bytes[index]}, *lines_[index]);
      own_.push_back(lines_[index].get());
    }
  }

  // Puts what may not have been sent into the ring, and before the sockets.
  void send_again(const Start& start) {
    for (const std::vector<std::uint8_t>& datagram : start.unsent) {
      encode::PacketView view;
      if (encode::read_packet(datagram, view) != encode::PacketStatus::ok) continue;
      const std::span<const std::uint8_t> bytes(datagram);
      on_packet(bytes.first(sizeof(encode::Prefix)), bytes.subspan(sizeof(encode::Prefix)), bytes.size(),
                view.first_sequence, view.count);
      for (Line* line : own_) {
        each_sequenced(view, [&](const SequencedMessage& message) {
          write_to(*line->writer, message);
          return true;
        });
      }
    }
    for (Line* line : own_) line->writer->flush();
  }
  // The number of the first message that differs from what was published before; 0: none.
  std::uint64_t contradiction() const { return contradiction_; }
  // Some of what was published before has not come again yet.
  bool awaits_repetition() const { return expected_next_ < expected_.size(); }

  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    if (repeats(message, stamp, detail)) return;
    writer_.on_book(message, stamp, detail);
    for (Line* line : own_) line->writer->on_book(message, stamp, detail);
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    if (repeats(message, stamp, 0)) return;
    writer_.on_trade(message, stamp);
    for (Line* line : own_) line->writer->on_trade(message, stamp);
  }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override {
    if (repeats(SequencedDefinition{instrument, instrument_sequence, source_code, definition}, stamp, 0)) return;
    writer_.on_definition(instrument, instrument_sequence, source_code, definition, stamp);
    for (Line* line : own_)
      line->writer->on_definition(instrument, instrument_sequence, source_code, definition, stamp);
    tell_definition(instrument, {source_code, definition});
  }
  void on_refused(const book::Refusal& refusal) override {
    if (refusals_.claim(1) == 0) {
      ++refusals_untold_;
      return;
    }
    refusals_.at_tail(0) = refusal;
    refusals_.publish(1);
  }
  std::uint64_t refusals_untold() const { return refusals_untold_; }
  // To JavaScript.
  void tell_definition(std::uint32_t instrument, const book::InstrumentRecord& record) {
    if (definitions_.claim(1) == 0) return;  // nobody takes them, and twice as many as there can be are waiting
    definitions_.at_tail(0) = {instrument, record.source_code, record.definition};
    definitions_.publish(1);
  }
  template <typename Act>
  void each_writer(Act act) {
    act(writer_);
    for (Line* line : own_) act(*line->writer);
  }

  // Commit precedes send: the packet stands in the ring before any socket sees it, and is sent from there.
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    // What waits for the socket must not be overwritten before it has gone.
    if (unsent_ + length > ring_bytes_min / 4) flush();
    const std::uint8_t* committed = ring_.write(prefix, root, length, first_sequence, count);
    unsent_ += length + sizeof(RingRecord);
    if (probe_ != nullptr) probe_->packet(length, count);
    for (auto& line : lines_) {
      if (line->writer == nullptr) line->sender.add(committed, length);
    }
  }

  void flush() {
    for (auto& line : lines_) line->flush();
    if (unsent_ != 0) ring_.mark_sent();
    unsent_ = 0;
  }
  const io::UdpSender* sender(std::size_t line) const { return line < lines_.size() ? &lines_[line]->sender : nullptr; }
  std::uint64_t packets() const { return writer_.packets(); }
  std::size_t repeat_max() const { return writer_.repeat_max(); }
  BroadcastWriter& ring() { return ring_; }

 private:
  static std::uint64_t first_in_ring(const Start& start) {
    encode::PacketView view;
    if (start.unsent.empty() || encode::read_packet(start.unsent.front(), view) != encode::PacketStatus::ok) {
      return start.next_sequence;
    }
    return view.first_sequence;
  }

  // True where an earlier run has published this message, or the session must end because it published another one.
  template <typename Message>
  bool repeats(const Message& message, const book::Stamp& stamp, std::uint64_t detail) {
    if (expected_next_ == expected_.size()) return contradiction_ != 0;
    if (contradiction_ == 0 && !(expected_[expected_next_] == SequencedMessage{stamp, detail, message})) {
      contradiction_ = stamp.sequence;
    }
    ++expected_next_;
    return true;
  }

  SpscRing<PublishedDefinition>& definitions_;
  SpscRing<book::Refusal>& refusals_;
  std::uint64_t refusals_untold_ = 0;
  BroadcastWriter ring_;
  PublisherProbe* probe_;
  std::vector<SequencedMessage> expected_;
  std::size_t expected_next_ = 0;
  std::uint64_t contradiction_ = 0;
  encode::PacketWriter writer_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<Line*> own_;
  std::size_t unsent_ = 0;
};

namespace {

const PublisherOptions& checked(const PublisherOptions& options) {
  if (options.lines.empty() || options.lines.size() > 2 || options.lines.size() != options.datagram_bytes.size()) {
    throw std::invalid_argument("a publisher has one or two lines");
  }
  if (options.ring_bytes < ring_bytes_min) {
    throw std::invalid_argument("ring bytes are " + std::to_string(options.ring_bytes) + ", expected at least 1 MiB");
  }
  return options;
}

// Of the instruments that are defined before the source's first event, by what was published or carried over.
std::vector<std::uint32_t> source_codes_of(const Start& start) {
  std::vector<std::uint32_t> codes;
  for (const book::InstrumentRecord& record : start.state.records) codes.push_back(record.source_code);
  for (std::size_t at = 0; at < start.restated.size(); at += ingest::cells_of(start.restated[at].event.kind)) {
    const ingest::InputEvent& event = start.restated[at].event;
    if (event.kind == ingest::InputKind::definition) codes.push_back(event.source_code);
  }
  return codes;
}

}  // namespace

Publisher::Publisher(const PublisherOptions& options, std::function<void()> on_end)
    : options_(checked(options)),
      on_end_(std::move(on_end)),
      memory_lock_(options.lock_memory),
      input_(std::max<std::size_t>(options.input_cells, 2 * batch_cells), options.limits.prefault),
      definitions_(std::size_t{options.limits.instruments_max} * 2, options.limits.prefault),
      book_(options.limits),
      start_(begin(options_, book_)),
      source_codes_(source_codes_of(start_)),
      ring_memory_(make_ring(options_)),
      identity_(identity_of(options)),
      output_(std::make_unique<Output>(options_, start_, ring_identity_of(options), ring_memory_.data(),
                                       io::realtime_ns(), definitions_, refusals_)),
      sequencer_(book_, *output_, start_.state, options_.validation),
      first_position_(start_.expected.empty() ? start_.state.position + 1 : start_.expected.front().stamp.position),
      committed_position_(start_.state.position),
      committed_sequence_(start_.next_sequence - 1) {
  memory_lock_.end();
  counters_.set(PublisherCounter::locked_bytes, memory_lock_.bytes());
  counters_.set(PublisherCounter::lock_error, static_cast<std::uint64_t>(memory_lock_.error()));
  output_->send_again(start_);
  output_->ring().mark_input(start_.state.position);
  if (options_.start != nullptr) options_.start->ring_ready(ring_memory_);
  for (std::uint32_t instrument = 1; instrument <= sequencer_.instrument_count(); ++instrument) {
    output_->tell_definition(instrument, sequencer_.record(instrument));
  }
  output_->ring().heartbeat(static_cast<std::uint64_t>(io::monotonic_ns()));  // as all that follow: monotonic time
}

std::uint64_t Publisher::ring_identity_of(const PublisherOptions& options) {
  return digest::mix64(digest::mix64(identity_of(options) + options.source_identity) + options.datagram_bytes[0]);
}

Start Publisher::begin(PublisherOptions& options, book::Book& book) {
  Start start;
  if (options.start != nullptr) start = options.start->begin(book);
  if (start.session != 0) options.session = start.session;
  return start;
}

io::SharedMemory Publisher::make_ring(const PublisherOptions& options) {
  const std::size_t bytes = ring_bytes(options.ring_bytes);
  io::SharedMemory ring =
      options.start != nullptr ? options.start->make_ring(bytes) : io::SharedMemory::create(options.ring_path, bytes);
  if (options.limits.prefault) {
    std::memset(ring.data(), 0, ring.bytes());
    MemoryLock::lock(ring.data(), ring.bytes());
  }
  return ring;
}

Publisher::~Publisher() {
  end_input();
  join();
  // Stored by whoever ended the input, before this thread was asked to destroy.
  if (!leave_open_.load(std::memory_order_relaxed) || output_->contradiction() != 0) return;
  output_->ring().leave();
  ring_memory_.keep();
}

void Publisher::start() {
  thread_ = std::thread([this] { run(); });
}

void Publisher::end_input(bool stopped) {
  if (stopped && !options_.source_repeats && options_.start != nullptr) {
    leave_open_.store(true, std::memory_order_relaxed);  // made visible by the store below
  }
  // Pairs with the load in run(): every event published before is seen by then.
  input_ended_.store(true, std::memory_order_release);
  wake();
}

void Publisher::join() {
  if (thread_.joinable()) thread_.join();
}

bool Publisher::followers_need_time(std::int64_t now_ns, FollowerPatience& patience) {
  const auto* header = static_cast<const RingHeader*>(ring_memory_.data());
  // What the input ring holds comes on top: a cell makes at most about its own size, and padding a quarter of that.
  // Looked at first: what leaves it meanwhile is counted twice, and never missed.
  const std::uint64_t waiting = input_.size() * sizeof(ingest::InputCell) * 5 / 4;
  const std::uint64_t tail = header->tail.load(std::memory_order_relaxed);  // a figure only
  return patience.waits(followers_.slowest(), tail + waiting, header->capacity / 2, now_ns);
}

std::vector<std::uint32_t> Publisher::source_codes_before() const { return source_codes_; }

bool Publisher::take_definition(PublishedDefinition& definition) {
  if (definitions_.available() == 0) return false;
  definition = definitions_.at_head(0);
  definitions_.release(1);
  return true;
}

bool Publisher::take_refusal(book::Refusal& refusal) {
  if (refusals_.available() == 0) return false;
  refusal = refusals_.at_head(0);
  refusals_.release(1);
  return true;
}

// Monotonic time; wire times are that plus an offset which is read again ten times a second.
std::int64_t Publisher::read_clock() {
  const std::int64_t now_ns = io::monotonic_ns();
  if (now_ns - offset_read_ns_ >= clock_offset_every_ns || offset_read_ns_ == 0) {
    realtime_offset_ns_ = io::realtime_ns() - now_ns;
    offset_read_ns_ = now_ns;
  }
  if (last_clock_ns_ != 0) {
    counters_.raise(PublisherCounter::loop_ns_max, static_cast<std::uint64_t>(now_ns - last_clock_ns_));
  }
  last_clock_ns_ = now_ns;
  output_->each_writer([&](encode::PacketWriter& writer) { writer.set_send_time(now_ns + realtime_offset_ns_); });
  return now_ns;
}

void Publisher::run() {
  io::name_thread("dc-publish");
  const bool pinned = options_.core < 0 || io::pin_to_core(options_.core);
  counters_.set(PublisherCounter::core_refused, pinned ? 0 : 1);
  counters_.set(PublisherCounter::thread_id, io::thread_id());
  PublisherProbe* const probe = options_.probe.get();
  if (probe != nullptr) probe->started();
  std::uint32_t idle_rounds = 0;
  heartbeat_due_ns_ = read_clock();
  definitions_due_ns_ = heartbeat_due_ns_;
  restate();
  while (true) {
    // Pairs with the store in end_input(); read before the ring, so that the last events are not missed.
    const bool ended = input_ended_.load(std::memory_order_acquire);
    const std::int64_t now_ns = read_clock();
    if (probe != nullptr) probe->before_batch(input_);
    const bool worked = process_batch();
    if (probe != nullptr && worked) probe->sequenced(sequencer_.input_position(), sequencer_.next_sequence() - 1);
    tick(now_ns);
    flush();
    if (output_->contradiction() != 0) break;
    if (worked) {
      commit_input();
      idle_rounds = 0;
      publish_counters();
    } else if (ended) {
      break;
    } else {
      idle(idle_rounds);
    }
  }
  finish();
}

void Publisher::restate() {
  constexpr std::chrono::microseconds followers_pause{200};
  const std::vector<ingest::InputCell> cells = std::move(start_.restated);
  for (std::size_t taken = 0; taken < cells.size();) {
    taken += book::apply_batch(
        sequencer_, std::min(batch_cells, cells.size() - taken),
        [&](std::size_t index) -> const ingest::InputCell& { return cells[taken + index]; }, [] {});
    tick(read_clock());
    flush();
    publish_counters();
    while (followers_need_time(read_clock(), restate_patience_)) {
      tick(last_clock_ns_);
      flush();
      std::this_thread::sleep_for(followers_pause);
    }
  }
}

bool Publisher::process_batch() {
  const std::size_t ready = std::min(input_.available_now(), batch_cells);
  if (ready == 0) return false;
  output_->each_writer([&](encode::PacketWriter& writer) { writer.set_bulk(ready == batch_cells); });
  std::uint64_t events = 0;
  const std::size_t taken = book::apply_batch(
      sequencer_, ready, [this](std::size_t index) -> const ingest::InputCell& { return input_.at_head(index); },
      [&] {
        ++events;
        if (sequencer_.next_sequence() - digest_sequence_ > options_.digest_messages && !sequencer_.event_open()) {
          send_heartbeat(false);
        }
      });
  input_.release(taken);
  counters_.add(PublisherCounter::batches);
  counters_.raise(PublisherCounter::batch_events_max, events);
  return true;
}

void Publisher::tick(std::int64_t now_ns) {
  if (now_ns >= heartbeat_due_ns_) {
    send_heartbeat(false);
    heartbeat_due_ns_ = now_ns + options_.heartbeat_ns;
    output_->ring().heartbeat(static_cast<std::uint64_t>(now_ns));
    publish_counters();
  }
  if (options_.definitions_ns != 0 && now_ns >= definitions_due_ns_) {
    repeat_definitions();
    definitions_due_ns_ = now_ns + options_.definitions_ns;
  }
}

void Publisher::send_heartbeat(bool end_of_session) {
  std::array<wire::InstrumentDigest, digests_in_turn> turn;
  std::size_t count = 0;
  const std::uint32_t instruments = sequencer_.instrument_count();
  for (; count < std::min<std::size_t>(digests_in_turn, instruments); ++count) {
    digest_turn_ = digest_turn_ % instruments + 1;
    const book::Instrument& instrument = book_.instrument(digest_turn_);
    turn[count] = {instrument.digest, digest_turn_, instrument.instrument_sequence};
  }
  // Numbers never go back, though a source that is at its beginning again has yet to give the last of them.
  const std::uint64_t next = std::max(sequencer_.next_sequence(), start_.next_sequence);
  const bool settled = next == sequencer_.next_sequence() && output_->contradiction() == 0 && !sequencer_.event_open();
  if (!settled) count = 0;
  output_->each_writer([&](encode::PacketWriter& writer) {
    writer.heartbeat({next,
                      sequencer_.input_position(),
                      sequencer_.event_time_ns(),
                      book_.digest(),
                      next > 1 && settled,
                      end_of_session,
                      identity_,
                      {turn.data(), count}});
  });
  digest_sequence_ = next;
  counters_.add(PublisherCounter::heartbeats);
}

void Publisher::repeat_definitions() {
  const std::uint32_t instruments = sequencer_.instrument_count();
  if (instruments == 0) return;
  const std::uint32_t share = (instruments + definition_rounds - 1) / definition_rounds;
  std::array<encode::PacketWriter::Repeated, 64> repeated;
  for (std::uint32_t left = share; left != 0;) {
    std::size_t count = 0;
    const std::size_t packet = std::min(output_->repeat_max(), repeated.size());
    for (; count < packet && left != 0; ++count, --left) {
      definition_turn_ = definition_turn_ % instruments + 1;
      repeated[count] = {definition_turn_, &sequencer_.record(definition_turn_)};
    }
    output_->each_writer([&](encode::PacketWriter& writer) {
      writer.repeat_definitions({repeated.data(), count}, std::max(sequencer_.next_sequence(), start_.next_sequence),
                                sequencer_.input_position(), sequencer_.event_time_ns());
    });
  }
}

void Publisher::flush() {
  PublisherProbe* const probe = options_.probe.get();
  output_->each_writer([](encode::PacketWriter& writer) { writer.flush(); });
  if (probe != nullptr) probe->before_send();
  output_->flush();
  if (probe != nullptr) probe->after_send();
}

// Of the position that is being taken, some cells may still wait in the input ring: they were handed on together.
void Publisher::commit_input() {
  std::uint64_t position = sequencer_.input_position();
  if (input_.available() != 0 && input_.at_head(0).event.position == position) --position;
  output_->ring().mark_input(position);
  committed_sequence_.store(sequencer_.next_sequence() - 1, std::memory_order_relaxed);  // made visible by the next
  // Pairs with the load in committed_position().
  committed_position_.store(position, std::memory_order_release);
}

void Publisher::finish() {
  const bool ends = !leave_open_.load(std::memory_order_relaxed) || output_->contradiction() != 0;  // see end_input()
  for (int repeat = 0; ends && repeat < end_of_session_repeats; ++repeat) {
    if (repeat != 0) std::this_thread::sleep_for(end_of_session_pause);
    read_clock();
    send_heartbeat(true);
    flush();
  }
  if (ends) output_->ring().end();
  book_.views().writer_stopped();
  publish_counters();
  // Pairs with the load in contradiction().
  contradiction_.store(output_->contradiction(), std::memory_order_release);
  if (on_end_) on_end_();
}

void Publisher::idle(std::uint32_t& idle_rounds) {
  constexpr std::uint32_t rounds_before_sleep = 64;
  constexpr std::int64_t sleep_ns_max = 10'000'000;
  switch (options_.wait) {
    case io::WaitStrategy::spin: io::pause_core(); return;
    case io::WaitStrategy::yield: sched_yield(); return;
    case io::WaitStrategy::park: break;
  }
  if (++idle_rounds < rounds_before_sleep) return io::pause_core();
  parker_.prepare();
  // Pairs with the store in end_input().
  if (input_.available_now() != 0 || input_ended_.load(std::memory_order_acquire)) return parker_.cancel();
  parker_.sleep(std::clamp<std::int64_t>(heartbeat_due_ns_ - last_clock_ns_, 0, sleep_ns_max));
  last_clock_ns_ = 0;  // time asleep is no stall
}

void Publisher::publish_counters() {
  using enum PublisherCounter;
  const book::SequencerCounters& sequencer = sequencer_.counters();
  counters_.set(input_events, sequencer.events);
  counters_.set(input_position, sequencer_.input_position());
  counters_.set(input_waiting, input_.size());
  counters_.set(sequence, sequencer_.next_sequence() - 1);
  counters_.set(packets, output_->packets());
  counters_.set(instruments, sequencer_.instrument_count());
  counters_.set(live_orders, book_.live_orders());
  counters_.set(PublisherCounter::digest, book_.digest());
  counters_.set(instruments_refused, sequencer.instruments_refused);
  counters_.set(definitions_repeated, sequencer.definitions_repeated);
  counters_.set(adds_lost, sequencer.adds_lost);
  for (std::size_t line = 0; line < 2; ++line) {
    const io::UdpSender* sender = output_->sender(line);
    if (sender == nullptr) continue;
    const std::size_t first = static_cast<std::size_t>(line == 0 ? datagrams_a : datagrams_b);
    const std::uint64_t figures[] = {sender->datagrams(), sender->bytes(), sender->send_calls(),
                                     sender->datagrams_failed(), static_cast<std::uint64_t>(sender->last_error())};
    for (std::size_t index = 0; index < 5; ++index) {
      counters_.set(static_cast<PublisherCounter>(first + index), figures[index]);
    }
  }
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    const auto name =
        static_cast<PublisherCounter>(static_cast<std::size_t>(refused_first) + result - book::refusals_from);
    counters_.set(name, sequencer.refused[result]);
    const auto passed =
        static_cast<PublisherCounter>(static_cast<std::size_t>(passed_first) + result - book::refusals_from);
    counters_.set(passed, sequencer.passed[result]);
  }
  counters_.set(PublisherCounter::refusals_untold, output_->refusals_untold());
}

}  // namespace depthcast::run

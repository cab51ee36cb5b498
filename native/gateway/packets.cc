#include "gateway/packets.h"

#include <algorithm>
#include <limits>

#include "encode/prefix.h"

namespace depthcast::gateway {
namespace {

// Digests are told after so many messages of the subscription, and a frame more at most; or so long after the last.
constexpr std::uint64_t digest_messages = 5'000;
constexpr std::int64_t digest_every_ns = 1'000'000'000;
constexpr std::size_t digests_max = 512;     // of a frame
constexpr std::uint32_t digests_quiet = 16;  // of one where nothing came

}  // namespace

Packets::Packets(PacketMode mode, InstrumentSet instruments, PacketSource& source, std::uint64_t resume,
                 SnapshotWhy why)
    : mode_(mode),
      instruments_(std::move(instruments)),
      source_(source),
      step_(mode == PacketMode::exact && resume != 0 ? Step::resuming : Step::snapshot),
      why_(why),
      begun_at_(resume),
      scratch_(encode::datagram_bytes_max + sizeof(RingRecord)) {}

void Packets::begin_snapshot(SnapshotWhy why) {
  why_ = why;
  step_ = Step::snapshot;
  snapshot_ = nullptr;
  reader_.reset();
  offset_ = 0;
}

void Packets::join(const Market& market) {
  joined_ = true;
  joined_at_ = market.sequence();
  const std::span<const std::uint32_t> counted = market.instrument_sequences();
  joined_by_.assign(counted.begin(), counted.end());
}

void Packets::lose_ring() {
  if (step_ != Step::packets) return;
  begun_at_ = next_ - 1;
  step_ = Step::resuming;
  reader_.reset();
}

bool Packets::level(const Subscription& other) const {
  const auto& packets = static_cast<const Packets&>(other);
  const auto streams = [](const Packets& one) {
    return one.mode_ == PacketMode::exact && one.step_ == Step::packets && one.reader_ && one.joined_;
  };
  return streams(*this) && streams(packets) && reader_->position() == packets.reader_->position() &&
         next_ == packets.next_;
}

bool Packets::follow(std::uint64_t sequence) {
  // Nothing comes after it; such a client has none of our numbers.
  if (sequence == std::numeric_limits<std::uint64_t>::max()) return false;
  reader_ = source_.reader();
  if (!reader_) return false;
  // Twice: what is written between the two looks is found by the second.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (reader_->seek(sequence + 1)) break;
    reader_->seek_newest();
    if (reader_->next_sequence() == sequence + 1) break;
    if (attempt == 1) return false;
  }
  next_ = sequence + 1;
  step_ = Step::packets;
  return true;
}

std::uint64_t Packets::session_messages(std::span<const std::uint32_t> instrument_sequences) const {
  std::uint64_t messages = 0;
  const auto add = [&](std::size_t instrument) {
    if (instrument >= instrument_sequences.size()) return;
    const std::uint32_t before = instrument < joined_by_.size() ? joined_by_[instrument] : 0;
    messages += instrument_sequences[instrument] - before;
  };
  if (instruments_.all()) {
    for (std::size_t instrument = 1; instrument < instrument_sequences.size(); ++instrument) add(instrument);
  } else {
    for (const std::uint32_t instrument : instruments_.chosen()) add(instrument);
  }
  return messages;
}

// So many messages of this session are in the snapshot: those that were not sent are covered by it.
std::uint64_t Packets::cover(std::uint64_t session_messages) {
  const std::uint64_t covered = tally_.covered() - covered_before_;
  if (session_messages <= covered) return 0;
  tally_.conflated += session_messages - covered;
  return session_messages - covered;
}

bool Packets::take_snapshot() {
  // Nothing is sent twice, and nothing that counts is left out.
  const std::uint64_t sent = next_ == 0 ? 0 : next_ - 1;
  snapshot_ = source_.snapshot(instruments_, std::max(sent, joined_ ? joined_at_ : 0));
  if (snapshot_ == nullptr) return false;
  offset_ = 0;
  part_ = defined_ = place_ = 0;
  definitions_.clear();
  covered_ = 0;
  const std::uint64_t sequence = snapshot_->sequence;
  if (!joined_) {
    joined_ = true;
    joined_at_ = sequence;
    joined_by_ = snapshot_->instrument_sequences;
  } else {
    covered_ =
        cover(mode_ == PacketMode::exact ? sequence - joined_at_ : session_messages(snapshot_->instrument_sequences));
  }
  begun_at_ = sequence_ = sequence;
  return true;
}

// Datagrams of `bytes` from offset_ on, as long as there is room. True: that was all of it.
bool Packets::gather(std::span<const std::uint8_t> bytes, std::size_t room) {
  while (const std::size_t length = encode::datagram_length(bytes.subspan(offset_))) {
    if (gathered_.size() + length > room) return false;
    const auto datagram = bytes.subspan(offset_, length);
    gathered_.insert(gathered_.end(), datagram.begin(), datagram.end());
    offset_ += length;
    ++datagrams_;
  }
  offset_ = 0;
  return true;
}

bool Packets::gather_chosen(std::size_t room) {
  const auto count = static_cast<std::uint32_t>(instruments_.chosen().size());
  while (gather(definitions_, room)) {
    definitions_.clear();
    if (defined_ == count) break;
    source_.define(instruments_, defined_, definitions_);
  }
  if (!definitions_.empty()) return false;
  for (; place_ < count; ++place_) {
    const ChannelSnapshot::Extent& extent = snapshot_->by_instrument[instruments_.at(place_)];
    const std::span<const std::uint8_t> bytes = snapshot_->bytes;
    if (!gather(bytes.subspan(extent.begin, extent.end - extent.begin), room)) return false;
  }
  return true;
}

bool Packets::send_snapshot(FrameWriter& frame, const FrameStamp& stamp, std::size_t room) {
  gathered_.clear();
  datagrams_ = 0;
  const std::size_t least = frame.size() == 0 ? encode::datagram_bytes_max : 0;
  const std::size_t left = std::max(room - std::min(room, frame.size()), least);
  const bool whole = snapshot_->by_instrument.empty() || instruments_.all();
  const bool last = whole ? gather(snapshot_->bytes, left) : gather_chosen(left);
  if (datagrams_ == 0 && !last) return false;
  mark(frame, stamp, datagrams_, last);
  frame.add_datagram(gathered_);
  return last;
}

void Packets::mark(FrameWriter& frame, const FrameStamp& stamp, std::uint32_t datagrams, bool last) {
  const std::uint64_t generation = snapshot_ == nullptr ? 0 : snapshot_->generation;
  flatbuffers::FlatBufferBuilder& builder = frame.builder();
  frame.add(stamp, FramePayload::SnapshotFrame,
            CreateSnapshotFrame(builder, begun_at_, generation, covered_, part_++, datagrams, instruments_.all(),
                                static_cast<std::uint32_t>(instruments_.chosen().size()), why_, last)
                .Union());
}

// From where the client, or we, left off.
bool Packets::resume(FrameWriter& frame, const FrameStamp& stamp) {
  if (!follow(begun_at_)) return false;
  if (joined_) return true;
  joined_ = true;
  joined_at_ = sequence_ = begun_at_;
  why_ = SnapshotWhy::resume;
  part_ = 0;
  mark(frame, stamp, 0, true);
  return true;
}

Compose Packets::compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                         bool /*flush*/) {
  if (step_ == Step::lost) return Compose::overrun;
  if (step_ == Step::resuming && !resume(frame, stamp)) begin_snapshot(SnapshotWhy::gap);
  if (step_ == Step::snapshot) {
    if (snapshot_ == nullptr && !take_snapshot()) return Compose::idle;
    // What it would be followed by is gone, or its memory.
    if (snapshot_->revoked || !source_.keeps(snapshot_->sequence)) return Compose::overrun;
    if (!send_snapshot(frame, stamp, room)) return Compose::more;
    const std::uint64_t sequence = snapshot_->sequence;
    snapshot_ = nullptr;
    previous_ = sequence;
    touched_.clear();
    is_touched_.clear();
    digest_sent_ = tally_.sent;
    digest_due_ns_ = stamp.now_ns + digest_every_ns;
    if (!follow(sequence)) return Compose::overrun;
  }
  const Compose result = mode_ == PacketMode::exact ? send_exact(frame, room) : send_packets(frame, stamp, room);
  // The reader goes on behind the hole; nobody who is given a copy of us may.
  if (result == Compose::overrun) {
    step_ = Step::lost;
  } else if (mode_ == PacketMode::filtered) {
    send_digests(market, frame, stamp);
  }
  return result;
}

void Packets::touch(std::uint32_t instrument) {
  if (instrument >= is_touched_.size()) is_touched_.resize(std::size_t{instrument} + 1);
  if (is_touched_[instrument]) return;
  is_touched_[instrument] = true;
  touched_.push_back(instrument);
}

// The books of those that changed; where none did, of some others in turn. They may be ahead of what was sent: then the
// client compares when it has come so far.
void Packets::send_digests(const Market& market, FrameWriter& frame, const FrameStamp& stamp) {
  if (stamp.now_ns < digest_due_ns_ && tally_.sent - digest_sent_ < digest_messages) return;
  const book::Replica& replica = market.replica();
  digests_.clear();
  const auto tell = [&](std::uint32_t instrument) {
    if (replica.state(instrument) != book::InstrumentState::live) return;
    const book::Instrument& state = replica.book().instrument(instrument);
    digests_.emplace_back(state.digest, instrument, state.instrument_sequence);
  };
  if (touched_.empty()) {
    const std::uint32_t count = instruments_.count(market);
    for (std::uint32_t left = std::min(digests_quiet, count); left != 0; --left) {
      tell(instruments_.at(digest_turn_ %= count));
      ++digest_turn_;
    }
  }
  for (; !touched_.empty() && digests_.size() < digests_max; touched_.pop_front()) {
    is_touched_[touched_.front()] = false;
    tell(touched_.front());
  }
  // Those that are left come next time.
  if (touched_.empty()) {
    digest_sent_ = tally_.sent;
    digest_due_ns_ = stamp.now_ns + digest_every_ns;
  }
  if (digests_.empty()) return;
  flatbuffers::FlatBufferBuilder& builder = frame.builder();
  const auto digests = builder.CreateVectorOfStructs(digests_);
  frame.add(stamp, FramePayload::DigestFrame, CreateDigestFrame(builder, digests).Union());
}

Compose Packets::send_exact(FrameWriter& frame, std::size_t room) {
  PacketRun& run = source_.run();
  while (reader_->position() < source_.position()) {
    if (frame.size() + encode::datagram_bytes_max > room && frame.size() != 0) return Compose::more;
    const std::size_t left = room - std::min(room, frame.size());
    if (run.begins(reader_->position(), next_) && run.bytes.size() <= left) {
      reader_->move_to(run.end);
    } else {
      if (make_run(run, left) == RingPoll::lapped) return Compose::overrun;
      if (run.begin == run.end) break;
    }
    frame.add_datagram(run.bytes);
    if (run.next_after == next_) continue;
    tally_.sent += run.messages;
    next_ = run.next_after;
    sequence_ = next_ - 1;
  }
  return Compose::idle;
}

// From here on, as much as there is and `room` takes.
RingPoll Packets::make_run(PacketRun& run, std::size_t room) {
  run.begin = run.end = reader_->position();
  run.next = run.next_after = next_;
  run.messages = 0;
  run.bytes.clear();
  while (run.end < source_.position() && (run.bytes.empty() || run.bytes.size() + encode::datagram_bytes_max <= room)) {
    RingRecord record{};
    const RingPoll poll = reader_->poll(scratch_, record);
    if (poll == RingPoll::lapped) run.end = run.begin;
    if (poll != RingPoll::record) return poll;
    run.end = reader_->position();
    encode::PacketView view;
    const std::span<const std::uint8_t> datagram{scratch_.data(), record.length};
    if (encode::read_packet(datagram, view) != encode::PacketStatus::ok) continue;
    const std::uint64_t end = view.first_sequence + view.count;
    // Of what the snapshot holds nothing is sent again.
    if (view.count != 0 && end <= run.next_after) continue;
    run.bytes.insert(run.bytes.end(), datagram.begin(), datagram.end());
    if (view.count == 0) continue;
    run.messages += end - std::max(run.next_after, view.first_sequence);
    run.next_after = end;
  }
  return RingPoll::record;
}

Compose Packets::send_packets(FrameWriter& frame, const FrameStamp& stamp, std::size_t room) {
  while (reader_->position() < source_.position()) {
    if (frame.size() + encode::datagram_bytes_max > room && frame.size() != 0) return Compose::more;
    RingRecord record{};
    const RingPoll poll = reader_->poll(scratch_, record);
    if (poll == RingPoll::lapped) return Compose::overrun;
    if (poll != RingPoll::record) break;
    send({scratch_.data(), record.length}, frame, stamp);
  }
  return Compose::idle;
}

void Packets::send(std::span<const std::uint8_t> datagram, FrameWriter& frame, const FrameStamp& stamp) {
  encode::PacketView view;
  if (encode::read_packet(datagram, view) != encode::PacketStatus::ok) return;
  const std::uint64_t end = view.first_sequence + view.count;
  // Of what the snapshot holds nothing is sent again.
  if (view.count != 0 && end <= next_) return;
  if (view.count != 0) {
    send_chosen(view, frame, stamp);
  } else if (view.definitions != nullptr) {
    send_definitions(view, frame, stamp);
  }
  if (view.count == 0) return;
  next_ = end;
  sequence_ = end - 1;
}

void Packets::send_chosen(const encode::PacketView& view, FrameWriter& frame, const FrameStamp& stamp) {
  if (view.definitions != nullptr) return send_definitions(view, frame, stamp);
  const auto skip = static_cast<std::size_t>(next_ > view.first_sequence ? next_ - view.first_sequence : 0);
  sequences_.clear();
  book_.clear();
  details_.clear();
  trades_.clear();
  std::size_t detail = 0;
  for (std::size_t index = 0; index < view.book.size(); ++index) {
    const BookMessage& message = view.book[index];
    const bool has_detail = (message.flags & flags::detail) != 0;
    if (index >= skip && instruments_.contains(message.instrument)) {
      sequences_.push_back(view.first_sequence + index);
      book_.push_back(message);
      touch(message.instrument);
      if (has_detail && detail < view.details.size()) details_.push_back(view.details[detail]);
    }
    if (has_detail) ++detail;
  }
  for (std::size_t index = skip; index < view.trades.size(); ++index) {
    if (!instruments_.contains(view.trades[index].instrument)) continue;
    sequences_.push_back(view.first_sequence + index);
    trades_.push_back(view.trades[index]);
    touch(view.trades[index].instrument);
  }
  if (sequences_.empty()) return;
  frame.builder();
  write(frame, stamp, view.base_time_ns);
}

void Packets::send_definitions(const encode::PacketView& view, FrameWriter& frame, const FrameStamp& stamp) {
  sequences_.clear();
  book_.clear();
  details_.clear();
  trades_.clear();
  flatbuffers::FlatBufferBuilder& builder = frame.builder();
  std::vector<flatbuffers::Offset<wire::Definition>> offsets;
  std::uint64_t sequence = view.first_sequence;
  for (const wire::Definition* definition : *view.definitions->definitions()) {
    const std::uint64_t number = sequence++;
    if (!instruments_.contains(definition->instrument()) || (view.count != 0 && number < next_)) continue;
    if (view.count != 0) {
      sequences_.push_back(number);
      touch(definition->instrument());
    }
    const auto symbol = builder.CreateString(definition->symbol());
    const auto* attributes = definition->attributes();
    const auto copied = attributes == nullptr ? 0 : builder.CreateVector(attributes->data(), attributes->size());
    offsets.push_back(wire::CreateDefinition(
        builder, definition->instrument(), definition->instrument_sequence(), definition->time_offset(),
        definition->flags(), definition->price_exponent(), definition->quantity_exponent(), symbol,
        definition->source_code(), definition->lot_size(), copied, definition->price_increment(),
        definition->price_low(), definition->price_high()));
  }
  if (!offsets.empty()) write(frame, stamp, view.base_time_ns, offsets);
}

// What stands in sequences_, book_, details_ and trades_, or the definitions. The builder may hold the latter already.
void Packets::write(FrameWriter& frame, const FrameStamp& stamp, std::int64_t base_time_ns,
                    std::span<const flatbuffers::Offset<wire::Definition>> definitions) {
  flatbuffers::FlatBufferBuilder& builder = frame.current();
  const auto sequences = builder.CreateVector(sequences_);
  const auto* messages = reinterpret_cast<const wire::BookMessage*>(book_.data());
  const auto* prints = reinterpret_cast<const wire::TradeMessage*>(trades_.data());
  const auto book = book_.empty() ? 0 : builder.CreateVectorOfStructs(messages, book_.size());
  const auto details = details_.empty() ? 0 : builder.CreateVector(details_);
  const auto trades = trades_.empty() ? 0 : builder.CreateVectorOfStructs(prints, trades_.size());
  const auto defined = definitions.empty() ? 0 : builder.CreateVector(definitions.data(), definitions.size());
  frame.add(stamp, FramePayload::FilteredFrame,
            CreateFilteredFrame(builder, previous_, sequences, base_time_ns, book, details, trades, defined).Union());
  if (sequences_.empty()) return;
  tally_.sent += sequences_.size();
  previous_ = sequences_.back();
}

bool Packets::overrun(const Market& /*market*/) const {
  if (step_ == Step::snapshot && snapshot_ != nullptr) {
    return snapshot_->revoked || !source_.keeps(snapshot_->sequence);
  }
  return step_ == Step::lost || (step_ == Step::packets && reader_ && reader_->oldest_sequence() > next_);
}

std::uint64_t Packets::published(const Market& market) const {
  std::uint64_t messages = published_before_;
  if (!joined_) return messages;
  const std::uint64_t covered = tally_.covered() - covered_before_;
  if (mode_ == PacketMode::exact) {
    return messages + std::max(covered, market.sequence() > joined_at_ ? market.sequence() - joined_at_ : 0);
  }
  // An event that is still open is sent before the market shows it.
  return messages + std::max(covered, session_messages(market.instrument_sequences()));
}

void Packets::end_session(const Market& market) {
  const std::uint64_t all = published(market);
  tally_.refused += all - tally_.covered();
  published_before_ = covered_before_ = all;
  joined_ = true;
  joined_at_ = next_ = 0;
  joined_by_.clear();
  begin_snapshot(SnapshotWhy::session);
}

}  // namespace depthcast::gateway

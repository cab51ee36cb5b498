#include "run/restoration.h"

#include <algorithm>
#include <cstring>

namespace depthcast::run {
namespace {

using encode::PacketStatus;
using encode::PacketView;

bool equal(const BookMessage& left, const BookMessage& right) {
  return left.order_id == right.order_id && left.price == right.price && left.quantity == right.quantity &&
         left.instrument == right.instrument && left.instrument_sequence == right.instrument_sequence &&
         left.kind == right.kind && left.side == right.side && left.flags == right.flags;
}

bool equal(TradeMessage left, const TradeMessage& right) {
  left.time_offset = right.time_offset;
  return std::memcmp(&left, &right, sizeof left) == 0;
}

bool equal(const SequencedDefinition& left, const SequencedDefinition& right) { return left == right; }

std::string numbered(std::uint64_t sequence) { return "message " + std::to_string(sequence); }

}  // namespace

bool read_definition(const wire::Definition& from, SequencedDefinition& to) {
  to = {};
  to.instrument = from.instrument();
  to.instrument_sequence = from.instrument_sequence();
  to.source_code = from.source_code();
  ingest::DefinitionData& data = to.definition;
  if (from.symbol()->size() > sizeof data.symbol) return false;
  std::copy(from.symbol()->begin(), from.symbol()->end(), data.symbol);
  if (from.attributes() != nullptr) {
    if (from.attributes()->size() > sizeof data.attributes) return false;
    std::copy(from.attributes()->begin(), from.attributes()->end(), data.attributes);
    data.attribute_count = static_cast<std::uint8_t>(from.attributes()->size());
  }
  data.price_exponent = from.price_exponent();
  data.quantity_exponent = from.quantity_exponent();
  data.lot_size = from.lot_size();
  data.price_increment = from.price_increment();
  data.price_low = from.price_low();
  data.price_high = from.price_high();
  return true;
}

void write_to(encode::PacketWriter& writer, const SequencedMessage& sequenced) {
  if (const auto* definition = std::get_if<SequencedDefinition>(&sequenced.message)) {
    writer.on_definition(definition->instrument, definition->instrument_sequence, definition->source_code,
                         definition->definition, sequenced.stamp);
  } else if (const auto* trade = std::get_if<TradeMessage>(&sequenced.message)) {
    writer.on_trade(*trade, sequenced.stamp);
  } else {
    writer.on_book(std::get<BookMessage>(sequenced.message), sequenced.stamp, sequenced.detail);
  }
}

bool operator==(const SequencedMessage& left, const SequencedMessage& right) {
  if (left.stamp.sequence != right.stamp.sequence || left.stamp.time_ns != right.stamp.time_ns ||
      left.stamp.position != right.stamp.position || left.detail != right.detail) {
    return false;
  }
  if (left.message.index() != right.message.index()) return false;
  return std::visit(
      [&](const auto& message) { return equal(message, std::get<std::decay_t<decltype(message)>>(right.message)); },
      left.message);
}

// Takes what the encoder makes of a packet's messages, to be compared with the packet.
class Restoration::Recoder final : public encode::PacketSink {
 public:
  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t /*first_sequence*/, std::uint32_t /*count*/) override {
    ++packets;
    bytes.assign(prefix.begin(), prefix.end());
    bytes.insert(bytes.end(), root.begin(), root.end());
    bytes.resize(length);
  }
  std::size_t packets = 0;
  std::vector<std::uint8_t> bytes;
};

Restoration::Restoration(book::Book& book, std::uint32_t channel, std::uint64_t session, std::size_t datagram_bytes)
    : book_(book), channel_(channel), session_(session), datagram_bytes_(datagram_bytes), records_(1) {}

bool Restoration::fail(const std::string& what) {
  if (fault_.empty()) fault_ = what;
  return false;
}

bool Restoration::check(std::span<const std::uint8_t> datagram, PacketView& view) {
  if (!fault_.empty()) return false;
  const PacketStatus status = encode::read_packet(datagram, view);
  if (status != PacketStatus::ok) {
    return fail(std::string("a packet behind ") + numbered(next_sequence_ - 1) + " is " + encode::name_of(status));
  }
  if (view.channel != channel_ || view.session != session_) {
    return fail(std::string("a packet behind ") + numbered(next_sequence_ - 1) + " is of another channel or session");
  }
  return true;
}

bool Restoration::load(std::span<const std::uint8_t> datagram) {
  PacketView view;
  if (!check(datagram, view)) return false;
  loaded_ = true;
  next_sequence_ = applied_next_ = view.first_sequence;
  position_ = view.input_position;
  time_ns_ = view.base_time_ns;
  if (view.count == 0 && view.definitions != nullptr) return load_definitions(view);
  if (view.snapshot != nullptr) return load_orders(view);
  return fail("the checkpoint holds something else than definitions and orders");
}

bool Restoration::load_definitions(const PacketView& view) {
  for (const wire::Definition* definition : *view.definitions->definitions()) {
    SequencedDefinition read;
    const std::uint32_t instrument = definition->instrument();
    if (!read_definition(*definition, read) || instrument != records_.size() ||
        instrument > book_.limits().instruments_max) {
      return fail("the checkpoint's definition of instrument " + std::to_string(instrument) + " is not in its place");
    }
    records_.push_back({read.source_code, read.definition});
  }
  return true;
}

bool Restoration::load_orders(const PacketView& view) {
  const wire::SnapshotOrders& snapshot = *view.snapshot;
  const std::uint32_t instrument = snapshot.instrument();
  const std::string place = "the checkpoint's orders of instrument " + std::to_string(instrument);
  if (instrument >= records_.size()) return fail(place + " have no definition");
  checkpoint_digest_ = snapshot.channel_digest();
  if (snapshot.chunk() == 1) {
    book_.set_instrument_sequence(instrument, snapshot.instrument_sequence());
    if (snapshot.status() != 0) {
      const BookMessage status{0, 0, snapshot.status(), 0, instrument, 0, Kind::status, Side::none, 0};
      if (book_.apply(status, 0) != book::ApplyResult::applied) return fail(place + " come with a status unknown here");
    }
  }
  if (snapshot.orders() != nullptr) {
    for (const wire::SnapshotOrder* order : *snapshot.orders()) {
      const BookMessage add{order->order_id(),
                            order->price(),
                            order->quantity(),
                            0,
                            instrument,
                            0,
                            Kind::add,
                            static_cast<Side>(order->side()),
                            0};
      const book::ApplyResult result = book_.apply(add, order->priority());
      if (result != book::ApplyResult::applied) return fail(place + " do not fit: " + book::name_of(result));
    }
  }
  book_.end_event(view.first_sequence - 1, view.base_time_ns);
  if (snapshot.chunk() == snapshot.chunks() && book_.instrument(instrument).digest != snapshot.digest()) {
    return fail(place + " have another digest");
  }
  return true;
}

bool Restoration::end_load() {
  if (!fault_.empty()) return false;
  if (!loaded_ || book_.digest() != checkpoint_digest_)
    return fail("the checkpoint has another digest than its orders");
  return true;
}

bool Restoration::take(std::span<const std::uint8_t> datagram) {
  PacketView view;
  if (!check(datagram, view)) return false;
  if (view.first_sequence > next_sequence_) {
    return fail("messages " + std::to_string(next_sequence_) + " to " + std::to_string(view.first_sequence - 1) +
                " are missing");
  }
  if (view.count == 0) {
    const bool comparable = view.heartbeat != nullptr && view.heartbeat->digest_valid() &&
                            view.first_sequence == applied_next_ && pending_.empty();
    if (!comparable || view.heartbeat->digest() == book_.digest()) return true;
    return fail("the digest after " + numbered(view.first_sequence - 1) + " differs");
  }
  if (view.first_sequence + view.count <= next_sequence_) return true;
  Recoder recoder;
  encode::PacketWriter writer({channel_, session_, datagram_bytes_}, recoder);
  writer.set_send_time(view.send_time_ns);
  const bool taken = each_sequenced(view, [&](const SequencedMessage& message) {
    write_to(writer, message);
    return message.stamp.sequence < next_sequence_ || take_message(message);
  });
  if (!taken) return fail("the packet of " + numbered(view.first_sequence) + " cannot be taken");
  writer.flush(datagram.size() == datagram_bytes_);
  if (recoder.packets != 1 ||
      !std::equal(datagram.begin(), datagram.end(), recoder.bytes.begin(), recoder.bytes.end())) {
    return fail("the packet of " + numbered(view.first_sequence) + " is not what this build would send");
  }
  return true;
}

bool Restoration::take_message(const SequencedMessage& message) {
  // A position's messages count only when a later position shows that there were no more of them.
  if (!pending_.empty() && pending_.back().stamp.position != message.stamp.position && !apply_pending()) return false;
  next_sequence_ = message.stamp.sequence + 1;
  pending_.push_back(message);
  return true;
}

bool Restoration::apply_pending() {
  for (const SequencedMessage& message : pending_) {
    if (!apply(message)) return false;
  }
  applied_next_ = next_sequence_;
  position_ = pending_.back().stamp.position;
  time_ns_ = pending_.back().stamp.time_ns;
  pending_.clear();
  return true;
}

bool Restoration::settle(std::uint64_t position) {
  const std::uint64_t last = pending_.empty() ? position_ : pending_.back().stamp.position;
  if (position < last || !fault_.empty()) return false;
  if (!pending_.empty() && !apply_pending()) return false;
  position_ = position;
  return true;
}

bool Restoration::apply(const SequencedMessage& sequenced) {
  const std::uint64_t sequence = sequenced.stamp.sequence;
  std::uint32_t instrument = 0;
  std::uint32_t instrument_sequence = 0;
  bool ends_event = true;
  if (const auto* definition = std::get_if<SequencedDefinition>(&sequenced.message)) {
    instrument = definition->instrument;
    instrument_sequence = definition->instrument_sequence;
    if (instrument == 0 || instrument > records_.size() || instrument > book_.limits().instruments_max) {
      return fail(numbered(sequence) + " defines instrument " + std::to_string(instrument));
    }
    if (instrument == records_.size()) records_.emplace_back();
    records_[instrument] = {definition->source_code, definition->definition};
  } else if (const auto* trade = std::get_if<TradeMessage>(&sequenced.message)) {
    instrument = trade->instrument;
    instrument_sequence = trade->instrument_sequence;
    ends_event = (trade->flags & flags::end_of_event) != 0;
  } else {
    const auto& message = std::get<BookMessage>(sequenced.message);
    instrument = message.instrument;
    instrument_sequence = message.instrument_sequence;
    ends_event = (message.flags & flags::end_of_event) != 0;
    const book::ApplyResult result = book_.apply(message, sequence);
    if (result != book::ApplyResult::applied && result != book::ApplyResult::not_book_affecting) {
      return fail(numbered(sequence) + " does not fit the book: " + book::name_of(result));
    }
  }
  if (instrument > book_.limits().instruments_max || instrument_sequence != book_.instrument_sequence(instrument) + 1) {
    return fail(numbered(sequence) + " has another number of its instrument than the books");
  }
  book_.set_instrument_sequence(instrument, instrument_sequence);
  open_messages_ = ends_event ? 0 : open_messages_ + 1;
  if (ends_event) book_.end_event(sequence, sequenced.stamp.time_ns);
  return true;
}

book::SequencerState Restoration::state() const {
  return {applied_next_, position_, time_ns_, open_messages_, records_};
}

}  // namespace depthcast::run

#include "run/packet_applier.h"

#include "encode/definition_record.h"

namespace depthcast::run {

using encode::PacketView;

void PacketApplier::apply(const PacketView& view, std::uint32_t skip) {
  switch (view.payload) {
    case wire::Payload::BookMessages: return apply_book(view, skip);
    case wire::Payload::TradeMessages: return apply_trades(view, skip);
    case wire::Payload::Definitions: return apply_definitions(view, skip);
    default: return;  // no other payload carries numbers
  }
}

void PacketApplier::apply_book(const PacketView& view, std::uint32_t skip) {
  constexpr std::uint32_t ahead[book::Book::prefetch_stages] = {12, 8, 4};  // about one memory access apart
  std::uint32_t slots[2 * ahead[0]];                                        // of the messages looked at, by index
  const auto prefetch = [&](std::uint32_t index, int stage) {
    if (index < view.count) replica_.prefetch(view.book[index], stage, slots[index % (2 * ahead[0])]);
  };
  for (int stage = 0; stage < book::Book::prefetch_stages; ++stage) {
    for (std::uint32_t index = skip; index < skip + ahead[stage]; ++index) prefetch(index, stage);
  }
  std::uint64_t at = view.input_position;
  std::size_t details_taken = 0;
  for (std::uint32_t index = 0; index < view.count; ++index) {
    for (int stage = 0; stage < book::Book::prefetch_stages; ++stage) {
      if (index >= skip) prefetch(index + ahead[stage], stage);
    }
    if (index != 0) at += view.step_before(index);
    const BookMessage& message = view.book[index];
    std::uint64_t detail = 0;
    if ((message.flags & flags::detail) != 0) detail = view.details[details_taken++];
    if (index < skip) continue;
    reach(at);
    replica_.on_book(message, {view.first_sequence + index, at, view.base_time_ns + message.time_offset}, detail);
  }
}

void PacketApplier::apply_trades(const PacketView& view, std::uint32_t skip) {
  std::uint64_t at = view.input_position;
  for (std::uint32_t index = 0; index < view.count; ++index) {
    if (index != 0) at += view.step_before(index);
    if (index < skip) continue;
    reach(at);
    const TradeMessage& message = view.trades[index];
    replica_.on_trade(message, {view.first_sequence + index, at, view.base_time_ns + message.time_offset});
  }
}

void PacketApplier::apply_definitions(const PacketView& view, std::uint32_t skip) {
  std::uint64_t at = view.input_position;
  for (std::uint32_t index = 0; index < view.count; ++index) {
    if (index != 0) at += view.step_before(index);
    if (index < skip) continue;
    reach(at);
    const wire::Definition& definition = *view.definitions->definitions()->Get(index);
    // The consumer knows it before the first update that names the instrument, this one included.
    if (is_instrument(definition.instrument())) learn_definition(definition);
    replica_.on_definition(definition.instrument(), definition.instrument_sequence(), encode::record_of(definition),
                           {view.first_sequence + index, at, view.base_time_ns + definition.time_offset()});
  }
}

void PacketApplier::learn(const PacketView& view) {
  if (view.definitions != nullptr) {
    for (const wire::Definition* definition : *view.definitions->definitions()) learn_definition(*definition);
  }
  if (view.heartbeat == nullptr) return;
  const std::uint64_t sequence_told = view.first_sequence - 1;
  const wire::Heartbeat& heartbeat = *view.heartbeat;
  if (heartbeat.digest_valid()) replica_.on_digest(sequence_told, heartbeat.digest());
  if (heartbeat.instruments() == nullptr) return;
  for (const wire::InstrumentDigest* entry : *heartbeat.instruments()) {
    replica_.on_instrument_digest(sequence_told, entry->instrument(), entry->instrument_sequence(), entry->digest());
  }
}

void PacketApplier::learn_definition(const wire::Definition& definition) {
  replica_.learn_definition(definition.instrument(), encode::record_of(definition));
  if (listener_ != nullptr && is_instrument(definition.instrument())) listener_->on_definition(definition.instrument());
}

}  // namespace depthcast::run

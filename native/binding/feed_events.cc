#include "binding/feed_events.h"

#include <variant>

#include "binding/values.h"

namespace depthcast::binding {
namespace {

Napi::Object instrument_object(Napi::Env env, const run::ExportedInstrument& instrument) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("instrument", instrument.instrument);
  object.Set("symbol", instrument.symbol);
  object.Set("priceExponent", static_cast<double>(instrument.price_exponent));
  object.Set("quantityExponent", static_cast<double>(instrument.quantity_exponent));
  object.Set("sourceCode", instrument.source_code);
  object.Set("lotSize", instrument.lot_size);
  object.Set("state", static_cast<double>(instrument.state));
  object.Set("status", static_cast<double>(instrument.status));
  object.Set("digest", big(env, instrument.digest));
  object.Set("instrumentSequence", instrument.instrument_sequence);
  object.Set("liveOrders", instrument.live_orders);
  object.Set("bidLevels", instrument.bid_levels);
  object.Set("askLevels", instrument.ask_levels);
  return object;
}

Napi::Object export_object(Napi::Env env, const run::BookExport& books) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("session", big(env, books.session));
  object.Set("sequence", big(env, books.sequence));
  object.Set("position", big(env, books.position));
  object.Set("digest", big(env, books.digest));
  object.Set("whole", books.whole);
  Napi::Array instruments = Napi::Array::New(env, books.instruments.size());
  for (std::size_t index = 0; index < books.instruments.size(); ++index) {
    const Napi::HandleScope scope(env);
    instruments.Set(static_cast<std::uint32_t>(index), instrument_object(env, books.instruments[index]));
  }
  object.Set("instruments", instruments);
  object.Set("levelPrice", copy_to_array<Napi::BigInt64Array>(env, books.level_price));
  object.Set("levelQuantity", copy_to_array<Napi::BigUint64Array>(env, books.level_quantity));
  object.Set("levelOrders", copy_to_array<Napi::Uint32Array>(env, books.level_orders));
  object.Set("orderId", copy_to_array<Napi::BigUint64Array>(env, books.order_id));
  object.Set("orderQuantity", copy_to_array<Napi::BigUint64Array>(env, books.order_quantity));
  return object;
}

struct Fill {
  Napi::Env env;
  Napi::Object object;

  void operator()(const run::SessionEvent& event) {
    object.Set("type", "session");
    object.Set("session", big(env, event.session));
  }
  void operator()(const run::MissingEvent& event) {
    object.Set("type", "missing");
    object.Set("first", big(env, event.range.first));
    object.Set("last", big(env, event.range.last));
  }
  void operator()(const run::StateEvent& event) {
    object.Set("type", "state");
    object.Set("state", run::name_of(event.state));
  }
  void operator()(const run::RecoveredEvent& event) {
    constexpr const char* ways[run::repair_ways] = {"line", "retransmission", "snapshot"};
    object.Set("type", "recovered");
    object.Set("first", big(env, event.range.first));
    object.Set("last", big(env, event.range.last));
    object.Set("way", ways[static_cast<std::size_t>(event.way)]);
  }
  void operator()(const run::GivenUpEvent& event) {
    object.Set("type", "givenUp");
    object.Set("first", big(env, event.range.first));
    object.Set("last", big(env, event.range.last));
  }
  void operator()(const run::SnapshotEvent& event) {
    object.Set("type", "snapshot");
    object.Set("sequence", big(env, event.sequence));
    object.Set("generation", big(env, event.generation));
  }
  void operator()(const run::SnapshotRefusedEvent& event) {
    object.Set("type", "snapshotRefused");
    object.Set("generation", big(env, event.generation));
    object.Set("reason", event.reason);
  }
  void operator()(const run::ResumedEvent& event) {
    object.Set("type", "resumed");
    object.Set("sequence", big(env, event.sequence));
    object.Set("equal", event.equal);
  }
  void operator()(const run::DigestMismatchEvent& event) {
    object.Set("type", "digestMismatch");
    object.Set("sequence", big(env, event.sequence));
  }
  void operator()(const run::OverrunEvent& event) {
    object.Set("type", "overrun");
    object.Set("lost", big(env, event.lost));
  }
  void operator()(const run::EndOfSessionEvent& event) {
    object.Set("type", "endOfSession");
    object.Set("session", big(env, event.session));
    object.Set("sequence", big(env, event.sequence));
    object.Set("position", big(env, event.position));
  }
  void operator()(const run::DefinitionsEvent& /*event*/) { object.Set("type", "definitions"); }
  void operator()(const run::ExportEvent& event) {
    object.Set("type", "export");
    object.Set("id", event.id);
    object.Set("result", export_object(env, event.books));
  }
};

}  // namespace

Napi::Object to_object(Napi::Env env, const run::FeedEvent& event) {
  Fill fill{env, Napi::Object::New(env)};
  std::visit(fill, event.news);
  fill.object.Set("updatesBefore", static_cast<double>(event.updates_before));
  return fill.object;
}

Napi::Object to_object(Napi::Env env, const run::KnownDefinition& known) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("instrument", known.instrument);
  object.Set("symbol", known.record.symbol);
  object.Set("priceExponent", static_cast<double>(known.record.price_exponent));
  object.Set("quantityExponent", static_cast<double>(known.record.quantity_exponent));
  object.Set("sourceCode", known.record.source_code);
  object.Set("lotSize", known.record.lot_size);
  return object;
}

Napi::Object to_object(Napi::Env env, const run::RecoveryView& view) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("session", big(env, view.session));
  object.Set("next", big(env, view.next));
  object.Set("knownEnd", big(env, view.known_end));
  object.Set("parkedFirst", big(env, view.parked_first));
  object.Set("missing", big(env, view.missing));
  object.Set("state", run::name_of(view.state));
  object.Set("whole", view.whole);
  object.Set("endAnnounced", view.end_announced);
  std::vector<std::uint64_t> flat;
  flat.reserve(2 * view.overdue.size());
  for (const arbitrate::SequenceRange& range : view.overdue) {
    flat.push_back(range.first);
    flat.push_back(range.last);
  }
  object.Set("overdue", copy_to_array<Napi::BigUint64Array>(env, flat));
  return object;
}

}  // namespace depthcast::binding

#include "encode/snapshot_assembler.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/digest.h"
#include "encode/definition_record.h"

namespace depthcast::encode {
namespace {

std::span<const wire::SnapshotOrder> orders_of(const wire::SnapshotOrders& payload) {
  if (payload.orders() == nullptr) return {};
  return {reinterpret_cast<const wire::SnapshotOrder*>(payload.orders()->Data()), payload.orders()->size()};
}

std::uint64_t term_of(std::uint32_t instrument, const wire::SnapshotOrder& order) {
  const std::uint64_t identity =
      digest::order_identity(instrument, static_cast<Side>(order.side()), order.price(), order.order_id());
  return digest::order_term(identity, order.quantity(), order.priority());
}

// Bids best price first, then asks best price first, each level in queue order.
bool in_order(const wire::SnapshotOrder& before, const wire::SnapshotOrder& after) {
  if (before.side() != after.side()) return before.side() < after.side();
  const auto side = static_cast<Side>(before.side());
  const std::int64_t rank_before = book::rank_of(side, before.price());
  const std::int64_t rank_after = book::rank_of(side, after.price());
  return rank_before != rank_after ? rank_before < rank_after : before.priority() < after.priority();
}

}  // namespace

const char* name_of(SnapshotOffer offer) {
  constexpr const char* names[snapshot_offers] = {"taken", "complete",   "duplicate",    "not_snapshot", "foreign",
                                                  "older", "not_chosen", "inconsistent", "too_large"};
  return names[static_cast<std::size_t>(offer)];
}

SnapshotAssembler::SnapshotAssembler(const SnapshotLimits& limits, std::vector<std::uint32_t> chosen)
    : limits_(limits), chosen_(std::move(chosen)) {}

void SnapshotAssembler::reset(std::uint64_t session, std::uint64_t generation_min) {
  session_ = session;
  generation_min_ = generation_min;
  definitions_.clear();
  clear();
}

void SnapshotAssembler::clear() {
  progress_ = {};
  progress_.bytes = definitions_.size() * definition_bytes;
  parts_.clear();
  chunks_.clear();
  blocks_.clear();
  block_used_ = block_orders;
}

bool SnapshotAssembler::chosen(std::uint32_t instrument) const {
  return chosen_.empty() || std::binary_search(chosen_.begin(), chosen_.end(), instrument);
}

SnapshotOffer SnapshotAssembler::offer(const PacketView& view) {
  if (view.channel != limits_.channel || (session_ != 0 && view.session != session_)) return SnapshotOffer::foreign;
  if (view.count != 0 || (view.definitions == nullptr && view.snapshot == nullptr)) return SnapshotOffer::not_snapshot;
  if (progress_.complete) return SnapshotOffer::duplicate;
  session_ = view.session;
  return view.snapshot == nullptr ? take_definitions(view) : take_chunk(view);
}

SnapshotOffer SnapshotAssembler::take_definitions(const PacketView& view) {
  for (const wire::Definition* definition : *view.definitions->definitions()) {
    const std::uint32_t instrument = definition->instrument();
    if (instrument == channel_instrument || instrument > limits_.instruments_max) return SnapshotOffer::inconsistent;
    if (!chosen(instrument)) continue;
    if (!definitions_.contains(instrument)) {
      if (!has_room(definition_bytes)) return give_up();
      progress_.bytes += definition_bytes;
    }
    definitions_[instrument] = record_of(*definition);
  }
  return SnapshotOffer::taken;
}

void SnapshotAssembler::begin(const PacketView& view, std::uint64_t generation) {
  clear();
  progress_.generation = generation;
  progress_.sequence = view.first_sequence - 1;
  progress_.position = view.input_position;
  progress_.event_time_ns = view.base_time_ns;
  progress_.channel_digest = view.snapshot->channel_digest();
  progress_.instruments = chosen_.empty() ? view.snapshot->instruments() : static_cast<std::uint32_t>(chosen_.size());
}

bool SnapshotAssembler::fits(const PacketView& view) const {
  return progress_.sequence == view.first_sequence - 1 && progress_.position == view.input_position &&
         progress_.event_time_ns == view.base_time_ns && progress_.channel_digest == view.snapshot->channel_digest() &&
         (!chosen_.empty() || progress_.instruments == view.snapshot->instruments());
}

SnapshotOffer SnapshotAssembler::give_up() {
  generation_min_ = std::max(generation_min_, progress_.generation + 1);
  definitions_.clear();
  clear();
  return SnapshotOffer::too_large;
}

SnapshotOffer SnapshotAssembler::take_chunk(const PacketView& view) {
  const wire::SnapshotOrders& payload = *view.snapshot;
  const std::span<const wire::SnapshotOrder> orders = orders_of(payload);
  const std::uint32_t instrument = payload.instrument();
  const std::uint32_t chunk = payload.chunk();
  if (payload.generation() < std::max(generation_min_, progress_.generation)) return SnapshotOffer::older;
  if (payload.generation() == 0 || chunk == 0 || chunk > payload.chunks() || payload.chunks() > limits_.chunks_max) {
    return SnapshotOffer::inconsistent;
  }
  if ((chosen_.empty() && payload.instruments() == 0) || (payload.chunks() > 1 && orders.empty())) {
    return SnapshotOffer::inconsistent;
  }
  if (instrument > limits_.instruments_max || payload.instruments() > std::uint64_t{limits_.instruments_max} + 1) {
    return SnapshotOffer::inconsistent;
  }
  if (!chosen(instrument)) return SnapshotOffer::not_chosen;
  if (payload.generation() != progress_.generation) {
    begin(view, payload.generation());
  } else if (!fits(view)) {
    return SnapshotOffer::inconsistent;
  }

  const std::uint64_t key = key_of(instrument, chunk);
  if (chunks_.contains(key)) return SnapshotOffer::duplicate;
  const auto found = parts_.find(instrument);
  if (found != parts_.end()) {
    const Part& part = found->second;
    if (part.chunks != payload.chunks() || part.instrument_sequence != payload.instrument_sequence() ||
        part.digest_told != payload.digest() || part.status != static_cast<TradingStatus>(payload.status())) {
      return SnapshotOffer::inconsistent;
    }
  }
  const std::size_t bytes = chunk_bytes + orders.size_bytes() + (found == parts_.end() ? part_bytes : 0);
  if (!has_room(bytes)) return give_up();
  progress_.bytes += bytes;

  Part& part = parts_[instrument];
  part.chunks = payload.chunks();
  part.instrument_sequence = payload.instrument_sequence();
  part.status = static_cast<TradingStatus>(payload.status());
  part.digest_told = payload.digest();
  const auto count = static_cast<std::uint32_t>(orders.size());
  for (const wire::SnapshotOrder& order : orders) part.digest += term_of(instrument, order);
  chunks_.emplace(key, Chunk{keep(orders.data(), count), count});
  part.orders += count;
  progress_.orders += count;
  ++progress_.chunks;
  if (++part.have == part.chunks) ++progress_.instruments_complete;
  progress_.complete = progress_.instruments_complete == progress_.instruments;
  return progress_.complete ? SnapshotOffer::complete : SnapshotOffer::taken;
}

const wire::SnapshotOrder* SnapshotAssembler::keep(const wire::SnapshotOrder* orders, std::uint32_t count) {
  if (count == 0) return nullptr;
  static_assert(datagram_bytes_max / sizeof(wire::SnapshotOrder) <= block_orders);
  if (block_used_ + count > block_orders) {
    blocks_.push_back(std::make_unique<wire::SnapshotOrder[]>(block_orders));
    block_used_ = 0;
  }
  wire::SnapshotOrder* to = blocks_.back().get() + block_used_;
  std::copy_n(orders, count, to);
  block_used_ += count;
  return to;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> SnapshotAssembler::missing(std::size_t max) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> all;
  for (const auto& [instrument, part] : parts_) {
    if (part.have == part.chunks) continue;
    for (std::uint32_t chunk = 1; chunk <= part.chunks && all.size() < max; ++chunk) {
      if (!chunks_.contains(key_of(instrument, chunk))) all.emplace_back(instrument, chunk);
    }
  }
  return all;
}

bool SnapshotAssembler::verify() const {
  if (!progress_.complete) return false;
  std::uint64_t sum = 0;
  for (const auto& [instrument, part] : parts_) {
    const std::uint64_t digest = part.digest + digest::status_term(instrument, part.status);
    if (digest != part.digest_told) return false;
    sum += digest;
    const wire::SnapshotOrder* before = nullptr;
    for (std::uint32_t number = 1; number <= part.chunks; ++number) {
      const Chunk& chunk = chunks_.at(key_of(instrument, number));
      for (std::uint32_t index = 0; index < chunk.count; ++index) {
        const wire::SnapshotOrder* order = chunk.orders + index;
        if (before != nullptr && !in_order(*before, *order)) return false;
        before = order;
      }
    }
  }
  return !chosen_.empty() || sum == progress_.channel_digest;
}

namespace {

static_assert(sizeof(SnapshotOrderData) == sizeof(wire::SnapshotOrder));
static_assert(offsetof(SnapshotOrderData, price) == 8 && offsetof(SnapshotOrderData, quantity) == 16);
static_assert(offsetof(SnapshotOrderData, priority) == 24 && offsetof(SnapshotOrderData, side) == 32);

class ReplicaTarget final : public SnapshotTarget {
 public:
  explicit ReplicaTarget(book::Replica& replica) : replica_(replica) {}
  void on_definition(std::uint32_t instrument, const book::DefinitionRecord& record) override {
    replica_.learn_definition(instrument, book::DefinitionRecord(record));
  }
  void on_instrument(std::uint32_t instrument, std::uint32_t instrument_sequence, TradingStatus status,
                     std::span<const wire::SnapshotOrder> orders) override {
    replica_.load_instrument(instrument, instrument_sequence, status,
                             {reinterpret_cast<const SnapshotOrderData*>(orders.data()), orders.size()});
  }

 private:
  book::Replica& replica_;
};

}  // namespace

book::SnapshotRefusal SnapshotAssembler::load_into(book::Replica& replica) const {
  replica.begin_snapshot({progress_.sequence, progress_.position, progress_.event_time_ns, progress_.channel_digest});
  ReplicaTarget target(replica);
  load_into(target);
  return replica.finish_snapshot();
}

void SnapshotAssembler::load_into(SnapshotTarget& target) const {
  for (const auto& [instrument, record] : definitions_) target.on_definition(instrument, record);
  std::vector<wire::SnapshotOrder> orders;
  for (const auto& [instrument, part] : parts_) {
    orders.clear();
    orders.reserve(part.orders);
    for (std::uint32_t number = 1; number <= part.chunks; ++number) {
      const Chunk& chunk = chunks_.at(key_of(instrument, number));
      orders.insert(orders.end(), chunk.orders, chunk.orders + chunk.count);
    }
    target.on_instrument(instrument, part.instrument_sequence, part.status, orders);
  }
}

}  // namespace depthcast::encode

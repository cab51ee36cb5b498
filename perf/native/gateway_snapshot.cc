// What a snapshot of a whole channel does to a gateway's worker: the longest step and the longest compose while clients
// that want one come in, and the feed goes on.
#include <algorithm>
#include <memory>
#include <vector>

#include "book/book.h"
#include "core/broadcast_ring.h"
#include "encode/packet_writer.h"
#include "io/clock.h"
#include "perf_support.h"
#include "run/gateway_hub.h"

namespace depthcast::perf {
namespace {

constexpr std::uint64_t session = 7;
constexpr std::int64_t time_ns = 1'700'000'000'000'000'000;

// Writes orders, and later changes of theirs, into a ring.
class Channel final : public encode::PacketSink {
 public:
  Channel(std::size_t ring_bytes_data, std::uint32_t instruments)
      : memory_(ring_bytes(ring_bytes_data) / 64 + 1),
        ring_(memory_.data(), ring_bytes_data, 1, session, 1, static_cast<std::uint64_t>(io::monotonic_ns())),
        packets_({1, session, 1'400}, *this),
        sequences_(instruments + 1) {}

  void on_packet(std::span<const std::uint8_t> prefix, std::span<const std::uint8_t> root, std::size_t length,
                 std::uint64_t first_sequence, std::uint32_t count) override {
    ring_.write(prefix, root, length, first_sequence, count);
  }
  void add(std::uint64_t order) { send(Kind::add, order, 100); }
  void modify(std::uint64_t order) { send(Kind::modify, order, 100 + next_ % 50); }
  void flush() { packets_.flush(); }
  run::RingPlace place() { return {memory_.data(), memory_.size() * 64, {}}; }

 private:
  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  void send(Kind kind, std::uint64_t order, std::uint64_t quantity) {
    const auto instrument = static_cast<std::uint32_t>(1 + order % (sequences_.size() - 1));
    const bool bid = (order / sequences_.size()) % 2 == 0;
    BookMessage message{};
    message.order_id = order + 1;
    message.price =
        bid ? 10'000 - static_cast<std::int64_t>(order / 7 % 50) : 10'100 + static_cast<std::int64_t>(order / 7 % 50);
    message.quantity = quantity;
    message.instrument = instrument;
    message.instrument_sequence = ++sequences_[instrument];
    message.kind = kind;
    message.side = bid ? Side::bid : Side::ask;
    message.flags = flags::end_of_event | (kind == Kind::modify ? flags::priority_kept : 0);
    packets_.on_book(message, {next_, time_ns + static_cast<std::int64_t>(next_), next_}, 0);
    ++next_;
  }

  std::vector<Line> memory_;
  BroadcastWriter ring_;
  encode::PacketWriter packets_;
  std::vector<std::uint32_t> sequences_;
  std::uint64_t next_ = 1;
};

}  // namespace

int gateway_snapshot(Options& options) {
  const std::uint64_t orders = options.number("orders", 1'000'000);
  const auto instruments = static_cast<std::uint32_t>(options.number("instruments", 1'000));
  const std::uint64_t clients = options.number("clients", 4);
  const std::uint64_t per_step = options.number("per-step", 500);
  // In one piece, as it would be without: what the pieces are good for.
  const bool at_once = options.number("at-once", 0) != 0;
  options.finish();

  Channel channel(std::size_t{1} << 28, instruments);
  run::GatewayOptions hub_options;
  hub_options.ring = channel.place();
  hub_options.limits.orders_max = static_cast<std::uint32_t>(orders + 1);
  hub_options.limits.instruments_max = instruments;
  if (at_once) hub_options.snapshot_orders_per_step = std::int64_t{1} << 40;
  run::GatewayHub hub(hub_options);
  for (std::uint64_t order = 0; order < orders; ++order) {
    channel.add(order);
    if (order % 10'000 == 9'999) {
      channel.flush();
      while (hub.step(io::monotonic_ns())) continue;
    }
  }
  channel.flush();
  while (hub.step(io::monotonic_ns()) || !hub.ready()) continue;

  struct Client {
    std::uint32_t number;
    std::uint64_t bytes = 0;
  };
  std::vector<Client> wanting;
  for (std::uint64_t count = 0; count < clients; ++count) {
    run::GatewayRequest request;
    request.mode = run::GatewayMode::exact;
    wanting.push_back({hub.open_client()});
    hub.subscribe(wanting.back().number, 1, request);
  }
  std::int64_t step_ns_max = 0;
  std::int64_t compose_ns_max = 0;
  std::uint64_t steps = 0;
  std::uint64_t order = 0;
  const std::int64_t begin_ns = io::monotonic_ns();
  std::int64_t begun_ns = 0;
  // Until each has had a snapshot of that many orders.
  while (std::ranges::any_of(wanting, [&](const Client& client) { return client.bytes < orders * 40; })) {
    for (std::uint64_t message = 0; message < per_step; ++message) channel.modify(order++ * 7'919 % orders);
    channel.flush();
    const std::int64_t before_ns = io::monotonic_ns();
    hub.step(before_ns);
    const std::int64_t stepped_ns = io::monotonic_ns();
    step_ns_max = std::max(step_ns_max, stepped_ns - before_ns);
    ++steps;
    for (Client& client : wanting) {
      const std::int64_t compose_ns = io::monotonic_ns();
      client.bytes += hub.compose(client.number, 49'152, compose_ns, io::realtime_ns()).bytes.size();
      compose_ns_max = std::max(compose_ns_max, io::monotonic_ns() - compose_ns);
      if (begun_ns == 0 && client.bytes != 0) begun_ns = io::monotonic_ns();
    }
  }
  JsonLine()
      .add("orders", orders)
      .add("instruments", static_cast<std::uint64_t>(instruments))
      .add("clients", clients)
      .add("messages_per_step", per_step)
      .add_text("pieces", at_once ? "one" : "many")
      .add("step_us_max", static_cast<double>(step_ns_max) / 1e3)
      .add("compose_us_max", static_cast<double>(compose_ns_max) / 1e3)
      .add("first_bytes_ms", static_cast<double>(begun_ns - begin_ns) / 1e6)
      .add("steps", steps)
      .add("snapshots", hub.counters().snapshots)
      .add("resident_mb", static_cast<double>(resident_bytes()) / 1e6)
      .print();
  return 0;
}

}  // namespace depthcast::perf

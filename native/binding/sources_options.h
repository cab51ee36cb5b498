#pragma once

#include "binding/values.h"
#include "ingest/simulated_exchange.h"

namespace depthcast::binding {

// NativeSimulateOptions of src/native.ts.
inline ingest::SimulatedExchangeOptions read_simulated(const Fields& fields) {
  ingest::SimulatedExchangeOptions options;
  options.seed = fields.big("seed");
  options.symbols = fields.number<std::uint32_t>("symbols");
  options.messages = fields.big("messages");
  options.live_orders = fields.number<std::uint64_t>("liveOrders");
  options.message_interval_ns = fields.number<std::uint64_t>("messageIntervalNs");
  return options;
}

}  // namespace depthcast::binding

// What an ITCH file holds, and where it breaks; and the simulated exchange's flow as such a file.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ingest/simulated_exchange.h"
#include "run/itch_framing.h"

namespace depthcast::run {

struct ItchInspection {
  std::uint64_t messages = 0;
  std::array<std::uint64_t, 256> types{};  // messages by type
  std::vector<std::string> symbols;        // in the order of their first mention
  std::int64_t first_time_ns = 0;          // since midnight
  std::int64_t last_time_ns = 0;
  std::uint64_t times_going_back = 0;
  std::uint64_t bytes = 0;  // up to the end, or up to the fault
  std::optional<StreamFault> fault;
};

ItchInspection inspect_itch(ByteSource& source, const std::atomic<bool>& stop);

// Returns the messages written. Throws std::system_error; what was written before stays.
std::uint64_t simulate_to_file(const std::string& path, const ingest::SimulatedExchangeOptions& options,
                               const std::atomic<bool>& stop);

}  // namespace depthcast::run

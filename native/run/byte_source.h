// Where a source's bytes come from.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ingest/simulated_exchange.h"
#include "io/file_descriptor.h"

namespace depthcast::run {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills some of `out`. Returns 0 at the end, when `stop` was set, and on an error, which it describes in `error`.
  virtual std::size_t read(std::span<std::uint8_t> out, const std::atomic<bool>& stop, std::string& error) = 0;
};

// A file or a pipe. Looks at `stop` at least every 50 ms.
std::unique_ptr<ByteSource> make_descriptor_source(io::FileDescriptor descriptor);
std::unique_ptr<ByteSource> make_simulated_source(const ingest::SimulatedExchangeOptions& options);

}  // namespace depthcast::run

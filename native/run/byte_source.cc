#include "run/byte_source.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace depthcast::run {
namespace {

class DescriptorSource final : public ByteSource {
 public:
  explicit DescriptorSource(io::FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  std::size_t read(std::span<std::uint8_t> out, const std::atomic<bool>& stop, std::string& error) override {
    constexpr int look_again_ms = 50;
    // Pairs with the store in SourceInput::stop().
    while (!stop.load(std::memory_order_acquire)) {
      pollfd waiting{descriptor_.get(), POLLIN, 0};
      const int ready = poll(&waiting, 1, look_again_ms);
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      const ssize_t taken = ::read(descriptor_.get(), out.data(), out.size());
      if (taken >= 0) return static_cast<std::size_t>(taken);
      if (errno == EINTR || errno == EAGAIN) continue;
      error = "bytes that can be read, but: " + std::generic_category().message(errno);
      return 0;
    }
    return 0;
  }

 private:
  io::FileDescriptor descriptor_;
};

class SimulatedSource final : public ByteSource {
 public:
  explicit SimulatedSource(const ingest::SimulatedExchangeOptions& options) : exchange_(options) {}

  std::size_t read(std::span<std::uint8_t> out, const std::atomic<bool>& /*stop*/, std::string& /*error*/) override {
    // A small share at a time: the flow is made just before it is needed, and its bytes stay in the cache.
    constexpr std::size_t share = 16'384;
    return exchange_.next(out.first(std::min(out.size(), share)));
  }

 private:
  ingest::SimulatedExchange exchange_;
};

}  // namespace

std::unique_ptr<ByteSource> make_descriptor_source(io::FileDescriptor descriptor) {
  return std::make_unique<DescriptorSource>(std::move(descriptor));
}

std::unique_ptr<ByteSource> make_simulated_source(const ingest::SimulatedExchangeOptions& options) {
  return std::make_unique<SimulatedSource>(options);
}

}  // namespace depthcast::run

#include "run/itch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "ingest/itch_parser.h"
#include "io/file_descriptor.h"
#include "run/itch_source.h"

namespace depthcast::run {

ItchInspection inspect_itch(ByteSource& source, const std::atomic<bool>& stop) {
  ItchInspection result;
  ItchFraming framing(source);
  ingest::ItchParser parser(0);
  std::array<ingest::InputCell, ingest::ItchParser::cells_max> cells;
  std::span<const std::uint8_t> message;
  while (true) {
    const ItchFraming::Next next = framing.next(message, stop);
    if (next == ItchFraming::Next::end) break;
    ingest::ItchFault fault = ingest::ItchFault::none;
    if (next == ItchFraming::Next::message) {
      parser.parse(message, result.messages + 1, cells, fault);
      if (fault != ingest::ItchFault::none) framing.fail(describe(fault, message));
    }
    if (next == ItchFraming::Next::fault || fault != ingest::ItchFault::none) {
      result.fault = framing.fault();
      result.bytes = framing.fault().offset;
      return result;
    }
    const ingest::InputEvent& event = cells[0].event;
    if (event.kind == ingest::InputKind::definition) {
      const char* symbol = cells[1].definition.symbol;
      result.symbols.emplace_back(symbol, strnlen(symbol, sizeof cells[1].definition.symbol));
    }
    if (result.messages == 0) result.first_time_ns = event.time_ns;
    if (result.messages != 0 && event.time_ns < result.last_time_ns) ++result.times_going_back;
    result.last_time_ns = event.time_ns;
    ++result.messages;
    ++result.types[message[0]];
  }
  result.bytes = framing.bytes_taken();
  return result;
}

std::uint64_t simulate_to_file(const std::string& path, const ingest::SimulatedExchangeOptions& options,
                               const std::atomic<bool>& stop) {
  if (options.messages == 0) throw std::invalid_argument("messages must be given: a file has an end");
  ingest::SimulatedExchange exchange(options);
  const io::FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.open()) throw std::system_error(errno, std::generic_category(), "open " + path);
  std::vector<std::uint8_t> buffer(std::size_t{1} << 20);
  // Pairs with the store of whoever asks to stop.
  while (!stop.load(std::memory_order_acquire)) {
    const std::size_t made = exchange.next(buffer);
    if (made == 0) break;
    for (std::size_t written = 0; written < made;) {
      const ssize_t taken = write(file.get(), buffer.data() + written, made - written);
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0) throw std::system_error(errno, std::generic_category(), "write " + path);
      written += static_cast<std::size_t>(taken);
    }
  }
  return exchange.messages_emitted();
}

}  // namespace depthcast::run

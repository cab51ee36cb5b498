#include "perf_support.h"

#include <cinttypes>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "ingest/simulated_exchange.h"

namespace depthcast::perf {

Options::Options(int count, char** arguments) {
  for (int index = 0; index < count; index += 2) {
    const std::string name = arguments[index];
    if (name.rfind("--", 0) != 0 || index + 1 == count)
      throw std::invalid_argument("expected --name value, got " + name);
    given_[name.substr(2)] = arguments[index + 1];
  }
}

std::uint64_t Options::number(const std::string& name, std::uint64_t fallback) {
  used_[name] = true;
  return given_.count(name) != 0 ? std::stoull(given_[name]) : fallback;
}

std::string Options::text(const std::string& name, const std::string& fallback) {
  used_[name] = true;
  return given_.count(name) != 0 ? given_[name] : fallback;
}

void Options::finish() const {
  for (const auto& [name, value] : given_) {
    if (used_.count(name) == 0) throw std::invalid_argument("unknown option --" + name);
  }
}

void JsonLine::key(const char* name) {
  if (text_.size() > 1) text_ += ", ";
  text_ += std::string("\"") + name + "\": ";
}

JsonLine& JsonLine::add(const char* name, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.3f", value);
  key(name);
  text_ += buffer;
  return *this;
}

JsonLine& JsonLine::add(const char* name, std::uint64_t value) {
  key(name);
  text_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::add_text(const char* name, const std::string& value) {
  key(name);
  text_ += '"' + value + '"';
  return *this;
}

void JsonLine::print() {
  std::printf("%s}\n", text_.c_str());
  std::fflush(stdout);
}

std::string hex(std::uint64_t value) {
  char buffer[20];
  std::snprintf(buffer, sizeof buffer, "%016" PRIx64, value);
  return buffer;
}

std::vector<std::uint8_t> load_itch(Options& options, const ItchDefaults& defaults) {
  const std::string file = options.text("file", "");
  ingest::SimulatedExchangeOptions simulated;
  simulated.seed = options.number("seed", 1);
  simulated.messages = options.number("messages", defaults.messages);
  simulated.symbols = static_cast<std::uint32_t>(options.number("symbols", 1'000));
  simulated.live_orders = options.number("live-orders", defaults.live_orders);
  if (!file.empty()) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::invalid_argument("cannot read " + file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  ingest::SimulatedExchange exchange(simulated);
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> share(std::size_t{1} << 20);
  while (const std::size_t made = exchange.next(share)) {
    bytes.insert(bytes.end(), share.begin(), share.begin() + static_cast<std::ptrdiff_t>(made));
  }
  return bytes;
}

namespace {

std::uint64_t rollup_bytes(const std::string& name) {
  std::ifstream stream("/proc/self/smaps_rollup");
  std::string word;
  while (stream >> word) {
    std::uint64_t kibibytes = 0;
    if (word == name && stream >> kibibytes) return kibibytes << 10;
  }
  return 0;
}

}  // namespace

std::uint64_t huge_page_bytes() { return rollup_bytes("AnonHugePages:"); }

std::uint64_t resident_bytes() { return rollup_bytes("Rss:"); }

}  // namespace depthcast::perf

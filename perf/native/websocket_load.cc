// Many WebSocket clients in one thread, in groups that ask for different things; counts what comes and how late. Some
// of a group may stop reading. Commands on standard input, one a line: `mark` prints a JSON object for each group, of
// what came since the last one; `silence` lets those stop that were chosen; `resume` lets these read on; `count` has
// them end their subscription, so that they are told its counts; the end of input ends it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "generated/depthcast_generated.h"
#include "generated/gateway_generated.h"
#include "io/clock.h"
#include "io/file_descriptor.h"
#include "perf_support.h"
#include "run/latency_histogram.h"
#include "websocket_parser.h"

namespace depthcast::perf {
namespace {

constexpr std::size_t prefix_bytes = 16;
constexpr std::uint32_t frame_magic = 0x46474344U;  // "DCGF"

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

struct Group {
  std::size_t clients = 0;
  std::size_t silent = 0;
  std::string request;  // empty: it says nothing and takes what comes
};

struct Tally {
  std::uint64_t messages = 0;  // blocks
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t texts_slow = 0;
  std::uint64_t errors = 0;
  std::uint64_t closed = 0;
  std::uint16_t close_code = 0;
  std::uint64_t counted = 0;        // ends of a subscription
  std::uint64_t counted_equal = 0;  // of them, sent, conflated and refused are what was published
  run::LatencyHistogram latency;
};

// A count of a message of the gateway, which writes them as texts.
std::uint64_t count_in(const std::string& text, const std::string& name) {
  const std::size_t found = text.find('"' + name + "\":\"");
  return found == std::string::npos ? 0 : std::stoull(text.substr(found + name.size() + 4));
}

class Client final : public WebSocketEvents {
 public:
  Client(std::size_t number, const sockaddr_in& address) : group(number), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (!socket_.open() || connect(descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail("connect");
    }
    const int on = 1;
    setsockopt(descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    send_bytes(
        "GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos) {
      char letter = 0;
      if (recv(descriptor(), &letter, 1, 0) != 1) fail("no answer to the upgrade");
      answer += letter;
    }
    if (answer.rfind("HTTP/1.1 101", 0) != 0) throw std::runtime_error(answer.substr(0, answer.find('\r')));
  }

  int descriptor() const { return socket_.get(); }

  void say(const std::string& text) { send_frame(0x81, text); }

  // False: nothing comes any more.
  bool receive(std::span<std::uint8_t> buffer, Tally& tally) {
    tally_ = &tally;
    const ssize_t count = recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) {
      if (!closed) ++tally.closed;
      return closed = true, false;
    }
    tally.bytes += static_cast<std::uint64_t>(count);
    parser_.take(buffer.first(static_cast<std::size_t>(count)), *this);
    return true;
  }

  const std::size_t group;
  bool silent = false;
  bool closed = false;
  std::uint64_t messages = 0;  // since the last mark

 private:
  void on_frame(std::size_t /*payload_bytes*/) override {
    ++tally_->frames;
    look_ = true;
  }
  // The first block of each frame tells how late it is.
  void on_block(std::span<const std::uint8_t> block) override {
    ++messages;
    ++tally_->messages;
    if (!look_ || block.size() < prefix_bytes + 8) return;
    look_ = false;
    std::uint32_t magic = 0;
    std::memcpy(&magic, block.data(), sizeof magic);
    const std::uint8_t* root = block.data() + prefix_bytes;
    std::int64_t sent_ns = 0;
    if (magic == frame_magic)
      sent_ns = flatbuffers::GetRoot<gateway::Frame>(root)->send_time();
    else if (magic != 0)
      sent_ns = flatbuffers::GetRoot<wire::Packet>(root)->send_time();
    if (sent_ns != 0) tally_->latency.record(io::realtime_ns() - sent_ns);
  }
  void on_text(const std::string& text) override {
    if (text.find("\"type\":\"slow\"") != std::string::npos) ++tally_->texts_slow;
    if (text.find("\"type\":\"error\"") != std::string::npos) ++tally_->errors;
    if (text.find("\"type\":\"unsubscribed\"") == std::string::npos) return;
    const std::uint64_t published = count_in(text, "published");
    const std::uint64_t covered = count_in(text, "sent") + count_in(text, "conflated") + count_in(text, "refused");
    ++tally_->counted;
    if (published != 0 && covered == published) ++tally_->counted_equal;
  }
  void on_ping() override { send_frame(0x8a, ""); }
  void on_close(std::uint16_t code) override {
    ++tally_->closed;
    tally_->close_code = code;
    closed = true;
  }

  // Masked with zeros: the bytes stay as they are.
  void send_frame(std::uint8_t opcode, const std::string& text) {
    std::string frame(1, static_cast<char>(opcode));
    if (text.size() < 126) {
      frame += static_cast<char>(0x80 | text.size());
    } else {
      frame += static_cast<char>(0x80 | 126);
      frame += static_cast<char>(text.size() >> 8);
      frame += static_cast<char>(text.size() & 0xff);
    }
    frame.append(4, '\0');
    send_bytes(frame + text);
  }
  void send_bytes(const std::string& bytes) {
    if (send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      closed = true;
  }

  io::FileDescriptor socket_;
  WebSocketParser parser_;
  Tally* tally_ = nullptr;
  bool look_ = false;
};

std::vector<std::size_t> numbers(const std::string& text) {
  std::vector<std::size_t> found;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) found.push_back(std::stoul(part));
  return found;
}

std::vector<Group> groups_of(Options& options) {
  std::vector<Group> groups;
  for (const std::size_t clients : numbers(options.text("clients", "1"))) groups.push_back({clients, 0, ""});
  const std::vector<std::size_t> silent = numbers(options.text("silent", ""));
  for (std::size_t index = 0; index < silent.size() && index < groups.size(); ++index) {
    groups[index].silent = silent[index];
  }
  if (const std::string file = options.text("requests", ""); !file.empty()) {
    std::ifstream lines(file);
    for (Group& group : groups) std::getline(lines, group.request);
  }
  return groups;
}

class Load {
 public:
  Load(std::vector<Group> groups, const sockaddr_in& address)
      : groups_(std::move(groups)), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(1U << 20) {
    if (!epoll_.open()) fail("epoll_create1");
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      for (std::size_t index = 0; index < groups_[group].clients; ++index) {
        auto client = std::make_unique<Client>(group, address);
        epoll_event event{EPOLLIN, {client.get()}};
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->descriptor(), &event) != 0) fail("epoll_ctl");
        if (!groups_[group].request.empty()) {
          client->say(R"({"type":"hello","versions":[1]})");
          client->say(groups_[group].request);
        }
        clients_.push_back(std::move(client));
      }
    }
    epoll_event input{EPOLLIN, {nullptr}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, STDIN_FILENO, &input);
    begin();
  }

  void run() {
    epoll_event events[256];
    for (bool open = true; open;) {
      const int count = epoll_wait(epoll_.get(), events, 256, -1);
      for (int index = 0; index < count; ++index) {
        auto* client = static_cast<Client*>(events[index].data.ptr);
        if (client == nullptr) {
          open = obey() && open;
        } else if (!client->receive(buffer_, *tallies_[client->group])) {
          epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client->descriptor(), nullptr);
        }
      }
    }
  }

 private:
  // False: the end of the input.
  bool obey() {
    char text[256];
    const ssize_t count = read(STDIN_FILENO, text, sizeof text);
    if (count <= 0) return false;
    commands_.append(text, static_cast<std::size_t>(count));
    for (std::size_t end = 0; (end = commands_.find('\n')) != std::string::npos; commands_.erase(0, end + 1)) {
      const std::string command = commands_.substr(0, end);
      if (command == "mark") tell();
      if (command == "silence") silence();
      if (command == "resume") resume();
      if (command == "count") ask_counts();
    }
    return true;
  }

  void silence() {
    std::vector<std::size_t> left;
    for (const Group& group : groups_) left.push_back(group.silent);
    for (const auto& client : clients_) {
      if (left[client->group] == 0) continue;
      --left[client->group];
      client->silent = true;
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client->descriptor(), nullptr);
    }
  }

  void resume() {
    for (const auto& client : clients_) {
      if (!client->silent) continue;
      resumed_.push_back(client.get());
      client->silent = false;
      epoll_event event{EPOLLIN, {client.get()}};
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->descriptor(), &event);
    }
  }
  void ask_counts() {
    for (Client* client : resumed_) client->say(R"({"type":"unsubscribe","id":1})");
  }

  void begin() {
    tallies_.clear();
    for (std::size_t group = 0; group < groups_.size(); ++group) tallies_.push_back(std::make_unique<Tally>());
    for (const auto& client : clients_) client->messages = 0;
    watch_ = Stopwatch();
  }

  void tell() {
    const double seconds = watch_.ns() / 1e9;
    const double cpu_seconds = watch_.cpu_ns() / 1e9;
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      std::uint64_t least = ~std::uint64_t{0};
      std::uint64_t most = 0;
      std::uint64_t reading = 0;
      for (const auto& client : clients_) {
        if (client->group != group || client->silent || client->closed) continue;
        ++reading;
        least = std::min(least, client->messages);
        most = std::max(most, client->messages);
      }
      const Tally& tally = *tallies_[group];
      JsonLine line;
      line.add("group", std::uint64_t{group}).add("reading", reading).add("seconds", seconds);
      line.add("cpu_seconds", cpu_seconds).add("messages", tally.messages).add("frames", tally.frames);
      line.add("bytes", tally.bytes).add("messages_least", reading == 0 ? 0 : least).add("messages_most", most);
      line.add("slow", tally.texts_slow).add("errors", tally.errors).add("closed", tally.closed);
      line.add("close_code", std::uint64_t{tally.close_code});
      line.add("counted", tally.counted).add("counted_equal", tally.counted_equal);
      for (const auto& [name, share] :
           {std::pair{"latency_us_p50", 0.5}, {"latency_us_p99", 0.99}, {"latency_us_p999", 0.999}}) {
        line.add(name, percentile_us(tally.latency, share));
      }
      line.print();
    }
    std::fflush(stdout);
    begin();
  }

  static double percentile_us(const run::LatencyHistogram& latency, double share) {
    std::uint64_t count = 0;
    for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) count += latency.count(bucket);
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(count) * share);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
      seen += latency.count(bucket);
      if (seen > wanted) return static_cast<double>(run::LatencyHistogram::bucket_value(bucket)) / 1e3;
    }
    return 0;
  }

  std::vector<Group> groups_;
  io::FileDescriptor epoll_;
  std::vector<std::uint8_t> buffer_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Tally>> tallies_;
  std::string commands_;
  std::vector<Client*> resumed_;
  Stopwatch watch_;
};

}  // namespace

int websocket_load(Options& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.number("port", 0)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<Group> groups = groups_of(options);
  options.finish();
  Load load(std::move(groups), address);
  std::printf("{\"ready\": 1}\n");
  std::fflush(stdout);
  load.run();
  return 0;
}

}  // namespace depthcast::perf

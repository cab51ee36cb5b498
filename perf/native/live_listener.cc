#include "live_listener.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <system_error>

#include "encode/packet_reader.h"

namespace depthcast::perf {
namespace {

constexpr std::size_t datagram_words = 9'000 / 8;
constexpr std::size_t batch = 32;
constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::chrono::milliseconds look_again{1};

[[noreturn]] void fail(const char* step) { throw std::system_error(errno, std::generic_category(), step); }

template <typename Value>
void set_option(int descriptor, int level, int name, const Value& value, const char* step) {
  if (setsockopt(descriptor, level, name, &value, sizeof value) != 0) fail(step);
}

std::int64_t timestamp_of(msghdr& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(control), sizeof time);
    return static_cast<std::int64_t>(time.tv_sec) * second_ns + time.tv_nsec;
  }
  return 0;
}

}  // namespace

LiveListener::LiveListener(const io::LineAddress& address, std::size_t samples_max)
    : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), buffers_(batch * datagram_words) {
  if (!socket_.open()) fail("socket");
  for (std::size_t phase = 0; phase < phases_max; ++phase) {
    histograms_.push_back(std::make_unique<run::LatencyHistogram>());
  }
  set_option(socket_.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  set_option(socket_.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  const int buffer_bytes = 64 << 20;
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0) {
    static_cast<void>(setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes));
  }
  samples_.reserve(samples_max);
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  bound.sin_port = htons(address.port);
  inet_pton(AF_INET, address.group.c_str(), &bound.sin_addr);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&bound), sizeof bound) != 0) fail("bind");
  ip_mreqn membership{};
  membership.imr_multiaddr = bound.sin_addr;
  inet_pton(AF_INET, address.interface_address.c_str(), &membership.imr_address);
  set_option(socket_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, membership, "join the group");
}

void LiveListener::start() {
  thread_ = std::thread([this] { run(); });
}

void LiveListener::stop() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void LiveListener::run() {
  while (!stop_.load(std::memory_order_relaxed)) {
    if (receive() == 0) std::this_thread::sleep_for(look_again);
  }
}

std::size_t LiveListener::receive() {
  std::array<mmsghdr, batch> messages{};
  std::array<iovec, batch> vectors{};
  std::array<std::array<char, 64>, batch> controls;
  for (std::size_t index = 0; index < batch; ++index) {
    vectors[index] = {buffers_.data() + index * datagram_words, datagram_words * 8};
    messages[index].msg_hdr.msg_iov = &vectors[index];
    messages[index].msg_hdr.msg_iovlen = 1;
    messages[index].msg_hdr.msg_control = controls[index].data();
    messages[index].msg_hdr.msg_controllen = controls[index].size();
  }
  const int received = recvmmsg(socket_.get(), messages.data(), batch, MSG_DONTWAIT, nullptr);
  if (received <= 0) return 0;
  const std::size_t phase = phase_.load(std::memory_order_relaxed);
  for (std::size_t index = 0; index < static_cast<std::size_t>(received); ++index) {
    encode::PacketView view;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(buffers_.data() + index * datagram_words);
    const std::int64_t time_ns = timestamp_of(messages[index].msg_hdr);
    if (time_ns == 0 || encode::read_packet({bytes, messages[index].msg_len}, view) != encode::PacketStatus::ok) {
      unusable_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (view.count == 0) continue;
    sequence_.store(view.first_sequence + view.count - 1, std::memory_order_relaxed);
    if (phase >= phases_max) continue;
    histograms_[phase]->record(time_ns - view.send_time_ns);
    sample(phase, view.send_time_ns, view.count, time_ns - view.send_time_ns);
  }
  return static_cast<std::size_t>(received);
}

void LiveListener::sample(std::size_t phase, std::int64_t send_time_ns, std::uint32_t messages,
                          std::int64_t latency_ns) {
  if (samples_.size() == samples_.capacity()) {
    ++unsampled_;
    return;
  }
  if (send_time_ns != batch_ns_) ++batch_;
  batch_ns_ = send_time_ns;
  const std::int64_t kept_ns = std::clamp<std::int64_t>(latency_ns, 0, std::numeric_limits<std::uint32_t>::max());
  samples_.push_back({static_cast<std::uint32_t>(phase), batch_, messages, static_cast<std::uint32_t>(kept_ns)});
}

std::uint64_t LiveListener::count(std::size_t phase) const {
  std::uint64_t sum = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
    sum += histograms_[phase]->count(bucket);
  }
  return sum;
}

double LiveListener::percentile_us(std::size_t phase, double share) const {
  const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count(phase)));
  std::uint64_t sum = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
    sum += histograms_[phase]->count(bucket);
    if (sum != 0 && sum >= wanted) return static_cast<double>(run::LatencyHistogram::bucket_value(bucket)) / 1e3;
  }
  return 0;
}

void leave_core(int core) {
  if (core < 0) return;
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return;
  CPU_CLR(static_cast<unsigned>(core), &cores);
  if (CPU_COUNT(&cores) != 0) sched_setaffinity(0, sizeof cores, &cores);
}

}  // namespace depthcast::perf

#include "io/udp_socket.h"

#include <arpa/inet.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <system_error>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace depthcast::io {
namespace {

[[noreturn]] void fail(const std::string& step) { throw std::system_error(errno, std::generic_category(), step); }

in_addr parse_address(const std::string& text, const char* what) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
    throw std::invalid_argument(std::string(what) + " is \"" + text + "\", expected an IPv4 address");
  }
  return address;
}

FileDescriptor open_socket() {
  FileDescriptor socket_descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_descriptor.open()) fail("socket");
  return socket_descriptor;
}

template <typename T>
void set_option(int descriptor, int level, int name, const T& value, const std::string& step) {
  if (setsockopt(descriptor, level, name, &value, sizeof value) != 0) fail(step);
}

template <typename T>
bool try_option(int descriptor, int level, int name, const T& value) {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

bool is_multicast(const in_addr& address) { return IN_MULTICAST(ntohl(address.s_addr)); }

sockaddr_in endpoint(const in_addr& address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr = address;
  return result;
}

std::string name_of(const LineAddress& address) {
  return address.group + ":" + std::to_string(address.port) + " on " + address.interface_address;
}

}  // namespace

UdpSender::UdpSender(const SenderOptions& options)
    : socket_(open_socket()), messages_(pending_max), controls_(pending_max), run_lengths_(pending_max) {
  const in_addr group = parse_address(options.address.group, "group");
  const in_addr local = parse_address(options.address.interface_address, "interface");
  destination_ = endpoint(group, options.address.port);
  const std::string where = " for " + name_of(options.address);
  if (is_multicast(group)) {
    ip_mreqn request{};
    request.imr_address = local;
    set_option(socket_.get(), IPPROTO_IP, IP_MULTICAST_IF, request, "choose the interface" + where);
    set_option(socket_.get(), IPPROTO_IP, IP_MULTICAST_TTL, options.ttl, "set the TTL" + where);
    set_option(socket_.get(), IPPROTO_IP, IP_MULTICAST_LOOP, options.loop ? 1 : 0, "set loopback" + where);
  }
  const sockaddr_in source = endpoint(local, 0);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) fail("bind" + where);
  // Never fragmented by IP.
  static_cast<void>(try_option(socket_.get(), IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_DO}));
  static_cast<void>(try_option(socket_.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes));
  segmentation_ = options.segmentation && try_option(socket_.get(), SOL_UDP, UDP_SEGMENT, int{0});
  pending_.reserve(pending_max);
}

void UdpSender::add(const std::uint8_t* data, std::size_t length) {
  if (pending_.size() == pending_max) flush();
  pending_.push_back({const_cast<std::uint8_t*>(data), length});
}

// Datagrams from `from` on that can go as one buffer: all of one length, but the last may be shorter.
std::size_t UdpSender::run_length(std::size_t from) const {
  if (!segmentation_) return 1;
  const std::size_t segment = pending_[from].iov_len;
  std::size_t total = segment;
  std::size_t count = 1;
  while (from + count < pending_.size() && count < segments_max) {
    const std::size_t next = pending_[from + count].iov_len;
    if (next > segment || total + next > segment_bytes_max) break;
    total += next;
    ++count;
    if (next < segment) break;
  }
  return count;
}

void UdpSender::flush() {
  if (pending_.empty()) return;
  std::size_t count = 0;
  for (std::size_t from = 0; from < pending_.size(); ++count) {
    const std::size_t run = run_length(from);
    msghdr& header = messages_[count].msg_hdr;
    header = {};
    header.msg_name = &destination_;
    header.msg_namelen = sizeof destination_;
    header.msg_iov = &pending_[from];
    header.msg_iovlen = run;
    if (run > 1) {
      header.msg_control = controls_[count].bytes;
      header.msg_controllen = sizeof controls_[count].bytes;
      cmsghdr* control = CMSG_FIRSTHDR(&header);
      control->cmsg_level = SOL_UDP;
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto segment = static_cast<std::uint16_t>(pending_[from].iov_len);
      std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    run_lengths_[count] = static_cast<std::uint32_t>(run);
    from += run;
  }
  send_messages(count);
  pending_.clear();
}

void UdpSender::send_messages(std::size_t count) {
  std::size_t sent = 0;
  while (sent < count) {
    ++send_calls_;
    const int taken =
        sendmmsg(socket_.get(), messages_.data() + sent, static_cast<unsigned>(count - sent), MSG_DONTWAIT);
    if (taken > 0) {
      for (std::size_t index = sent; index < sent + static_cast<std::size_t>(taken); ++index) {
        datagrams_ += run_lengths_[index];
        bytes_ += messages_[index].msg_len;
      }
      sent += static_cast<std::size_t>(taken);
      continue;
    }
    if (errno == EINTR) continue;
    // This one is lost (line B or recovery has it); the ones behind it still get their chance.
    last_error_ = errno;
    datagrams_failed_ += run_lengths_[sent];
    // A device that cannot segment says so once; from then on datagrams go one by one.
    if (run_lengths_[sent] > 1 && (last_error_ == EIO || last_error_ == EINVAL || last_error_ == EMSGSIZE)) {
      segmentation_ = false;
    }
    ++sent;
  }
}

UdpReceiver::UdpReceiver(const ReceiverOptions& options)
    : socket_(open_socket()),
      buffers_(batch_max * buffer_bytes / 8),
      controls_(batch_max * control_bytes / 8),
      scratch_(buffer_bytes / 8),
      names_(batch_max),
      vectors_(batch_max),
      messages_(batch_max) {
  const in_addr group = parse_address(options.address.group, "group");
  const in_addr local = parse_address(options.address.interface_address, "interface");
  const std::string where = " for " + name_of(options.address);
  for (const std::string& source : options.sources) sources_.push_back(parse_address(source, "source"));
  if (options.source_specific && sources_.empty()) {
    throw std::invalid_argument("source_specific needs at least one source address");
  }
  const int on = 1;
  // Several subscribers on one host each get their copy.
  set_option(socket_.get(), SOL_SOCKET, SO_REUSEADDR, on, "share the port" + where);
  // As root past the system's limit; else as much as the limit allows.
  if (!try_option(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, options.receive_buffer_bytes)) {
    static_cast<void>(try_option(socket_.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes));
  }
  socklen_t length = sizeof granted_bytes_;
  getsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &granted_bytes_, &length);
  static_cast<void>(try_option(socket_.get(), SOL_SOCKET, SO_RXQ_OVFL, on));
  if (options.coalescing) static_cast<void>(try_option(socket_.get(), SOL_UDP, UDP_GRO, on));
  if (options.busy_poll_us > 0) {
    busy_poll_refused_ = !try_option(socket_.get(), SOL_SOCKET, SO_BUSY_POLL, options.busy_poll_us);
  }
  if (options.timestamps) {
    const int wanted = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    static_cast<void>(try_option(socket_.get(), SOL_SOCKET, SO_TIMESTAMPING, wanted));
  }
  const sockaddr_in bound = endpoint(group, options.address.port);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&bound), sizeof bound) != 0) fail("bind" + where);
  if (!is_multicast(group)) return;
  // Only what this socket joined, not what others on the host did.
  static_cast<void>(try_option(socket_.get(), IPPROTO_IP, IP_MULTICAST_ALL, int{0}));
  if (options.source_specific) {
    for (const in_addr& source : sources_) {
      ip_mreq_source request{};
      request.imr_multiaddr = group;
      request.imr_interface = local;
      request.imr_sourceaddr = source;
      set_option(socket_.get(), IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, request, "join with source" + where);
    }
  } else {
    ip_mreqn request{};
    request.imr_multiaddr = group;
    request.imr_address = local;
    set_option(socket_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, request, "join" + where);
  }
}

int UdpReceiver::receive_batch() {
  auto* bytes = reinterpret_cast<std::uint8_t*>(buffers_.data());
  auto* control = reinterpret_cast<std::uint8_t*>(controls_.data());
  for (std::size_t index = 0; index < batch_max; ++index) {
    vectors_[index] = {bytes + index * buffer_bytes, buffer_bytes};
    msghdr& header = messages_[index].msg_hdr;
    header = {};
    header.msg_name = &names_[index];
    header.msg_namelen = sizeof names_[index];
    header.msg_iov = &vectors_[index];
    header.msg_iovlen = 1;
    header.msg_control = control + index * control_bytes;
    header.msg_controllen = control_bytes;
  }
  const int received = recvmmsg(socket_.get(), messages_.data(), batch_max, MSG_DONTWAIT, nullptr);
  if (received >= 0) return received;
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) ++receive_errors_;
  return 0;
}

UdpReceiver::Received UdpReceiver::inspect(std::size_t index) {
  msghdr& header = messages_[index].msg_hdr;
  const std::size_t length = messages_[index].msg_len;
  Received result{static_cast<const std::uint8_t*>(vectors_[index].iov_base), length, length, true};
  kernel_time_ns_ = 0;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
      int segment = 0;
      std::memcpy(&segment, CMSG_DATA(control), sizeof segment);
      if (segment > 0) result.segment = static_cast<std::size_t>(segment);
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
      std::uint32_t drops = 0;
      std::memcpy(&drops, CMSG_DATA(control), sizeof drops);
      kernel_drops_ += static_cast<std::uint32_t>(drops - drops_seen_);  // the kernel's counter wraps
      drops_seen_ = drops;
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_TIMESTAMPING) {
      timespec software{};  // the first of three; the others are the device's
      std::memcpy(&software, CMSG_DATA(control), sizeof software);
      kernel_time_ns_ = static_cast<std::int64_t>(software.tv_sec) * 1'000'000'000 + software.tv_nsec;
    }
  }
  if (!sources_.empty()) {
    const in_addr_t from = names_[index].sin_addr.s_addr;
    result.accepted =
        std::any_of(sources_.begin(), sources_.end(), [&](const in_addr& source) { return source.s_addr == from; });
    if (!result.accepted) foreign_sources_ += length <= result.segment ? 1 : (length - 1) / result.segment + 1;
  }
  return result;
}

std::span<const std::uint8_t> UdpReceiver::aligned(const std::uint8_t* data, std::size_t length) {
  if (reinterpret_cast<std::uintptr_t>(data) % 8 == 0) return {data, length};
  std::memcpy(scratch_.data(), data, length);
  return {reinterpret_cast<const std::uint8_t*>(scratch_.data()), length};
}

}  // namespace depthcast::io

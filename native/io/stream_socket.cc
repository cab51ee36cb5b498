#include "io/stream_socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace depthcast::io {
namespace {

constexpr int backlog = 16;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

FileDescriptor make_socket(int family, const std::string& name) {
  FileDescriptor made(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.open()) fail("socket for " + name);
  return made;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    throw std::invalid_argument("the path of a Unix socket has 1 to " + std::to_string(sizeof address.sun_path - 1) +
                                " bytes, not " + std::to_string(path.size()));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Whether nobody listens at a socket file any more.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) throw std::runtime_error(path + " is there and is no socket");
  const FileDescriptor probe = make_socket(AF_UNIX, path);
  const bool connected = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (connected || errno == EAGAIN) throw std::runtime_error(path + " is listened on by another process");
  if (errno == ECONNREFUSED && unlink(path.c_str()) != 0) fail("unlink " + path);
}

}  // namespace

Listener listen_tcp(const std::string& address, std::uint16_t port) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    length = sizeof *v4;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    length = sizeof *v6;
  } else {
    throw std::invalid_argument("\"" + address + "\" is no IPv4 or IPv6 address");
  }
  const std::string name = address + " port " + std::to_string(port);
  Listener listener{make_socket(storage.ss_family, name), 0};
  const int on = 1;
  setsockopt(listener.descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* any = reinterpret_cast<sockaddr*>(&storage);
  if (bind(listener.descriptor.get(), any, length) != 0) fail("bind " + name);
  if (listen(listener.descriptor.get(), backlog) != 0) fail("listen " + name);
  if (getsockname(listener.descriptor.get(), any, &length) != 0) fail("getsockname " + name);
  listener.port = ntohs(storage.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
  return listener;
}

Listener listen_unix(const std::string& path) {
  const sockaddr_un address = unix_address(path);
  remove_stale(path, address);
  Listener listener{make_socket(AF_UNIX, path), 0};
  // Before there is a file: Linux gives the socket file the mode of the socket.
  if (fchmod(listener.descriptor.get(), 0600) != 0) fail("fchmod " + path);
  if (bind(listener.descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind " + path);
  }
  if (listen(listener.descriptor.get(), backlog) != 0) fail("listen " + path);
  return listener;
}

FileDescriptor accept_stream(const FileDescriptor& listener) {
  FileDescriptor accepted(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const int on = 1;
  // Fails on a Unix socket, where nothing waits anyway.
  if (accepted.open()) setsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return accepted;
}

StreamStatus read_stream(const FileDescriptor& descriptor, std::span<std::uint8_t> to, std::size_t& bytes) {
  bytes = 0;
  const ssize_t count = recv(descriptor.get(), to.data(), to.size(), 0);
  if (count > 0) {
    bytes = static_cast<std::size_t>(count);
    return StreamStatus::some;
  }
  const bool later = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return later ? StreamStatus::none : StreamStatus::closed;
}

StreamStatus write_stream(const FileDescriptor& descriptor, std::span<const std::uint8_t> from, std::size_t& bytes) {
  bytes = 0;
  const ssize_t count = send(descriptor.get(), from.data(), from.size(), MSG_NOSIGNAL);
  if (count >= 0) {
    bytes = static_cast<std::size_t>(count);
    return StreamStatus::some;
  }
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? StreamStatus::none : StreamStatus::closed;
}

}  // namespace depthcast::io

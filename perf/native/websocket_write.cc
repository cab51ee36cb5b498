// The bare loop that a gateway is measured by: so many messages as one WebSocket frame, one send() for each client,
// round after round; who has not taken the last one gets no other. Runs from when all have come to the end of its
// input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "io/file_descriptor.h"
#include "perf_support.h"

namespace depthcast::perf {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void upgrade(int client) {
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos) {
    char part[1024];
    const ssize_t count = recv(client, part, sizeof part, 0);
    if (count <= 0) fail("no upgrade");
    request.append(part, static_cast<std::size_t>(count));
  }
  // Nobody checks the key here.
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
  if (send(client, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) fail("send");
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Header and payload of one binary frame; each message is a block of its own, as a gateway's are.
std::vector<std::uint8_t> frame_of(std::size_t messages, std::size_t message_bytes) {
  const std::size_t payload = messages * message_bytes;
  std::vector<std::uint8_t> frame{0x82};
  if (payload < 126) {
    frame.push_back(static_cast<std::uint8_t>(payload));
  } else {
    const std::size_t length_bytes = payload < 65'536 ? 2 : 8;
    frame.push_back(length_bytes == 2 ? 126 : 127);
    for (std::size_t byte = length_bytes; byte-- > 0;)
      frame.push_back(static_cast<std::uint8_t>(payload >> (8 * byte)));
  }
  for (std::size_t message = 0; message < messages; ++message) {
    const std::size_t begin = frame.size();
    frame.resize(begin + message_bytes);
    const auto length = static_cast<std::uint32_t>(message_bytes - 16);
    std::memcpy(frame.data() + begin + 8, &length, sizeof length);
  }
  return frame;
}

struct Client {
  io::FileDescriptor socket;
  std::size_t left = 0;  // of its frame; it gets no other one before
};

// One send(). What a full socket does not take is sent in a later round.
void send_to(Client& client, const std::vector<std::uint8_t>& frame) {
  if (client.left == 0) client.left = frame.size();
  const std::size_t at = frame.size() - client.left;
  const ssize_t count = send(client.socket.get(), frame.data() + at, client.left, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0 && errno != EINTR && errno != EAGAIN) fail("send");
  if (count > 0) client.left -= static_cast<std::size_t>(count);
}

bool input_open() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (poll(&input, 1, 0) == 0) return true;
  char ignored = 0;
  return read(STDIN_FILENO, &ignored, 1) > 0;
}

}  // namespace

int websocket_write(Options& options) {
  const std::uint64_t clients = options.number("clients", 100);
  const std::uint64_t messages = options.number("messages", 16);
  const std::uint64_t message_bytes = options.number("message-bytes", 200);
  options.finish();
  if (message_bytes < 24 || messages == 0) throw std::invalid_argument("expected messages of at least 24 bytes");
  const io::FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener.get(), 1'024) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("listen");
  }
  std::printf("{\"port\": %u}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  std::vector<Client> sockets;
  while (sockets.size() < clients) {
    sockets.push_back({io::FileDescriptor(accept(listener.get(), nullptr, nullptr)), 0});
    if (!sockets.back().socket.open()) fail("accept");
    upgrade(sockets.back().socket.get());
  }
  const std::vector<std::uint8_t> made = frame_of(messages, message_bytes);
  std::vector<std::uint8_t> frame(made.size());
  const Stopwatch watch;
  std::uint64_t rounds = 0;
  for (; input_open(); ++rounds) {
    // Other messages in each round: they have to be put together each time.
    std::memcpy(frame.data(), made.data(), made.size());
    for (Client& one : sockets) send_to(one, frame);
  }
  JsonLine().add("rounds", rounds).add("seconds", watch.ns() / 1e9).add("cpu_seconds", watch.cpu_ns() / 1e9).print();
  return 0;
}

}  // namespace depthcast::perf

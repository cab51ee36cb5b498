// TCP and Unix stream sockets that never wait. Threads: any; errors are std::system_error that names the address.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "io/file_descriptor.h"

namespace depthcast::io {

struct Listener {
  FileDescriptor descriptor;
  std::uint16_t port = 0;  // TCP: the one it listens on
};

// `address`: IPv4 or IPv6, as digits. Port 0: a free one.
Listener listen_tcp(const std::string& address, std::uint16_t port);
// A socket file that only this user can connect to. One that a dead process left behind is taken away; throws where a
// process listens there, and where something else stands there.
Listener listen_unix(const std::string& path);

// A connection that waits; not open where there is none. TCP: small writes go at once.
FileDescriptor accept_stream(const FileDescriptor& listener);

enum class StreamStatus : std::uint8_t { some, none, closed };
// Reads, or writes, what can be now. `closed`: by the peer, or broken.
StreamStatus read_stream(const FileDescriptor& descriptor, std::span<std::uint8_t> to, std::size_t& bytes);
StreamStatus write_stream(const FileDescriptor& descriptor, std::span<const std::uint8_t> from, std::size_t& bytes);

}  // namespace depthcast::io

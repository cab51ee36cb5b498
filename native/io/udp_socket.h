// UDP multicast (or unicast) over IPv4: a sender with segmentation offload, a receiver with its counterpart.
// Constructors throw std::system_error that names the step that failed and the address it was for.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/file_descriptor.h"

namespace depthcast::io {

struct LineAddress {
  std::string group = "239.192.26.1";  // multicast group, or the receiver's unicast address
  std::uint16_t port = 26'401;
  std::string interface_address = "127.0.0.1";  // IPv4 address of the local interface
};

struct SenderOptions {
  LineAddress address;
  int ttl = 0;               // 0 keeps packets on this host
  bool loop = true;          // subscribers on this host get a copy
  bool segmentation = true;  // UDP_SEGMENT, where the kernel has it
  int send_buffer_bytes = 4 << 20;
};

// Threads: one. Never blocks, never retries: what the kernel refuses is counted.
class UdpSender {
 public:
  explicit UdpSender(const SenderOptions& options);

  // Remembers a datagram; its bytes must stay until flush().
  void add(const std::uint8_t* data, std::size_t length);
  // Hands everything remembered to the kernel. Runs of equal length go as one segmented buffer.
  void flush();

  std::uint64_t datagrams() const { return datagrams_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t send_calls() const { return send_calls_; }
  std::uint64_t datagrams_failed() const { return datagrams_failed_; }
  int last_error() const { return last_error_; }
  bool segmentation() const { return segmentation_; }

 private:
  static constexpr std::size_t pending_max = 1'024;
  static constexpr std::size_t segments_max = 64;           // the kernel's UDP_MAX_SEGMENTS
  static constexpr std::size_t segment_bytes_max = 65'000;  // below the largest UDP payload
  struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(sizeof(std::uint16_t))];
  };

  std::size_t run_length(std::size_t from) const;
  void send_messages(std::size_t count);

  FileDescriptor socket_;
  sockaddr_in destination_{};
  bool segmentation_ = false;
  std::vector<iovec> pending_;
  std::vector<mmsghdr> messages_;
  std::vector<Control> controls_;
  std::vector<std::uint32_t> run_lengths_;
  std::uint64_t datagrams_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t send_calls_ = 0;
  std::uint64_t datagrams_failed_ = 0;
  int last_error_ = 0;
};

struct ReceiverOptions {
  LineAddress address;
  std::vector<std::string> sources;  // accept only datagrams from these addresses; empty: from any
  bool source_specific = false;      // join (source, group) with SSM; needs sources
  bool coalescing = true;            // UDP_GRO, where the kernel has it
  int receive_buffer_bytes = 32 << 20;
  int busy_poll_us = 0;     // SO_BUSY_POLL: a look at the socket polls its device so long; 0: off
  bool timestamps = false;  // kernel_time_ns(): costs the kernel a look at the clock for each datagram on this host
};

// Threads: one.
class UdpReceiver {
 public:
  explicit UdpReceiver(const ReceiverOptions& options);

  // Takes what is there, without waiting; calls on_datagram(span) for each datagram, aligned to 8.
  // Returns the number of datagrams, 0 when there was none.
  template <typename OnDatagram>
  std::size_t receive(OnDatagram&& on_datagram) {
    const int received = receive_batch();
    std::size_t datagrams = 0;
    for (int index = 0; index < received; ++index) {
      const Received batch = inspect(static_cast<std::size_t>(index));
      if (!batch.accepted) continue;
      std::size_t offset = 0;
      do {  // an empty datagram is one, too
        const std::size_t length = std::min(batch.segment, batch.length - offset);
        on_datagram(aligned(batch.data + offset, length));
        ++datagrams;
        offset += batch.segment;
      } while (offset < batch.length);
    }
    return datagrams;
  }

  // Within on_datagram: CLOCK_REALTIME at which the kernel had the datagram; 0: timestamps are off, or it did not say.
  std::int64_t kernel_time_ns() const { return kernel_time_ns_; }
  int descriptor() const { return socket_.get(); }
  // Granted by the kernel, as it counts them (twice what was asked for where it allowed all).
  int receive_buffer_bytes() const { return granted_bytes_; }
  // Datagrams that the kernel dropped because the receive buffer was full, as it tells with the next one that it keeps.
  // Where it coalesces, a run of them (up to 64) counts as one.
  std::uint64_t kernel_drops() const { return kernel_drops_; }
  // Datagrams from an address that is not among the sources.
  std::uint64_t foreign_sources() const { return foreign_sources_; }
  std::uint64_t receive_errors() const { return receive_errors_; }
  bool busy_poll_refused() const { return busy_poll_refused_; }

 private:
  static constexpr std::size_t batch_max = 8;
  static constexpr std::size_t buffer_bytes = 65'536;
  static constexpr std::size_t control_bytes = 256;

  struct Received {
    const std::uint8_t* data;
    std::size_t length;
    std::size_t segment;
    bool accepted;
  };
  int receive_batch();
  Received inspect(std::size_t index);
  std::span<const std::uint8_t> aligned(const std::uint8_t* data, std::size_t length);

  FileDescriptor socket_;
  std::vector<in_addr> sources_;
  std::vector<std::uint64_t> buffers_;  // 8-byte words, for their alignment
  std::vector<std::uint64_t> controls_;
  std::vector<std::uint64_t> scratch_;
  std::vector<sockaddr_in> names_;
  std::vector<iovec> vectors_;
  std::vector<mmsghdr> messages_;
  int granted_bytes_ = 0;
  bool busy_poll_refused_ = false;
  std::int64_t kernel_time_ns_ = 0;
  std::uint32_t drops_seen_ = 0;
  std::uint64_t kernel_drops_ = 0;
  std::uint64_t foreign_sources_ = 0;
  std::uint64_t receive_errors_ = 0;
};

}  // namespace depthcast::io

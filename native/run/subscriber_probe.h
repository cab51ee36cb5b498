// What a measurement may watch on a subscriber's receiving thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace depthcast::run {

// Threads: every call comes from the receiving thread; none may throw. Where there is none, each call costs the
// subscriber one comparison, for a look at the sockets or a packet, never for a message.
class SubscriberProbe {
 public:
  virtual ~SubscriberProbe() = default;
  // Once, before everything else.
  virtual void started() = 0;
  // Before each look at the lines.
  virtual void before_receive() = 0;
  // Whether updates are to be delivered from here on; asked after before_receive(), between whole events.
  virtual bool delivers() const = 0;
  // A look at a line has brought something: before the first datagram of it is read.
  virtual void received() = 0;
  // That datagram has been taken; `kernel_ns`: when the kernel had it (CLOCK_REALTIME), 0: unknown. The books went from
  // message `before` to message `after`: where they are the same, it brought nothing.
  virtual void taken(std::size_t line, std::span<const std::uint8_t> datagram, std::int64_t kernel_ns,
                     std::uint64_t before, std::uint64_t after) = 0;
};

}  // namespace depthcast::run

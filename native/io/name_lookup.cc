#include "io/name_lookup.h"

#include <netdb.h>

#include <atomic>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

namespace depthcast::io {

struct NameLookup::Shared {
  std::atomic<bool> done{false};
  std::vector<StreamAddress> found;
};

std::vector<StreamAddress> resolve_stream(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<StreamAddress> addresses;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    StreamAddress address;
    if (at->ai_addrlen > sizeof address.storage) continue;
    address.family = at->ai_family;
    address.length = at->ai_addrlen;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

bool NameLookup::begin() {
  if (shared_ != nullptr) return true;
  auto shared = std::make_shared<Shared>();
  try {
    // Detached: who stops does not wait for it. The addon is linked so that it stays in memory (binding.gyp).
    std::thread([shared, host = host_, port = port_, resolve = resolve_] {
      shared->found = resolve(host, port);
      shared->done.store(true, std::memory_order_release);  // pairs with the load in state()
    }).detach();
  } catch (const std::system_error&) {
    return false;
  }
  shared_ = std::move(shared);
  return true;
}

NameLookup::State NameLookup::state() const {
  if (shared_ == nullptr) return State::idle;
  // Pairs with the store of the thread: what it has found is visible.
  return shared_->done.load(std::memory_order_acquire) ? State::done : State::running;
}

std::vector<StreamAddress> NameLookup::take() {
  if (state() != State::done) return {};
  return std::move(std::exchange(shared_, nullptr)->found);
}

}  // namespace depthcast::io

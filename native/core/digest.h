// The digest of books: docs/protocol.md, "Digest", specifies it and gives test vectors.
// A sum mod 2^64 of one term per live order, so that adding, changing or removing an order is O(1) and order-free.
#pragma once

#include <cstdint>

#include "core/message.h"

namespace depthcast::digest {

// Finalizer of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  x ^= x >> 33;
  return x;
}

// Odd constants: the fractional parts of the square roots of 2, 3, 5, 7, 11, 13, 17, with the lowest bit set.
constexpr std::uint64_t key_instrument = 0x6a09e667f3bcc909ULL;
constexpr std::uint64_t key_price = 0xbb67ae8584caa73bULL;
constexpr std::uint64_t key_order_id = 0x3c6ef372fe94f82bULL;
constexpr std::uint64_t key_quantity = 0xa54ff53a5f1d36f1ULL;
constexpr std::uint64_t key_priority = 0x510e527fade682d1ULL;
constexpr std::uint64_t key_status_instrument = 0x9b05688c2b3e6c1fULL;
constexpr std::uint64_t key_status = 0x1f83d9abfb41bd6bULL;

// The part of an order's term that a change of quantity leaves alone.
constexpr std::uint64_t order_identity(std::uint32_t instrument, Side side, std::int64_t price,
                                       std::uint64_t order_id) {
  const std::uint64_t place = (static_cast<std::uint64_t>(instrument) << 2) | static_cast<std::uint64_t>(side);
  return mix64(place * key_instrument + static_cast<std::uint64_t>(price) * key_price + order_id * key_order_id);
}

constexpr std::uint64_t order_term(std::uint64_t identity, std::uint64_t quantity, std::uint64_t priority) {
  return mix64(identity + quantity * key_quantity + priority * key_priority);
}

// Zero for `unknown`, so that an instrument nobody has said anything about adds nothing.
constexpr std::uint64_t status_term(std::uint32_t instrument, TradingStatus status) {
  if (status == TradingStatus::unknown) return 0;
  return mix64(instrument * key_status_instrument + static_cast<std::uint64_t>(status) * key_status);
}

}  // namespace depthcast::digest

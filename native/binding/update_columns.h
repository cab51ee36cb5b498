// The typed arrays that updates are delivered into: made once in JavaScript, written again and again.
#pragma once

#include <napi.h>

#include <cstdint>

#include "book/replica.h"
#include "core/spsc_ring.h"

namespace depthcast::binding {

class UpdateColumns {
 public:
  // Takes the arrays out of an UpdateColumns object of src/native.ts; they stay referenced. Throws a TypeError.
  void attach(Napi::Env env, const Napi::Value& object);

  // Moves whole events from the ring, at most as many messages as the arrays hold; returns how many.
  // An event longer than the arrays comes in parts.
  std::size_t drain(SpscRing<book::Update>& ring, std::size_t count_max);

 private:
  void write(std::size_t row, const book::Update& update);

  Napi::ObjectReference object_;  // keeps the memory below alive
  std::size_t rows_ = 0;
  std::uint64_t* sequence_ = nullptr;
  std::uint64_t* position_ = nullptr;
  std::int64_t* time_ = nullptr;
  std::uint64_t* order_id_ = nullptr;
  std::int64_t* price_ = nullptr;
  std::uint64_t* quantity_ = nullptr;
  std::uint64_t* detail_ = nullptr;
  std::int64_t* bid_price_ = nullptr;
  std::uint64_t* bid_quantity_ = nullptr;
  std::int64_t* ask_price_ = nullptr;
  std::uint64_t* ask_quantity_ = nullptr;
  std::uint64_t* quantity_2_ = nullptr;
  std::int64_t* price_2_ = nullptr;
  std::int64_t* price_3_ = nullptr;
  std::int64_t* price_4_ = nullptr;
  std::int64_t* price_5_ = nullptr;
  std::uint64_t* digest_ = nullptr;
  std::uint32_t* instrument_ = nullptr;
  std::uint32_t* instrument_sequence_ = nullptr;
  std::uint32_t* code_ = nullptr;
  std::uint16_t* flags_ = nullptr;
  std::uint8_t* kind_ = nullptr;
  std::uint8_t* side_ = nullptr;
};

}  // namespace depthcast::binding

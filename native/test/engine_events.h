// The events of an engine that needs no state: each follows from its number, and all fit the books.
#pragma once

#include <cstdint>
#include <cstring>

#include "include/depthcast/event.h"

namespace depthcast::test {

// 1 defines the instrument; then two orders come and go, over and over.
inline engine::Event engine_event(std::uint64_t number) {
  const auto time_ns = static_cast<std::int64_t>(1'700'000'000'000'000'000 + number * 1'000);
  if (number == 1) return engine::define(time_ns, 7, {"DEPTH", -2, 0, 100, 5}).numbered(1);
  const std::uint64_t turn = number % 4;
  const engine::Event event = turn >= 2
                                  ? engine::add(time_ns, 7, number, turn == 2 ? engine::Side::buy : engine::Side::sell,
                                                static_cast<std::int64_t>(turn == 2 ? 9'900 : 10'100), number % 97 + 1)
                                  : engine::remove(time_ns, 7, number - 2);
  return event.numbered(number);
}

inline bool same(const engine::Event& left, const engine::Event& right) {
  return std::memcmp(&left, &right, sizeof left) == 0;
}

}  // namespace depthcast::test

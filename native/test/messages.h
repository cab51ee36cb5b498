// Book messages as tests write them.
#pragma once

#include <cstdint>

#include "core/message.h"

namespace depthcast::test {

inline BookMessage add(std::uint64_t order_id, std::uint32_t instrument, Side side, std::int64_t price,
                       std::uint64_t quantity) {
  return {order_id, price, quantity, 0, instrument, 0, Kind::add, side, flags::book_affecting};
}
inline BookMessage modify_kept(std::uint64_t order_id, std::uint32_t instrument, Side side, std::int64_t price,
                               std::uint64_t quantity) {
  constexpr auto bits = static_cast<std::uint16_t>(flags::book_affecting | flags::priority_kept);
  return {order_id, price, quantity, 0, instrument, 0, Kind::modify, side, bits};
}
inline BookMessage modify_lost(std::uint64_t order_id, std::uint32_t instrument, Side side, std::int64_t price,
                               std::uint64_t quantity) {
  return {order_id, price, quantity, 0, instrument, 0, Kind::modify, side, flags::book_affecting};
}
inline BookMessage delete_order(std::uint64_t order_id, std::uint32_t instrument, Side side) {
  return {order_id, 0, 0, 0, instrument, 0, Kind::delete_order, side, flags::book_affecting};
}
inline BookMessage execute(std::uint64_t order_id, std::uint32_t instrument, Side side, std::uint64_t quantity) {
  return {order_id, 0, quantity, 0, instrument, 0, Kind::execute, side, flags::book_affecting};
}
inline BookMessage clear(std::uint32_t instrument) {
  return {0, 0, 0, 0, instrument, 0, Kind::clear, Side::none, flags::book_affecting};
}
inline BookMessage status(std::uint32_t instrument, TradingStatus to) {
  return {0, 0, static_cast<std::uint64_t>(to), 0, instrument, 0, Kind::status, Side::none, flags::book_affecting};
}
inline BookMessage reference(std::uint32_t instrument) {
  return {1, 2, 3, 0, instrument, 0, Kind::reference, Side::none, 0};
}

}  // namespace depthcast::test

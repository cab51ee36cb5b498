// Nasdaq TotalView-ITCH 5.0 messages behind a big-endian u16 length. Functions return the end of what they wrote.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace depthcast::ingest::simulated_itch {

struct Stamp {
  std::uint16_t locate;
  std::uint64_t time_ns;  // since midnight
};

// Big-endian. Two stores for six bytes, else one: a loop over the bytes is not always merged.
template <int byte_count>
inline std::uint8_t* put(std::uint8_t* out, std::uint64_t value) {
  if constexpr (byte_count == 6) {
    return put<4>(put<2>(out, value >> 32), value);
  } else if constexpr (std::endian::native == std::endian::little) {
    const std::uint64_t swapped = __builtin_bswap64(value << (64 - 8 * byte_count));
    std::memcpy(out, &swapped, byte_count);
    return out + byte_count;
  } else {
    for (int i = 0; i < byte_count; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * (byte_count - 1 - i)));
    return out + byte_count;
  }
}

inline std::uint8_t* put_text(std::uint8_t* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

inline std::uint8_t* put_name(std::uint8_t* out, const std::array<char, 8>& name) {
  std::memcpy(out, name.data(), name.size());
  return out + name.size();
}

// Length, type, locate, tracking number (2 on what the matching engine reports, 0 on what participants did, as in real
// files) and time: 13 bytes.
inline std::uint8_t* put_header(std::uint8_t* out, std::uint16_t length, char type, Stamp stamp,
                                std::uint16_t tracking) {
  out = put<2>(out, length);
  out = put<1>(out, static_cast<std::uint8_t>(type));
  out = put<2>(out, stamp.locate);
  out = put<2>(out, tracking);
  return put<6>(out, stamp.time_ns);
}

inline std::uint8_t* system_event(std::uint8_t* out, std::uint64_t time_ns, char event) {
  return put<1>(put_header(out, 12, 'S', {0, time_ns}, 0), static_cast<std::uint8_t>(event));
}

inline std::uint8_t* stock_directory(std::uint8_t* out, Stamp stamp, const std::array<char, 8>& name) {
  out = put_name(put_header(out, 39, 'R', stamp, 0), name);
  out = put_text(out, "QN");  // Nasdaq Global Select Market, normal financial status
  out = put<4>(out, 100);     // round lot
  out = put_text(out,
                 "NCZ PNN1N");  // odd lots allowed, common stock, production, no short-sale test, LULD tier 1, no ETP
  return put_text(put<4>(out, 0), "N");  // no leverage, not inverse
}

inline std::uint8_t* trading_action(std::uint8_t* out, Stamp stamp, const std::array<char, 8>& name, char state,
                                    std::string_view reason) {
  out = put_name(put_header(out, 25, 'H', stamp, 0), name);
  return put_text(put<1>(put<1>(out, static_cast<std::uint8_t>(state)), ' '), reason);
}

inline std::uint8_t* add_order(std::uint8_t* out, Stamp stamp, std::uint64_t reference, bool buy, std::uint32_t shares,
                               const std::array<char, 8>& name, std::uint32_t price) {
  out = put<8>(put_header(out, 36, 'A', stamp, 0), reference);
  out = put<4>(put<1>(out, buy ? 'B' : 'S'), shares);
  return put<4>(put_name(out, name), price);
}

inline std::uint8_t* attributed_order(std::uint8_t* out, Stamp stamp, std::uint64_t reference, bool buy,
                                      std::uint32_t shares, const std::array<char, 8>& name, std::uint32_t price,
                                      std::string_view participant) {
  out = put<8>(put_header(out, 40, 'F', stamp, 0), reference);
  out = put<4>(put<1>(out, buy ? 'B' : 'S'), shares);
  return put_text(put<4>(put_name(out, name), price), participant);
}

inline std::uint8_t* execution(std::uint8_t* out, Stamp stamp, std::uint64_t reference, std::uint32_t shares,
                               std::uint64_t match) {
  return put<8>(put<4>(put<8>(put_header(out, 31, 'E', stamp, 2), reference), shares), match);
}

inline std::uint8_t* execution_with_price(std::uint8_t* out, Stamp stamp, std::uint64_t reference, std::uint32_t shares,
                                          std::uint64_t match, bool printable, std::uint32_t price) {
  out = put<8>(put<4>(put<8>(put_header(out, 36, 'C', stamp, 2), reference), shares), match);
  return put<4>(put<1>(out, printable ? 'Y' : 'N'), price);
}

inline std::uint8_t* cancel(std::uint8_t* out, Stamp stamp, std::uint64_t reference, std::uint32_t shares) {
  return put<4>(put<8>(put_header(out, 23, 'X', stamp, 0), reference), shares);
}

inline std::uint8_t* delete_order(std::uint8_t* out, Stamp stamp, std::uint64_t reference) {
  return put<8>(put_header(out, 19, 'D', stamp, 0), reference);
}

inline std::uint8_t* replace(std::uint8_t* out, Stamp stamp, std::uint64_t reference, std::uint64_t new_reference,
                             std::uint32_t shares, std::uint32_t price) {
  out = put<8>(put<8>(put_header(out, 35, 'U', stamp, 0), reference), new_reference);
  return put<4>(put<4>(out, shares), price);
}

// Since 2014 the reference is 0 and the side B, whatever they were.
inline std::uint8_t* trade(std::uint8_t* out, Stamp stamp, std::uint32_t shares, const std::array<char, 8>& name,
                           std::uint32_t price, std::uint64_t match) {
  out = put<4>(put<1>(put<8>(put_header(out, 44, 'P', stamp, 2), 0), 'B'), shares);
  return put<8>(put<4>(put_name(out, name), price), match);
}

inline std::uint8_t* cross_trade(std::uint8_t* out, Stamp stamp, std::uint64_t shares, const std::array<char, 8>& name,
                                 std::uint32_t price, std::uint64_t match, char cross) {
  out = put_name(put<8>(put_header(out, 40, 'Q', stamp, 2), shares), name);
  return put<1>(put<8>(put<4>(out, price), match), static_cast<std::uint8_t>(cross));
}

struct Imbalance {
  std::uint64_t paired_shares;
  std::uint64_t imbalance_shares;
  char direction;       // B, S, N (none) or O (too few orders)
  std::uint32_t price;  // far, near and reference price alike
  char cross;
};

inline std::uint8_t* imbalance(std::uint8_t* out, Stamp stamp, const std::array<char, 8>& name,
                               const Imbalance& auction) {
  out = put<8>(put_header(out, 50, 'I', stamp, 0), auction.paired_shares);
  out = put<1>(put<8>(out, auction.imbalance_shares), static_cast<std::uint8_t>(auction.direction));
  out = put<4>(put<4>(put<4>(put_name(out, name), auction.price), auction.price), auction.price);
  return put<1>(put<1>(out, static_cast<std::uint8_t>(auction.cross)), 'L');  // far within 1 % of the reference price
}

}  // namespace depthcast::ingest::simulated_itch

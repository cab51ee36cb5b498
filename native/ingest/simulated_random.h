// Random numbers of the simulated exchange: integers only, so that a seed yields the same flow everywhere.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace depthcast::ingest {

// xoshiro256**: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM Transactions on
// Mathematical Software 47(4), 2021. Seeded by SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014.
class SimulatedRandom {
 public:
  explicit SimulatedRandom(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

// 0 … count-1 out of the upper 32 bits of `bits`; the bias is below count / 2^32.
constexpr std::uint32_t scaled(std::uint64_t bits, std::uint32_t count) {
  return static_cast<std::uint32_t>(((bits >> 32) * count) >> 32);
}

// The `width` bits of `bits` from bit `first` on: independent small draws out of one number.
constexpr std::uint32_t bit_field(std::uint64_t bits, unsigned first, unsigned width) {
  return static_cast<std::uint32_t>((bits >> first) & ((std::uint64_t{1} << width) - 1));
}

}  // namespace depthcast::ingest

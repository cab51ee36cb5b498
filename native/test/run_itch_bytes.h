// Streams of length-prefixed messages for the tests of run/, and sources that
// give them out in awkward pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "run/byte_source.h"
#include "test/random.h"

namespace depthcast::test {

using Bytes = std::vector<std::uint8_t>;

inline void append_message(Bytes& stream, std::span<const std::uint8_t> message) {
  stream.push_back(static_cast<std::uint8_t>(message.size() >> 8));
  stream.push_back(static_cast<std::uint8_t>(message.size() & 0xff));
  stream.insert(stream.end(), message.begin(), message.end());
}

// Gives out `bytes`, at most `piece_max` at a time (a random part of that where
// a seed is given); after the last one says that the end has come, or the
// error.
class PieceSource final : public run::ByteSource {
 public:
  explicit PieceSource(Bytes bytes, std::size_t piece_max = ~std::size_t{0}, std::uint64_t seed = 0,
                       std::string error = {})
      : bytes_(std::move(bytes)), piece_max_(piece_max), seeded_(seed != 0), random_(seed), error_(std::move(error)) {}

  std::size_t read(std::span<std::uint8_t> out, const std::atomic<bool>& stop, std::string& error) override {
    if (stop.load(std::memory_order_acquire)) return 0;
    if (taken_ == bytes_.size()) {
      error = error_;
      return 0;
    }
    std::size_t piece = std::min({piece_max_, out.size(), bytes_.size() - taken_});
    if (seeded_) piece = static_cast<std::size_t>(random_.between(1, piece));
    std::memcpy(out.data(), bytes_.data() + taken_, piece);
    taken_ += piece;
    return piece;
  }
  std::size_t taken() const { return taken_; }

 private:
  Bytes bytes_;
  std::size_t piece_max_;
  bool seeded_;
  Random random_;
  std::string error_;
  std::size_t taken_ = 0;
};

}  // namespace depthcast::test

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/memory.h"
#include "core/word_copy.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

struct alignas(64) Line {
  std::uint64_t words[8];
};

TEST(fixedArrayIsZeroedAndAligned) {
  for (const bool prefault : {false, true}) {
    FixedArray<Line> lines(100'000, prefault);
    CHECK_EQUAL(lines.size(), 100'000U);
    CHECK(lines.bytes() >= lines.size() * sizeof(Line));
    CHECK_EQUAL(reinterpret_cast<std::uintptr_t>(lines.data()) % huge_page, 0U);
    std::uint64_t sum = 0;
    for (std::size_t index = 0; index < lines.size(); ++index) sum += lines[index].words[7];
    CHECK_EQUAL(sum, 0U);
    lines[99'999].words[7] = 5;
    FixedArray<Line> moved(std::move(lines));
    CHECK_EQUAL(moved[99'999].words[7], 5U);
  }
}

TEST(fixedArrayOfNothingHasNoMemory) {
  FixedArray<Line> none(0, true);
  CHECK_EQUAL(none.size(), 0U);
  CHECK_EQUAL(none.bytes(), 0U);
  CHECK(none.data() == nullptr);
}

TEST(wordCopyGivesBackEveryLength) {
  std::array<std::uint8_t, 64> source{};
  for (std::size_t index = 0; index < source.size(); ++index) source[index] = static_cast<std::uint8_t>(index + 1);
  for (std::size_t length = 0; length <= source.size(); ++length) {
    std::vector<Word> words(9);
    for (Word& word : words) word.store(0xeeeeeeeeeeeeeeeeULL);
    store_words(words.data(), source.data(), length);
    std::vector<std::uint8_t> back(words_for(length) * 8 + 1, 0x77);
    load_words(back.data(), words.data(), length);
    for (std::size_t index = 0; index < length; ++index) REQUIRE_EQUAL(back[index], source[index]);
    // The last word is filled up with zeros, and what follows is left alone.
    for (std::size_t index = length; index < words_for(length) * 8; ++index) REQUIRE_EQUAL(back[index], 0);
    REQUIRE_EQUAL(back.back(), 0x77);
    REQUIRE_EQUAL(words[words_for(length)].load(), 0xeeeeeeeeeeeeeeeeULL);
  }
}

}  // namespace
}  // namespace depthcast::test

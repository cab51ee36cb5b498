// Copies between private memory and memory that one thread writes while others read: word by word through
// std::atomic, so that a racing copy is defined behaviour and ThreadSanitizer sees it.
//
// The order comes from the words themselves instead of from fences (which ThreadSanitizer does not model):
// a word stored here is not visible before what the writer stored earlier (release), and what a reader loads after
// the copy is not older than the words it copied (acquire). On x64 both are plain moves.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace depthcast {

using Word = std::atomic<std::uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free);

constexpr std::size_t words_for(std::size_t bytes) { return (bytes + 7) / 8; }

// Stores `size` bytes; the last word is filled up with zeros. Writer thread only.
inline void store_words(Word* to, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  const std::size_t whole = size / 8;
  for (std::size_t index = 0; index < whole; ++index) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + index * 8, 8);
    to[index].store(word, std::memory_order_release);  // pairs with load_words
  }
  if (size % 8 != 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + whole * 8, size % 8);
    to[whole].store(word, std::memory_order_release);  // pairs with load_words
  }
}

// Loads whole words for `size` bytes: `to` must have room for words_for(size) * 8 bytes. Any thread.
inline void load_words(void* to, const Word* from, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(to);
  const std::size_t count = words_for(size);
  for (std::size_t index = 0; index < count; ++index) {
    const std::uint64_t word = from[index].load(std::memory_order_acquire);  // pairs with store_words
    std::memcpy(bytes + index * 8, &word, 8);
  }
}

}  // namespace depthcast

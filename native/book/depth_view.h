// The best N levels of every book, kept by one writer, read by any thread: one whole state with its sequence,
// never half an event, never a torn level. A seqlock for each instrument (Boehm, "Can seqlocks get along with
// programming language memory models?", MSPC 2012); the words order themselves, see core/word_copy.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/memory.h"
#include "core/message.h"
#include "core/word_copy.h"

namespace depthcast::book {

struct DepthLevel {
  std::int64_t price;
  std::uint64_t quantity;
  std::uint64_t orders;
};

constexpr std::uint32_t depth_levels_max = 64;

struct Depth {
  std::uint64_t sequence = 0;  // the last message of the event whose end this state is
  std::int64_t event_time_ns = 0;
  std::uint32_t instrument_sequence = 0;
  TradingStatus status = TradingStatus::unknown;
  std::uint32_t counts[2] = {0, 0};  // bids, asks
  DepthLevel levels[2][depth_levels_max];
};

enum class DepthRead : std::uint8_t { ok, busy, writer_dead, unknown_instrument };

// How a writer or a reader orders its accesses. `Ordered` is what ships. The others do, explicitly, what the
// hardware or the compiler would be free to do without the ordering; the tests prove that this is noticed.
enum class ViewOrder : std::uint8_t { ordered, mark_after_data, recheck_before_copy };

class DepthViews {
 public:
  // `levels` of 0 keeps no views. Slots for instruments 0 … instruments_max.
  DepthViews(std::uint32_t instruments_max, std::uint32_t levels, bool prefault);

  std::uint32_t levels() const { return levels_; }

  // --- The writer's side: one thread. open … close brackets every change of one instrument.
  template <ViewOrder order = ViewOrder::ordered>
  void open(std::uint32_t instrument) {
    if constexpr (order == ViewOrder::ordered) mark_odd(instrument);
  }
  template <ViewOrder order = ViewOrder::ordered>
  void close(std::uint32_t instrument) {
    if constexpr (order == ViewOrder::mark_after_data) mark_odd(instrument);
    Word& version = slot(instrument)[word_version];
    // Pairs with the first load in read(): everything stored since open() is visible.
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void set_header(std::uint32_t instrument, std::uint64_t sequence, std::int64_t event_time_ns,
                  std::uint32_t instrument_sequence, TradingStatus status) {
    Word* words = slot(instrument);
    // Data words: pair with the loads in copy_out().
    words[word_sequence].store(sequence, std::memory_order_release);
    words[word_time].store(static_cast<std::uint64_t>(event_time_ns), std::memory_order_release);
    words[word_state].store(instrument_sequence | static_cast<std::uint64_t>(status) << 32, std::memory_order_release);
  }
  // The level at that place of the window, from 0.
  void put(std::uint32_t instrument, Side side, std::uint32_t place, const DepthLevel& level) {
    Word* words = level_words(instrument, side, place);
    // Data words: pair with the loads in copy_out().
    words[0].store(static_cast<std::uint64_t>(level.price), std::memory_order_release);
    words[1].store(level.quantity, std::memory_order_release);
    words[2].store(level.orders, std::memory_order_release);
  }
  void set_counts(std::uint32_t instrument, std::uint32_t bids, std::uint32_t asks) {
    // Data word: pairs with the load in copy_out().
    slot(instrument)[word_counts].store(bids | std::uint64_t{asks} << 32, std::memory_order_release);
  }
  void writer_stopped() {
    // Pairs with the load in read() after its retries are used up.
    writer_stopped_.store(true, std::memory_order_release);
  }

  // --- Any thread. Copies at most `levels_wanted` levels of each side. Retries a bounded number of times.
  // `retries`, if not null, is increased by the attempts that had to be repeated.
  template <ViewOrder order = ViewOrder::ordered>
  DepthRead read(std::uint32_t instrument, std::uint32_t levels_wanted, Depth& out,
                 std::uint64_t* retries = nullptr) const;

  void prefetch(std::uint32_t instrument) const {
    const Word* words = slot(instrument);
    for (std::size_t word = 0; word < stride_; word += cache_line / sizeof(Word)) prefetch_line_to_write(words + word);
  }

  std::size_t bytes() const { return words_.bytes(); }

 private:
  // Words of one slot: version, sequence, time, instrument sequence | status, counts; then for each side
  // `levels_` triples of price, quantity, orders.
  static constexpr std::size_t word_version = 0;
  static constexpr std::size_t word_sequence = 1;
  static constexpr std::size_t word_time = 2;
  static constexpr std::size_t word_state = 3;
  static constexpr std::size_t word_counts = 4;
  static constexpr std::size_t words_header = 8;
  static constexpr std::size_t words_level = 3;

  Word* slot(std::uint32_t instrument) { return words_.data() + instrument * stride_; }
  const Word* slot(std::uint32_t instrument) const { return words_.data() + instrument * stride_; }
  Word* level_words(std::uint32_t instrument, Side side, std::uint32_t rank) {
    // By multiplication: which side comes next cannot be predicted.
    return slot(instrument) + words_header + (levels_ * std::uint32_t{side == Side::ask} + rank) * words_level;
  }
  const Word* level_words(std::uint32_t instrument, Side side, std::uint32_t rank) const {
    return const_cast<DepthViews*>(this)->level_words(instrument, side, rank);
  }
  void mark_odd(std::uint32_t instrument) {
    Word& version = slot(instrument)[word_version];
    // Pairs with the last load in read(): the data words stored after this carry it along by their own release.
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // Pairs with the writer's store of the same word: what is loaded after it is not older.
  static std::uint64_t load_word(const Word& word) { return word.load(std::memory_order_acquire); }
  void copy_out(std::uint32_t instrument, std::uint32_t levels_wanted, Depth& out) const;

  static constexpr int attempts_max = 256;

  std::uint32_t instruments_max_;
  std::uint32_t levels_;
  std::size_t stride_;
  // std::atomic is not trivially copyable, so the words live in raw storage that the constructor maps.
  class WordArray {
   public:
    WordArray(std::size_t count, bool prefault) : storage_(count, prefault) {}
    Word* data() { return reinterpret_cast<Word*>(storage_.data()); }
    const Word* data() const { return reinterpret_cast<const Word*>(storage_.data()); }
    std::size_t bytes() const { return storage_.bytes(); }

   private:
    FixedArray<std::uint64_t> storage_;
  } words_;
  std::atomic<bool> writer_stopped_{false};
};

template <ViewOrder order>
DepthRead DepthViews::read(std::uint32_t instrument, std::uint32_t levels_wanted, Depth& out,
                           std::uint64_t* retries) const {
  if (instrument > instruments_max_ || levels_ == 0) return DepthRead::unknown_instrument;
  const Word& version = slot(instrument)[word_version];
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    // Pairs with the store in close(): an even version shows the whole state stored before it.
    const std::uint64_t before = version.load(std::memory_order_acquire);
    if ((before & 1U) == 0) {
      if constexpr (order == ViewOrder::recheck_before_copy) {
        const std::uint64_t after = version.load(std::memory_order_relaxed);
        copy_out(instrument, levels_wanted, out);
        if (before == after) return DepthRead::ok;
      } else {
        copy_out(instrument, levels_wanted, out);
        // Pairs with the store in mark_odd(): the words were loaded with acquire, so this load cannot be older than
        // they are, and a word of a later change brings its odd version along.
        if (version.load(std::memory_order_relaxed) == before) return DepthRead::ok;
      }
    }
    if (retries != nullptr) ++*retries;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  // Pairs with the store in writer_stopped().
  return writer_stopped_.load(std::memory_order_acquire) ? DepthRead::writer_dead : DepthRead::busy;
}

}  // namespace depthcast::book

// Fixed-size arrays that are allocated once at start: no allocation, and with `prefault` no page fault, on the path.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace depthcast {

constexpr std::size_t cache_line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;

// While one that is wanted stands on a thread, what is made there with `prefault` is also locked into memory. (Not all
// of the process by mlockall(): V8 gives pages back in a way that fails for locked ones, and then ends the process.)
// Threads: made and ended by one; a refusal costs nothing but the lock.
class MemoryLock {
 public:
  explicit MemoryLock(bool wanted) : wanted_(wanted), before_(current_) { current_ = this; }
  ~MemoryLock() { end(); }
  MemoryLock(const MemoryLock&) = delete;
  MemoryLock& operator=(const MemoryLock&) = delete;

  // What is made from now on is not its business.
  void end() {
    if (current_ == this) current_ = before_;
  }
  static void lock(const void* data, std::size_t bytes) {
    if (current_ == nullptr || !current_->wanted_) return;
    if (mlock(data, bytes) == 0) {
      current_->bytes_ += bytes;
    } else {
      current_->error_ = errno;
    }
  }
  std::size_t bytes() const { return bytes_; }
  // errno of the last refusal; 0: none.
  int error() const { return error_; }

 private:
  inline static thread_local MemoryLock* current_ = nullptr;
  bool wanted_;
  MemoryLock* before_;
  std::size_t bytes_ = 0;
  int error_ = 0;
};

// Fetches a cache line ahead of its use; any address will do. Not the compiler's own name for it alone: GCC takes a
// function that does nothing else for one without effect, and leaves calls of it out. An empty statement that counts as
// an effect prevents that.
[[gnu::always_inline]] inline void prefetch_line(const void* address) {
  __builtin_prefetch(address);
  asm volatile("");
}
[[gnu::always_inline]] inline void prefetch_line_to_write(const void* address) {
  __builtin_prefetch(address, 1);
  asm volatile("");
}

// Zeroed memory of `count` trivially copyable elements. Throws std::bad_alloc when it cannot be had.
template <typename T>
class FixedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  FixedArray() = default;
  FixedArray(std::size_t count, bool prefault) : size_(count) {
    const std::size_t unit = count * sizeof(T) >= huge_page ? huge_page : cache_line;
    bytes_ = (count * sizeof(T) + unit - 1) / unit * unit;
    if (bytes_ == 0) return;
    void* memory = mmap(nullptr, bytes_ + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = memory;
    mapped_ = bytes_ + unit;
    const auto address = (reinterpret_cast<std::size_t>(memory) + unit - 1) / unit * unit;
    data_ = reinterpret_cast<T*>(address);
    // Fewer TLB misses where the kernel allows it; a refusal costs nothing but speed.
    if (unit == huge_page) static_cast<void>(madvise(data_, bytes_, MADV_HUGEPAGE));
    if (!prefault) return;
    std::memset(static_cast<void*>(data_), 0, bytes_);
    MemoryLock::lock(data_, bytes_);
  }
  FixedArray(FixedArray&& other) noexcept { swap(other); }
  FixedArray& operator=(FixedArray&& other) noexcept {
    swap(other);
    return *this;
  }
  FixedArray(const FixedArray&) = delete;
  FixedArray& operator=(const FixedArray&) = delete;
  ~FixedArray() {
    if (mapping_ != nullptr) munmap(mapping_, mapped_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }

 private:
  void swap(FixedArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(mapping_, other.mapping_);
    std::swap(mapped_, other.mapped_);
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
  }

  T* data_ = nullptr;
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace depthcast

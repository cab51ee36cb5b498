#include "test/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace depthcast::test {
namespace {

// A figure only: pairs with nothing.
std::atomic<std::uint64_t> count{0};
constinit thread_local std::uint64_t count_of_thread = 0;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* allocate(std::size_t size, std::size_t alignment) {
  count.fetch_add(1, std::memory_order_relaxed);
#if !defined(__GLIBC__)
  ++count_of_thread;
#endif
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
#endif

}  // namespace

std::uint64_t allocations() { return count.load(std::memory_order_relaxed); }
std::uint64_t thread_allocations() { return count_of_thread; }

}  // namespace depthcast::test

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__GLIBC__)
// glibc's own, under the names by which whoever replaces malloc finds them.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-inconsistent-declaration-parameter-name)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++depthcast::test::count_of_thread;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++depthcast::test::count_of_thread;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++depthcast::test::count_of_thread;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++depthcast::test::count_of_thread;
  return __libc_memalign(alignment, size);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-inconsistent-declaration-parameter-name)
#endif
// The other forms of new and delete call these.
void* operator new(std::size_t size) { return depthcast::test::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return depthcast::test::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

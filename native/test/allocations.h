// Counts calls of operator new and of malloc in this executable: what claims not to allocate is held to it.
#pragma once

#include <cstdint>

namespace depthcast::test {

// Since start, over all threads. Always 0 under a sanitizer, which brings its own operator new.
std::uint64_t allocations();
// Of the calling thread, malloc and its kin included (those of glibc: elsewhere operator new alone).
std::uint64_t thread_allocations();

}  // namespace depthcast::test

// Counts calls of operator new in this executable: what claims not to allocate is held to it.
#pragma once

#include <cstdint>

namespace depthcast::test {

// Since start, over all threads. Always 0 under a sanitizer, which brings its own operator new.
std::uint64_t allocations();

}  // namespace depthcast::test

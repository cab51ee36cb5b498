// Recomputes from the orders themselves what a Book keeps incrementally. Slow, for tests and operators.
#pragma once

#include <cstdint>
#include <string>

#include "book/book.h"

namespace depthcast::book {

struct AuditResult {
  std::uint64_t digest = 0;  // recomputed
  std::uint64_t live_orders = 0;
  std::uint64_t levels = 0;
  std::string fault;  // the first contradiction found; empty when there is none
};

// Walks every level of every instrument: order of levels and of queues, totals, counts, order table, digests.
// Threads: the book's writer. Allocates only to report a fault.
AuditResult audit(const Book& book);

// The depth view of one instrument against the levels; empty when they agree.
std::string audit_view(const Book& book, std::uint32_t instrument);

}  // namespace depthcast::book

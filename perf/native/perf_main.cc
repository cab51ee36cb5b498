// depthcast_perf NAME [--option value]…: prints one JSON object per run. `npm run perf -- NAME` runs it and takes
// medians.
#include <cstdio>
#include <cstring>
#include <exception>

#include "perf_support.h"

int main(int count, char** arguments) {
  using namespace depthcast::perf;
  constexpr struct {
    const char* name;
    int (*run)(Options&);
  } programs[] = {{"book_memory", book_memory},
                  {"book_replay", book_replay},
                  {"core_round_trip", core_round_trip},
                  {"packet_encode", packet_encode},
                  {"ring_broadcast", ring_broadcast},
                  {"snapshot_take", snapshot_take},
                  {"gateway_snapshot", gateway_snapshot},
                  {"live_listen", live_listen},
                  {"feed_line", feed_line},
                  {"ring_feed", ring_feed},
                  {"websocket_load", websocket_load},
                  {"websocket_write", websocket_write},
                  {"publisher_push", publisher_push},
                  {"core_load", core_load}};
  try {
    for (const auto& program : programs) {
      if (count < 2 || std::strcmp(arguments[1], program.name) != 0) continue;
      Options options(count - 2, arguments + 2);
      return program.run(options);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "depthcast_perf: %s\n", error.what());
    return 2;
  }
  std::fprintf(stderr,
               "depthcast_perf: expected book_memory, book_replay, core_round_trip, packet_encode, ring_broadcast, "
               "snapshot_take, gateway_snapshot, live_listen, feed_line, ring_feed, websocket_load, websocket_write, "
               "publisher_push or core_load\n");
  return 2;
}

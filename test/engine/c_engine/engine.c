/* The smallest engine in C: defines an instrument, enters two orders, trades part of one, and ends. */
#include <stdio.h>

#include <depthcast/publisher_c.h>

int main(int count, char** arguments) {
  char error[256] = "";
  const int64_t now_ns = 1700000000000000000;
  depthcast_publisher* publisher;
  depthcast_event events[5];
  size_t index;
  if (count != 2) return 2;
  publisher = depthcast_publisher_open(arguments[1], 1024, 0, error, sizeof error);
  if (publisher == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  events[0] = depthcast_define(now_ns, 3, "CLANG", -2, 0, 100, 1);
  events[1] = depthcast_add(now_ns, 3, 1, DEPTHCAST_BUY, 9990, 100);
  events[2] = depthcast_add(now_ns, 3, 2, DEPTHCAST_SELL, 10010, 200);
  events[3] = depthcast_execute(now_ns, 3, 2, 50, 1);
  events[4] = depthcast_remove(now_ns, 3, 1);
  for (index = 0; index < 5; ++index) {
    const int status = depthcast_publisher_stage(publisher, &events[index]);
    if (status != DEPTHCAST_OK) {
      fprintf(stderr, "%s\n", depthcast_push_status_name(status));
      return 1;
    }
  }
  depthcast_publisher_publish(publisher);
  events[0].quantity = 0;
  printf("%s %d\n", depthcast_push_status_name(depthcast_publisher_try_push(publisher, &events[0])),
         (int)depthcast_publisher_last(publisher));
  depthcast_publisher_end(publisher);
  depthcast_publisher_close(publisher);
  return 0;
}

/* depthcast: publisher.h for C11 and for whatever calls C. One small library: libdepthcast_publisher.a, which the
 * package builds, or the CMake target depthcast::publisher_c. The protocol between the two sides is thus written once.
 */
#ifndef DEPTHCAST_PUBLISHER_C_H
#define DEPTHCAST_PUBLISHER_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers are those of event.h. */
enum depthcast_kind {
  DEPTHCAST_ADD = 1,
  DEPTHCAST_EXECUTE = 2,
  DEPTHCAST_REDUCE = 3,
  DEPTHCAST_REMOVE = 4,
  DEPTHCAST_REPLACE = 5,
  DEPTHCAST_STATUS = 6,
  DEPTHCAST_TRADE = 7,
  DEPTHCAST_CROSS = 8,
  DEPTHCAST_AUCTION = 9,
  DEPTHCAST_TRADE_BREAK = 10,
  DEPTHCAST_DEFINITION = 11,
  DEPTHCAST_SYSTEM = 12,
  DEPTHCAST_DELIST = 13,
  DEPTHCAST_CLEAR = 14,
  DEPTHCAST_LIMITS = 15,    /* price: the lowest; detail: the highest, as two's complement */
  DEPTHCAST_REFERENCE = 16, /* side: which one, 1 to 8; order_id, price, quantity: its values */
  DEPTHCAST_PRICE_DISCOVERY = 17,
  DEPTHCAST_RETAIL_INTEREST = 18,
  DEPTHCAST_FIELDS = 19 /* see depthcast_fields() */
};
enum depthcast_side { DEPTHCAST_NO_SIDE = 0, DEPTHCAST_BUY = 1, DEPTHCAST_SELL = 2 };
enum depthcast_flags {
  DEPTHCAST_HAS_DETAIL = 1,
  DEPTHCAST_NOT_PRINTABLE = 2,
  DEPTHCAST_AT_PRICE = 4,
  DEPTHCAST_GOES_ON = 8,
  DEPTHCAST_HAS_FIELDS = 16
};
enum depthcast_push_status {
  DEPTHCAST_OK = 0,
  DEPTHCAST_FULL = 1,
  DEPTHCAST_REPEATED = 2,
  DEPTHCAST_HOLE = 3,
  DEPTHCAST_MALFORMED = 4,
  DEPTHCAST_ENDED = 5,
  DEPTHCAST_BROKEN = 6
};

/* Fields and kinds as in event.h. */
typedef struct depthcast_event {
  uint64_t number; /* the engine's own, from 1 without holes; 0: the next one */
  int64_t time_ns; /* CLOCK_REALTIME */
  uint64_t order_id;
  uint64_t detail;
  int64_t price;
  uint64_t quantity;
  uint32_t instrument;
  uint8_t kind;
  uint8_t side;
  uint8_t flags;
  uint8_t reserved;
  uint64_t extra;
} depthcast_event;

typedef struct depthcast_publisher depthcast_publisher;

/* As the constructor of Publisher. `slots` 0: the default. NULL where it fails: then `error`, of `error_bytes`, says
 * why. */
depthcast_publisher* depthcast_publisher_open(const char* path, uint64_t slots, int fresh, char* error,
                                              size_t error_bytes);
/* Gives the ring to the next writer. NULL is allowed. */
void depthcast_publisher_close(depthcast_publisher* publisher);

/* As try_push, stage, publish, discard and end of Publisher. One thread; none of them waits. */
int depthcast_publisher_try_push(depthcast_publisher* publisher, const depthcast_event* event);
int depthcast_publisher_stage(depthcast_publisher* publisher, const depthcast_event* event);
void depthcast_publisher_publish(depthcast_publisher* publisher);
void depthcast_publisher_discard(depthcast_publisher* publisher);
void depthcast_publisher_end(depthcast_publisher* publisher);

uint64_t depthcast_publisher_last(const depthcast_publisher* publisher);
uint64_t depthcast_publisher_next(const depthcast_publisher* publisher);
uint64_t depthcast_publisher_committed(const depthcast_publisher* publisher);
uint64_t depthcast_publisher_room(const depthcast_publisher* publisher);
const char* depthcast_push_status_name(int status);

/* Events that need no thought; the rest is filled in by field. */
static inline depthcast_event depthcast_add(int64_t time_ns, uint32_t instrument, uint64_t order_id, uint8_t side,
                                            int64_t price, uint64_t quantity) {
  depthcast_event event = {0, time_ns, order_id, 0, price, quantity, instrument, DEPTHCAST_ADD, side, 0, 0, 0};
  return event;
}
static inline depthcast_event depthcast_execute(int64_t time_ns, uint32_t instrument, uint64_t order_id,
                                                uint64_t quantity, uint64_t match_id) {
  depthcast_event event = {0,        time_ns,    order_id,          match_id,          0,
                           quantity, instrument, DEPTHCAST_EXECUTE, DEPTHCAST_NO_SIDE, DEPTHCAST_HAS_DETAIL,
                           0,        0};
  return event;
}
static inline depthcast_event depthcast_remove(int64_t time_ns, uint32_t instrument, uint64_t order_id) {
  depthcast_event event = {0, time_ns, order_id, 0, 0, 0, instrument, DEPTHCAST_REMOVE, DEPTHCAST_NO_SIDE, 0, 0, 0};
  return event;
}
/* From which price to which orders may stand from now on; 0 and 0: anywhere. */
static inline depthcast_event depthcast_limits(int64_t time_ns, uint32_t instrument, int64_t price_low,
                                               int64_t price_high) {
  depthcast_event event = {
      0, time_ns, 0, (uint64_t)price_high, price_low, 0, instrument, DEPTHCAST_LIMITS, DEPTHCAST_NO_SIDE, 0, 0, 0};
  return event;
}
/* The slot behind an event of trades and auctions with DEPTHCAST_HAS_FIELDS: as TradeFields of event.h. Stage both,
 * then publish. */
static inline depthcast_event depthcast_fields(int64_t time_ns, uint32_t instrument, uint64_t quantity_2,
                                               int64_t price_2, int64_t price_3, int64_t price_4, int64_t price_5) {
  depthcast_event event = {0,
                           time_ns,
                           quantity_2,
                           (uint64_t)price_3,
                           price_2,
                           (uint64_t)price_4,
                           instrument,
                           DEPTHCAST_FIELDS,
                           DEPTHCAST_NO_SIDE,
                           0,
                           0,
                           (uint64_t)price_5};
  return event;
}
/* `symbol`: 1 to 16 printable characters without spaces count. `tick` 0: not told. */
depthcast_event depthcast_define(int64_t time_ns, uint32_t instrument, const char* symbol, int8_t price_exponent,
                                 int8_t quantity_exponent, uint32_t lot_size, int64_t tick);

#ifdef __cplusplus
}
#endif

#endif

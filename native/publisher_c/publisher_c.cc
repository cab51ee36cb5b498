#include "../include/depthcast/publisher_c.h"

#include <bit>
#include <cstdio>
#include <exception>
#include <memory>

#include "../include/depthcast/publisher.h"

namespace engine = depthcast::engine;

struct depthcast_publisher {
  depthcast_publisher(const char* path, const engine::PublisherOptions& options) : publisher(path, options) {}
  engine::Publisher publisher;
};

namespace {

static_assert(sizeof(depthcast_event) == sizeof(engine::Event) &&
              offsetof(depthcast_event, instrument) == offsetof(engine::Event, instrument) &&
              offsetof(depthcast_event, extra) == offsetof(engine::Event, extra));
static_assert(DEPTHCAST_FIELDS + 1 == engine::event_kinds &&
              DEPTHCAST_FIELDS == static_cast<int>(engine::EventKind::fields) &&
              DEPTHCAST_HAS_FIELDS == engine::has_fields &&
              DEPTHCAST_SYSTEM == static_cast<int>(engine::EventKind::system) &&
              DEPTHCAST_SELL == static_cast<int>(engine::Side::sell) && DEPTHCAST_GOES_ON == engine::goes_on &&
              DEPTHCAST_BROKEN == static_cast<int>(engine::PushStatus::broken));

engine::Event event_of(const depthcast_event& event) {
  return {event.number,
          event.time_ns,
          event.order_id,
          event.detail,
          event.price,
          event.quantity,
          event.instrument,
          static_cast<engine::EventKind>(event.kind),
          static_cast<engine::Side>(event.side),
          event.flags,
          event.reserved,
          event.extra};
}

}  // namespace

depthcast_publisher* depthcast_publisher_open(const char* path, uint64_t slots, int fresh, char* error,
                                              size_t error_bytes) {
  engine::PublisherOptions options;
  if (slots != 0) options.slots = slots;
  options.fresh = fresh != 0;
  try {
    return std::make_unique<depthcast_publisher>(path, options).release();
  } catch (const std::exception& refused) {
    if (error != nullptr && error_bytes != 0) std::snprintf(error, error_bytes, "%s", refused.what());
    return nullptr;
  }
}

void depthcast_publisher_close(depthcast_publisher* publisher) {
  const std::unique_ptr<depthcast_publisher> closed(publisher);
}

int depthcast_publisher_try_push(depthcast_publisher* publisher, const depthcast_event* event) {
  return static_cast<int>(publisher->publisher.try_push(event_of(*event)));
}

int depthcast_publisher_stage(depthcast_publisher* publisher, const depthcast_event* event) {
  return static_cast<int>(publisher->publisher.stage(event_of(*event)));
}

void depthcast_publisher_publish(depthcast_publisher* publisher) { publisher->publisher.publish(); }
void depthcast_publisher_discard(depthcast_publisher* publisher) { publisher->publisher.discard(); }
void depthcast_publisher_end(depthcast_publisher* publisher) { publisher->publisher.end(); }

uint64_t depthcast_publisher_last(const depthcast_publisher* publisher) { return publisher->publisher.last(); }
uint64_t depthcast_publisher_next(const depthcast_publisher* publisher) { return publisher->publisher.next(); }
uint64_t depthcast_publisher_committed(const depthcast_publisher* publisher) {
  return publisher->publisher.committed();
}
uint64_t depthcast_publisher_room(const depthcast_publisher* publisher) { return publisher->publisher.room(); }

const char* depthcast_push_status_name(int status) {
  const bool known = status >= 0 && status <= DEPTHCAST_BROKEN;
  return known ? engine::name_of(static_cast<engine::PushStatus>(status)) : "unknown";
}

depthcast_event depthcast_define(int64_t time_ns, uint32_t instrument, const char* symbol, int8_t price_exponent,
                                 int8_t quantity_exponent, uint32_t lot_size, int64_t tick) {
  const engine::Event event =
      engine::define(time_ns, instrument, {symbol, price_exponent, quantity_exponent, lot_size, tick});
  return {event.number,
          event.time_ns,
          event.order_id,
          event.detail,
          event.price,
          event.quantity,
          event.instrument,
          static_cast<uint8_t>(event.kind),
          static_cast<uint8_t>(event.side),
          event.flags,
          event.reserved,
          event.extra};
}

#include "binding/source_makers.h"

#include <string>
#include <utility>

#include "binding/engine_binding.h"
#include "binding/sources_options.h"
#include "run/capture_stream.h"
#include "run/itch_feed_source.h"
#include "run/itch_source.h"
#include "run/mold_stream.h"
#include "run/shared_memory_source.h"
#include "run/soup_stream.h"

namespace depthcast::binding {
namespace {

using Maker = std::unique_ptr<run::EventSource> (*)(const Fields& fields);

run::Pacing read_pacing(const Fields& fields) {
  return {fields.number<double>("speed"), fields.number<double>("rate")};
}

std::unique_ptr<run::EventSource> make_itch(const Fields& fields) {
  io::FileDescriptor descriptor(fields.number<int>("descriptor"));
  return std::make_unique<run::ItchSource>(run::make_descriptor_source(std::move(descriptor)), read_pacing(fields),
                                           fields.big<std::int64_t>("midnightNs"));
}

std::unique_ptr<run::EventSource> make_simulate(const Fields& fields) {
  return std::make_unique<run::ItchSource>(run::make_simulated_source(read_simulated(fields)), read_pacing(fields),
                                           fields.big<std::int64_t>("midnightNs"));
}

std::unique_ptr<run::EventSource> make_shared_memory(const Fields& fields) {
  return std::make_unique<run::SharedMemorySource>(fields.text("path"), fields.big("stream"),
                                                   io::wait_strategy_of(fields.text("wait")));
}

std::unique_ptr<run::EventSource> make_socket(const Fields& fields) {
  return EngineListenerBinding::take(fields.env(), fields.get("listener"), fields.big("session"));
}

std::unique_ptr<run::EventSource> make_push(const Fields& fields) {
  return PushInputBinding::make_source(fields.env(), fields.get("input"));
}

constexpr std::int64_t millisecond = 1'000'000;

std::unique_ptr<run::EventSource> make_feed(const Fields& fields, std::unique_ptr<run::FeedStream> stream) {
  return std::make_unique<run::ItchFeedSource>(std::move(stream), read_pacing(fields),
                                               fields.big<std::int64_t>("midnightNs"));
}

std::unique_ptr<run::EventSource> make_soup(const Fields& fields) {
  run::SoupOptions options;
  options.host = fields.text("host");
  options.port = fields.number<std::uint16_t>("port");
  options.login.username = fields.text("username");
  options.login.password = fields.text("password");
  options.login.session = fields.text("session");
  options.login.heartbeat_timeout_ms = fields.number<std::uint32_t>("heartbeatTimeoutMs");
  options.backoff_ns = fields.number<std::int64_t>("backoffMs") * millisecond;
  options.backoff_ns_max = fields.number<std::int64_t>("backoffMsMax") * millisecond;
  options.session_file = fields.text("sessionFile");
  return make_feed(fields, std::make_unique<run::SoupStream>(std::move(options)));
}

ingest::MoldOptions read_mold(const Fields& fields) {
  ingest::MoldOptions options;
  options.session = fields.text("session");
  options.give_up_ns = fields.number<std::int64_t>("giveUpMs") * millisecond;
  options.parked_bytes_max = fields.number<std::size_t>("parkedBytesMax");
  return options;
}

std::unique_ptr<run::EventSource> make_mold(const Fields& fields) {
  run::MoldStreamOptions options;
  fields.list("lines", [&](const Napi::Value& value) {
    const Fields line(fields.env(), value);
    options.lines.push_back({line.text("group"), line.number<std::uint16_t>("port"), fields.text("interface")});
  });
  fields.list("servers", [&](const Napi::Value& value) { options.servers.push_back(value.ToString().Utf8Value()); });
  options.skip_lost = fields.boolean("skipLost");
  options.silence_ns = fields.number<std::int64_t>("silenceMs") * millisecond;
  options.mold = read_mold(fields);
  options.session_file = fields.text("sessionFile");
  return make_feed(fields, std::make_unique<run::MoldStream>(std::move(options)));
}

std::unique_ptr<run::EventSource> make_capture(const Fields& fields) {
  io::FileDescriptor descriptor(fields.number<int>("descriptor"));
  run::CaptureOptions options;
  fields.list("groups", [&](const Napi::Value& value) { options.groups.push_back(value.ToNumber().Uint32Value()); });
  options.port = fields.number<std::uint16_t>("port");
  options.skip_lost = fields.boolean("skipLost");
  options.mold = read_mold(fields);
  options.session_file = fields.text("sessionFile");
  return make_feed(fields, std::make_unique<run::CaptureStream>(run::make_descriptor_source(std::move(descriptor)),
                                                                std::move(options)));
}

constexpr struct {
  const char* kind;
  Maker make;
} makers[] = {
    {"itch", make_itch}, {"simulate", make_simulate}, {"shm", make_shared_memory}, {"socket", make_socket},
    {"push", make_push}, {"soupbintcp", make_soup},   {"moldudp64", make_mold},    {"pcap", make_capture},
};

}  // namespace

std::unique_ptr<run::EventSource> make_source(const Fields& fields) {
  const std::string kind = fields.text("kind");
  for (const auto& maker : makers) {
    if (kind == maker.kind) return maker.make(fields);
  }
  throw_type(fields.env(), "kind must be one of the sources', not " + kind);
}

Napi::Value look_at_event_ring(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    if (!info[0].IsString()) throw_type(env, "path must be a string");
    const std::optional<run::EventRingInfo> found = run::look_at_event_ring(info[0].As<Napi::String>());
    if (!found) return env.Null();
    Napi::Object result = Napi::Object::New(env);
    result.Set("stream", big(env, found->stream));
    result.Set("published", big(env, found->published));
    result.Set("committed", big(env, found->committed));
    return result;
  });
}

}  // namespace depthcast::binding

#include "binding/source_makers.h"

#include <string>
#include <utility>

#include "binding/engine_binding.h"
#include "binding/sources_options.h"
#include "run/itch_source.h"
#include "run/shared_memory_source.h"

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

constexpr struct {
  const char* kind;
  Maker make;
} makers[] = {
    {"itch", make_itch},     {"simulate", make_simulate}, {"shm", make_shared_memory},
    {"socket", make_socket}, {"push", make_push},
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

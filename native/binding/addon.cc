// What the addon exports: `Addon` of src/native.ts. No state outside the environment that loads it.
#include <napi.h>

#include "binding/archive_binding.h"
#include "binding/books_binding.h"
#include "binding/engine_binding.h"
#include "binding/file_tasks.h"
#include "binding/gateway_binding.h"
#include "binding/jitter_binding.h"
#include "binding/journal_binding.h"
#include "binding/publisher_binding.h"
#include "binding/replay_binding.h"
#include "binding/source_makers.h"
#include "binding/subscriber_binding.h"
#include "binding/values.h"
#include "core/crc32c.h"
#include "run/journal_writer.h"
#include "run/latency_histogram.h"

namespace depthcast::binding {
namespace {

Napi::Array text_array(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array array = Napi::Array::New(env, texts.size());
  for (std::size_t index = 0; index < texts.size(); ++index) array.Set(static_cast<std::uint32_t>(index), texts[index]);
  return array;
}

Napi::Value checksum(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const auto bytes = typed_array<Napi::Uint8Array>(info.Env(), info[0], napi_uint8_array, "bytes");
    return Napi::Number::New(info.Env(), crc32c(0, bytes.Data(), bytes.ByteLength()));
  });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  OpenObjects::attach(env);
  exports.Set("Publisher", PublisherBinding::define(env));
  exports.Set("Subscriber", SubscriberBinding::define(env));
  exports.Set("Books", BooksBinding::define(env));
  exports.Set("Replayer", ReplayBinding::define(env));
  exports.Set("Recovery", ArchiveBinding::define(env));
  exports.Set("EngineListener", EngineListenerBinding::define(env));
  exports.Set("PushInput", PushInputBinding::define(env));
  exports.Set("Gateway", GatewayBinding::define(env));
  exports.Set("JitterSender", JitterSenderBinding::define(env));
  exports.Set("JitterReceiver", JitterReceiverBinding::define(env));
  exports.Set("clocks", Napi::Function::New(env, read_clocks));
  exports.Set("confine", Napi::Function::New(env, confine));
  exports.Set("inspectItch", Napi::Function::New(env, inspect_itch));
  exports.Set("simulateToFile", Napi::Function::New(env, simulate_to_file));
  define_journal_tools(env, exports);
  exports.Set("eventRing", Napi::Function::New(env, look_at_event_ring));
  exports.Set("pipe", Napi::Function::New(env, make_pipe));
  exports.Set("crc32c", Napi::Function::New(env, checksum));
  exports.Set("publisherCounterNames", text_array(env, run::publisher_counter_names()));
  exports.Set("journalCounterNames", text_array(env, run::journal_counter_names()));
  exports.Set("recoveryCounterNames", text_array(env, recovery_counter_names()));
  exports.Set("subscriberCounterNames", text_array(env, run::subscriber_counter_names()));
  std::vector<std::string> results;
  for (std::size_t result = 0; result < book::apply_results; ++result) {
    results.emplace_back(book::name_of(static_cast<book::ApplyResult>(result)));
  }
  exports.Set("applyResultNames", text_array(env, results));
  std::vector<std::uint64_t> bucket_values(run::LatencyHistogram::buckets);
  for (std::size_t bucket = 0; bucket < bucket_values.size(); ++bucket) {
    bucket_values[bucket] = run::LatencyHistogram::bucket_value(bucket);
  }
  exports.Set("latencyBucketValues", copy_to_array<Napi::BigUint64Array>(env, bucket_values));
  return exports;
}

}  // namespace
}  // namespace depthcast::binding

static Napi::Object initialize_addon(Napi::Env env, Napi::Object exports) {
  return depthcast::binding::initialize(env, exports);
}
NODE_API_MODULE(depthcast, initialize_addon)

#include "binding/file_tasks.h"

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "binding/sources_options.h"
#include "binding/task.h"
#include "binding/values.h"
#include "run/itch_file.h"

namespace depthcast::binding {
namespace {

Napi::Value inspection_object(Napi::Env env, const run::ItchInspection& inspection) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("messages", big(env, inspection.messages));
  object.Set("types", copy_to_array<Napi::BigUint64Array>(env, inspection.types));
  Napi::Array symbols = Napi::Array::New(env, inspection.symbols.size());
  for (std::size_t index = 0; index < inspection.symbols.size(); ++index) {
    symbols.Set(static_cast<std::uint32_t>(index), inspection.symbols[index]);
  }
  object.Set("symbols", symbols);
  object.Set("firstTimeNs", Napi::BigInt::New(env, inspection.first_time_ns));
  object.Set("lastTimeNs", Napi::BigInt::New(env, inspection.last_time_ns));
  object.Set("timesGoingBack", big(env, inspection.times_going_back));
  object.Set("bytes", big(env, inspection.bytes));
  if (inspection.fault) {
    Napi::Object fault = Napi::Object::New(env);
    fault.Set("offset", big(env, inspection.fault->offset));
    fault.Set("expected", inspection.fault->expected);
    object.Set("fault", fault);
  } else {
    object.Set("fault", env.Undefined());
  }
  return object;
}

}  // namespace

Napi::Value inspect_itch(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsNumber()) throw_type(info.Env(), "descriptor must be a number");
    // std::function copies; the descriptor has one owner.
    auto source = std::shared_ptr<run::ByteSource>(
        run::make_descriptor_source(io::FileDescriptor(info[0].As<Napi::Number>().Int32Value())));
    auto* task = new Task<run::ItchInspection>(
        info.Env(), [source](const std::atomic<bool>& stop) { return run::inspect_itch(*source, stop); },
        inspection_object);
    task->Queue();
    return task->promise();
  });
}

Napi::Value simulate_to_file(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsString()) throw_type(info.Env(), "path must be a string");
    const std::string path = info[0].As<Napi::String>();
    const ingest::SimulatedExchangeOptions options = read_simulated(Fields(info.Env(), info[1]));
    auto* task = new Task<std::uint64_t>(
        info.Env(),
        [path, options](const std::atomic<bool>& stop) { return run::simulate_to_file(path, options, stop); },
        [](Napi::Env env, const std::uint64_t& messages) { return big(env, messages); });
    task->Queue();
    return task->promise();
  });
}

Napi::Value make_pipe(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    Napi::Array result = Napi::Array::New(info.Env(), 2);
    result.Set(0U, ends[0]);
    result.Set(1U, ends[1]);
    return result;
  });
}

}  // namespace depthcast::binding

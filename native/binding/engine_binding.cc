#include "binding/engine_binding.h"

#include <string>
#include <utility>

#include "io/stream_socket.h"

namespace depthcast::binding {
namespace {

constexpr std::int64_t millisecond = 1'000'000;
// Any numbers of our own: what is unwrapped is what was wrapped.
constexpr napi_type_tag listener_tag = {0x6465707468636173ULL, 0x656e67696e656c31ULL};
constexpr napi_type_tag push_tag = {0x6465707468636173ULL, 0x70757368696e7031ULL};

void check_tag(Napi::Env env, const Napi::Value& value, const napi_type_tag& tag, const char* expected) {
  bool tagged = false;
  if (value.IsObject()) napi_check_object_type_tag(env, value, &tag, &tagged);
  if (!tagged) throw_type(env, expected);
}

run::AcknowledgePolicy acknowledge_of(const Fields& fields) {
  const std::string name = fields.text("acknowledge");
  if (name == "committed") return run::AcknowledgePolicy::committed;
  if (name == "journaled") return run::AcknowledgePolicy::journaled;
  if (name == "durable") return run::AcknowledgePolicy::durable;
  throw_type(fields.env(), "acknowledge must be committed, journaled or durable");
}

run::SocketOptions read_socket_options(const Fields& fields) {
  run::SocketOptions options;
  options.limits.frame_bytes_max = fields.number<std::uint32_t>("frameBytesMax");
  options.limits.batch_events_max = fields.number<std::uint32_t>("batchEventsMax");
  options.limits.login_ns = fields.number<std::int64_t>("loginMs") * millisecond;
  options.limits.heartbeat_ns = fields.number<std::int64_t>("heartbeatMs") * millisecond;
  options.limits.idle_ns = fields.number<std::int64_t>("idleMs") * millisecond;
  options.channel.channel = fields.number<std::uint32_t>("channel");
  options.acknowledge = acknowledge_of(fields);
  options.takeover = fields.boolean("takeover");
  return options;
}

const char* name_of(run::SocketNews::Kind kind) {
  switch (kind) {
    case run::SocketNews::Kind::login: return "login";
    case run::SocketNews::Kind::accepted: return "accepted";
    default: return "closed";
  }
}

// The publisher owns its source alone; a listener's is shared, since decisions may come after it has ended.
class SharedSource final : public run::EventSource {
 public:
  explicit SharedSource(std::shared_ptr<run::SocketSource> source) : source_(std::move(source)) {}

  run::SourceEnd run(run::SourceInput& input) override { return source_->run(input); }
  void interrupt() override { source_->interrupt(); }
  std::vector<run::SourceFigure> figures() const override { return source_->figures(); }

 private:
  std::shared_ptr<run::SocketSource> source_;
};

}  // namespace

Napi::Function EngineListenerBinding::define(Napi::Env env) {
  return DefineClass(
      env, "EngineListener",
      {InstanceMethod<&EngineListenerBinding::port>("port"), InstanceMethod<&EngineListenerBinding::decide>("decide"),
       InstanceMethod<&EngineListenerBinding::close>("close")});
}

EngineListenerBinding::EngineListenerBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineListenerBinding>(info) {
  const Napi::Env env = info.Env();
  napi_type_tag_object(env, info.This(), &listener_tag);
  guard(env, [&] {
    const Fields fields(env, info[0]);
    if (!info[1].IsFunction()) throw_type(env, "tell must be a function");
    run::SocketOptions options = read_socket_options(fields);
    const std::string address = fields.text("address");
    if (!address.empty()) {
      io::Listener listener = io::listen_tcp(address, fields.number<std::uint16_t>("port"));
      port_ = listener.port;
      options.listeners.push_back(std::move(listener.descriptor));
    }
    fields.list("paths", [&](const Napi::Value& path) {
      if (!path.IsString()) throw_type(env, "paths must be texts");
      options.listeners.push_back(io::listen_unix(path.As<Napi::String>()).descriptor);
    });
    tell_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "depthcast engine listener", 0, 1);
    // Who runs the loop is kept alive by the publisher, not by this.
    tell_.Unref(env);
    // A copy: the source may tell after this object has gone, and finds the function closed then.
    source_ = std::make_shared<run::SocketSource>(std::move(options), [tell = tell_](run::SocketNews news) {
      auto* data = new run::SocketNews(std::move(news));
      const napi_status status =
          tell.NonBlockingCall(data, [](Napi::Env callback_env, Napi::Function callback, run::SocketNews* told) {
            const std::unique_ptr<run::SocketNews> owned(told);
            if (static_cast<napi_env>(callback_env) == nullptr) return;
            Napi::Object object = Napi::Object::New(callback_env);
            object.Set("kind", name_of(owned->kind));
            object.Set("connection", big(callback_env, owned->connection));
            object.Set("engine", owned->engine);
            object.Set("token", owned->token);
            object.Set("refusal", static_cast<double>(owned->refusal));
            object.Set("detail", owned->detail);
            callback.Call({object});
          });
      if (status != napi_ok) delete data;
    });
    lifetime_.open(this);
    return env.Undefined();
  });
}

EngineListenerBinding::~EngineListenerBinding() { shut_down(); }

void EngineListenerBinding::shut_down() {
  if (!lifetime_.close()) return;
  source_->silence();
  source_.reset();
  tell_.Abort();
}

std::unique_ptr<run::EventSource> EngineListenerBinding::take(Napi::Env env, const Napi::Value& value,
                                                              std::uint64_t session) {
  check_tag(env, value, listener_tag, "listener must be an EngineListener");
  EngineListenerBinding& self = *Unwrap(value.As<Napi::Object>());
  if (!self.lifetime_.is_open() || self.taken_) throw std::runtime_error("a listener serves one publisher, once");
  self.taken_ = true;
  self.source_->set_session(session);
  return std::make_unique<SharedSource>(self.source_);
}

Napi::Value EngineListenerBinding::port(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), port_); }

Napi::Value EngineListenerBinding::decide(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const Fields fields(info.Env(), info[0]);
    if (lifetime_.is_open()) {
      source_->decide(fields.big("connection"), fields.boolean("accepted"), fields.text("detail"));
    }
    return info.Env().Undefined();
  });
}

Napi::Value EngineListenerBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

Napi::Function PushInputBinding::define(Napi::Env env) {
  return DefineClass(
      env, "PushInput",
      {InstanceMethod<&PushInputBinding::push>("push"), InstanceMethod<&PushInputBinding::next>("next"),
       InstanceMethod<&PushInputBinding::acknowledged>("acknowledged"), InstanceMethod<&PushInputBinding::end>("end")});
}

PushInputBinding::PushInputBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PushInputBinding>(info) {
  const Napi::Env env = info.Env();
  napi_type_tag_object(env, info.This(), &push_tag);
  guard(env, [&] {
    input_ = std::make_shared<run::PushInput>(acknowledge_of(Fields(env, info[0])));
    return env.Undefined();
  });
}

std::unique_ptr<run::EventSource> PushInputBinding::make_source(Napi::Env env, const Napi::Value& value) {
  check_tag(env, value, push_tag, "input must be a PushInput");
  return std::make_unique<run::PushSource>(Unwrap(value.As<Napi::Object>())->input_);
}

Napi::Value PushInputBinding::push(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const auto bytes = typed_array<Napi::Uint8Array>(env, info[0], napi_uint8_array, "frame");
    auto out = typed_array<Napi::BigUint64Array>(env, info[1], napi_biguint64_array, "out");
    if (out.ElementLength() < 2) throw_type(env, "out must have two words");
    const std::span frame_bytes(bytes.Data(), bytes.ByteLength());
    if (reinterpret_cast<std::uintptr_t>(frame_bytes.data()) % 8 != 0) throw_type(env, "frame must be aligned to 8");
    const ingest::frames::Frame* frame = nullptr;
    std::size_t used = 0;
    const bool whole = ingest::read_frame(frame_bytes, frame_bytes.size(), frame, used) == ingest::FrameStatus::whole;
    const auto* batch = whole ? frame->payload_as_Batch() : nullptr;
    if (batch == nullptr) throw_type(env, "frame must be one of a Batch");
    const run::PushResult result = input_->push(*batch, frame_bytes.size());
    out[0] = result.next;
    out[1] = result.at;
    if (result.fault != ingest::BatchFault::none) return Napi::String::New(env, ingest::describe(result.fault));
    return Napi::String::New(env, result.hole ? "hole" : "");
  });
}

Napi::Value PushInputBinding::next(const Napi::CallbackInfo& info) { return big(info.Env(), input_->next()); }

Napi::Value PushInputBinding::acknowledged(const Napi::CallbackInfo& info) {
  return big(info.Env(), input_->acknowledged());
}

Napi::Value PushInputBinding::end(const Napi::CallbackInfo& info) {
  input_->end();
  return info.Env().Undefined();
}

}  // namespace depthcast::binding

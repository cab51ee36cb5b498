// `EngineListener` and `PushInput` of src/native.ts: what engines push into. Threads: the JavaScript thread that made
// it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "binding/values.h"
#include "run/push_source.h"
#include "run/socket_source.h"

namespace depthcast::binding {

// Listens from its construction on; engines are answered once a publisher runs the source that it gives away.
class EngineListenerBinding final : public Napi::ObjectWrap<EngineListenerBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EngineListenerBinding(const Napi::CallbackInfo& info);
  ~EngineListenerBinding() override;
  // Any number of times.
  void shut_down();
  // The source of that session, once.
  static std::unique_ptr<run::EventSource> take(Napi::Env env, const Napi::Value& value, std::uint64_t session);

 private:
  // Between the source, which may outlive this object, and its callback.
  struct Channel;

  Napi::Value port(const Napi::CallbackInfo& info);
  Napi::Value decide(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<run::SocketSource> source_;
  bool taken_ = false;
  std::uint16_t port_ = 0;
  Napi::ThreadSafeFunction tell_;
  Lifetime<EngineListenerBinding> lifetime_;
};

class PushInputBinding final : public Napi::ObjectWrap<PushInputBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PushInputBinding(const Napi::CallbackInfo& info);
  static std::unique_ptr<run::EventSource> make_source(Napi::Env env, const Napi::Value& value);

 private:
  Napi::Value push(const Napi::CallbackInfo& info);
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value acknowledged(const Napi::CallbackInfo& info);
  Napi::Value end(const Napi::CallbackInfo& info);

  std::shared_ptr<run::PushInput> input_;
};

}  // namespace depthcast::binding

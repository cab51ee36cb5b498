// `JitterSender` and `JitterReceiver` of src/native.ts. Threads: the JavaScript thread that made them.
#pragma once

#include <napi.h>

#include <memory>

#include "binding/values.h"
#include "run/jitter_receiver.h"
#include "run/jitter_sender.h"

namespace depthcast::binding {

class JitterSenderBinding final : public Napi::ObjectWrap<JitterSenderBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit JitterSenderBinding(const Napi::CallbackInfo& info);
  // Of an option `probe`: null where there is none; throws a TypeError where it is something else.
  static std::shared_ptr<run::PublisherProbe> probe_of(const Fields& fields);
  // The activity log of an option `activities`; null where there is none.
  static std::shared_ptr<run::ActivityLog> activities_of(const Fields& fields);

 private:
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value start_feed(const Napi::CallbackInfo& info);
  Napi::Value start_floor(const Napi::CallbackInfo& info);
  Napi::Value prepare_ping(const Napi::CallbackInfo& info);
  Napi::Value start_ping(const Napi::CallbackInfo& info);
  Napi::Value busy(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);
  Napi::Value result(const Napi::CallbackInfo& info);

  std::shared_ptr<run::JitterSender> sender_;
};

// clocks(): CLOCK_REALTIME and CLOCK_MONOTONIC, both in ns, read one after the other.
Napi::Value read_clocks(const Napi::CallbackInfo& info);
// confine(cores): every thread of this process; false where the system refuses.
Napi::Value confine(const Napi::CallbackInfo& info);

class JitterReceiverBinding final : public Napi::ObjectWrap<JitterReceiverBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit JitterReceiverBinding(const Napi::CallbackInfo& info);
  static std::shared_ptr<run::SubscriberProbe> probe_of(const Fields& fields);

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value busy(const Napi::CallbackInfo& info);
  Napi::Value delivered(const Napi::CallbackInfo& info);
  Napi::Value result(const Napi::CallbackInfo& info);

  std::shared_ptr<run::JitterReceiver> receiver_;
};

}  // namespace depthcast::binding

// `Subscriber` of src/native.ts. Threads: the JavaScript thread that made it.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/update_columns.h"
#include "binding/values.h"
#include "run/subscriber.h"

namespace depthcast::binding {

class SubscriberBinding final : public Napi::ObjectWrap<SubscriberBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SubscriberBinding(const Napi::CallbackInfo& info);
  ~SubscriberBinding() override;
  // Waits for the thread. Any number of times.
  void shut_down();

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value drain_updates(const Napi::CallbackInfo& info);
  Napi::Value drain_events(const Napi::CallbackInfo& info);
  Napi::Value request_export(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value missing(const Napi::CallbackInfo& info);
  Napi::Value latency(const Napi::CallbackInfo& info);
  Napi::Value depth(const Napi::CallbackInfo& info);
  Napi::Value definitions(const Napi::CallbackInfo& info);
  Napi::Value offer(const Napi::CallbackInfo& info);
  Napi::Value recovery(const Napi::CallbackInfo& info);
  Napi::Value applied(const Napi::CallbackInfo& info);
  Napi::Value repair_time(const Napi::CallbackInfo& info);
  Napi::Value confirm_session(const Napi::CallbackInfo& info);
  Napi::Value want_snapshot(const Napi::CallbackInfo& info);
  Napi::Value give_up_below(const Napi::CallbackInfo& info);
  Napi::Value cancel_resume(const Napi::CallbackInfo& info);
  Napi::Value join_snapshot_line(const Napi::CallbackInfo& info);
  Napi::Value copy_histogram(const Napi::CallbackInfo& info,
                             const run::LatencyHistogram& (run::Subscriber::*histogram)() const);

  // Destruction, in this order: the subscriber (whose thread calls wake_callback_), the callback, the columns.
  UpdateColumns columns_;
  Napi::ThreadSafeFunction wake_callback_;
  std::unique_ptr<run::Subscriber> subscriber_;
  bool started_ = false;
  Lifetime<SubscriberBinding> lifetime_;
};

}  // namespace depthcast::binding

// `Gateway` of src/native.ts: one worker's view of a channel. Threads: the JavaScript thread that made it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "binding/values.h"
#include "run/gateway_hub.h"
#include "run/publisher.h"

namespace depthcast::binding {

class GatewayBinding final : public Napi::ObjectWrap<GatewayBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit GatewayBinding(const Napi::CallbackInfo& info);
  ~GatewayBinding() override;
  // Any number of times.
  void shut_down();

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value state(const Napi::CallbackInfo& info);
  Napi::Value definitions(const Napi::CallbackInfo& info);
  Napi::Value open_client(const Napi::CallbackInfo& info);
  Napi::Value close_client(const Napi::CallbackInfo& info);
  Napi::Value subscribe(const Napi::CallbackInfo& info);
  Napi::Value change(const Napi::CallbackInfo& info);
  Napi::Value unsubscribe(const Napi::CallbackInfo& info);
  Napi::Value counts(const Napi::CallbackInfo& info);
  Napi::Value compose(const Napi::CallbackInfo& info);
  Napi::Value joined_group(const Napi::CallbackInfo& info);
  Napi::Value compose_group(const Napi::CallbackInfo& info);
  Napi::Value leave_group(const Napi::CallbackInfo& info);
  Napi::Value check(const Napi::CallbackInfo& info);
  Napi::Value take_slow(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  run::GatewayHub& hub(Napi::Env env) const;

  std::shared_ptr<run::Publisher> publisher_;  // its ring, where it is one of this process
  std::unique_ptr<run::GatewayHub> hub_;
  std::vector<run::GatewaySlow> slow_;
  std::uint32_t group_ = 0;  // of the client that was composed last
  Lifetime<GatewayBinding> lifetime_;
};

}  // namespace depthcast::binding

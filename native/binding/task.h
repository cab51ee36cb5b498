// Work on a thread of the pool, as a promise.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <utility>

namespace depthcast::binding {

// Runs `work` on a thread of the pool and resolves to what `to_value` makes of its result. When the environment goes
// first, the work is asked to stop: the environment waits for it.
template <typename Result>
class Task final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result(const std::atomic<bool>& stop)>;
  using ToValue = std::function<Napi::Value(Napi::Env, const Result&)>;

  Task(Napi::Env env, Work work, ToValue to_value)
      : Napi::AsyncWorker(env),
        work_(std::move(work)),
        to_value_(std::move(to_value)),
        deferred_(Napi::Promise::Deferred::New(env)) {
    napi_add_env_cleanup_hook(env, on_exit, this);
  }
  ~Task() override { napi_remove_env_cleanup_hook(Env(), on_exit, this); }
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      result_ = work_(stop_);
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() override { deferred_.Resolve(to_value_(Env(), result_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  static void on_exit(void* self) {
    // Pairs with the loads in the work.
    static_cast<Task*>(self)->stop_.store(true, std::memory_order_release);
  }
  Work work_;
  ToValue to_value_;
  Napi::Promise::Deferred deferred_;
  Result result_{};
  std::atomic<bool> stop_{false};
};

}  // namespace depthcast::binding

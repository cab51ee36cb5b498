// `Replayer` of src/native.ts. Threads: the JavaScript thread that made it; step() works on a thread of the pool.
#pragma once

#include <napi.h>

#include <memory>

#include "binding/update_columns.h"
#include "binding/values.h"
#include "run/journal_writer.h"
#include "run/replayer.h"

namespace depthcast::binding {

class ReplayBinding final : public Napi::ObjectWrap<ReplayBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ReplayBinding(const Napi::CallbackInfo& info);
  ~ReplayBinding() override;
  // Any number of times. What a step is still busy with ends first, on its own thread.
  void shut_down();

 private:
  class Step;
  // Shared with the step that runs: lives until that has ended.
  struct Work {
    std::unique_ptr<run::JournalWriter> journal;  // the replayer's target: destroyed after it
    std::unique_ptr<run::Replayer> replayer;
  };

  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value drain_updates(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value progress(const Napi::CallbackInfo& info);
  Napi::Value missing(const Napi::CallbackInfo& info);
  Napi::Value definitions(const Napi::CallbackInfo& info);
  void check_idle();

  UpdateColumns columns_;
  std::shared_ptr<Work> work_;
  bool stepping_ = false;
  Lifetime<ReplayBinding> lifetime_;
};

}  // namespace depthcast::binding

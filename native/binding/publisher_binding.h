// `Publisher` of src/native.ts. Threads: the JavaScript thread that made it.
#pragma once

#include <napi.h>

#include <memory>

#include "binding/values.h"
#include "run/event_source.h"
#include "run/journal_writer.h"
#include "run/publisher.h"
#include "run/state_folder.h"

namespace depthcast::binding {

class PublisherBinding final : public Napi::ObjectWrap<PublisherBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PublisherBinding(const Napi::CallbackInfo& info);
  ~PublisherBinding() override;
  // Waits for the threads. Any number of times.
  void shut_down();
  // For readers of the ring; null once it is closed. Whoever keeps it keeps the ring, whose writer has ended by then.
  std::shared_ptr<run::Publisher> publisher() const { return publisher_; }
  // The same for other threads of this process, by what handle() returned; null once it is closed and nobody keeps it.
  // Any thread.
  static std::shared_ptr<run::Publisher> shared(std::uint32_t handle);
  // The native object of a JavaScript one; throws a TypeError where that is no Publisher.
  static PublisherBinding& of(Napi::Env env, const Napi::Value& value);

 private:
  Napi::Value source(const Napi::CallbackInfo& info);
  Napi::Value source_figures(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value depth(const Napi::CallbackInfo& info);
  Napi::Value definitions(const Napi::CallbackInfo& info);
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value handle(const Napi::CallbackInfo& info);
  Napi::Value refusals(const Napi::CallbackInfo& info);
  Napi::Value journal_counters(const Napi::CallbackInfo& info);

  void stop_input();
  void tell_end(Napi::Env env, Napi::Function callback);

  // Destruction, in this order: the source (which fills the publisher's ring), the journal (which reads the publisher's
  // ring), the publisher (whose thread calls end_callback_), the state folder (whose lock covers them), the callback.
  Napi::ThreadSafeFunction end_callback_;
  std::shared_ptr<run::StateFolder> state_;
  std::shared_ptr<run::Publisher> publisher_;
  std::unique_ptr<run::JournalWriter> journal_;
  std::unique_ptr<run::SourceThread> source_;
  std::uint32_t handle_ = 0;
  bool started_ = false;
  bool released_ = false;
  Lifetime<PublisherBinding> lifetime_;
};

}  // namespace depthcast::binding

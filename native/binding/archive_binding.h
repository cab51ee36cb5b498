// `Recovery` of src/native.ts: the past of one channel, and its snapshots. Threads: the JavaScript thread that made it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "binding/values.h"
#include "run/archive.h"
#include "run/publisher.h"
#include "run/replica_thread.h"

namespace depthcast::binding {

class ArchiveBinding final : public Napi::ObjectWrap<ArchiveBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ArchiveBinding(const Napi::CallbackInfo& info);
  ~ArchiveBinding() override;
  // Waits for the replica's thread. Any number of times.
  void shut_down();

 private:
  struct Answer {
    std::uint32_t id;
    run::SnapshotAnswer answer;
  };

  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value state(const Napi::CallbackInfo& info);
  Napi::Value request_snapshot(const Napi::CallbackInfo& info);
  Napi::Value symbol(const Napi::CallbackInfo& info);
  Napi::Value slice_snapshot(const Napi::CallbackInfo& info);
  Napi::Value release_snapshot(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void open_replica(Napi::Env env, const Napi::Object& given, const run::RingPlace& ring, const Napi::Value& callback);
  void tell(Napi::Env env, Napi::Function callback);

  // Destruction, in this order: the replica's thread (which fills answers_ and calls callback_), the archive (which
  // reads the ring), what is kept of the publisher (its ring), the callback.
  Napi::ThreadSafeFunction callback_;
  std::shared_ptr<run::Publisher> publisher_;
  std::unique_ptr<run::Archive> archive_;
  std::unique_ptr<run::ReplicaThread> replica_;

  std::mutex mutex_;  // guards answers_
  std::vector<Answer> answers_;
  // Snapshots given to JavaScript and not released yet, by handle.
  std::map<std::uint32_t, std::shared_ptr<const run::Generation>> held_;
  std::uint32_t handle_last_ = 0;
  std::vector<std::uint8_t> scratch_;
  Lifetime<ArchiveBinding> lifetime_;
};

// Replica's figures, then the archive's own.
std::vector<std::string> recovery_counter_names();

}  // namespace depthcast::binding

// `Books` of src/native.ts: a set of books in the caller's own hands. Threads: the one that made it.
#pragma once

#include <napi.h>

#include <memory>

#include "book/book.h"

namespace depthcast::binding {

class BooksBinding final : public Napi::ObjectWrap<BooksBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit BooksBinding(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value end_event(const Napi::CallbackInfo& info);
  Napi::Value levels(const Napi::CallbackInfo& info);
  Napi::Value orders(const Napi::CallbackInfo& info);
  Napi::Value order(const Napi::CallbackInfo& info);
  Napi::Value digest(const Napi::CallbackInfo& info);
  Napi::Value live_orders(const Napi::CallbackInfo& info);
  Napi::Value audit(const Napi::CallbackInfo& info);
  Napi::Value depth(const Napi::CallbackInfo& info);

  std::uint32_t instrument_of(const Napi::CallbackInfo& info, std::size_t index) const;
  static Side side_of(const Napi::CallbackInfo& info, std::size_t index);

  std::unique_ptr<book::Book> book_;
};

}  // namespace depthcast::binding

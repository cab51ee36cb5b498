// Between JavaScript values and native ones. TypeScript has validated what arrives here; a wrong type still throws a
// TypeError that names the field, and never reads past anything.
#pragma once

#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "book/book.h"

namespace depthcast::binding {

// A JavaScript exception is pending; unwinds to the nearest guard().
struct Thrown {};

[[noreturn]] inline void throw_type(Napi::Env env, const std::string& message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  throw Thrown();
}

// Turns what is being caught into a JavaScript exception: RangeError for a wrong argument, Error with `code` where the
// system gave an error number. Call from a catch block only.
void rethrow_to_javascript(Napi::Env env);

template <typename Act>
Napi::Value guard(Napi::Env env, Act act) {
  try {
    return act();
  } catch (...) {
    rethrow_to_javascript(env);
    return env.Undefined();
  }
}

// The fields of one options object.
class Fields {
 public:
  Fields(Napi::Env env, const Napi::Value& value) : env_(env) {
    if (!value.IsObject()) throw_type(env, "options must be an object");
    object_ = value.As<Napi::Object>();
  }

  template <typename T>
  T number(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsNumber()) throw_type(env_, std::string(name) + " must be a number");
    return static_cast<T>(value.As<Napi::Number>().DoubleValue());
  }
  template <typename T = std::uint64_t>
  T big(const char* name) const {
    return big_of<T>(get(name), name);
  }
  bool boolean(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsBoolean()) throw_type(env_, std::string(name) + " must be a boolean");
    return value.As<Napi::Boolean>();
  }
  std::string text(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsString()) throw_type(env_, std::string(name) + " must be a string");
    return value.As<Napi::String>();
  }
  // Calls `each(value)` for every element.
  template <typename Each>
  void list(const char* name, Each each) const {
    const Napi::Value value = get(name);
    if (!value.IsArray()) throw_type(env_, std::string(name) + " must be an array");
    const auto array = value.As<Napi::Array>();
    for (std::uint32_t index = 0; index < array.Length(); ++index) each(Napi::Value(array.Get(index)));
  }
  Napi::Value get(const char* name) const { return object_.Get(name); }
  Napi::Env env() const { return env_; }

  template <typename T>
  T big_of(const Napi::Value& value, const char* name) const {
    if (!value.IsBigInt()) throw_type(env_, std::string(name) + " must be a bigint");
    bool lossless = false;
    T result = 0;
    if constexpr (std::is_signed_v<T>) {
      result = value.As<Napi::BigInt>().Int64Value(&lossless);
    } else {
      result = value.As<Napi::BigInt>().Uint64Value(&lossless);
    }
    if (!lossless) throw_type(env_, std::string(name) + " must fit 64 bits");
    return result;
  }

 private:
  Napi::Env env_;
  Napi::Object object_;
};

book::BookLimits read_limits(const Fields& fields);

inline Napi::BigInt big(Napi::Env env, std::uint64_t value) { return Napi::BigInt::New(env, value); }

// A typed array argument, with its element type checked.
template <typename Array>
Array typed_array(Napi::Env env, const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw_type(env, std::string(name) + " has the wrong type of typed array");
  }
  return value.As<Array>();
}

template <typename Array, typename Vector>
Array copy_to_array(Napi::Env env, const Vector& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

// What one environment holds open. process.exit() in a main thread runs no cleanup hooks, but emits 'exit': then it is
// ended from there.
class OpenObjects {
 public:
  using End = void (*)(void* object);
  // Called once, when the addon is loaded into an environment.
  static void attach(Napi::Env env);
  static OpenObjects& of(Napi::Env env) { return *env.GetInstanceData<OpenObjects>(); }

  void add(void* object, End end) { open_.push_back({object, end}); }
  void remove(void* object) {
    std::erase_if(open_, [&](const Entry& entry) { return entry.object == object; });
  }
  void end_all() {
    // Each one removes itself.
    while (!open_.empty()) open_.back().end(open_.back().object);
  }

 private:
  struct Entry {
    void* object;
    End end;
  };
  std::vector<Entry> open_;
};

// Ends native threads when the environment goes (a worker that is terminated, process.exit in the middle), and keeps
// the wrapped object alive until it is closed. Owner: an ObjectWrap with a method shut_down() that calls close() first.
template <typename Owner>
class Lifetime {
 public:
  void open(Owner* owner) {
    owner_ = owner;
    owner->Ref();
    OpenObjects::of(owner->Env()).add(this, end);
    napi_add_env_cleanup_hook(owner->Env(), on_exit, this);
  }
  // Returns false when it was closed already.
  bool close() {
    Owner* owner = std::exchange(owner_, nullptr);
    if (owner == nullptr) return false;
    napi_remove_env_cleanup_hook(owner->Env(), on_exit, this);
    OpenObjects::of(owner->Env()).remove(this);
    if (!exiting_) owner->Unref();
    return true;
  }
  bool is_open() const { return owner_ != nullptr; }

 private:
  static void end(void* self) { static_cast<Lifetime*>(self)->owner_->shut_down(); }
  static void on_exit(void* self) {
    auto* lifetime = static_cast<Lifetime*>(self);
    lifetime->exiting_ = true;
    if (lifetime->owner_ != nullptr) lifetime->owner_->shut_down();
  }
  Owner* owner_ = nullptr;
  bool exiting_ = false;
};

// The shared part of depth(instrument, levels, out): see src/native.ts.
Napi::Value read_depth(const Napi::CallbackInfo& info, const book::DepthViews* views);

}  // namespace depthcast::binding

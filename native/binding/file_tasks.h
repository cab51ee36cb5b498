// Work on files, on a thread of the pool, as promises.
#pragma once

#include <napi.h>

namespace depthcast::binding {

Napi::Value inspect_itch(const Napi::CallbackInfo& info);
Napi::Value simulate_to_file(const Napi::CallbackInfo& info);
Napi::Value make_pipe(const Napi::CallbackInfo& info);

}  // namespace depthcast::binding

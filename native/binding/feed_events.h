// Feed events and exports as the JavaScript objects of src/native.ts.
#pragma once

#include <napi.h>

#include "run/subscriber.h"

namespace depthcast::binding {

Napi::Object to_object(Napi::Env env, const run::FeedEvent& event);
Napi::Object to_object(Napi::Env env, const run::KnownDefinition& known);
Napi::Object to_object(Napi::Env env, const run::RecoveryView& view);

}  // namespace depthcast::binding

#pragma once

#include <memory>

#include "binding/values.h"
#include "run/event_source.h"

namespace depthcast::binding {

// NativeSource of src/native.ts: the source that its field `kind` names. A new kind gets a line in the table of
// source_makers.cc and a maker beside it. Throws where the options are wrong.
std::unique_ptr<run::EventSource> make_source(const Fields& fields);

// `eventRing` of src/native.ts.
Napi::Value look_at_event_ring(const Napi::CallbackInfo& info);

}  // namespace depthcast::binding

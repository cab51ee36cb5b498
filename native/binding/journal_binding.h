// The journal's tools, each on a thread of the pool, as promises: `NativeJournalTools` of src/journal/native_tools.ts.
#pragma once

#include <napi.h>

namespace depthcast::binding {

void define_journal_tools(Napi::Env env, Napi::Object exports);

}  // namespace depthcast::binding

#include "binding/journal_binding.h"

#include <string>
#include <vector>

#include "binding/task.h"
#include "binding/values.h"
#include "run/journal_tools.h"

namespace depthcast::binding {
namespace {

using run::JournalRead;

Napi::BigInt time(Napi::Env env, std::int64_t time_ns) { return Napi::BigInt::New(env, time_ns); }

template <typename Element, typename ToObject>
Napi::Array list(Napi::Env env, const std::vector<Element>& elements, ToObject to_object) {
  Napi::Array array = Napi::Array::New(env, elements.size());
  for (std::size_t index = 0; index < elements.size(); ++index) {
    // Many of them: their handles must not pile up.
    const Napi::HandleScope scope(env);
    array.Set(static_cast<std::uint32_t>(index), to_object(elements[index]));
  }
  return array;
}

const char* name_of(journal::HoleReason reason) {
  switch (reason) {
    case journal::HoleReason::lapped: return "lapped";
    case journal::HoleReason::write_error: return "write_error";
    case journal::HoleReason::damage: return "damage";
  }
  return "unknown";
}

const char* name_of(wire::Payload payload) {
  switch (payload) {
    case wire::Payload::BookMessages: return "book";
    case wire::Payload::TradeMessages: return "trades";
    case wire::Payload::Definitions: return "definitions";
    case wire::Payload::SnapshotOrders: return "snapshot";
    case wire::Payload::Heartbeat: return "heartbeat";
    default: return "unknown";
  }
}

std::string folder_of(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw_type(info.Env(), "folder must be a string");
  return info[0].As<Napi::String>();
}

template <typename Result>
Napi::Value start(Napi::Env env, typename Task<Result>::Work work, typename Task<Result>::ToValue to_value) {
  auto* task = new Task<Result>(env, std::move(work), std::move(to_value));
  task->Queue();
  return task->promise();
}

Napi::Object hole_object(Napi::Env env, std::uint64_t session, const journal::Hole& hole) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("session", big(env, session));
  object.Set("first", big(env, hole.first));
  object.Set("last", big(env, hole.last));
  object.Set("reason", name_of(hole.reason));
  return object;
}

Napi::Object fault_object(Napi::Env env, const run::JournalFault& fault) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("file", fault.file);
  object.Set("offset", big(env, fault.offset));
  object.Set("fault", fault.fault);
  object.Set("session", big(env, fault.session));
  if (fault.first != 0) {
    object.Set("first", big(env, fault.first));
    object.Set("last", big(env, fault.last));
  }
  return object;
}

Napi::Value verification_object(Napi::Env env, const run::JournalVerification& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("sessions", big(env, result.sessions));
  object.Set("segments", big(env, result.segments));
  object.Set("checkpoints", big(env, result.checkpoints));
  object.Set("packets", big(env, result.packets));
  object.Set("messages", big(env, result.messages));
  object.Set("bytes", big(env, result.bytes));
  object.Set("inUse", result.in_use);
  object.Set("holes", list(env, result.holes,
                           [&](const run::JournalHole& hole) { return hole_object(env, hole.session, hole.hole); }));
  object.Set("faults",
             list(env, result.faults, [&](const run::JournalFault& fault) { return fault_object(env, fault); }));
  object.Set("faultsTotal", big(env, result.faults_total));
  return object;
}

Napi::Value verify(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    return start<run::JournalVerification>(
        info.Env(),
        [folder = folder_of(info)](const std::atomic<bool>& stop) {
          return run::verify_journal(run::journal_places(folder), stop);
        },
        verification_object);
  });
}

Napi::Value repair(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!info[1].IsBoolean()) throw_type(info.Env(), "keepDamaged must be a boolean");
    return start<std::vector<run::JournalRepair>>(
        info.Env(),
        [folder = folder_of(info), keep = info[1].As<Napi::Boolean>().Value()](const std::atomic<bool>& stop) {
          return run::repair_journal(run::journal_places(folder), keep, stop);
        },
        [](Napi::Env env, const std::vector<run::JournalRepair>& repairs) -> Napi::Value {
          return list(env, repairs, [&](const run::JournalRepair& repaired) {
            Napi::Object object = Napi::Object::New(env);
            object.Set("file", repaired.file);
            object.Set("action", repaired.action);
            object.Set("packets", big(env, repaired.packets));
            object.Set("missing", big(env, repaired.missing));
            return object;
          });
        });
  });
}

Napi::Object session_object(Napi::Env env, const run::JournalSession& session) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("session", big(env, session.session));
  object.Set("channel", session.channel);
  object.Set("identity", big(env, session.identity));
  object.Set("first", big(env, session.first_sequence));
  object.Set("next", big(env, session.next_sequence));
  object.Set("firstTimeNs", time(env, session.first_time_ns));
  object.Set("lastTimeNs", time(env, session.last_time_ns));
  object.Set("createdNs", time(env, session.created_ns));
  object.Set("segments", big(env, session.segments));
  object.Set("bytes", big(env, session.bytes));
  object.Set("closed", session.closed);
  return object;
}

Napi::Object segment_object(Napi::Env env, const run::ListedSegment& segment) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("file", run::segment_file_name(segment.name));
  object.Set("session", big(env, segment.name.session));
  object.Set("number", big(env, segment.name.number));
  object.Set("bytes", big(env, segment.bytes));
  object.Set("changedNs", time(env, segment.changed_ns));
  object.Set("sound", segment.fault == journal::Fault::none);
  object.Set("first", big(env, segment.header.first_sequence));
  object.Set("createdNs", time(env, segment.header.created_ns));
  object.Set("closed", segment.closed);
  object.Set("next", big(env, segment.next_sequence));
  return object;
}

Napi::Value listing_object(Napi::Env env, const run::JournalListing& listing) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("sessions", list(env, listing.sessions,
                              [&](const run::JournalSession& session) { return session_object(env, session); }));
  object.Set("segments", list(env, listing.segments,
                              [&](const run::ListedSegment& segment) { return segment_object(env, segment); }));
  object.Set("checkpoints", list(env, listing.checkpoints, [&](const run::ListedCheckpoint& checkpoint) {
               Napi::Object entry = Napi::Object::New(env);
               entry.Set("file", run::checkpoint_file_name(checkpoint.name.session, checkpoint.name.sequence));
               entry.Set("session", big(env, checkpoint.name.session));
               entry.Set("sequence", big(env, checkpoint.name.sequence));
               entry.Set("bytes", big(env, checkpoint.bytes));
               return entry;
             }));
  return object;
}

Napi::Value list_all(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    return start<run::JournalListing>(
        info.Env(),
        [folder = folder_of(info)](const std::atomic<bool>&) { return run::list_journal(run::journal_places(folder)); },
        listing_object);
  });
}

Napi::Value prune(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Fields fields(info.Env(), info[1]);
    run::Retention retention;
    retention.retain_bytes = fields.big("retainBytes");
    retention.retain_ns = fields.big<std::int64_t>("retainNs");
    retention.before_sequence = fields.big("before");
    return start<std::vector<run::SegmentFile>>(
        info.Env(),
        [folder = folder_of(info), retention, dry_run = fields.boolean("dryRun")](const std::atomic<bool>&) {
          const run::JournalPlaces places = run::journal_places(folder);
          run::Retention bounds = retention;
          bounds.checkpoints_folder = places.checkpoints;
          return run::prune_journal(places, bounds, dry_run);
        },
        [](Napi::Env env, const std::vector<run::SegmentFile>& files) -> Napi::Value {
          return list(env, files, [&](const run::SegmentFile& file) {
            Napi::Object object = Napi::Object::New(env);
            object.Set("file", run::segment_file_name(file.name));
            object.Set("bytes", big(env, file.bytes));
            return object;
          });
        });
  });
}

Napi::Object record_object(Napi::Env env, const run::ListedRecord& record) {
  Napi::Object object = Napi::Object::New(env);
  const bool packet = record.read == JournalRead::packet;
  object.Set("type", packet ? "packet" : record.read == JournalRead::hole ? "hole" : "damaged");
  object.Set("first", big(env, record.first));
  object.Set("last", big(env, record.last));
  object.Set("segment", big(env, record.segment));
  object.Set("offset", big(env, record.offset));
  if (packet) {
    object.Set("payload", name_of(record.payload));
    object.Set("messages", record.messages);
    object.Set("bytes", record.bytes);
    object.Set("timeNs", time(env, record.time_ns));
    object.Set("position", big(env, record.position));
  } else {
    object.Set("why", record.read == JournalRead::hole ? name_of(record.reason) : journal::name_of(record.fault));
  }
  return object;
}

Napi::Object place_object(Napi::Env env, const run::JournalPlace& place) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("segment", big(env, place.segment));
  object.Set("offset", big(env, place.offset));
  object.Set("expected", big(env, place.expected));
  return object;
}

Napi::Value read(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Fields fields(info.Env(), info[1]);
    run::JournalPlace place;
    if (!fields.get("place").IsUndefined()) {
      const Fields given(info.Env(), fields.get("place"));
      place = {given.big("segment"), given.big("offset"), given.big("expected")};
    }
    return start<run::JournalPage>(
        info.Env(),
        [folder = folder_of(info), session = fields.big("session"), from = fields.big("from"), place,
         limit = fields.number<std::size_t>("limit")](const std::atomic<bool>&) {
          return run::read_journal(run::journal_places(folder), session, from, place, limit);
        },
        [](Napi::Env env, const run::JournalPage& page) -> Napi::Value {
          Napi::Object object = Napi::Object::New(env);
          object.Set("session", big(env, page.session));
          object.Set("found", page.found);
          object.Set("next", page.more ? Napi::Value(place_object(env, page.next)) : env.Undefined());
          object.Set("records", list(env, page.records,
                                     [&](const run::ListedRecord& record) { return record_object(env, record); }));
          return object;
        });
  });
}

}  // namespace

void define_journal_tools(Napi::Env env, Napi::Object exports) {
  exports.Set("verifyJournal", Napi::Function::New(env, verify));
  exports.Set("repairJournal", Napi::Function::New(env, repair));
  exports.Set("listJournal", Napi::Function::New(env, list_all));
  exports.Set("pruneJournal", Napi::Function::New(env, prune));
  exports.Set("readJournal", Napi::Function::New(env, read));
}

}  // namespace depthcast::binding

#include "binding/archive_binding.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "binding/jitter_binding.h"
#include "binding/publisher_binding.h"
#include "encode/prefix.h"
#include "io/clock.h"
#include "run/journal_past.h"

namespace depthcast::binding {
namespace {

// A frame: what stands before the datagrams is the caller's to fill in.
constexpr std::size_t reserve_max = 64;
constexpr std::size_t slice_bytes_max = std::size_t{16} << 20;

Napi::Uint8Array frame_of(Napi::Env env, std::size_t reserve, const std::uint8_t* bytes, std::size_t length) {
  Napi::Uint8Array frame = Napi::Uint8Array::New(env, reserve + length);
  if (length != 0) std::memcpy(frame.Data() + reserve, bytes, length);
  return frame;
}

std::size_t size_of(Napi::Env env, const Napi::Value& value, const char* name, std::size_t max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > static_cast<double>(max)) throw_type(env, std::string(name) + " is out of range");
  return static_cast<std::size_t>(number);
}

std::uint64_t number_of(Napi::Env env, const Napi::Value& value, const char* name) {
  return Fields(env, Napi::Object::New(env)).big_of<std::uint64_t>(value, name);
}

run::ReplicaOptions read_replica(const Fields& fields, const run::RingPlace& ring) {
  run::ReplicaOptions options;
  options.ring = ring;
  options.channel = fields.number<std::uint32_t>("channel");
  options.limits = read_limits(fields);
  options.datagram_bytes = fields.number<std::size_t>("datagramBytes");
  options.age_ns = static_cast<std::int64_t>(fields.number<double>("ageMs") * 1e6);
  options.checkpoint_ns = static_cast<std::int64_t>(fields.number<double>("checkpointMs") * 1e6);
  options.wait = io::wait_strategy_of(fields.text("wait"));
  options.core = fields.number<int>("core");
  options.activities = JitterSenderBinding::activities_of(fields);
  if (fields.get("line").IsNull()) return options;
  const Fields line(fields.env(), fields.get("line"));
  options.loop.emplace();
  options.loop->address = {line.text("group"), line.number<std::uint16_t>("port"), line.text("interface")};
  options.loop->ttl = fields.number<int>("ttl");
  options.loop->loop = fields.boolean("loop");
  options.loop->segmentation = fields.boolean("segmentation");
  options.loop_bytes_per_second = static_cast<std::uint64_t>(line.number<double>("bytesPerSecond"));
  return options;
}

}  // namespace

std::vector<std::string> recovery_counter_names() {
  std::vector<std::string> names = run::replica_counter_names();
  for (const char* name : {"ringDatagrams", "journalDatagrams", "snapshotsHeld"}) names.emplace_back(name);
  return names;
}

Napi::Function ArchiveBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Recovery",
      {InstanceMethod<&ArchiveBinding::read>("read"), InstanceMethod<&ArchiveBinding::state>("state"),
       InstanceMethod<&ArchiveBinding::request_snapshot>("requestSnapshot"),
       InstanceMethod<&ArchiveBinding::symbol>("symbol"),
       InstanceMethod<&ArchiveBinding::slice_snapshot>("sliceSnapshot"),
       InstanceMethod<&ArchiveBinding::release_snapshot>("releaseSnapshot"),
       InstanceMethod<&ArchiveBinding::counters>("counters"), InstanceMethod<&ArchiveBinding::close>("close")});
}

ArchiveBinding::ArchiveBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ArchiveBinding>(info) {
  const Napi::Env env = info.Env();
  guard(env, [&] {
    const Fields fields(env, info[0]);
    run::RingPlace ring;
    if (fields.get("publisher").IsNull()) {
      ring.path = fields.text("ringPath");
    } else {
      publisher_ = PublisherBinding::of(env, fields.get("publisher")).publisher();
      if (publisher_ == nullptr) throw std::runtime_error("the publisher is closed");
      ring.memory = publisher_->ring_memory().data();
      ring.bytes = publisher_->ring_memory().bytes();
      ring.followers = &publisher_->followers();
    }
    archive_ = std::make_unique<run::Archive>(ring, run::journal_past(fields.text("journalFolder")));
    if (!fields.get("replica").IsNull()) open_replica(env, info[0].As<Napi::Object>(), ring, info[1]);
    lifetime_.open(this);
    return env.Undefined();
  });
}

ArchiveBinding::~ArchiveBinding() { shut_down(); }

void ArchiveBinding::open_replica(Napi::Env env, const Napi::Object& given, const run::RingPlace& ring,
                                  const Napi::Value& callback) {
  const Fields options(env, given);
  const Fields fields(env, options.get("replica"));
  if (!callback.IsFunction()) throw_type(env, "onSnapshot must be a function");
  std::unique_ptr<run::CheckpointStore> checkpoints;
  if (const std::string folder = options.text("checkpointsFolder"); !folder.empty()) {
    checkpoints = std::make_unique<run::CheckpointFiles>(folder, fields.number<std::size_t>("checkpointsKept"));
  }
  replica_ = std::make_unique<run::ReplicaThread>(
      read_replica(fields, ring), run::journal_past(options.text("journalFolder")), std::move(checkpoints));
  callback_ = Napi::ThreadSafeFunction::New(env, callback.As<Napi::Function>(), "depthcast recovery", 0, 1);
  // Who listens keeps the process alive by other means.
  callback_.Unref(env);
  replica_->start();
}

// Whole datagrams of first … last behind `reserve` bytes that are left free:
// read(session, first, last, bytesMax, reserve) -> {status, next, until, datagrams, frame}
Napi::Value ArchiveBinding::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    if (!lifetime_.is_open()) throw std::runtime_error("this archive is closed");
    const std::uint64_t session = number_of(env, info[0], "session");
    const std::uint64_t first = number_of(env, info[1], "first");
    const std::uint64_t last = number_of(env, info[2], "last");
    const std::size_t bytes_max = size_of(env, info[3], "bytesMax", slice_bytes_max);
    const std::size_t reserve = size_of(env, info[4], "reserve", reserve_max);
    if (first == 0 || first > last) throw_type(env, "expected 1 <= first <= last");
    scratch_.clear();
    const run::ArchiveRead result = archive_->read(session, first, last, bytes_max, scratch_);
    Napi::Object object = Napi::Object::New(env);
    object.Set("status", name_of(result.status));
    object.Set("next", big(env, result.next));
    object.Set("until", big(env, result.until));
    object.Set("datagrams", result.datagrams);
    object.Set("frame", frame_of(env, reserve, scratch_.data(), scratch_.size()));
    return object;
  });
}

Napi::Value ArchiveBinding::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    if (!lifetime_.is_open()) throw std::runtime_error("this archive is closed");
    archive_->refresh(io::monotonic_ns());
    Napi::Object object = Napi::Object::New(env);
    object.Set("channel", archive_->channel());
    object.Set("session", big(env, archive_->session()));
    object.Set("next", big(env, archive_->next()));
    object.Set("oldest", big(env, archive_->oldest()));
    object.Set("ended", archive_->ended());
    return object;
  });
}

// requestSnapshot(id, sequenceMin, before, instruments: Uint32Array) -> false: too many wait. onSnapshot(id, snapshot
// or null, waitMs) follows; snapshot = {handle, session, sequence, bytes, datagrams}.
Napi::Value ArchiveBinding::request_snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    if (!lifetime_.is_open() || replica_ == nullptr) return Napi::Boolean::New(env, false);
    const auto id = static_cast<std::uint32_t>(size_of(env, info[0], "id", 0xffff'ffff));
    run::SnapshotRequest request;
    request.sequence_min = number_of(env, info[1], "sequenceMin");
    request.before = number_of(env, info[2], "before");
    const auto instruments = typed_array<Napi::Uint32Array>(env, info[3], napi_uint32_array, "instruments");
    request.instruments.assign(instruments.Data(), instruments.Data() + instruments.ElementLength());
    std::sort(request.instruments.begin(), request.instruments.end());
    const bool taken = replica_->request_snapshot(std::move(request), [this, id](run::SnapshotAnswer&& answer) {
      {
        const std::lock_guard lock(mutex_);
        answers_.push_back({id, std::move(answer)});
        if (answers_.size() > 1) return;  // a call is on its way
      }
      callback_.NonBlockingCall(
          [this](Napi::Env callback_env, Napi::Function callback) { tell(callback_env, callback); });
    });
    return Napi::Boolean::New(env, taken);
  });
}

void ArchiveBinding::tell(Napi::Env env, Napi::Function callback) {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(mutex_);
    answers.swap(answers_);
  }
  for (Answer& one : answers) {
    if (!lifetime_.is_open()) return;  // one of the calls closed us
    const Napi::HandleScope scope(env);
    Napi::Value given = env.Null();
    if (const auto& generation = one.answer.generation) {
      Napi::Object snapshot = Napi::Object::New(env);
      const std::uint32_t handle = ++handle_last_;
      held_[handle] = generation;
      snapshot.Set("handle", handle);
      snapshot.Set("session", big(env, generation->session));
      snapshot.Set("sequence", big(env, generation->sequence));
      snapshot.Set("bytes", static_cast<double>(generation->bytes.size()));
      given = snapshot;
    }
    callback.Call({Napi::Number::New(env, one.id), given, Napi::Number::New(env, one.answer.wait_ms)});
  }
}

// sliceSnapshot(handle, offset, bytesMax, reserve) -> a frame of whole datagrams, at least one; of no datagrams at the
// end. Undefined where the handle was released.
Napi::Value ArchiveBinding::slice_snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const auto found = held_.find(static_cast<std::uint32_t>(size_of(env, info[0], "handle", 0xffff'ffff)));
    if (!lifetime_.is_open() || found == held_.end()) return env.Undefined();
    const std::vector<std::uint8_t>& bytes = found->second->bytes;
    const std::size_t offset = size_of(env, info[1], "offset", bytes.size());
    const std::size_t bytes_max = size_of(env, info[2], "bytesMax", slice_bytes_max);
    const std::size_t reserve = size_of(env, info[3], "reserve", reserve_max);
    std::size_t end = offset;
    while (const std::size_t length = encode::datagram_length({bytes.data() + end, bytes.size() - end})) {
      if (end != offset && end + length - offset > bytes_max) break;
      end += length;
    }
    return frame_of(env, reserve, bytes.data() + offset, end - offset);
  });
}

Napi::Value ArchiveBinding::symbol(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const auto instrument = static_cast<std::uint32_t>(size_of(env, info[0], "instrument", 0xffff'ffff));
    const std::string name = replica_ == nullptr ? std::string{} : replica_->symbol(instrument);
    if (name.empty()) return env.Undefined();
    return Napi::String::New(env, name);
  });
}

Napi::Value ArchiveBinding::release_snapshot(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    held_.erase(static_cast<std::uint32_t>(size_of(info.Env(), info[0], "handle", 0xffff'ffff)));
    return info.Env().Undefined();
  });
}

Napi::Value ArchiveBinding::counters(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    auto out = typed_array<Napi::BigUint64Array>(info.Env(), info[0], napi_biguint64_array, "out");
    constexpr std::size_t replica_figures = run::Counters<run::ReplicaCounter>::size;
    if (!lifetime_.is_open() || out.ElementLength() < replica_figures + 3) return info.Env().Undefined();
    for (std::size_t index = 0; replica_ != nullptr && index < replica_figures; ++index) {
      out[index] = replica_->counters().get(index);
    }
    out[replica_figures] = archive_->ring_datagrams();
    out[replica_figures + 1] = archive_->past_datagrams();
    out[replica_figures + 2] = held_.size();
    return info.Env().Undefined();
  });
}

void ArchiveBinding::shut_down() {
  if (!lifetime_.close()) return;
  const bool called = replica_ != nullptr;
  replica_.reset();
  archive_.reset();
  held_.clear();
  {
    const std::lock_guard lock(mutex_);
    answers_.clear();
  }
  publisher_.reset();
  // Calls that are still on their way are dropped: they point here.
  if (called) callback_.Abort();
}

Napi::Value ArchiveBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

}  // namespace depthcast::binding

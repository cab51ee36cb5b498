#include "binding/subscriber_binding.h"

#include <algorithm>
#include <stdexcept>

#include "binding/feed_events.h"
#include "binding/jitter_binding.h"

namespace depthcast::binding {
namespace {

io::ReceiverOptions read_line(const Fields& line) {
  io::ReceiverOptions options;
  options.address = {line.text("group"), line.number<std::uint16_t>("port"), line.text("interface")};
  line.list("sources", [&](const Napi::Value& source) {
    if (!source.IsString()) throw_type(line.env(), "sources must be strings");
    options.sources.push_back(source.As<Napi::String>());
  });
  options.source_specific = line.boolean("sourceSpecific");
  return options;
}

run::SubscriberOptions read_options(const Fields& fields) {
  run::SubscriberOptions options;
  options.channel = fields.number<std::uint32_t>("channel");
  options.session = fields.big("session");
  std::size_t index = 0;
  fields.list("lines", [&](const Napi::Value& value) {
    if (index < 2 && !value.IsNull()) {
      options.lines[index] = read_line(Fields(fields.env(), value));
      options.lines[index]->receive_buffer_bytes = fields.number<int>("receiveBufferBytes");
      options.lines[index]->coalescing = fields.boolean("coalescing");
      options.lines[index]->busy_poll_us = fields.number<int>("busyPollUs");
    }
    ++index;
  });
  options.fed = fields.boolean("fed");
  options.limits = read_limits(fields);
  options.arbiter.gap_wait_ns = static_cast<std::int64_t>(fields.number<double>("gapWaitMs") * 1e6);
  options.arbiter.parked_max = fields.number<std::uint32_t>("parkedMax");
  options.arbiter.parked_bytes_max = fields.number<std::size_t>("parkedBytesMax");
  options.recovery = fields.boolean("recovery");
  options.give_up_ns = static_cast<std::int64_t>(fields.number<double>("giveUpMs") * 1e6);
  if (const std::uint64_t sequence = fields.big("resumeSequence"); sequence != 0) {
    options.resume = {fields.big("resumeSession"), sequence, fields.big("resumeDigest")};
  }
  fields.list("snapshotLine", [&](const Napi::Value& value) {
    options.snapshot_line = read_line(Fields(fields.env(), value));
    options.snapshot_line->receive_buffer_bytes = fields.number<int>("receiveBufferBytes");
    options.snapshot_line->coalescing = fields.boolean("coalescing");
  });
  options.silence_ns = static_cast<std::int64_t>(fields.number<double>("silenceMs") * 1e6);
  options.wait = io::wait_strategy_of(fields.text("wait"));
  options.core = fields.number<int>("core");
  options.lock_memory = fields.boolean("lockMemory");
  options.delivery_capacity = fields.number<std::size_t>("deliveryCapacity");
  options.delivery_policy =
      fields.text("deliveryPolicy") == "stop" ? run::DeliveryPolicy::stop : run::DeliveryPolicy::skip;
  fields.list("exportPositions", [&](const Napi::Value& value) {
    options.export_positions.push_back(fields.big_of<std::uint64_t>(value, "exportPositions"));
  });
  std::sort(options.export_positions.begin(), options.export_positions.end());
  options.export_orders = fields.boolean("exportOrders");
  options.probe = JitterReceiverBinding::probe_of(fields);
  for (auto& line : options.lines) {
    if (line) line->timestamps = options.probe != nullptr;
  }
  return options;
}

std::uint64_t unsigned_of(Napi::Env env, const Napi::Value& value, const char* name) {
  bool lossless = false;
  std::uint64_t number = 0;
  if (value.IsBigInt()) number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw_type(env, std::string(name) + " must be a bigint of 64 bits");
  return number;
}

}  // namespace

Napi::Function SubscriberBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Subscriber",
      {InstanceMethod<&SubscriberBinding::start>("start"), InstanceMethod<&SubscriberBinding::close>("close"),
       InstanceMethod<&SubscriberBinding::drain_updates>("drainUpdates"),
       InstanceMethod<&SubscriberBinding::drain_events>("drainEvents"),
       InstanceMethod<&SubscriberBinding::request_export>("requestExport"),
       InstanceMethod<&SubscriberBinding::counters>("counters"), InstanceMethod<&SubscriberBinding::missing>("missing"),
       InstanceMethod<&SubscriberBinding::latency>("latency"), InstanceMethod<&SubscriberBinding::depth>("depth"),
       InstanceMethod<&SubscriberBinding::definitions>("definitions"),
       InstanceMethod<&SubscriberBinding::offer>("offer"), InstanceMethod<&SubscriberBinding::recovery>("recovery"),
       InstanceMethod<&SubscriberBinding::applied>("applied"),
       InstanceMethod<&SubscriberBinding::repair_time>("repairTime"),
       InstanceMethod<&SubscriberBinding::confirm_session>("confirmSession"),
       InstanceMethod<&SubscriberBinding::want_snapshot>("wantSnapshot"),
       InstanceMethod<&SubscriberBinding::give_up_below>("giveUpBelow"),
       InstanceMethod<&SubscriberBinding::cancel_resume>("cancelResume"),
       InstanceMethod<&SubscriberBinding::join_snapshot_line>("joinSnapshotLine")});
}

SubscriberBinding::SubscriberBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SubscriberBinding>(info) {
  const Napi::Env env = info.Env();
  guard(env, [&] {
    const run::SubscriberOptions options = read_options(Fields(env, info[0]));
    if (options.delivery_capacity != 0) columns_.attach(env, info[1]);
    if (!info[2].IsFunction()) throw_type(env, "onWake must be a function");
    subscriber_ = std::make_unique<run::Subscriber>(options, [this] { wake_callback_.NonBlockingCall(); });
    wake_callback_ = Napi::ThreadSafeFunction::New(env, info[2].As<Napi::Function>(), "depthcast subscriber", 0, 1);
    lifetime_.open(this);
    return env.Undefined();
  });
}

SubscriberBinding::~SubscriberBinding() { shut_down(); }

void SubscriberBinding::shut_down() {
  if (!lifetime_.close()) return;
  subscriber_.reset();
  wake_callback_.Abort();
}

Napi::Value SubscriberBinding::start(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    if (!lifetime_.is_open() || started_) throw std::runtime_error("a subscriber starts once, before it is closed");
    subscriber_->start();
    started_ = true;
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

Napi::Value SubscriberBinding::drain_updates(const Napi::CallbackInfo& info) {
  std::size_t count = 0;
  if (lifetime_.is_open() && subscriber_->delivery() != nullptr) {
    std::size_t count_max = subscriber_->updates_due();
    if (info[0].IsNumber()) {
      const double wanted = info[0].As<Napi::Number>();
      if (wanted < static_cast<double>(count_max)) count_max = wanted > 0 ? static_cast<std::size_t>(wanted) : 0;
    }
    count = columns_.drain(subscriber_->delivery()->ring(), count_max);
    subscriber_->updates_taken(count);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

Napi::Value SubscriberBinding::drain_events(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env);
  if (!lifetime_.is_open()) return result;
  subscriber_->rearm_wake();
  std::uint32_t index = 0;
  for (const run::FeedEvent& event : subscriber_->take_events()) {
    const Napi::HandleScope scope(env);
    result.Set(index++, to_object(env, event));
  }
  return result;
}

Napi::Value SubscriberBinding::request_export(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    if (!info[0].IsNumber() || !info[1].IsNumber() || !info[2].IsBoolean()) {
      throw_type(info.Env(), "requestExport takes an id, an instrument and a boolean");
    }
    if (!lifetime_.is_open()) throw std::runtime_error("the subscriber is closed");
    subscriber_->request_export(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value(),
                                info[2].As<Napi::Boolean>());
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::counters(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    auto out = typed_array<Napi::BigUint64Array>(info.Env(), info[0], napi_biguint64_array, "out");
    const std::size_t count = std::min(out.ElementLength(), run::Counters<run::SubscriberCounter>::size);
    if (!lifetime_.is_open()) return info.Env().Undefined();
    const auto& counters = subscriber_->counters();
    // The session first: the other figures are then of that one, or of a later one.
    const std::uint64_t session = counters.get(run::SubscriberCounter::session);
    for (std::size_t index = 0; index < count; ++index) out[index] = counters.get(index);
    constexpr auto session_index = static_cast<std::size_t>(run::SubscriberCounter::session);
    if (session_index < count) out[session_index] = session;
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::missing(const Napi::CallbackInfo& info) {
  std::vector<std::uint64_t> flat;
  if (lifetime_.is_open()) {
    for (const arbitrate::SequenceRange& range : subscriber_->missing()) {
      flat.push_back(range.first);
      flat.push_back(range.last);
    }
  }
  return copy_to_array<Napi::BigUint64Array>(info.Env(), flat);
}

Napi::Value SubscriberBinding::copy_histogram(const Napi::CallbackInfo& info,
                                              const run::LatencyHistogram& (run::Subscriber::*histogram)() const) {
  return guard(info.Env(), [&] {
    auto out = typed_array<Napi::BigUint64Array>(info.Env(), info[0], napi_biguint64_array, "out");
    const std::size_t count = std::min(out.ElementLength(), run::LatencyHistogram::buckets);
    for (std::size_t bucket = 0; lifetime_.is_open() && bucket < count; ++bucket) {
      out[bucket] = (subscriber_.get()->*histogram)().count(bucket);
    }
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::latency(const Napi::CallbackInfo& info) {
  return copy_histogram(info, &run::Subscriber::latency);
}

Napi::Value SubscriberBinding::repair_time(const Napi::CallbackInfo& info) {
  return copy_histogram(info, &run::Subscriber::repair_time);
}

Napi::Value SubscriberBinding::offer(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto bytes = typed_array<Napi::Uint8Array>(info.Env(), info[0], napi_uint8_array, "bytes");
    const std::size_t waiting =
        lifetime_.is_open() ? subscriber_->offer({bytes.Data(), bytes.ElementLength()}) : std::size_t{0};
    return Napi::Number::New(info.Env(), static_cast<double>(waiting));
  });
}

Napi::Value SubscriberBinding::recovery(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!lifetime_.is_open()) return env.Undefined();
  return to_object(env, subscriber_->recovery());
}

Napi::Value SubscriberBinding::applied(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!lifetime_.is_open()) return env.Undefined();
  const run::ResumePoint point = subscriber_->applied();
  Napi::Object object = Napi::Object::New(env);
  object.Set("session", big(env, point.session));
  object.Set("sequence", big(env, point.sequence));
  object.Set("digest", big(env, point.digest));
  return object;
}

Napi::Value SubscriberBinding::confirm_session(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto session = unsigned_of(info.Env(), info[0], "session");
    if (lifetime_.is_open()) subscriber_->confirm_session(session);
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::want_snapshot(const Napi::CallbackInfo& info) {
  if (lifetime_.is_open()) subscriber_->want_snapshot();
  return info.Env().Undefined();
}

Napi::Value SubscriberBinding::give_up_below(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto end = unsigned_of(info.Env(), info[0], "end");
    if (lifetime_.is_open()) subscriber_->give_up_below(end);
    return info.Env().Undefined();
  });
}

Napi::Value SubscriberBinding::cancel_resume(const Napi::CallbackInfo& info) {
  if (lifetime_.is_open()) subscriber_->cancel_resume();
  return info.Env().Undefined();
}

Napi::Value SubscriberBinding::join_snapshot_line(const Napi::CallbackInfo& info) {
  if (lifetime_.is_open()) subscriber_->join_snapshot_line(info[0].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value SubscriberBinding::depth(const Napi::CallbackInfo& info) {
  return read_depth(info, lifetime_.is_open() ? &subscriber_->views() : nullptr);
}

Napi::Value SubscriberBinding::definitions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env);
  if (!lifetime_.is_open()) return result;
  std::uint32_t index = 0;
  for (const run::KnownDefinition& known : subscriber_->definitions()) {
    const Napi::HandleScope scope(env);
    result.Set(index++, to_object(env, known));
  }
  return result;
}

}  // namespace depthcast::binding

#include "binding/jitter_binding.h"

#include <sched.h>

#include <stdexcept>

#include "binding/sources_options.h"
#include "io/clock.h"
#include "io/file_descriptor.h"
#include "io/waiting.h"

namespace depthcast::binding {
namespace {

// Any numbers of our own: what is unwrapped is what was wrapped.
constexpr napi_type_tag sender_tag = {0x6465707468636173ULL, 0x6a69747365000001ULL};
constexpr napi_type_tag receiver_tag = {0x6465707468636173ULL, 0x6a69747265000001ULL};

// Null where the option is absent.
Napi::Value tagged(const Fields& fields, const char* name, const napi_type_tag& tag, const char* what) {
  const Napi::Value value = fields.get(name);
  if (value.IsUndefined() || value.IsNull()) return fields.env().Null();
  bool ours = false;
  if (value.IsObject()) napi_check_object_type_tag(fields.env(), value, &tag, &ours);
  if (!ours) throw_type(fields.env(), std::string(name) + " must be " + what);
  return value;
}

run::LoadOptions read_load(const Fields& fields) {
  run::LoadOptions load;
  load.pattern = run::load_pattern_of(fields.text("pattern"));
  load.rate = fields.number<double>("rate");
  load.burst = fields.number<std::uint32_t>("burst");
  load.speed = fields.number<double>("speed");
  load.seed = fields.big("seed");
  if (!(load.rate > 0) || load.burst == 0 || !(load.speed > 0)) {
    throw std::invalid_argument("rate, burst and speed are above 0");
  }
  return load;
}

io::LineAddress read_address(const Fields& line) {
  return {line.text("group"), line.number<std::uint16_t>("port"), line.text("interface")};
}

std::unique_ptr<run::ByteSource> read_source(const Fields& fields) {
  if (fields.get("descriptor").IsNumber()) {
    return run::make_descriptor_source(io::FileDescriptor(fields.number<int>("descriptor")));
  }
  return run::make_simulated_source(read_simulated(Fields(fields.env(), fields.get("simulate"))));
}

// ns from `base`: exact for about 100 days.
double from(std::int64_t base_ns, std::int64_t time_ns) { return static_cast<double>(time_ns - base_ns); }

// Rows of 9: see NativeJitterSent.stalls.
Napi::Value stalls_of(Napi::Env env, const run::StallLog& log, std::int64_t base_ns) {
  std::vector<double> flat;
  for (const run::Stall& stall : log.stalls()) {
    flat.insert(flat.end(),
                {from(base_ns, stall.begin_ns), from(base_ns, stall.end_ns),
                 static_cast<double>(stall.switches_voluntary), static_cast<double>(stall.switches_forced),
                 static_cast<double>(stall.faults), static_cast<double>(stall.run_delay_ns),
                 static_cast<double>(stall.blocks), static_cast<double>(stall.off_core_ns), stall.work ? 1.0 : 0.0});
  }
  return copy_to_array<Napi::Float64Array>(env, flat);
}

// For each stage, pairs of upper ns of a bucket and its count, of those that are not empty.
template <std::size_t Stages>
Napi::Value stages_of(Napi::Env env, const run::LatencyHistogram (&stages)[Stages]) {
  Napi::Array result = Napi::Array::New(env, Stages);
  for (std::size_t stage = 0; stage < Stages; ++stage) {
    std::vector<double> pairs;
    for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) {
      const std::uint64_t count = stages[stage].count(bucket);
      if (count == 0) continue;
      pairs.push_back(static_cast<double>(run::LatencyHistogram::bucket_value(bucket)));
      pairs.push_back(static_cast<double>(count));
    }
    result.Set(static_cast<std::uint32_t>(stage), copy_to_array<Napi::Float64Array>(env, pairs));
  }
  return result;
}

std::int64_t number_of(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  if (!info[index].IsNumber()) throw_type(info.Env(), std::string(name) + " must be a number");
  return info[index].As<Napi::Number>().Int64Value();
}

// Rows of 3: number of the activity, begin, end.
Napi::Value activity_rows(Napi::Env env, run::ActivityLog& log, std::int64_t base_ns) {
  std::vector<double> flat;
  for (const run::ActivityTime& one : log.take()) {
    flat.insert(flat.end(), {static_cast<double>(one.what), from(base_ns, one.begin_ns), from(base_ns, one.end_ns)});
  }
  return copy_to_array<Napi::Float64Array>(env, flat);
}

run::Injection read_injection(const Fields& fields) {
  run::Injection injection;
  const std::string what = fields.text("what");
  if (what == "pause") injection.what = run::Injection::What::pause;
  if (what == "fsync") injection.what = run::Injection::What::fsync;
  injection.every_ns = fields.number<std::int64_t>("everyNs");
  injection.length_ns = fields.number<std::int64_t>("lengthNs");
  injection.path = fields.text("path");
  if (injection.every_ns <= 0) throw std::invalid_argument("everyNs is above 0");
  return injection;
}

std::int64_t base_of(const Napi::CallbackInfo& info) {
  if (!info[0].IsBigInt()) throw_type(info.Env(), "base must be a bigint");
  bool lossless = false;
  return info[0].As<Napi::BigInt>().Int64Value(&lossless);
}

template <typename Side>
void require_idle(const Side& side) {
  if (side.state() != Side::State::idle) throw std::runtime_error("a measurement is running");
}

}  // namespace

Napi::Function JitterSenderBinding::define(Napi::Env env) {
  return DefineClass(
      env, "JitterSender",
      {InstanceMethod<&JitterSenderBinding::prepare>("prepare"),
       InstanceMethod<&JitterSenderBinding::start_feed>("startFeed"),
       InstanceMethod<&JitterSenderBinding::start_floor>("startFloor"),
       InstanceMethod<&JitterSenderBinding::prepare_ping>("preparePing"),
       InstanceMethod<&JitterSenderBinding::start_ping>("startPing"),
       InstanceMethod<&JitterSenderBinding::busy>("busy"), InstanceMethod<&JitterSenderBinding::abort>("abort"),
       InstanceMethod<&JitterSenderBinding::result>("result")});
}

JitterSenderBinding::JitterSenderBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<JitterSenderBinding>(info) {
  napi_type_tag_object(info.Env(), info.This(), &sender_tag);
  guard(info.Env(), [&] {
    const Fields fields(info.Env(), info[0]);
    run::JitterSenderOptions options;
    fields.list("floorLines", [&](const Napi::Value& value) {
      io::SenderOptions line;
      line.address = read_address(Fields(fields.env(), value));
      options.floor_lines.push_back(line);
    });
    options.ping_path = fields.text("pingPath");
    options.ping_other_path = fields.text("pingOtherPath");
    if (!fields.get("injection").IsNull()) {
      options.injection = read_injection(Fields(fields.env(), fields.get("injection")));
    }
    sender_ = std::make_shared<run::JitterSender>(std::move(options), read_source(fields));
    return info.Env().Undefined();
  });
}

std::shared_ptr<run::PublisherProbe> JitterSenderBinding::probe_of(const Fields& fields) {
  const Napi::Value value = tagged(fields, "probe", sender_tag, "a JitterSender");
  return value.IsNull() ? nullptr : Unwrap(value.As<Napi::Object>())->sender_;
}

std::shared_ptr<run::ActivityLog> JitterSenderBinding::activities_of(const Fields& fields) {
  const Napi::Value value = tagged(fields, "activities", sender_tag, "a JitterSender");
  if (value.IsNull()) return nullptr;
  const std::shared_ptr<run::JitterSender>& sender = Unwrap(value.As<Napi::Object>())->sender_;
  return {sender, &sender->activities()};
}

Napi::Value JitterSenderBinding::prepare(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    require_idle(*sender_);
    const Fields fields(info.Env(), info[0]);
    const std::size_t count = sender_->prepare(fields.number<std::size_t>("messages"),
                                               fields.number<std::int64_t>("lengthNs"), read_load(fields));
    return Napi::Number::New(info.Env(), static_cast<double>(count));
  });
}

Napi::Value JitterSenderBinding::start_feed(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    require_idle(*sender_);
    const std::int64_t start_ns = io::realtime_ns() + number_of(info, 0, "delay");
    sender_->start_feed(start_ns, start_ns + number_of(info, 1, "limit"), info[2].ToBoolean());
    return Napi::BigInt::New(info.Env(), start_ns);
  });
}

Napi::Value JitterSenderBinding::start_floor(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    require_idle(*sender_);
    const std::int64_t start_ns = io::realtime_ns() + number_of(info, 0, "delay");
    sender_->start_floor(start_ns);
    return Napi::BigInt::New(info.Env(), start_ns);
  });
}

Napi::Value JitterSenderBinding::prepare_ping(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    require_idle(*sender_);
    sender_->prepare_ping();
    return info.Env().Undefined();
  });
}

Napi::Value JitterSenderBinding::start_ping(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    require_idle(*sender_);
    sender_->start_ping();
    return info.Env().Undefined();
  });
}

Napi::Value JitterSenderBinding::busy(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), sender_->state() != run::JitterSender::State::idle);
}

Napi::Value JitterSenderBinding::abort(const Napi::CallbackInfo& info) {
  sender_->abort();
  return info.Env().Undefined();
}

Napi::Value JitterSenderBinding::result(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    require_idle(*sender_);
    const Napi::Env env = info.Env();
    const std::int64_t base_ns = base_of(info);
    std::vector<double> batches;
    batches.reserve(sender_->batch_count() * 6);
    for (std::size_t index = 0; index < sender_->batch_count(); ++index) {
      const run::JitterBatch& batch = sender_->batches()[index];
      batches.insert(batches.end(), {from(base_ns, batch.ingest_ns), from(base_ns, batch.sequenced_ns),
                                     from(base_ns, batch.before_send_ns), from(base_ns, batch.after_send_ns),
                                     static_cast<double>(batch.last_sequence), static_cast<double>(batch.packets_end)});
    }
    run::LatencyHistogram stages[static_cast<std::size_t>(run::SenderStage::count_)];
    sender_->add_stages(stages);
    Napi::Object result = Napi::Object::New(env);
    result.Set("batches", copy_to_array<Napi::Float64Array>(env, batches));
    result.Set("stages", stages_of(env, stages));
    result.Set("stalls", stalls_of(env, sender_->stalls(), base_ns));
    result.Set("activities", activity_rows(env, sender_->activities(), base_ns));
    result.Set("stallsLost", static_cast<double>(sender_->stalls().lost()));
    result.Set("unrecorded", static_cast<double>(sender_->unrecorded()));
    result.Set("unsent", static_cast<double>(sender_->unsent()));
    result.Set("roundTrips", copy_to_array<Napi::Float64Array>(env, sender_->round_trips()));
    result.Set("knowsRunDelay", sender_->knows_run_delay());
    return result;
  });
}

Napi::Value read_clocks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array clocks = Napi::Array::New(env, 2);
  clocks.Set(std::uint32_t{0}, Napi::BigInt::New(env, io::realtime_ns()));
  clocks.Set(std::uint32_t{1}, Napi::BigInt::New(env, io::monotonic_ns()));
  return clocks;
}

Napi::Value confine(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsArray()) throw_type(info.Env(), "cores must be an array");
    const auto given = info[0].As<Napi::Array>();
    std::vector<int> cores;
    for (std::uint32_t index = 0; index < given.Length(); ++index) {
      const int core = Napi::Value(given.Get(index)).ToNumber().Int32Value();
      if (core < 0 || core >= CPU_SETSIZE) throw std::invalid_argument("there is no such core");
      cores.push_back(core);
    }
    return Napi::Boolean::New(info.Env(), !cores.empty() && io::confine_process(cores));
  });
}

Napi::Function JitterReceiverBinding::define(Napi::Env env) {
  return DefineClass(
      env, "JitterReceiver",
      {InstanceMethod<&JitterReceiverBinding::start>("start"), InstanceMethod<&JitterReceiverBinding::stop>("stop"),
       InstanceMethod<&JitterReceiverBinding::busy>("busy"),
       InstanceMethod<&JitterReceiverBinding::delivered>("delivered"),
       InstanceMethod<&JitterReceiverBinding::result>("result")});
}

JitterReceiverBinding::JitterReceiverBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<JitterReceiverBinding>(info) {
  napi_type_tag_object(info.Env(), info.This(), &receiver_tag);
  guard(info.Env(), [&] {
    const Fields fields(info.Env(), info[0]);
    run::JitterReceiverOptions options;
    fields.list("floorLines", [&](const Napi::Value& value) {
      io::ReceiverOptions line;
      line.address = read_address(Fields(fields.env(), value));
      line.receive_buffer_bytes = fields.number<int>("receiveBufferBytes");
      line.coalescing = fields.boolean("coalescing");
      options.floor_lines.push_back(line);
    });
    options.packets_max = fields.number<std::size_t>("packetsMax");
    options.messages_max = fields.number<std::size_t>("messagesMax");
    options.ping_path = fields.text("pingPath");
    options.ping_other_path = fields.text("pingOtherPath");
    receiver_ = std::make_shared<run::JitterReceiver>(options);
    return info.Env().Undefined();
  });
}

std::shared_ptr<run::SubscriberProbe> JitterReceiverBinding::probe_of(const Fields& fields) {
  const Napi::Value value = tagged(fields, "probe", receiver_tag, "a JitterReceiver");
  return value.IsNull() ? nullptr : Unwrap(value.As<Napi::Object>())->receiver_;
}

Napi::Value JitterReceiverBinding::start(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    require_idle(*receiver_);
    const std::int64_t what = number_of(info, 0, "what");
    if (what < 1 || what > 4) throw std::invalid_argument("what is 1, 2, 3 or 4");
    receiver_->start(static_cast<run::JitterReceiver::State>(what), io::realtime_ns() + number_of(info, 1, "limit"));
    return info.Env().Undefined();
  });
}

Napi::Value JitterReceiverBinding::stop(const Napi::CallbackInfo& info) {
  receiver_->stop();
  return info.Env().Undefined();
}

Napi::Value JitterReceiverBinding::busy(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), receiver_->state() != run::JitterReceiver::State::idle);
}

Napi::Value JitterReceiverBinding::delivered(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    bool lossless = false;
    if (!info[0].IsBigInt()) throw_type(info.Env(), "sequence must be a bigint");
    receiver_->delivered(info[0].As<Napi::BigInt>().Uint64Value(&lossless));
    return info.Env().Undefined();
  });
}

Napi::Value JitterReceiverBinding::result(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    require_idle(*receiver_);
    const Napi::Env env = info.Env();
    const std::int64_t base_ns = base_of(info);
    const auto given = typed_array<Napi::Float64Array>(env, info[1], napi_float64_array, "senderStalls");
    std::vector<run::JitterInterval> sender_stalls;
    for (std::size_t index = 0; index + 1 < given.ElementLength(); index += 2) {
      sender_stalls.push_back(
          {base_ns + static_cast<std::int64_t>(given[index]), base_ns + static_cast<std::int64_t>(given[index + 1])});
    }
    std::vector<double> packets;
    packets.reserve(receiver_->packet_count() * 7);
    for (std::size_t index = 0; index < receiver_->packet_count(); ++index) {
      const run::JitterPacket& packet = receiver_->packets()[index];
      packets.insert(packets.end(), {packet.kernel_ns == 0 ? -1 : from(base_ns, packet.kernel_ns),
                                     from(base_ns, packet.received_ns), from(base_ns, packet.applied_ns),
                                     from(base_ns, packet.due_ns), static_cast<double>(packet.last_sequence),
                                     static_cast<double>(packet.count), static_cast<double>(packet.line)});
    }
    std::vector<double> deliveries;
    for (const run::JitterDelivery& delivery : receiver_->deliveries()) {
      deliveries.insert(deliveries.end(), {static_cast<double>(delivery.last_sequence), from(base_ns, delivery.at_ns),
                                           static_cast<double>(delivery.run_delay_ns)});
    }
    run::LatencyHistogram stages[static_cast<std::size_t>(run::ReceiverStage::count_)];
    const std::uint64_t met = receiver_->add_stages(stages, sender_stalls);
    Napi::Object result = Napi::Object::New(env);
    result.Set("packets", copy_to_array<Napi::Float64Array>(env, packets));
    result.Set("stages", stages_of(env, stages));
    result.Set("stalls", stalls_of(env, receiver_->stalls(), base_ns));
    result.Set("stallsLost", static_cast<double>(receiver_->stalls().lost()));
    result.Set("deliveries", copy_to_array<Napi::Float64Array>(env, deliveries));
    result.Set("undelivered", static_cast<double>(receiver_->undelivered()));
    result.Set("messages", static_cast<double>(receiver_->messages()));
    result.Set("excluded", static_cast<double>(met));
    result.Set("unrecorded", static_cast<double>(receiver_->unrecorded()));
    result.Set("knowsRunDelay", receiver_->knows_run_delay());
    return result;
  });
}

}  // namespace depthcast::binding

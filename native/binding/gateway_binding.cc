#include "binding/gateway_binding.h"

#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "binding/feed_events.h"
#include "binding/publisher_binding.h"
#include "io/clock.h"
#include "run/journal_past.h"
#include "run/subscriber.h"

namespace depthcast::binding {
namespace {

constexpr std::size_t room_min = 4'096;
// compose() may go beyond its room by a datagram and the overhead of a frame.
constexpr std::size_t room_slack = 16'384;
// Added to the length: there is more; takeSlow() has something to tell; joinedGroup() does, or the group has ended.
constexpr double more_flag = 4'294'967'296.0;
constexpr double slow_flag = 2 * more_flag;
constexpr double group_flag = 4 * more_flag;

// Copies the frame to `out`.
std::size_t put(std::span<const std::uint8_t> bytes, Napi::Uint8Array& out) {
  if (bytes.size() > out.ByteLength()) throw std::length_error("a frame is longer than its room");
  if (!bytes.empty()) std::memcpy(out.Data(), bytes.data(), bytes.size());
  return bytes.size();
}

Napi::Uint8Array room_of(Napi::Env env, const Napi::Value& value) {
  auto out = typed_array<Napi::Uint8Array>(env, value, napi_uint8_array, "out");
  if (out.ByteLength() < room_min + room_slack) throw_type(env, "out is too small");
  return out;
}

template <typename T>
T argument(Napi::Env env, const Napi::Value& value, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0) || number > static_cast<double>(std::numeric_limits<T>::max()))
    throw_type(env, std::string(name) + " is out of range");
  return static_cast<T>(number);
}

run::GatewayMode mode_of(Napi::Env env, const std::string& name) {
  constexpr std::array names = {"exact", "filtered", "depth", "trades"};
  for (std::size_t mode = 0; mode < names.size(); ++mode) {
    if (name == names[mode]) return static_cast<run::GatewayMode>(mode);
  }
  throw_type(env, "mode must be exact, filtered, depth or trades");
}

constexpr std::array slow_names = {"conflate", "snapshot", "disconnect"};

run::SlowPolicy policy_of(Napi::Env env, const std::string& name) {
  for (std::size_t policy = 0; policy < slow_names.size(); ++policy) {
    if (name == slow_names[policy]) return static_cast<run::SlowPolicy>(policy);
  }
  throw_type(env, "onSlow must be conflate, snapshot or disconnect");
}

run::GatewayRequest request_of(Napi::Env env, const Napi::Value& value) {
  const Fields fields(env, value);
  run::GatewayRequest request;
  request.mode = mode_of(env, fields.text("mode"));
  request.all = fields.get("instruments").IsNull();
  if (!request.all) {
    const auto chosen =
        typed_array<Napi::Uint32Array>(env, fields.get("instruments"), napi_uint32_array, "instruments");
    request.instruments.assign(chosen.Data(), chosen.Data() + chosen.ElementLength());
  }
  request.levels = fields.number<std::uint32_t>("levels");
  request.interval_ns = static_cast<std::int64_t>(fields.number<double>("intervalMs") * 1e6);
  request.on_slow = policy_of(env, fields.text("onSlow"));
  request.resume = fields.big("resume");
  return request;
}

Napi::Value counts_of(Napi::Env env, const std::optional<run::GatewayCounts>& counts) {
  if (!counts) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("published", big(env, counts->published));
  object.Set("sent", big(env, counts->sent));
  object.Set("conflated", big(env, counts->conflated));
  object.Set("refused", big(env, counts->refused));
  object.Set("pending", big(env, counts->pending));
  object.Set("sequence", big(env, counts->sequence));
  return object;
}

}  // namespace

Napi::Function GatewayBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Gateway",
      {InstanceMethod<&GatewayBinding::step>("step"), InstanceMethod<&GatewayBinding::state>("state"),
       InstanceMethod<&GatewayBinding::definitions>("definitions"),
       InstanceMethod<&GatewayBinding::open_client>("openClient"),
       InstanceMethod<&GatewayBinding::close_client>("closeClient"),
       InstanceMethod<&GatewayBinding::subscribe>("subscribe"), InstanceMethod<&GatewayBinding::change>("change"),
       InstanceMethod<&GatewayBinding::unsubscribe>("unsubscribe"), InstanceMethod<&GatewayBinding::counts>("counts"),
       InstanceMethod<&GatewayBinding::compose>("compose"),
       InstanceMethod<&GatewayBinding::joined_group>("joinedGroup"),
       InstanceMethod<&GatewayBinding::compose_group>("composeGroup"),
       InstanceMethod<&GatewayBinding::leave_group>("leaveGroup"), InstanceMethod<&GatewayBinding::check>("check"),
       InstanceMethod<&GatewayBinding::take_slow>("takeSlow"), InstanceMethod<&GatewayBinding::counters>("counters"),
       InstanceMethod<&GatewayBinding::close>("close")});
}

GatewayBinding::GatewayBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GatewayBinding>(info) {
  const Napi::Env env = info.Env();
  guard(env, [&] {
    const Fields fields(env, info[0]);
    run::GatewayOptions options;
    if (const auto handle = fields.number<std::uint32_t>("publisher"); handle != 0) {
      publisher_ = PublisherBinding::shared(handle);
      if (publisher_ == nullptr) throw std::runtime_error("the publisher is closed");
      options.ring.memory = publisher_->ring_memory().data();
      options.ring.bytes = publisher_->ring_memory().bytes();
    } else {
      options.ring.path = fields.text("ringPath");
    }
    options.channel = fields.number<std::uint32_t>("channel");
    options.limits = read_limits(fields);
    options.window_bytes_max = fields.number<std::size_t>("windowBytesMax");
    options.prints_max = fields.number<std::size_t>("printsMax");
    options.snapshot_age_ns = static_cast<std::int64_t>(fields.number<double>("snapshotAgeMs") * 1e6);
    if (options.prints_max == 0) throw_type(env, "printsMax must be at least 1");
    std::unique_ptr<run::CheckpointStore> checkpoints;
    if (const std::string folder = fields.text("checkpointsFolder"); !folder.empty()) {
      // It only reads them: none is ever removed by this number.
      checkpoints = std::make_unique<run::CheckpointFiles>(folder, 1);
    }
    hub_ = std::make_unique<run::GatewayHub>(options, run::journal_past(fields.text("journalFolder")),
                                             std::move(checkpoints));
    lifetime_.open(this);
    return env.Undefined();
  });
}

GatewayBinding::~GatewayBinding() { shut_down(); }

void GatewayBinding::shut_down() {
  lifetime_.close();
  hub_.reset();
  publisher_.reset();
}

run::GatewayHub& GatewayBinding::hub(Napi::Env env) const {
  if (hub_ == nullptr) {
    Napi::Error::New(env, "this gateway is closed").ThrowAsJavaScriptException();
    throw Thrown();
  }
  return *hub_;
}

// step() -> true where something was new
Napi::Value GatewayBinding::step(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), hub(info.Env()).step(io::monotonic_ns())); });
}

Napi::Value GatewayBinding::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const run::GatewayHub& hub = this->hub(env);
    Napi::Object object = Napi::Object::New(env);
    object.Set("session", big(env, hub.session()));
    object.Set("sequence", big(env, hub.market().sequence()));
    object.Set("ready", hub.ready());
    object.Set("ended", hub.follower().archive().ended());
    object.Set("definitionsVersion", static_cast<double>(hub.market().replica().definitions_version()));
    return object;
  });
}

Napi::Value GatewayBinding::definitions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const book::Replica& replica = hub(env).market().replica();
    Napi::Array result = Napi::Array::New(env);
    std::uint32_t index = 0;
    for (std::uint32_t instrument = 1; instrument <= replica.instrument_last(); ++instrument) {
      const book::DefinitionRecord& record = replica.definition(instrument);
      if (!record.defined) continue;
      const Napi::HandleScope scope(env);
      result.Set(index++, to_object(env, run::KnownDefinition{instrument, record}));
    }
    return result;
  });
}

Napi::Value GatewayBinding::open_client(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] { return Napi::Number::New(info.Env(), hub(info.Env()).open_client()); });
}

Napi::Value GatewayBinding::close_client(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    hub(env).close_client(argument<std::uint32_t>(env, info[0], "client"));
    return env.Undefined();
  });
}

// subscribe(client, subscription, request) -> false where that number is in use
Napi::Value GatewayBinding::subscribe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto client = argument<std::uint32_t>(env, info[0], "client");
    const auto subscription = argument<std::uint16_t>(env, info[1], "subscription");
    return Napi::Boolean::New(env, hub(env).subscribe(client, subscription, request_of(env, info[2])));
  });
}

Napi::Value GatewayBinding::change(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto client = argument<std::uint32_t>(env, info[0], "client");
    const auto subscription = argument<std::uint16_t>(env, info[1], "subscription");
    return Napi::Boolean::New(env, hub(env).change(client, subscription, request_of(env, info[2])));
  });
}

Napi::Value GatewayBinding::unsubscribe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto client = argument<std::uint32_t>(env, info[0], "client");
    return counts_of(env, hub(env).unsubscribe(client, argument<std::uint16_t>(env, info[1], "subscription")));
  });
}

Napi::Value GatewayBinding::counts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto client = argument<std::uint32_t>(env, info[0], "client");
    return counts_of(env, hub(env).counts(client, argument<std::uint16_t>(env, info[1], "subscription")));
  });
}

// compose(client, out, flush, share) -> bytes written to `out`, plus 2^32 where there is more, plus 2^33 for
// takeSlow(), plus 2^34 for joinedGroup()
Napi::Value GatewayBinding::compose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto client = argument<std::uint32_t>(env, info[0], "client");
    auto out = room_of(env, info[1]);
    const auto is_true = [](const Napi::Value& value) { return value.IsBoolean() && value.As<Napi::Boolean>(); };
    const run::GatewayFrame frame = hub(env).compose(client, out.ByteLength() - room_slack, io::monotonic_ns(),
                                                     io::realtime_ns(), is_true(info[2]), is_true(info[3]));
    const std::size_t bytes = put(frame.bytes, out);
    slow_.insert(slow_.end(), frame.slow.begin(), frame.slow.end());
    group_ = frame.group;
    return Napi::Number::New(env, static_cast<double>(bytes) + (frame.more ? more_flag : 0) +
                                      (slow_.empty() ? 0 : slow_flag) + (group_ == 0 ? 0 : group_flag));
  });
}

// joinedGroup() -> the group that the client of the last compose() is in since then; 0: none
Napi::Value GatewayBinding::joined_group(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), group_);
}

// composeGroup(group, out) -> bytes written to `out`, plus 2^32 where there is more, plus 2^34 where the group has
// ended
Napi::Value GatewayBinding::compose_group(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto group = argument<std::uint32_t>(env, info[0], "group");
    auto out = room_of(env, info[1]);
    const run::GatewayFrame frame =
        hub(env).compose_group(group, out.ByteLength() - room_slack, io::monotonic_ns(), io::realtime_ns());
    return Napi::Number::New(env, static_cast<double>(put(frame.bytes, out)) + (frame.more ? more_flag : 0) +
                                      (frame.ended ? group_flag : 0));
  });
}

// leaveGroup(client)
Napi::Value GatewayBinding::leave_group(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    hub(env).leave_group(argument<std::uint32_t>(env, info[0], "client"));
    return env.Undefined();
  });
}

// check(client) -> whether takeSlow() has something to tell
Napi::Value GatewayBinding::check(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const auto slow = hub(env).check(argument<std::uint32_t>(env, info[0], "client"));
    slow_.insert(slow_.end(), slow.begin(), slow.end());
    return Napi::Boolean::New(env, !slow.empty());
  });
}

// What slow consumers' policies did since the last call, all of the client that was looked at last.
Napi::Value GatewayBinding::take_slow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    Napi::Array result = Napi::Array::New(env, slow_.size());
    for (std::uint32_t index = 0; index < slow_.size(); ++index) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("subscription", static_cast<double>(slow_[index].subscription));
      object.Set("did", slow_names[static_cast<std::size_t>(slow_[index].did)]);
      object.Set("sequence", big(env, slow_[index].sequence));
      result.Set(index, object);
    }
    slow_.clear();
    return result;
  });
}

Napi::Value GatewayBinding::counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&] {
    const run::GatewayHub& hub = this->hub(env);
    const run::GatewayCounters& own = hub.counters();
    const run::FollowerCounters& follower = hub.follower().counters();
    Napi::Object object = Napi::Object::New(env);
    object.Set("frames", big(env, own.frames));
    object.Set("bytes", big(env, own.bytes));
    object.Set("snapshots", big(env, own.snapshots));
    object.Set("slow", big(env, own.slow));
    object.Set("windowBytes", big(env, hub.window_bytes()));
    object.Set("lapped", big(env, follower.lapped));
    object.Set("unavailable", big(env, follower.unavailable));
    object.Set("digestsMismatched", big(env, hub.market().replica().counters().digests_mismatched));
    return object;
  });
}

Napi::Value GatewayBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

}  // namespace depthcast::binding

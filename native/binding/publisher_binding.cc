#include "binding/publisher_binding.h"

#include <stdexcept>
#include <utility>

#include "binding/sources_options.h"
#include "binding/values.h"

namespace depthcast::binding {
namespace {

run::Pacing read_pacing(const Fields& fields) {
  return {fields.number<double>("speed"), fields.number<double>("rate")};
}

run::PublisherOptions read_options(const Fields& fields) {
  run::PublisherOptions options;
  options.channel = fields.number<std::uint32_t>("channel");
  options.session = fields.big("session");
  fields.list("lines", [&](const Napi::Value& value) {
    const Fields line(fields.env(), value);
    io::SenderOptions sender;
    sender.address = {line.text("group"), line.number<std::uint16_t>("port"), line.text("interface")};
    sender.ttl = fields.number<int>("ttl");
    sender.loop = fields.boolean("loop");
    sender.segmentation = fields.boolean("segmentation");
    options.lines.push_back(sender);
    options.datagram_bytes.push_back(line.number<std::size_t>("datagramBytes"));
  });
  options.limits = read_limits(fields);
  options.ring_bytes = fields.number<std::size_t>("ringBytes");
  options.ring_path = fields.text("ringPath");
  options.wait = io::wait_strategy_of(fields.text("wait"));
  options.core = fields.number<int>("core");
  options.heartbeat_ns = fields.number<std::int64_t>("heartbeatMs") * 1'000'000;
  options.digest_messages = fields.number<std::uint64_t>("digestMessages");
  options.definitions_ns = fields.number<std::int64_t>("definitionsMs") * 1'000'000;
  return options;
}

const char* name_of(run::SourceEndReason reason) {
  switch (reason) {
    case run::SourceEndReason::end: return "end";
    case run::SourceEndReason::fault: return "fault";
    default: return "stopped";
  }
}

}  // namespace

Napi::Function PublisherBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Publisher",
      {InstanceMethod<&PublisherBinding::source_itch>("sourceItch"),
       InstanceMethod<&PublisherBinding::source_simulate>("sourceSimulate"),
       InstanceMethod<&PublisherBinding::start>("start"), InstanceMethod<&PublisherBinding::release>("release"),
       InstanceMethod<&PublisherBinding::stop>("stop"), InstanceMethod<&PublisherBinding::close>("close"),
       InstanceMethod<&PublisherBinding::counters>("counters"), InstanceMethod<&PublisherBinding::depth>("depth"),
       InstanceMethod<&PublisherBinding::definitions>("definitions")});
}

PublisherBinding::PublisherBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PublisherBinding>(info) {
  const Napi::Env env = info.Env();
  guard(env, [&] {
    const run::PublisherOptions options = read_options(Fields(env, info[0]));
    if (!info[1].IsFunction()) throw_type(env, "onEnd must be a function");
    publisher_ = std::make_unique<run::Publisher>(options, [this] {
      end_callback_.NonBlockingCall(
          [this](Napi::Env callback_env, Napi::Function callback) { tell_end(callback_env, callback); });
    });
    end_callback_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "depthcast publisher", 0, 1);
    lifetime_.open(this);
    return env.Undefined();
  });
}

PublisherBinding::~PublisherBinding() { shut_down(); }

void PublisherBinding::set_source(Napi::Env env, std::unique_ptr<run::ByteSource> bytes, const run::Pacing& pacing,
                                  std::int64_t midnight_ns) {
  if (!lifetime_.is_open() || started_ || source_ != nullptr) {
    Napi::Error::New(env, "the source is chosen once, before start").ThrowAsJavaScriptException();
    throw Thrown();
  }
  source_ = std::make_unique<run::ItchSource>(*publisher_, std::move(bytes), pacing, midnight_ns);
}

Napi::Value PublisherBinding::source_itch(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const Fields fields(info.Env(), info[0]);
    io::FileDescriptor descriptor(fields.number<int>("descriptor"));
    set_source(info.Env(), run::make_descriptor_source(std::move(descriptor)), read_pacing(fields),
               fields.big<std::int64_t>("midnightNs"));
    return info.Env().Undefined();
  });
}

Napi::Value PublisherBinding::source_simulate(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const Fields fields(info.Env(), info[0]);
    set_source(info.Env(), run::make_simulated_source(read_simulated(fields)), read_pacing(fields),
               fields.big<std::int64_t>("midnightNs"));
    return info.Env().Undefined();
  });
}

Napi::Value PublisherBinding::start(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    if (!lifetime_.is_open() || started_) throw std::runtime_error("a publisher starts once, before it is closed");
    publisher_->start();
    started_ = true;
    return info.Env().Undefined();
  });
}

Napi::Value PublisherBinding::release(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    if (!lifetime_.is_open() || released_) return info.Env().Undefined();
    released_ = true;
    if (source_ != nullptr) {
      source_->start();
    } else {
      publisher_->end_input();
    }
    return info.Env().Undefined();
  });
}

// The source's thread ends the input itself; where it never ran, nobody else would.
void PublisherBinding::stop_input() {
  if (released_ && source_ != nullptr) {
    source_->stop();
  } else {
    released_ = true;
    publisher_->end_input();
  }
}

Napi::Value PublisherBinding::stop(const Napi::CallbackInfo& info) {
  if (lifetime_.is_open()) stop_input();
  return info.Env().Undefined();
}

void PublisherBinding::tell_end(Napi::Env env, Napi::Function callback) {
  if (!lifetime_.is_open()) return;
  if (source_ != nullptr) source_->join();  // it has ended: that is what ended the publisher
  const run::SourceEnd end = source_ != nullptr ? source_->end() : run::SourceEnd{};
  Napi::Object result = Napi::Object::New(env);
  result.Set("reason", name_of(end.reason));
  result.Set("offset", big(env, end.fault.offset));
  result.Set("expected", end.fault.expected);
  result.Set("position", big(env, end.position));
  callback.Call({result});
}

void PublisherBinding::shut_down() {
  if (!lifetime_.close()) return;
  stop_input();
  source_.reset();
  publisher_.reset();
  // Calls that are still on their way are dropped: they point here.
  end_callback_.Abort();
}

Napi::Value PublisherBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

Napi::Value PublisherBinding::counters(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    auto out = typed_array<Napi::BigUint64Array>(info.Env(), info[0], napi_biguint64_array, "out");
    const std::size_t count = std::min(out.ElementLength(), run::Counters<run::PublisherCounter>::size);
    for (std::size_t index = 0; lifetime_.is_open() && index < count; ++index)
      out[index] = publisher_->counters().get(index);
    return info.Env().Undefined();
  });
}

Napi::Value PublisherBinding::depth(const Napi::CallbackInfo& info) {
  return read_depth(info, lifetime_.is_open() ? &publisher_->views() : nullptr);
}

Napi::Value PublisherBinding::definitions(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env);
  run::PublishedDefinition published{};
  for (std::uint32_t index = 0; lifetime_.is_open() && publisher_->take_definition(published); ++index) {
    const ingest::DefinitionData& data = published.definition;
    Napi::Object object = Napi::Object::New(env);
    object.Set("instrument", published.instrument);
    object.Set("symbol", Napi::String::New(env, data.symbol, strnlen(data.symbol, sizeof data.symbol)));
    object.Set("priceExponent", static_cast<double>(data.price_exponent));
    object.Set("quantityExponent", static_cast<double>(data.quantity_exponent));
    object.Set("sourceCode", published.source_code);
    object.Set("lotSize", data.lot_size);
    result.Set(index, object);
  }
  return result;
}

}  // namespace depthcast::binding

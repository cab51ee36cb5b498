#include "binding/publisher_binding.h"

#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "binding/jitter_binding.h"
#include "binding/source_makers.h"
#include "binding/values.h"

namespace depthcast::binding {
namespace {

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
  options.lock_memory = fields.boolean("lockMemory");
  options.heartbeat_ns = fields.number<std::int64_t>("heartbeatMs") * 1'000'000;
  options.digest_messages = fields.number<std::uint64_t>("digestMessages");
  options.definitions_ns = fields.number<std::int64_t>("definitionsMs") * 1'000'000;
  options.source_identity = fields.big("sourceIdentity");
  options.source_repeats = fields.boolean("sourceRepeats");
  fields.list("passOn", [&](const Napi::Value& value) {
    options.validation.pass_on(book::apply_result_of(value.ToString().Utf8Value()));
  });
  options.probe = JitterSenderBinding::probe_of(fields);
  return options;
}

run::JournalOptions read_journal(const Fields& fields) {
  constexpr std::int64_t millisecond = 1'000'000;
  run::JournalOptions options;
  options.fsync = run::fsync_policy_of(fields.text("fsync"));
  options.fsync_ns = fields.number<std::int64_t>("fsyncMs") * millisecond;
  options.segment_bytes = fields.number<std::uint64_t>("segmentBytes");
  options.segment_ns = fields.number<std::int64_t>("segmentMs") * millisecond;
  options.retain_bytes = fields.number<std::uint64_t>("retainBytes");
  options.retain_ns = fields.number<std::int64_t>("retainMs") * millisecond;
  options.activities = JitterSenderBinding::activities_of(fields);
  return options;
}

std::shared_ptr<run::StateFolder> open_state(const Fields& fields, const run::PublisherOptions& publisher) {
  run::StateOptions options;
  options.folder = fields.text("folder");
  options.ring_path = publisher.ring_path;
  options.channel = publisher.channel;
  options.session_wanted = fields.big("sessionWanted");
  options.session_new = publisher.session;
  options.carry_over = fields.boolean("carryOver");
  options.carry_position = fields.boolean("carryPosition");
  options.ring_identity = run::Publisher::ring_identity_of(publisher);
  options.identity = run::identity_of(publisher);
  options.source_repeats = publisher.source_repeats;
  options.datagram_bytes = publisher.datagram_bytes.at(0);
  options.journal = read_journal(Fields(fields.env(), fields.get("journal")));
  return std::make_shared<run::StateFolder>(std::move(options));
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
      {InstanceMethod<&PublisherBinding::source>("source"),
       InstanceMethod<&PublisherBinding::source_figures>("sourceFigures"),
       InstanceMethod<&PublisherBinding::start>("start"), InstanceMethod<&PublisherBinding::release>("release"),
       InstanceMethod<&PublisherBinding::stop>("stop"), InstanceMethod<&PublisherBinding::close>("close"),
       InstanceMethod<&PublisherBinding::counters>("counters"), InstanceMethod<&PublisherBinding::depth>("depth"),
       InstanceMethod<&PublisherBinding::definitions>("definitions"), InstanceMethod<&PublisherBinding::begin>("begin"),
       InstanceMethod<&PublisherBinding::refusals>("refusals"),
       InstanceMethod<&PublisherBinding::journal_counters>("journalCounters"),
       InstanceMethod<&PublisherBinding::handle>("handle")});
}

namespace {

// Any number of our own: what is unwrapped is what was wrapped.
constexpr napi_type_tag publisher_tag = {0x6465707468636173ULL, 0x7075626c69736801ULL};

}  // namespace

PublisherBinding& PublisherBinding::of(Napi::Env env, const Napi::Value& value) {
  bool tagged = false;
  if (value.IsObject()) napi_check_object_type_tag(env, value, &publisher_tag, &tagged);
  if (!tagged) throw_type(env, "publisher must be a Publisher");
  return *Unwrap(value.As<Napi::Object>());
}

PublisherBinding::PublisherBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PublisherBinding>(info) {
  const Napi::Env env = info.Env();
  napi_type_tag_object(env, info.This(), &publisher_tag);
  guard(env, [&] {
    const Fields fields(env, info[0]);
    run::PublisherOptions options = read_options(fields);
    if (!info[1].IsFunction()) throw_type(env, "onEnd must be a function");
    if (!fields.get("state").IsNull()) {
      state_ = open_state(Fields(env, fields.get("state")), options);
      options.start = state_;
    }
    publisher_ = std::make_shared<run::Publisher>(options, [this] {
      end_callback_.NonBlockingCall(
          [this](Napi::Env callback_env, Napi::Function callback) { tell_end(callback_env, callback); });
    });
    if (state_ != nullptr) journal_ = state_->open_journal(publisher_->ring_memory(), &publisher_->followers());
    end_callback_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "depthcast publisher", 0, 1);
    lifetime_.open(this);
    return env.Undefined();
  });
}

namespace {

// Publishers of all environments of this process: worker threads cannot be given each other's objects.
std::mutex handles_mutex;  // guards handles
std::map<std::uint32_t, std::weak_ptr<run::Publisher>> handles;

}  // namespace

std::shared_ptr<run::Publisher> PublisherBinding::shared(std::uint32_t handle) {
  const std::lock_guard lock(handles_mutex);
  const auto found = handles.find(handle);
  return found == handles.end() ? nullptr : found->second.lock();
}

Napi::Value PublisherBinding::handle(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!lifetime_.is_open()) throw std::runtime_error("this publisher is closed");
    const std::lock_guard lock(handles_mutex);
    if (handle_ == 0) {
      static std::uint32_t last = 0;
      handle_ = ++last;
      handles[handle_] = publisher_;
    }
    return Napi::Number::New(info.Env(), handle_);
  });
}

PublisherBinding::~PublisherBinding() { shut_down(); }

Napi::Value PublisherBinding::source(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    std::unique_ptr<run::EventSource> made = make_source(Fields(info.Env(), info[0]));  // owns its descriptor at once
    if (!lifetime_.is_open() || started_ || source_ != nullptr) {
      throw std::runtime_error("the source is chosen once, before start");
    }
    source_ = std::make_unique<run::SourceThread>(*publisher_, std::move(made), journal_.get());
    return info.Env().Undefined();
  });
}

Napi::Value PublisherBinding::source_figures(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  if (source_ == nullptr) return result;
  for (const run::SourceFigure& figure : source_->source().figures()) {
    result.Set(figure.name, big(info.Env(), figure.value));
  }
  return result;
}

Napi::Value PublisherBinding::start(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    if (!lifetime_.is_open() || started_) throw std::runtime_error("a publisher starts once, before it is closed");
    if (journal_ != nullptr) journal_->start();
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
    publisher_->end_input(true);
  }
}

Napi::Value PublisherBinding::stop(const Napi::CallbackInfo& info) {
  if (lifetime_.is_open()) stop_input();
  return info.Env().Undefined();
}

void PublisherBinding::tell_end(Napi::Env env, Napi::Function callback) {
  if (!lifetime_.is_open()) return;
  const std::uint64_t contradiction = publisher_->contradiction();
  if (source_ != nullptr) {
    if (contradiction != 0) source_->stop();  // otherwise it has ended: that is what ended the publisher
    source_->join();
  }
  if (journal_ != nullptr) journal_->stop();  // all of it is on the disk before anybody hears of the end
  run::SourceEnd end = source_ != nullptr ? source_->end() : run::SourceEnd{};
  if (contradiction != 0) {
    end.reason = run::SourceEndReason::fault;
    end.fault = {0, "the source to give again what was published as message " + std::to_string(contradiction) +
                        " before the restart"};
    end.position = publisher_->counters().get(static_cast<std::size_t>(run::PublisherCounter::input_position));
  }
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
  if (publisher_ != nullptr) publisher_->join();
  journal_.reset();
  {
    const std::lock_guard lock(handles_mutex);
    handles.erase(handle_);
  }
  publisher_.reset();
  state_.reset();
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

Napi::Value PublisherBinding::begin(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (!lifetime_.is_open()) throw std::runtime_error("the publisher is closed");
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("session", big(info.Env(), publisher_->session()));
    result.Set("continued", state_ != nullptr && state_->continued());
    result.Set("reason", state_ != nullptr ? state_->reason() : "");
    result.Set("position", big(info.Env(), publisher_->first_position()));
    result.Set("carriedOrders", big(info.Env(), state_ != nullptr ? state_->carried_orders() : 0));
    result.Set("carriedSession", big(info.Env(), state_ != nullptr ? state_->carried_session() : 0));
    return result;
  });
}

Napi::Value PublisherBinding::journal_counters(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    auto out = typed_array<Napi::BigUint64Array>(info.Env(), info[0], napi_biguint64_array, "out");
    const std::size_t count = std::min(out.ElementLength(), run::Counters<run::JournalCounter>::size);
    for (std::size_t index = 0; journal_ != nullptr && index < count; ++index) {
      out[index] = journal_->counters().get(index);
    }
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

Napi::Value PublisherBinding::refusals(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env);
  book::Refusal refusal{};
  for (std::uint32_t index = 0; lifetime_.is_open() && publisher_->take_refusal(refusal); ++index) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("position", big(env, refusal.position));
    object.Set("timeNs", Napi::BigInt::New(env, refusal.time_ns));
    object.Set("reason", book::name_of(refusal.reason));
    object.Set("kind", ingest::name_of(refusal.kind));
    object.Set("passed", refusal.passed);
    object.Set("sourceCode", refusal.source_code);
    object.Set("orderId", big(env, refusal.order_id));
    object.Set("price", Napi::BigInt::New(env, refusal.price));
    object.Set("quantity", big(env, refusal.quantity));
    result.Set(index, object);
  }
  return result;
}

}  // namespace depthcast::binding

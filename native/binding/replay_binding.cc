#include "binding/replay_binding.h"

#include <stdexcept>
#include <utility>

#include "run/journal_files.h"

namespace depthcast::binding {
namespace {

io::SenderOptions read_sender(const Fields& fields, const Fields& line) {
  io::SenderOptions options;
  options.address = {line.text("group"), line.number<std::uint16_t>("port"), line.text("interface")};
  options.ttl = fields.number<int>("ttl");
  options.loop = fields.boolean("loop");
  return options;
}

run::ReplayOptions read_options(const Fields& fields) {
  run::ReplayOptions options;
  options.from_sequence = fields.big("fromSequence");
  options.to_sequence = fields.big("toSequence");
  if (!fields.get("fromTimeNs").IsNull()) options.from_time_ns = fields.big<std::int64_t>("fromTimeNs");
  if (!fields.get("toTimeNs").IsNull()) options.to_time_ns = fields.big<std::int64_t>("toTimeNs");
  options.pacing = {fields.number<double>("speed"), fields.number<double>("rate")};
  fields.list("lines", [&](const Napi::Value& value) {
    options.lines.push_back(read_sender(fields, Fields(fields.env(), value)));
  });
  if (!fields.get("snapshotLine").IsNull()) {
    options.snapshot_line = read_sender(fields, Fields(fields.env(), fields.get("snapshotLine")));
  }
  options.datagram_bytes = fields.number<std::size_t>("datagramBytes");
  options.updates = fields.boolean("updates");
  options.limits = read_limits(fields);
  return options;
}

std::unique_ptr<run::ReplaySource> open_source(const Fields& fields, const book::BookLimits& limits) {
  const Napi::Value descriptor = fields.get("itchDescriptor");
  if (!descriptor.IsNumber()) return run::make_journal_replay(fields.text("journal"), fields.big("session"), limits);
  run::ItchReplayOptions options;
  options.channel = fields.number<std::uint32_t>("channel");
  options.session = fields.big("session");
  options.datagram_bytes = fields.number<std::size_t>("datagramBytes");
  options.limits = limits;
  options.midnight_ns = fields.big<std::int64_t>("midnightNs");
  return run::make_itch_replay(
      run::make_descriptor_source(io::FileDescriptor(descriptor.As<Napi::Number>().Int32Value())), options);
}

std::unique_ptr<run::JournalWriter> open_journal(const std::string& folder, const run::ReplaySource& source) {
  if (folder.empty()) return nullptr;
  if (!run::list_segments(folder).empty()) throw std::invalid_argument(folder + " holds a journal already");
  run::JournalOptions options;
  options.folder = folder;
  options.channel = source.channel();
  options.session = source.session();
  options.identity = source.identity();
  return std::make_unique<run::JournalWriter>(options, nullptr, 0);
}

}  // namespace

// One stretch of work. The environment waits for it when it goes; stop() makes it short.
class ReplayBinding::Step final : public Napi::AsyncWorker {
 public:
  Step(ReplayBinding& owner, std::int64_t for_ns)
      : Napi::AsyncWorker(owner.Env()),
        owner_(owner),
        work_(owner.work_),
        for_ns_(for_ns),
        deferred_(Napi::Promise::Deferred::New(owner.Env())) {
    owner_.stepping_ = true;
    owner_.Ref();
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      work_->replayer->step(for_ns_);
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    end();
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    end();
    deferred_.Reject(error.Value());
  }

 private:
  void end() {
    owner_.stepping_ = false;
    owner_.Unref();
  }

  ReplayBinding& owner_;
  std::shared_ptr<Work> work_;
  std::int64_t for_ns_;
  Napi::Promise::Deferred deferred_;
};

Napi::Function ReplayBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Replayer",
      {InstanceMethod<&ReplayBinding::step>("step"), InstanceMethod<&ReplayBinding::drain_updates>("drainUpdates"),
       InstanceMethod<&ReplayBinding::finish>("finish"), InstanceMethod<&ReplayBinding::close>("close"),
       InstanceMethod<&ReplayBinding::progress>("progress"), InstanceMethod<&ReplayBinding::missing>("missing"),
       InstanceMethod<&ReplayBinding::definitions>("definitions")});
}

ReplayBinding::ReplayBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReplayBinding>(info) {
  const Napi::Env env = info.Env();
  guard(env, [&] {
    const Fields fields(env, info[0]);
    const run::ReplayOptions options = read_options(fields);
    if (options.updates) columns_.attach(env, info[1]);
    auto work = std::make_shared<Work>();
    std::unique_ptr<run::ReplaySource> source = open_source(fields, options.limits);
    work->journal = open_journal(fields.text("outJournal"), *source);
    run::ReplayTarget target;
    if (run::JournalWriter* journal = work->journal.get(); journal != nullptr) {
      target = [journal](std::span<const std::uint8_t> datagram) { journal->append(datagram); };
    }
    work->replayer = std::make_unique<run::Replayer>(std::move(source), options, std::move(target));
    work_ = std::move(work);
    lifetime_.open(this);
    return env.Undefined();
  });
}

ReplayBinding::~ReplayBinding() { shut_down(); }

void ReplayBinding::shut_down() {
  if (!lifetime_.close()) return;
  work_->replayer->stop();
  work_.reset();
}

void ReplayBinding::check_idle() {
  if (!lifetime_.is_open()) throw std::runtime_error("this replay is closed");
  if (stepping_) throw std::runtime_error("a step of this replay is running");
}

Napi::Value ReplayBinding::step(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    check_idle();
    if (!info[0].IsNumber()) throw_type(info.Env(), "ms must be a number");
    auto* step = new Step(*this, static_cast<std::int64_t>(info[0].As<Napi::Number>().DoubleValue() * 1e6));
    const Napi::Promise promise = step->promise();
    step->Queue();
    return promise;
  });
}

Napi::Value ReplayBinding::drain_updates(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    check_idle();
    auto& ring = work_->replayer->updates();
    return Napi::Number::New(info.Env(), static_cast<double>(columns_.drain(ring, ring.capacity())));
  });
}

// Everything is written and the new journal closed.
Napi::Value ReplayBinding::finish(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    check_idle();
    if (work_->journal != nullptr) {
      work_->journal->flush();
      work_->journal->stop();
    }
    return info.Env().Undefined();
  });
}

Napi::Value ReplayBinding::close(const Napi::CallbackInfo& info) {
  shut_down();
  return info.Env().Undefined();
}

Napi::Value ReplayBinding::progress(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    check_idle();
    const run::ReplayProgress& progress = work_->replayer->progress();
    const run::ReplaySource& source = work_->replayer->source();
    Napi::Object object = Napi::Object::New(env);
    object.Set("channel", source.channel());
    object.Set("session", big(env, source.session()));
    object.Set("oldest", big(env, source.first_sequence()));
    object.Set("next", big(env, source.next_sequence()));
    object.Set("bytesTaken", big(env, source.bytes_taken()));
    object.Set("started", progress.started);
    object.Set("ended", progress.ended);
    object.Set("first", big(env, progress.first));
    object.Set("last", big(env, progress.last));
    object.Set("messages", big(env, progress.messages));
    object.Set("packets", big(env, progress.packets));
    object.Set("bytes", big(env, progress.bytes));
    object.Set("at", big(env, progress.at));
    object.Set("timeNs", Napi::BigInt::New(env, progress.time_ns));
    object.Set("sendFailures", big(env, progress.send_failures));
    object.Set("snapshotSequence", big(env, progress.snapshot_sequence));
    object.Set("booksRight", progress.books_right);
    object.Set("sessionEnded", progress.session_ended);
    return object;
  });
}

Napi::Value ReplayBinding::missing(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    check_idle();
    Napi::Array result = Napi::Array::New(env);
    std::uint32_t index = 0;
    for (const run::ReplayMissing& missing : work_->replayer->missing()) {
      const Napi::HandleScope scope(env);
      Napi::Object object = Napi::Object::New(env);
      object.Set("first", big(env, missing.first));
      object.Set("last", big(env, missing.last));
      object.Set("why", missing.why);
      object.Set("segment", big(env, missing.segment));
      object.Set("offset", big(env, missing.offset));
      result.Set(index++, object);
    }
    return result;
  });
}

Napi::Value ReplayBinding::definitions(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    check_idle();
    Napi::Array result = Napi::Array::New(env);
    const book::Replica* replica = work_->replayer->replica();
    std::uint32_t index = 0;
    for (std::uint32_t instrument = 1; replica != nullptr && instrument <= replica->instrument_last(); ++instrument) {
      const book::DefinitionRecord& record = replica->definition(instrument);
      if (!record.defined) continue;
      const Napi::HandleScope scope(env);
      Napi::Object object = Napi::Object::New(env);
      object.Set("instrument", instrument);
      object.Set("symbol", record.symbol);
      object.Set("priceExponent", static_cast<double>(record.price_exponent));
      object.Set("quantityExponent", static_cast<double>(record.quantity_exponent));
      object.Set("sourceCode", record.source_code);
      object.Set("lotSize", record.lot_size);
      result.Set(index++, object);
    }
    return result;
  });
}

}  // namespace depthcast::binding

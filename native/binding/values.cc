#include "binding/values.h"

#include <cstring>
#include <stdexcept>
#include <system_error>

namespace depthcast::binding {

void rethrow_to_javascript(Napi::Env env) {
  try {
    throw;
  } catch (const Thrown&) {
    // It is pending already.
  } catch (const std::invalid_argument& error) {
    Napi::RangeError::New(env, error.what()).ThrowAsJavaScriptException();
  } catch (const std::system_error& error) {
    Napi::Error wrapped = Napi::Error::New(env, error.what());
    if (const char* name = strerrorname_np(error.code().value())) wrapped.Set("code", Napi::String::New(env, name));
    wrapped.ThrowAsJavaScriptException();
  } catch (const std::exception& error) {
    Napi::Error::New(env, error.what()).ThrowAsJavaScriptException();
  }
}

void OpenObjects::attach(Napi::Env env) {
  env.SetInstanceData(new OpenObjects());  // goes with the environment, after its cleanup hooks
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto listener = Napi::Function::New(env, [](const Napi::CallbackInfo& info) { of(info.Env()).end_all(); });
  process.Get("on").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), listener});
}

book::BookLimits read_limits(const Fields& fields) {
  book::BookLimits limits;
  limits.orders_max = fields.number<std::uint32_t>("ordersMax");
  limits.levels_max = fields.number<std::uint32_t>("levelsMax");
  limits.instruments_max = fields.number<std::uint32_t>("instrumentsMax");
  limits.depth_levels = fields.number<std::uint32_t>("depthLevels");
  limits.prefault = fields.boolean("prefault");
  return limits;
}

Napi::Value read_depth(const Napi::CallbackInfo& info, const book::DepthViews* views) {
  constexpr std::size_t header_words = 8;
  constexpr std::size_t level_words = 3;
  return guard(info.Env(), [&]() -> Napi::Value {
    const auto instrument = info[0].As<Napi::Number>().Uint32Value();
    const auto wanted = info[1].As<Napi::Number>().Uint32Value();
    auto out = typed_array<Napi::BigInt64Array>(info.Env(), info[2], napi_bigint64_array, "out");
    if (wanted > book::depth_levels_max || out.ElementLength() < header_words + std::size_t{2} * wanted * level_words) {
      throw_type(info.Env(), "out is too short for that many levels");
    }
    if (views == nullptr) return Napi::Number::New(info.Env(), static_cast<int>(book::DepthRead::writer_dead));
    book::Depth depth;
    const book::DepthRead result = views->read(instrument, wanted, depth);
    std::int64_t* words = out.Data();
    if (result == book::DepthRead::ok) {
      words[0] = static_cast<std::int64_t>(depth.sequence);
      words[1] = depth.event_time_ns;
      words[2] = depth.instrument_sequence;
      words[3] = static_cast<std::int64_t>(depth.status);
      for (std::size_t side = 0; side < 2; ++side) {
        words[4 + side] = depth.counts[side];
        std::int64_t* level = words + header_words + side * wanted * level_words;
        for (std::uint32_t rank = 0; rank < depth.counts[side]; ++rank, level += level_words) {
          level[0] = depth.levels[side][rank].price;
          level[1] = static_cast<std::int64_t>(depth.levels[side][rank].quantity);
          level[2] = static_cast<std::int64_t>(depth.levels[side][rank].orders);
        }
      }
    }
    return Napi::Number::New(info.Env(), static_cast<int>(result));
  });
}

}  // namespace depthcast::binding

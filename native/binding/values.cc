#include "binding/values.h"

#include <algorithm>
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

namespace {

constexpr std::size_t depth_header_words = 8;
constexpr std::size_t depth_columns = 3;  // of each side: price, quantity, orders

// Levels as rows, 64-bit words.
void write_words(const book::Depth& depth, std::size_t wanted, std::int64_t* words) {
  words[0] = static_cast<std::int64_t>(depth.sequence);
  words[1] = depth.event_time_ns;
  words[2] = depth.instrument_sequence;
  words[3] = static_cast<std::int64_t>(depth.status);
  for (std::size_t side = 0; side < 2; ++side) {
    words[4 + side] = depth.counts[side];
    std::int64_t* level = words + depth_header_words + side * wanted * depth_columns;
    for (std::uint32_t rank = 0; rank < depth.counts[side]; ++rank, level += depth_columns) {
      level[0] = depth.levels[side][rank].price;
      level[1] = static_cast<std::int64_t>(depth.levels[side][rank].quantity);
      level[2] = static_cast<std::int64_t>(depth.levels[side][rank].orders);
    }
  }
}

// Levels as columns, doubles; word 6 tells whether each of them is exactly what the book holds.
void write_numbers(const book::Depth& depth, std::size_t wanted, double* numbers) {
  constexpr std::uint64_t exact_max = std::uint64_t{1} << 53;
  std::uint64_t inexact = depth.sequence > exact_max ? 1 : 0;
  numbers[0] = static_cast<double>(depth.sequence);
  numbers[1] = static_cast<double>(depth.event_time_ns);
  numbers[2] = static_cast<double>(depth.instrument_sequence);
  numbers[3] = static_cast<double>(depth.status);
  for (std::size_t side = 0; side < 2; ++side) {
    numbers[4 + side] = static_cast<double>(depth.counts[side]);
    double* price = numbers + depth_header_words + side * wanted * depth_columns;
    double* quantity = price + wanted;
    double* orders = quantity + wanted;
    for (std::uint32_t rank = 0; rank < depth.counts[side]; ++rank) {
      const book::DepthLevel& level = depth.levels[side][rank];
      price[rank] = static_cast<double>(level.price);
      quantity[rank] = static_cast<double>(level.quantity);
      orders[rank] = static_cast<double>(level.orders);
      const std::uint64_t magnitude = static_cast<std::uint64_t>(level.price < 0 ? -(level.price + 1) : level.price);
      inexact |= std::max(magnitude, level.quantity) > exact_max ? 1 : 0;
    }
  }
  numbers[6] = inexact == 0 ? 1 : 0;
}

}  // namespace

Napi::Value read_depth(const Napi::CallbackInfo& info, const book::DepthViews* views) {
  return guard(info.Env(), [&]() -> Napi::Value {
    std::uint32_t instrument = 0;
    std::uint32_t wanted = 0;
    napi_get_value_uint32(info.Env(), info[0], &instrument);
    napi_get_value_uint32(info.Env(), info[1], &wanted);
    napi_typedarray_type type = napi_int8_array;
    std::size_t length = 0;
    void* data = nullptr;
    const napi_status status = napi_get_typedarray_info(info.Env(), info[2], &type, &length, &data, nullptr, nullptr);
    if (status != napi_ok || (type != napi_bigint64_array && type != napi_float64_array)) {
      throw_type(info.Env(), "out must be a BigInt64Array or a Float64Array");
    }
    if (wanted > book::depth_levels_max || length < depth_header_words + std::size_t{2} * wanted * depth_columns) {
      throw_type(info.Env(), "out is too short for that many levels");
    }
    if (views == nullptr) return Napi::Number::New(info.Env(), static_cast<int>(book::DepthRead::writer_dead));
    static thread_local book::Depth depth;  // 3 KB: not to be cleared for each call
    const book::DepthRead result = views->read(instrument, wanted, depth);
    if (result == book::DepthRead::ok) {
      if (type == napi_float64_array) {
        write_numbers(depth, wanted, static_cast<double*>(data));
      } else {
        write_words(depth, wanted, static_cast<std::int64_t*>(data));
      }
    }
    return Napi::Number::New(info.Env(), static_cast<int>(result));
  });
}

}  // namespace depthcast::binding

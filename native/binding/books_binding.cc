#include "binding/books_binding.h"

#include <vector>

#include "binding/values.h"
#include "book/audit.h"

namespace depthcast::binding {
namespace {

std::uint32_t unsigned_of(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  if (!info[index].IsNumber()) throw_type(info.Env(), std::string(name) + " must be a number");
  return info[index].As<Napi::Number>().Uint32Value();
}

template <typename T>
T big_of(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  if (!info[index].IsBigInt()) throw_type(info.Env(), std::string(name) + " must be a bigint");
  bool lossless = false;
  if constexpr (std::is_signed_v<T>) {
    return info[index].As<Napi::BigInt>().Int64Value(&lossless);
  } else {
    return info[index].As<Napi::BigInt>().Uint64Value(&lossless);
  }
}

}  // namespace

Napi::Function BooksBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Books",
      {InstanceMethod<&BooksBinding::apply>("apply"), InstanceMethod<&BooksBinding::end_event>("endEvent"),
       InstanceMethod<&BooksBinding::levels>("levels"), InstanceMethod<&BooksBinding::orders>("orders"),
       InstanceMethod<&BooksBinding::order>("order"), InstanceMethod<&BooksBinding::digest>("digest"),
       InstanceMethod<&BooksBinding::live_orders>("liveOrders"), InstanceMethod<&BooksBinding::audit>("audit"),
       InstanceMethod<&BooksBinding::depth>("depth")});
}

BooksBinding::BooksBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BooksBinding>(info) {
  guard(info.Env(), [&] {
    book_ = std::make_unique<book::Book>(read_limits(Fields(info.Env(), info[0])));
    // So that the collector knows what it holds by holding this small object.
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<std::int64_t>(book_->bytes()));
    return info.Env().Undefined();
  });
}

void BooksBinding::Finalize(Napi::BasicEnv env) {
  if (book_ != nullptr) Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<std::int64_t>(book_->bytes()));
}

std::uint32_t BooksBinding::instrument_of(const Napi::CallbackInfo& info, std::size_t index) const {
  const std::uint32_t instrument = unsigned_of(info, index, "instrument");
  if (instrument > book_->limits().instruments_max) {
    Napi::RangeError::New(info.Env(), "instrument is past the limit of instruments").ThrowAsJavaScriptException();
    throw Thrown();
  }
  return instrument;
}

Side BooksBinding::side_of(const Napi::CallbackInfo& info, std::size_t index) {
  const std::uint32_t side = unsigned_of(info, index, "side");
  if (side != 1 && side != 2) throw_type(info.Env(), "side must be 1 (bid) or 2 (ask)");
  return static_cast<Side>(side);
}

Napi::Value BooksBinding::apply(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const auto words = typed_array<Napi::BigInt64Array>(info.Env(), info[4], napi_bigint64_array, "words");
    if (words.ElementLength() < 4) throw_type(info.Env(), "words holds order id, price, quantity and sequence");
    BookMessage message{};
    message.kind = static_cast<Kind>(unsigned_of(info, 0, "kind"));
    message.instrument = unsigned_of(info, 1, "instrument");
    message.side = static_cast<Side>(unsigned_of(info, 2, "side"));
    message.flags = static_cast<std::uint16_t>(unsigned_of(info, 3, "flags"));
    message.order_id = static_cast<std::uint64_t>(words[0]);
    message.price = words[1];
    message.quantity = static_cast<std::uint64_t>(words[2]);
    const book::ApplyResult result = book_->apply(message, static_cast<std::uint64_t>(words[3]));
    return Napi::Number::New(info.Env(), static_cast<double>(result));
  });
}

Napi::Value BooksBinding::end_event(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    book_->end_event(big_of<std::uint64_t>(info, 0, "sequence"), big_of<std::int64_t>(info, 1, "timeNs"));
    return info.Env().Undefined();
  });
}

Napi::Value BooksBinding::levels(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const book::SideIndex& side = book_->instrument(instrument_of(info, 0)).side(side_of(info, 1));
    const std::uint32_t limit = unsigned_of(info, 2, "limit");
    std::vector<std::int64_t> flat;
    auto cursor = book_->prices().first(side);
    for (std::uint32_t rank = 0; rank < limit && cursor.leaf != book::no_index; ++rank) {
      const book::Level& level = book_->level(book_->prices().level_at(cursor));
      flat.push_back(level.price);
      flat.push_back(static_cast<std::int64_t>(level.quantity));
      flat.push_back(level.orders);
      book_->prices().advance(cursor);
    }
    return copy_to_array<Napi::BigInt64Array>(info.Env(), flat);
  });
}

Napi::Value BooksBinding::orders(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const std::uint32_t found =
        book_->find_level(instrument_of(info, 0), side_of(info, 1), big_of<std::int64_t>(info, 2, "price"));
    std::vector<std::uint64_t> flat;
    std::uint32_t slot = found == book::no_index ? book::no_index : book_->level(found).head;
    for (; slot != book::no_index; slot = book_->order(slot).next) {
      const book::Order& order = book_->order(slot);
      flat.insert(flat.end(), {order.id, order.quantity, order.priority});
    }
    return copy_to_array<Napi::BigUint64Array>(info.Env(), flat);
  });
}

Napi::Value BooksBinding::order(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::uint32_t slot = book_->find(big_of<std::uint64_t>(info, 0, "id"));
    if (slot == book::no_index) return env.Undefined();
    const book::Order& order = book_->order(slot);
    const book::Level& level = book_->level_of(order);
    std::uint32_t orders_ahead = 0;
    std::uint64_t quantity_ahead = 0;
    for (std::uint32_t ahead = level.head; ahead != slot; ahead = book_->order(ahead).next) {
      ++orders_ahead;
      quantity_ahead += book_->order(ahead).quantity;
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("instrument", level.instrument());
    result.Set("side", static_cast<double>(level.side()));
    result.Set("price", Napi::BigInt::New(env, level.price));
    result.Set("quantity", big(env, order.quantity));
    result.Set("priority", big(env, order.priority));
    result.Set("ordersAhead", orders_ahead);
    result.Set("quantityAhead", big(env, quantity_ahead));
    return result;
  });
}

Napi::Value BooksBinding::digest(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const std::uint32_t instrument = instrument_of(info, 0);
    return big(info.Env(), instrument == channel_instrument ? book_->digest() : book_->instrument(instrument).digest);
  });
}

Napi::Value BooksBinding::live_orders(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(book_->live_orders()));
}

Napi::Value BooksBinding::audit(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), book::audit(*book_).fault);
}

Napi::Value BooksBinding::depth(const Napi::CallbackInfo& info) { return read_depth(info, &book_->views()); }

}  // namespace depthcast::binding

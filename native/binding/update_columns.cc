#include "binding/update_columns.h"

#include <algorithm>
#include <limits>

#include "binding/values.h"

namespace depthcast::binding {

void UpdateColumns::attach(Napi::Env env, const Napi::Value& object) {
  if (!object.IsObject()) throw_type(env, "columns must be an object");
  const auto columns = object.As<Napi::Object>();
  rows_ = std::numeric_limits<std::size_t>::max();
  const auto take = [&](const char* name, napi_typedarray_type type, auto*& data) {
    using Element = std::remove_reference_t<decltype(*data)>;
    auto array = typed_array<Napi::TypedArrayOf<Element>>(env, columns.Get(name), type, name);
    rows_ = std::min(rows_, array.ElementLength());
    data = array.Data();
  };
  take("sequence", napi_biguint64_array, sequence_);
  take("position", napi_biguint64_array, position_);
  take("time", napi_bigint64_array, time_);
  take("orderId", napi_biguint64_array, order_id_);
  take("price", napi_bigint64_array, price_);
  take("quantity", napi_biguint64_array, quantity_);
  take("detail", napi_biguint64_array, detail_);
  take("bidPrice", napi_bigint64_array, bid_price_);
  take("bidQuantity", napi_biguint64_array, bid_quantity_);
  take("askPrice", napi_bigint64_array, ask_price_);
  take("askQuantity", napi_biguint64_array, ask_quantity_);
  take("quantity2", napi_biguint64_array, quantity_2_);
  take("price2", napi_bigint64_array, price_2_);
  take("price3", napi_bigint64_array, price_3_);
  take("price4", napi_bigint64_array, price_4_);
  take("price5", napi_bigint64_array, price_5_);
  take("digest", napi_biguint64_array, digest_);
  take("instrument", napi_uint32_array, instrument_);
  take("instrumentSequence", napi_uint32_array, instrument_sequence_);
  take("code", napi_uint32_array, code_);
  take("flags", napi_uint16_array, flags_);
  take("kind", napi_uint8_array, kind_);
  take("side", napi_uint8_array, side_);
  object_ = Napi::Persistent(columns);
}

std::size_t UpdateColumns::drain(SpscRing<book::Update>& ring, std::size_t count_max) {
  const std::size_t ready = std::min({ring.available_now(), rows_, count_max});
  std::size_t whole = ready;
  while (whole > 0 && (ring.at_head(whole - 1).flags & flags::end_of_event) == 0) --whole;
  const std::size_t count = whole == 0 ? ready : whole;
  for (std::size_t row = 0; row < count; ++row) write(row, ring.at_head(row));
  ring.release(count);
  return count;
}

void UpdateColumns::write(std::size_t row, const book::Update& update) {
  sequence_[row] = update.sequence;
  position_[row] = update.position;
  time_[row] = update.time_ns;
  order_id_[row] = update.order_id;
  price_[row] = update.price;
  quantity_[row] = update.quantity;
  detail_[row] = update.detail;
  bid_price_[row] = update.bid_price;
  bid_quantity_[row] = update.bid_quantity;
  ask_price_[row] = update.ask_price;
  ask_quantity_[row] = update.ask_quantity;
  quantity_2_[row] = update.quantity_2;
  price_2_[row] = update.price_2;
  price_3_[row] = update.price_3;
  price_4_[row] = update.price_4;
  price_5_[row] = update.price_5;
  digest_[row] = update.digest;
  instrument_[row] = update.instrument;
  instrument_sequence_[row] = update.instrument_sequence;
  code_[row] = update.code;
  flags_[row] = update.flags;
  kind_[row] = static_cast<std::uint8_t>(update.kind);
  side_[row] = static_cast<std::uint8_t>(update.side);
}

}  // namespace depthcast::binding

#include "test/book_walk.h"

#include <limits>

#include "book/audit.h"
#include "test/messages.h"

namespace depthcast::test {

using book::ApplyResult;

BookWalk::BookWalk(const WalkOptions& options, std::uint64_t seed)
    : options_(options), random_(seed), book_(std::make_unique<book::Book>(options.limits)), model_(options.limits) {}

std::uint32_t BookWalk::draw_instrument() {
  return static_cast<std::uint32_t>(random_.between(1, options_.limits.instruments_max));
}

std::int64_t BookWalk::draw_price(Side side) {
  if (random_.chance(1, 500)) {
    return random_.chance(1, 2) ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  const auto distance = static_cast<std::int64_t>(random_.below(options_.prices) * options_.price_step);
  return side == Side::bid ? 1'000'000 - distance : 1'000'000 + distance;
}

// Mostly small; now and then so large that two of them do not fit one level.
std::uint64_t BookWalk::draw_quantity() {
  if (random_.chance(1, 200)) return std::numeric_limits<std::uint64_t>::max() - random_.below(1'000);
  return random_.between(1, 1'000);
}

std::uint64_t BookWalk::draw_live_order_id() {
  if (model_.orders().empty() || random_.chance(1, 50)) return draw_order_id();
  const auto found = model_.orders().lower_bound(draw_order_id());
  return found == model_.orders().end() ? model_.orders().begin()->first : found->first;
}

BookMessage BookWalk::draw_add() {
  const Side side = random_.chance(1, 2) ? Side::bid : Side::ask;
  return add(draw_order_id(), draw_instrument(), side, draw_price(side), draw_quantity());
}

BookMessage BookWalk::draw_about_order() {
  const std::uint64_t order_id = draw_live_order_id();
  const auto found = model_.orders().find(order_id);
  const ModelOrder order =
      found == model_.orders().end() ? ModelOrder{draw_instrument(), Side::bid, 0, 100, 0} : found->second;
  const std::uint64_t roll = random_.below(growing_ ? 100 : 60);
  if (roll < 25) return delete_order(order_id, order.instrument, order.side);
  if (roll < 50) {
    const std::uint64_t quantity = random_.chance(1, 3) ? order.quantity : random_.below(order.quantity % 1'000 + 3);
    return execute(order_id, order.instrument, order.side, quantity);
  }
  if (roll < 75) return modify_kept(order_id, order.instrument, order.side, order.price, draw_quantity());
  const std::int64_t price = random_.chance(1, 4) ? order.price : draw_price(order.side);
  return modify_lost(order_id, order.instrument, order.side, price, draw_quantity());
}

BookMessage BookWalk::draw_other() {
  const std::uint32_t instrument = random_.chance(1, 20) ? channel_instrument : draw_instrument();
  const std::uint64_t roll = random_.below(100);
  if (roll < 70) return status(instrument, static_cast<TradingStatus>(random_.below(5)));
  if (roll < 80) return reference(instrument);
  if (roll < 90) return clear(instrument);
  BookMessage unknown = draw_add();
  constexpr Kind kinds[] = {Kind::none, Kind::trade, Kind::definition, static_cast<Kind>(200)};
  unknown.kind = random_.pick(kinds);
  return unknown;
}

// Makes one field wrong.
void BookWalk::spoil(BookMessage& message) {
  switch (random_.below(6)) {
    case 0:
      message.instrument = options_.limits.instruments_max + static_cast<std::uint32_t>(random_.between(1, 9));
      break;
    case 1: message.instrument = random_.chance(1, 2) ? channel_instrument : draw_instrument(); break;
    case 2: message.side = static_cast<Side>(random_.below(4)); break;
    case 3: message.quantity = random_.chance(1, 2) ? 0 : draw_quantity(); break;
    case 4: message.price = draw_price(message.side); break;
    default: message.order_id = draw_order_id(); break;
  }
}

BookMessage BookWalk::draw() {
  if (random_.below(std::uint64_t{4} * options_.limits.orders_max) == 0) growing_ = !growing_;
  const std::uint64_t roll = random_.below(1'000);
  BookMessage message{};
  if (roll < 8) {
    message = draw_other();
  } else if (roll < (growing_ ? 600U : 300U)) {
    message = draw_add();
  } else {
    message = draw_about_order();
  }
  if (random_.chance(1, 40)) spoil(message);
  return message;
}

std::string BookWalk::compare(std::uint32_t instrument) {
  if (operations_ % options_.audit_every == 0) {
    if (std::string fault = book::audit(*book_).fault; !fault.empty()) return "audit: " + fault;
  }
  if (operations_ % options_.compare_every == 0) return difference(*book_, model_);
  if (instrument == channel_instrument || instrument > options_.limits.instruments_max) return {};
  // A large book: the instrument that the message was about, one time in eight.
  return operations_ % 8 == 0 ? difference(*book_, model_, instrument) : std::string();
}

std::string BookWalk::apply(const BookMessage& message) {
  ++sequence_;
  ++operations_;
  const ApplyResult foretold = book_->check(message);
  const ApplyResult result = book_->apply(message, sequence_);
  const ApplyResult expected = model_.apply(message, sequence_);
  ++results_[static_cast<std::size_t>(result)];
  const auto said = [&](ApplyResult what) { return std::string(book::name_of(what)); };
  if (result != expected) return "apply says " + said(result) + ", the model " + said(expected);
  if (foretold != result) return "check says " + said(foretold) + ", apply " + said(result);
  if (result == ApplyResult::applied) {
    const std::uint32_t number = book_->instrument_sequence(message.instrument) + 1;
    book_->set_instrument_sequence(message.instrument, number);
    model_.set_instrument_sequence(message.instrument, number);
  }
  return compare(message.instrument);
}

std::string BookWalk::end_event() {
  book_->end_event(sequence_, time_ns_);
  model_.end_event(sequence_, time_ns_);
  const bool all = operations_ % options_.audit_every == 0;
  if (options_.limits.depth_levels == 0) return {};
  for (std::uint32_t instrument = 1; instrument <= options_.limits.instruments_max; ++instrument) {
    // The view of an instrument that this event left alone is looked at now and then.
    if (!all && model_.published(instrument).sequence != sequence_ && !random_.chance(1, 16)) continue;
    if (std::string fault = view_difference(*book_, model_, instrument); !fault.empty()) return fault;
    if (all && !book::audit_view(*book_, instrument).empty()) return book::audit_view(*book_, instrument);
  }
  return {};
}

std::string BookWalk::step() {
  const BookMessage message = draw();
  if (std::string fault = apply(message); !fault.empty()) return fault;
  time_ns_ += static_cast<std::int64_t>(random_.below(1'000));
  if (--event_left_ != 0) {
    // Inside an event readers see the state before it.
    if (options_.limits.depth_levels == 0 || message.instrument == channel_instrument) return {};
    if (message.instrument > options_.limits.instruments_max || !random_.chance(1, 8)) return {};
    return view_difference(*book_, model_, message.instrument);
  }
  const std::uint64_t length = options_.event_messages * (random_.chance(1, 16) ? 10 : 1);
  event_left_ = random_.between(1, 2 * length - 1);
  return end_event();
}

std::string BookWalk::empty() {
  while (!model_.orders().empty()) {
    const auto& [order_id, order] = *model_.orders().begin();
    const BookMessage message = delete_order(order_id, order.instrument, order.side);
    if (std::string fault = apply(message); !fault.empty()) return fault;
  }
  if (std::string fault = end_event(); !fault.empty()) return fault;
  if (book_->prices().nodes_used() != 0) return "nodes of the price index are lost";
  return difference(*book_, model_);
}

}  // namespace depthcast::test

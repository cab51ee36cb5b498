// What a sequencer puts out, or a client takes in: kept whole, and as one line of text for each message.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "book/sequencer.h"

namespace depthcast::test {

inline std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::add: return "add";
    case Kind::modify: return "modify";
    case Kind::delete_order: return "delete";
    case Kind::execute: return "execute";
    case Kind::clear: return "clear";
    case Kind::status: return "status";
    case Kind::reference: return "reference";
    case Kind::trade: return "trade";
    case Kind::cross: return "cross";
    case Kind::trade_break: return "trade_break";
    case Kind::auction: return "auction";
    case Kind::price_discovery: return "price_discovery";
    case Kind::retail_interest: return "retail_interest";
    case Kind::definition: return "definition";
    default: return "kind " + std::to_string(static_cast<int>(kind));
  }
}

inline std::string names_of_flags(std::uint16_t bits) {
  constexpr const char* names[] = {"end", "book", "kept", "detail", "silent", "at_price"};
  std::string text;
  for (std::size_t bit = 0; bit < 16; ++bit) {
    if ((bits >> bit & 1U) == 0) continue;
    text += ' ';
    text += bit < std::size(names) ? names[bit] : "?";
  }
  return text;
}

// "7 @5 t50 add i1/2 bid 100 x 5 #9 end book": number, position, time, kind, instrument / its number, side, price,
// quantity, order id, flags; "=11" a detail.
inline std::string line_of(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) {
  constexpr const char* sides[] = {"-", "bid", "ask"};
  const auto side = static_cast<std::size_t>(message.side);
  std::string line = std::to_string(stamp.sequence) + " @" + std::to_string(stamp.position) + " t" +
                     std::to_string(stamp.time_ns) + ' ' + name_of(message.kind) + " i" +
                     std::to_string(message.instrument) + '/' + std::to_string(message.instrument_sequence) + ' ' +
                     (side < 3 ? sides[side] : std::to_string(side)) + ' ' + std::to_string(message.price) + " x " +
                     std::to_string(message.quantity) + " #" + std::to_string(message.order_id) +
                     names_of_flags(message.flags);
  if ((message.flags & flags::detail) != 0) line += " =" + std::to_string(detail);
  return line;
}

inline std::string line_of(const TradeMessage& message, const book::Stamp& stamp) {
  std::string line = std::to_string(stamp.sequence) + " @" + std::to_string(stamp.position) + " t" +
                     std::to_string(stamp.time_ns) + ' ' + name_of(message.kind) + " i" +
                     std::to_string(message.instrument) + '/' + std::to_string(message.instrument_sequence) + " s" +
                     std::to_string(static_cast<int>(message.side)) + " #" + std::to_string(message.trade_id);
  for (const std::uint64_t quantity : {message.quantity, message.quantity_2}) line += " q" + std::to_string(quantity);
  for (const std::int64_t price : {message.price, message.price_2, message.price_3, message.price_4, message.price_5}) {
    line += ' ' + std::to_string(price);
  }
  return line + " c" + std::to_string(message.code) + names_of_flags(message.flags);
}

inline std::string line_of(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                           const ingest::DefinitionData& definition, const book::Stamp& stamp) {
  std::string line = std::to_string(stamp.sequence) + " @" + std::to_string(stamp.position) + " t" +
                     std::to_string(stamp.time_ns) + " definition i" + std::to_string(instrument) + '/' +
                     std::to_string(instrument_sequence) + " code " + std::to_string(source_code) + ' ';
  line.append(definition.symbol, strnlen(definition.symbol, sizeof definition.symbol));
  line += " lot " + std::to_string(definition.lot_size) + " exponents " + std::to_string(definition.price_exponent) +
          ' ' + std::to_string(definition.quantity_exponent) + " attributes";
  for (std::size_t index = 0; index < definition.attribute_count; ++index) {
    line += ' ' + std::to_string(definition.attributes[index]);
  }
  return line;
}

class RecordingSink final : public book::MessageSink {
 public:
  void on_book(const BookMessage& message, const book::Stamp& stamp, std::uint64_t detail) override {
    lines.push_back(line_of(message, stamp, detail));
  }
  void on_trade(const TradeMessage& message, const book::Stamp& stamp) override {
    lines.push_back(line_of(message, stamp));
  }
  void on_definition(std::uint32_t instrument, std::uint32_t instrument_sequence, std::uint32_t source_code,
                     const ingest::DefinitionData& definition, const book::Stamp& stamp) override {
    lines.push_back(line_of(instrument, instrument_sequence, source_code, definition, stamp));
  }

  std::vector<std::string> lines;
};

// The first difference, or empty.
inline std::string difference(const std::vector<std::string>& actual, const std::vector<std::string>& expected) {
  for (std::size_t index = 0; index < actual.size() || index < expected.size(); ++index) {
    const std::string left = index < actual.size() ? actual[index] : "(nothing)";
    const std::string right = index < expected.size() ? expected[index] : "(nothing)";
    if (left != right) return "line " + std::to_string(index) + " is\n    " + left + "\n  expected\n    " + right;
  }
  return {};
}

}  // namespace depthcast::test

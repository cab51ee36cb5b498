// What a day of the simulated exchange may say when, by docs/simulated-exchange.md: lengths, names and times, the
// messages of the opening and the end, the steps of a halt. Knows no orders. Shares no code with the simulator.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ingest/simulated_exchange.h"
#include "test/itch_messages.h"
#include "test/test_runner.h"

namespace depthcast::test {

// One message and its place in the flow. Offsets are those of Nasdaq's specification.
class SimulatedMessage {
 public:
  SimulatedMessage(std::span<const std::uint8_t> bytes, std::uint64_t index, std::uint64_t seed)
      : bytes_(bytes), index_(index), seed_(seed) {}

  std::uint64_t number(std::size_t offset, std::size_t size) const {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes_.subspan(offset, size)) value = value << 8 | byte;
    return value;
  }
  char letter(std::size_t offset) const { return static_cast<char>(bytes_[offset]); }
  std::string text(std::size_t offset, std::size_t size) const {
    const auto part = bytes_.subspan(offset, size);
    return {part.begin(), part.end()};
  }
  std::size_t length() const { return bytes_.size(); }
  char type() const { return letter(0); }
  std::uint64_t locate() const { return number(1, 2); }
  std::uint64_t time_ns() const { return number(5, 6); }
  std::uint64_t index() const { return index_; }  // from 0

  // Ends the test where a promise is broken.
  void expect(bool holds, const char* promise, const char* file = __builtin_FILE(), int line = __builtin_LINE()) const {
    if (holds) return;
    fail_and_stop(file, line,
                  "message " + std::to_string(index_) + " (" + type() + ") of seed " + std::to_string(seed_) +
                      " breaks: " + promise);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::uint64_t index_;
  std::uint64_t seed_;
};

class SimulatedDay {
 public:
  explicit SimulatedDay(const ingest::SimulatedExchangeOptions& options)
      : symbols_(options.symbols),
        messages_(options.messages),
        start_time_ns_(options.start_time_ns),
        last_time_ns_(options.start_time_ns),
        names_(symbols_ + 1) {}

  std::uint64_t last_time_ns() const { return last_time_ns_; }

  void check(const SimulatedMessage& message) {
    check_frame(message);
    if (check_opening_and_end(message)) return;
    const char type = message.type();
    message.expect(type != 'S' && type != 'R' && message.locate() != 0, "no reference data between orders");
    check_halt(message);
  }

 private:
  // Of the one symbol that is halted.
  enum class Halt : std::uint8_t { none, halted, quoting, crossing, crossed };

  void check_frame(const SimulatedMessage& message) {
    const auto* const known = std::find_if(std::begin(itch_types), std::end(itch_types),
                                           [&](const ItchType& type) { return type.type == message.type(); });
    message.expect(known != std::end(itch_types) && known->length == message.length(), "type and length");
    message.expect(message.time_ns() >= last_time_ns_ && message.time_ns() < 86'400'000'000'000, "times never go back");
    message.expect(message.locate() <= symbols_, "locates of the directory");
    last_time_ns_ = message.time_ns();
    if (known->stock_offset == 0) return;
    std::string& name = names_[message.locate()];
    if (message.type() == 'R') {
      name = message.text(known->stock_offset, 8);
      message.expect(different_names_.insert(name).second, "names that differ");
      message.expect(message.number(21, 4) == 100, "round lots of 100");
    }
    message.expect(message.text(known->stock_offset, 8) == name, "names of the directory");
  }

  // The code of the system event that has its place at this index; 0 where none has.
  char system_event_due(std::uint64_t index) const {
    if (index == 0) return 'O';
    if (index == 2 * symbols_ + 1) return 'S';
    if (index == 2 * symbols_ + 2) return 'Q';
    return messages_ == 0 || index + 3 < messages_ ? '\0' : "MEC"[index + 3 - messages_];
  }

  // True where the message belongs to the opening or the end.
  bool check_opening_and_end(const SimulatedMessage& message) const {
    const std::uint64_t index = message.index();
    message.expect(messages_ == 0 || index < messages_, "no message after the last");
    message.expect(index != 0 || message.time_ns() == start_time_ns_, "the time of the first message");
    if (const char event = system_event_due(index); event != '\0') {
      message.expect(message.type() == 'S' && message.locate() == 0 && message.letter(11) == event, "system events");
      return true;
    }
    if (index <= symbols_) {
      message.expect(message.type() == 'R' && message.locate() == index, "the directory, by locate");
    } else if (index <= 2 * symbols_) {
      message.expect(message.type() == 'H' && message.locate() == index - symbols_ && message.letter(19) == 'T',
                     "every symbol starts to trade");
    }
    return index <= 2 * symbols_;
  }

  bool halted(const SimulatedMessage& message) const {
    return halt_ != Halt::none && halted_locate_ == message.locate();
  }

  void check_halt(const SimulatedMessage& message) {
    const char type = message.type();
    message.expect(halt_ != Halt::crossing ||
                       ((type == 'C' || type == 'Q') && halted(message) && message.time_ns() == cross_time_ns_),
                   "a cross goes on without a pause");
    const bool auction_execution = type == 'C' && message.letter(31) == 'N';
    if (type == 'H') change_state(message);
    if (type == 'I') {
      message.expect(halted(message) && halt_ == Halt::quoting, "imbalances in a quotation period");
      ++imbalances_;
    }
    if (type == 'E' || type == 'P' || (type == 'C' && !auction_execution)) {
      message.expect(!halted(message), "nothing executes in a halt");
    }
    if (auction_execution) {
      begin_cross(message);
      cross_shares_ += message.number(19, 4);
      cross_price_ = message.number(32, 4);
    }
    if (type == 'Q') end_cross(message);
  }

  // H, Q, T: halted, quoting, trading again.
  void change_state(const SimulatedMessage& message) {
    const char state = message.letter(19);
    if (state == 'H') {
      message.expect(halt_ == Halt::none, "one symbol is halted at a time");
      halted_locate_ = message.locate();
      halt_ = Halt::halted;
    } else if (state == 'Q') {
      message.expect(halted(message) && halt_ == Halt::halted, "a quotation period follows a halt");
      halt_ = Halt::quoting;
      imbalances_ = 0;
    } else {
      message.expect(state == 'T' && halted(message) && halt_ == Halt::crossed, "trading resumes after the cross");
      halt_ = Halt::none;
    }
  }

  void begin_cross(const SimulatedMessage& message) {
    if (halt_ == Halt::crossing) return;
    message.expect(halted(message) && halt_ == Halt::quoting && imbalances_ == 5, "a cross follows five imbalances");
    halt_ = Halt::crossing;
    cross_time_ns_ = message.time_ns();
    cross_shares_ = 0;
    cross_price_ = 0;
  }

  void end_cross(const SimulatedMessage& message) {
    begin_cross(message);
    message.expect(message.number(11, 8) == cross_shares_, "a cross prints the shares that it executed");
    message.expect(cross_shares_ == 0 || message.number(27, 4) == cross_price_, "a cross prints its price");
    halt_ = Halt::crossed;
  }

  std::uint64_t symbols_;
  std::uint64_t messages_;  // 0: endless
  std::uint64_t start_time_ns_;
  std::uint64_t last_time_ns_;
  std::vector<std::string> names_;  // by locate; none of system events
  std::set<std::string> different_names_;
  Halt halt_ = Halt::none;
  std::uint64_t halted_locate_ = 0;
  std::uint64_t imbalances_ = 0;
  std::uint64_t cross_time_ns_ = 0;
  std::uint64_t cross_shares_ = 0;
  std::uint64_t cross_price_ = 0;
};

}  // namespace depthcast::test

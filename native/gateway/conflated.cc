#include "gateway/conflated.h"

#include <algorithm>

#include "core/digest.h"

namespace depthcast::gateway {

Conflated::Conflated(InstrumentSet instruments, const ConflatedOptions& options, WindowBudget& budget)
    : instruments_(std::move(instruments)), options_(options), budget_(budget) {
  if (options_.interval_ns <= 0) return;
  // Who asks for something else is sent it at another time.
  std::uint64_t hash = options_.levels;
  for (const std::uint32_t instrument : instruments_.chosen()) hash = digest::mix64(hash ^ instrument);
  phase_ns_ = static_cast<std::int64_t>(digest::mix64(hash) % static_cast<std::uint64_t>(options_.interval_ns));
}

Conflated::~Conflated() {
  for (Held& held : held_) forget(held);
}

void Conflated::forget(Held& held) {
  if (held.window == nullptr) return;
  budget_.bytes -= held.window->bytes() + sizeof(Window);
  held.window = nullptr;
}

std::int64_t Conflated::due_after(std::int64_t now_ns) const {
  if (options_.interval_ns <= 0) return now_ns;
  // phase_ns_ is less than an interval: never negative.
  const std::int64_t since_ns = (now_ns + options_.interval_ns - phase_ns_) % options_.interval_ns;
  return now_ns - since_ns + options_.interval_ns;
}

// Keeps the window that was just sent, where there is room for it.
void Conflated::keep(Held& held) {
  std::unique_ptr<Window> window = std::move(held.window);
  if (window != nullptr) {
    budget_.bytes -= window->bytes() + sizeof(Window);
  } else if (budget_.bytes + sizeof(Window) + window_.count() * sizeof(DepthLevel) <= budget_.bytes_max) {
    window = std::make_unique<Window>();
  } else {
    return;
  }
  *window = window_;
  budget_.bytes += window->bytes() + sizeof(Window);
  held.window = std::move(window);
}

void Conflated::grow(const Market& market) {
  const std::uint32_t count = instruments_.count(market);
  for (auto place = static_cast<std::uint32_t>(held_.size()); place < count; ++place) {
    Held held;
    if (joining_) {
      const Standing& standing = market.standing(instruments_.at(place));
      held.sequence = standing.sequence;
      held.instrument_sequence = standing.instrument_sequence;
    }
    held_.push_back(std::move(held));
  }
  joining_ = false;
}

bool Conflated::changed(const Market& market, std::uint32_t instrument, const Held& held) const {
  return held.full || held.instrument_sequence != market.standing(instrument).instrument_sequence ||
         held.state != market.replica().state(instrument);
}

void Conflated::add_entry(const Market& market, std::uint32_t instrument, Held& held) {
  const Standing& standing = market.standing(instrument);
  const std::uint32_t messages = standing.instrument_sequence - held.instrument_sequence;
  window_.take(market.depth(instrument, options_.levels), options_.levels);
  const std::size_t first = levels_.size();
  bool full = held.full || held.window == nullptr;
  if (!full) {
    window_.write_delta(*held.window, levels_);
    // As long as the window itself, it is of no use.
    full = levels_.size() - first >= window_.count() && window_.count() != 0;
    if (full) levels_.resize(first);
  }
  if (full) window_.write_full(levels_);
  const book::InstrumentState state = market.replica().state(instrument);
  entries_.emplace_back(messages == 0 ? 0 : held.sequence + 1, standing.sequence, held.sequence, window_.hash(),
                        standing.time_ns, instrument, standing.instrument_sequence, messages,
                        static_cast<std::uint32_t>(first), static_cast<std::uint16_t>(levels_.size() - first),
                        full ? 1 : 0, static_cast<std::uint8_t>(window_.status()), static_cast<std::uint8_t>(state), 0,
                        0);
  if (messages != 0) {
    ++tally_.sent;
    tally_.conflated += messages - 1;
    published_held_ += messages;
  }
  held.sequence = standing.sequence;
  held.instrument_sequence = standing.instrument_sequence;
  held.state = state;
  held.full = false;
  keep(held);
}

void Conflated::write(FrameWriter& frame, const FrameStamp& stamp) {
  flatbuffers::FlatBufferBuilder& builder = frame.builder();
  const auto entries = builder.CreateVectorOfStructs(entries_);
  const auto levels = builder.CreateVectorOfStructs(levels_);
  frame.add(stamp, FramePayload::DepthFrame, CreateDepthFrame(builder, entries, levels).Union());
  sequence_ = stamp.sequence;
}

Compose Conflated::compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                           bool flush) {
  grow(market);
  if (place_ == 0 && !flush && stamp.now_ns < due_ns_) return Compose::idle;
  entries_.clear();
  levels_.clear();
  const auto count = static_cast<std::uint32_t>(held_.size());
  bool full = false;
  for (; place_ < count && !full; ++place_) {
    const std::uint32_t instrument = instruments_.at(place_);
    if (!changed(market, instrument, held_[place_])) continue;
    add_entry(market, instrument, held_[place_]);
    full = frame.size() + entries_.size() * sizeof(DepthEntry) + levels_.size() * sizeof(DepthLevel) >= room;
  }
  if (!entries_.empty()) write(frame, stamp);
  if (place_ < count) return Compose::more;
  place_ = 0;
  due_ns_ = due_after(stamp.now_ns);
  return Compose::idle;
}

std::uint64_t Conflated::published(const Market& market) const {
  std::uint64_t messages = published_before_ + published_held_;
  for (std::uint32_t place = 0; place < held_.size(); ++place) {
    messages += market.standing(instruments_.at(place)).instrument_sequence - held_[place].instrument_sequence;
  }
  return messages;
}

void Conflated::end_session(const Market& market) {
  const std::uint64_t all = published(market);
  tally_.refused += all - tally_.covered();
  published_before_ = all;
  published_held_ = 0;
  for (Held& held : held_) {
    forget(held);
    held = {};
  }
  place_ = 0;
  due_ns_ = 0;
}

bool Conflated::level(const Subscription& other) const {
  const auto& conflated = static_cast<const Conflated&>(other);
  if (place_ != 0 || joining_ || conflated.place_ != 0 || conflated.joining_) return false;
  if (options_.interval_ns > 0 && due_ns_ != conflated.due_ns_) return false;
  // Of the same instruments: the same message makes the same window.
  return &other == this || std::ranges::equal(held_, conflated.held_, [](const Held& one, const Held& two) {
    return one.sequence == two.sequence && one.instrument_sequence == two.instrument_sequence &&
           one.state == two.state && one.full == two.full && (one.window == nullptr) == (two.window == nullptr);
  });
}

std::unique_ptr<Subscription> Conflated::copy() const {
  auto made = std::make_unique<Conflated>(instruments_, options_, budget_);
  made->tally_ = tally_;
  made->sequence_ = sequence_;
  made->published_before_ = published_before_;
  made->published_held_ = published_held_;
  made->joining_ = joining_;
  made->place_ = place_;
  made->due_ns_ = due_ns_;
  made->held_.resize(held_.size());
  for (std::size_t place = 0; place < held_.size(); ++place) {
    const Held& from = held_[place];
    Held& to = made->held_[place];
    to.sequence = from.sequence;
    to.instrument_sequence = from.instrument_sequence;
    to.state = from.state;
    to.full = from.full;
    if (from.window == nullptr) continue;
    made->window_ = *from.window;
    made->keep(to);
  }
  return made;
}

void Conflated::restart() {
  for (Held& held : held_) held.full = true;
  due_ns_ = 0;
}

}  // namespace depthcast::gateway

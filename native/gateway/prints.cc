#include "gateway/prints.h"

namespace depthcast::gateway {

void Prints::join(const Market& market) {
  joined_ = true;
  next_ = market.prints_end();
  counted_.resize(instruments_.count(market));
  for (std::uint32_t place = 0; place < counted_.size(); ++place) {
    counted_[place] = market.standing(instruments_.at(place)).instrument_sequence;
  }
}

bool Prints::level(const Subscription& other) const {
  const auto& prints = static_cast<const Prints&>(other);
  const auto goes_on = [](const Prints& one) {
    return one.joined_ && !one.skip_ && one.ahead_ == 0 && one.untold_ == 0;
  };
  return goes_on(*this) && goes_on(prints) && next_ == prints.next_ && counted_ == prints.counted_;
}

std::uint64_t Prints::advance(const Market& market) {
  counted_.resize(instruments_.count(market));
  std::uint64_t messages = 0;
  for (std::uint32_t place = 0; place < counted_.size(); ++place) {
    const std::uint32_t now = market.standing(instruments_.at(place)).instrument_sequence;
    messages += now - counted_[place];
    counted_[place] = now;
  }
  published_before_ += messages;
  return messages;
}

Compose Prints::compose(const Market& market, FrameWriter& frame, const FrameStamp& stamp, std::size_t room,
                        bool flush) {
  if (!joined_) join(market);
  if (skip_) {
    skip_ = false;
    next_ = market.prints_end();
    const std::uint64_t gone = advance(market) - ahead_;
    tally_.refused += gone;
    untold_ += gone;
    ahead_ = 0;
  }
  if (next_ < market.prints_begin()) return Compose::overrun;
  chosen_.clear();
  bool full = false;
  for (; next_ < market.prints_end() && !full; ++next_) {
    const Print& print = market.print(next_);
    if (!instruments_.contains(print.instrument())) continue;
    chosen_.push_back(print);
    full = frame.size() + chosen_.size() * sizeof(Print) >= room;
  }
  const bool more = next_ < market.prints_end();
  if (chosen_.empty() && !flush && untold_ == 0) return more ? Compose::more : Compose::idle;
  // What is no print is told once all prints up to now are out.
  std::uint64_t others = 0;
  if (more) {
    ahead_ += chosen_.size();
  } else {
    others = advance(market) - ahead_ - chosen_.size();
    ahead_ = 0;
  }
  tally_.sent += chosen_.size();
  tally_.conflated += others;
  if (!chosen_.empty() || others != 0 || untold_ != 0) {
    flatbuffers::FlatBufferBuilder& builder = frame.builder();
    const auto prints = builder.CreateVectorOfStructs(chosen_);
    frame.add(stamp, FramePayload::PrintFrame,
              CreatePrintFrame(builder, prints, static_cast<std::uint32_t>(others), untold_).Union());
    untold_ = 0;
    sequence_ = stamp.sequence;
  }
  return more ? Compose::more : Compose::idle;
}

std::uint64_t Prints::published(const Market& market) const {
  std::uint64_t messages = published_before_;
  const std::uint32_t count = joined_ ? instruments_.count(market) : 0;
  for (std::uint32_t place = 0; place < count; ++place) {
    const std::uint32_t counted = place < counted_.size() ? counted_[place] : 0;
    messages += market.standing(instruments_.at(place)).instrument_sequence - counted;
  }
  return messages;
}

void Prints::end_session(const Market& market) {
  if (!joined_) return;
  const std::uint64_t gone = advance(market) - ahead_;
  tally_.refused += gone;
  untold_ += gone;
  ahead_ = 0;
  counted_.clear();
  next_ = 0;
}

}  // namespace depthcast::gateway

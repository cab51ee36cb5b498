#include "ingest/engine_session.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace depthcast::ingest {
namespace {

using frames::FramePayload;

// What is read beyond a frame that is not whole yet.
constexpr std::size_t read_bytes = std::size_t{256} << 10;
// Where the engine does not read, acknowledgements and heartbeats wait: the next one says what those would have said.
constexpr std::size_t output_bytes_max = 4'096;

std::string number(std::uint64_t value) { return std::to_string(value); }

bool printable(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char letter) { return letter > ' ' && letter < 0x7f; });
}

}  // namespace

EngineSession::EngineSession(const EngineLimits& limits, const EngineChannel& channel, NumberedInput& input,
                             std::int64_t now_ns)
    : limits_(limits),
      channel_(channel),
      input_(input),
      buffer_(login_bytes_max),
      heard_ns_(now_ns),
      told_ns_(now_ns) {}

std::span<std::uint8_t> EngineSession::room() {
  if (state_ != State::login && state_ != State::streaming) return {};
  // Frames begin at multiples of 8, also after they were moved.
  if (begin_ != 0 && buffer_.size() - end_ < buffer_.size() / 4) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(buffer_).subspan(end_);
}

void EngineSession::received(std::size_t bytes, std::int64_t now_ns) {
  end_ += bytes;
  if (accepted_) heard_ns_ = now_ns;  // a login that comes byte by byte gets no more time
}

void EngineSession::drop(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

// The batch that the input had no room for; false where it still has none for all of it.
bool EngineSession::go_on() {
  input_.take(batch_);
  if (!batch_.done()) {
    state_ = State::blocked;
    return false;
  }
  drop(std::exchange(frame_bytes_, 0));
  state_ = State::streaming;
  return true;
}

EngineSession::State EngineSession::step() {
  if (state_ == State::blocked && !go_on()) return state_;
  while (state_ == State::login || state_ == State::streaming) {
    const frames::Frame* frame = nullptr;
    std::size_t used = 0;
    const std::span<const std::uint8_t> bytes = std::span(buffer_).subspan(begin_, end_ - begin_);
    switch (read_frame(bytes, length_max(), frame, used)) {
      case FrameStatus::incomplete: return state_;
      case FrameStatus::wrong_magic: refuse(Refusal::bad_frame, "its first four bytes are not \"DCI1\""); break;
      case FrameStatus::wrong_length:
        refuse(Refusal::bad_frame, "its length is not a multiple of 8 from 8 to " + number(length_max()));
        break;
      case FrameStatus::malformed: refuse(Refusal::bad_frame, "the FlatBuffers verifier refuses it"); break;
      case FrameStatus::whole:
        frame_bytes_ = used;
        take_frame(*frame);
        // The frame of a batch is kept until all of its events are taken.
        if (state_ != State::blocked) drop(std::exchange(frame_bytes_, 0));
    }
  }
  return state_;
}

void EngineSession::take_frame(const frames::Frame& frame) {
  const bool streaming = state_ == State::streaming;
  const FramePayload type = frame.payload_type();
  if (!streaming) {
    if (type == FramePayload::Login) return take_login(*frame.payload_as_Login());
    return refuse(Refusal::login_expected, "the first frame is a Login");
  }
  switch (type) {
    case FramePayload::Batch: return take_batch(*frame.payload_as_Batch());
    case FramePayload::EndOfDay: return take_end(frame.payload_as_EndOfDay()->next());
    case FramePayload::Heartbeat: {
      const std::uint64_t next = frame.payload_as_Heartbeat()->next();
      if (next > input_.next()) refuse(Refusal::hole, "the engine is at event " + number(next));
      return;
    }
    default: return refuse(Refusal::unexpected_frame, "an engine sends Batch, Heartbeat and EndOfDay after its Login");
  }
}

void EngineSession::take_login(const frames::Login& login) {
  if (login.version_min() > frames_version || login.version_max() < frames_version) {
    return refuse(Refusal::version, "we speak version " + number(frames_version) + ", the engine " +
                                        number(login.version_min()) + " to " + number(login.version_max()));
  }
  engine_ = login.engine()->str();
  if (!printable(engine_) || engine_.size() > engine_name_bytes_max) {
    engine_.clear();
    return refuse(Refusal::bad_frame, "an engine's name is 1 to 64 printable characters without spaces");
  }
  if (login.token() != nullptr) token_ = login.token()->str();
  if (token_.size() > token_bytes_max) {
    token_.clear();
    return refuse(Refusal::token, "it is longer than " + number(token_bytes_max) + " bytes");
  }
  oldest_ = login.oldest();
  state_ = State::verify;
}

void EngineSession::accept(std::int64_t now_ns, std::uint64_t safe) {
  if (state_ != State::verify) return;
  const std::uint64_t next = std::min(safe + 1, input_.next());
  if (oldest_ > next) {
    expected_ = next;
    return refuse(Refusal::events_unavailable, "the engine can give none before event " + number(oldest_));
  }
  const std::vector<std::uint8_t> rest(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                                       buffer_.begin() + static_cast<std::ptrdiff_t>(end_));
  buffer_.assign(limits_.frame_bytes_max + sizeof(FramePrefix) + read_bytes, 0);
  std::copy(rest.begin(), rest.end(), buffer_.begin());
  begin_ = 0;
  end_ = rest.size();
  accepted_ = true;
  state_ = State::streaming;
  heard_ns_ = told_ns_ = now_ns;
  const auto ms = [](std::int64_t ns) { return static_cast<std::uint32_t>(ns / 1'000'000); };
  output_.login_accepted({channel_.acknowledge, channel_.channel, channel_.session, next, limits_.frame_bytes_max,
                          limits_.batch_events_max, ms(limits_.heartbeat_ns), ms(limits_.idle_ns)});
}

void EngineSession::take_batch(const frames::Batch& batch) {
  std::uint64_t at = 0;
  const BatchFault fault = EventBatch::read(batch, limits_.batch_events_max, batch_, at);
  if (fault != BatchFault::none) {
    return refuse(Refusal::bad_event, (at == 0 ? std::string() : "event " + number(at) + ": ") + describe(fault));
  }
  if (!input_.begin(batch_)) {
    return refuse(Refusal::hole, "the batch begins with event " + number(batch_.next_number()));
  }
  ++batches_;
  input_.take(batch_);
  if (!batch_.done()) state_ = State::blocked;
}

void EngineSession::take_end(std::uint64_t next) {
  if (next > input_.next()) return refuse(Refusal::hole, "the day ends before event " + number(next));
  if (next < input_.next()) {
    return refuse(Refusal::unexpected_frame, "the day ends before event " + number(next) + ", which was taken");
  }
  state_ = State::ending;
}

void EngineSession::end_day() {
  if (state_ == State::streaming) state_ = State::ending;
}

void EngineSession::acknowledge(std::uint64_t event) {
  const bool open = state_ == State::streaming || state_ == State::blocked || state_ == State::ending;
  if (!open || event <= acknowledged_ || output_.bytes().size() >= output_bytes_max) return;
  acknowledged_ = event;
  output_.ack(event);
}

void EngineSession::finish() {
  if (state_ != State::ending) return;
  // However much waits unread: without it the end would say that something is missing.
  if (acknowledged_ + 1 < input_.next()) output_.ack(input_.next() - 1);
  output_.end_of_day(input_.next());
  state_ = State::closed;
}

void EngineSession::refuse(Refusal code, const std::string& detail) {
  if (state_ == State::closed) return;
  token_.clear();
  state_ = State::closed;
  refusal_ = code;
  detail_ = detail;
  // Who has not logged in learns nothing of the channel.
  output_.refused(code, accepted_ ? input_.next() : expected_, detail);
}

void EngineSession::tick(std::int64_t now_ns) {
  switch (state_) {
    case State::closed: return;
    case State::login:
    case State::verify:
      if (now_ns - heard_ns_ >= limits_.login_ns) refuse(Refusal::login_timeout, "no login within the time given");
      return;
    case State::blocked: heard_ns_ = now_ns; break;  // it is we who do not read
    case State::ending: break;                       // the engine has nothing more to say
    case State::streaming:
      if (now_ns - heard_ns_ >= limits_.idle_ns) return refuse(Refusal::idle, "nothing was heard for idle_ms");
  }
  if (now_ns - told_ns_ < limits_.heartbeat_ns) return;
  told_ns_ = now_ns;
  if (output_.bytes().size() < output_bytes_max) output_.heartbeat(input_.next());
}

std::int64_t EngineSession::tick_due_ns() const {
  switch (state_) {
    case State::closed: return std::numeric_limits<std::int64_t>::max();
    case State::login:
    case State::verify: return heard_ns_ + limits_.login_ns;
    case State::ending: return told_ns_ + limits_.heartbeat_ns;  // its silence is no fault
    default: return std::min(heard_ns_ + limits_.idle_ns, told_ns_ + limits_.heartbeat_ns);
  }
}

}  // namespace depthcast::ingest

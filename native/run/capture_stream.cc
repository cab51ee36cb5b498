#include "run/capture_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "run/mold_stream.h"

namespace depthcast::run {
namespace {

// Two of the longest records, so that one always fits behind what was not moved yet.
constexpr std::size_t buffer_bytes = 2 * (ingest::PcapReader::packet_bytes_max + 8'192);

}  // namespace

CaptureStream::CaptureStream(std::unique_ptr<ByteSource> bytes, CaptureOptions options)
    : bytes_(std::move(bytes)),
      options_(std::move(options)),
      session_file_(options_.session_file),
      buffer_(buffer_bytes) {}

void CaptureStream::begin(std::uint64_t first_sequence) {
  ingest::MoldOptions mold = options_.mold;
  mold.first_sequence = first_sequence;
  if (first_sequence > 1 && mold.session.empty()) mold.session = session_file_.read();
  mold_.emplace(mold);
}

FeedNext CaptureStream::fail(std::string expected) {
  if (fault_.empty()) fault_ = std::move(expected);
  return FeedNext::fault;
}

bool CaptureStream::fill() {
  if (at_end_) return false;
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  std::string error;
  const std::size_t taken = bytes_->read(std::span(buffer_).subspan(end_), stop_, error);
  if (!error.empty()) fault_ = error;
  end_ += taken;
  at_end_ = taken == 0;
  return !at_end_;
}

bool CaptureStream::wanted(const ingest::UdpFrame& udp) const {
  const bool group = options_.groups.empty() || std::find(options_.groups.begin(), options_.groups.end(),
                                                          udp.destination) != options_.groups.end();
  return group && (options_.port == 0 || options_.port == udp.destination_port);
}

bool CaptureStream::read_packet() {
  while (fault_.empty()) {
    std::size_t used = 0;
    ingest::PcapRecord record;
    const std::span<const std::uint8_t> bytes(buffer_.data() + begin_, end_ - begin_);
    const ingest::PcapNext next = reader_.next(bytes, used, record);
    if (next == ingest::PcapNext::fault) {
      fault_ = "at byte " + std::to_string(offset_) + ' ' + ingest::describe(reader_.fault());
      return false;
    }
    if (next == ingest::PcapNext::more) {
      if (fill()) continue;
      // A capture that was cut off in its last record is used up to there.
      if (end_ != begin_) counters_.add(FeedCounter::skipped);
      begin_ = end_;
      return false;
    }
    begin_ += used;
    offset_ += used;
    if (next == ingest::PcapNext::skipped) continue;
    ingest::UdpFrame udp;
    if (ingest::read_frame(record.link_type, record.frame, udp) != ingest::FrameKind::udp || !wanted(udp)) {
      counters_.add(FeedCounter::skipped);
      continue;
    }
    capture_ns_ = std::max(capture_ns_, record.time_ns);
    mold_->on_packet(udp.payload, capture_ns_);
    return true;
  }
  return false;
}

FeedNext CaptureStream::next(FeedMessage& message) {
  while (fault_.empty()) {
    if (mold_->next(message.bytes, message.sequence)) {
      message.capture_ns = capture_ns_;
      counters_.add(FeedCounter::messages);
      return FeedNext::message;
    }
    if (mold_->ended()) return FeedNext::end;
    const bool more = !(mold_->overfull() || mold_->hole_lost(capture_ns_)) && read_packet();
    publish_mold_counters(mold_->counters(), counters_);
    if (!session_known_ && mold_->has_session()) {
      session_known_ = true;
      if (!session_file_.write(text_of(mold_->session()))) return fail("a state folder that can be written");
    }
    if (more || !fault_.empty()) continue;
    if (!mold_->hole()) {
      if (mold_->has_session()) return FeedNext::end;
      return fail("MoldUDP64 packets of the group, port and session, but the capture has none");
    }
    if (!options_.skip_lost) return fail(lost_text(*mold_) + ", but the capture does not have them");
    mold_->give_up();
  }
  return FeedNext::fault;
}

}  // namespace depthcast::run

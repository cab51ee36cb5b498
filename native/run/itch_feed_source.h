// ITCH 5.0 out of a feed that numbers its messages: the numbers are the source's positions.
#pragma once

#include <memory>

#include "ingest/itch_parser.h"
#include "run/feed_stream.h"
#include "run/pacer.h"

namespace depthcast::run {

class ItchFeedSource final : public EventSource {
 public:
  // `pacing` paces captures by the time of their capture; what is live comes as it comes.
  ItchFeedSource(std::unique_ptr<FeedStream> stream, const Pacing& pacing, std::int64_t midnight_ns);

  SourceEnd run(SourceInput& input) override;
  void interrupt() override { stream_->stop(); }
  std::vector<SourceFigure> figures() const override { return feed_figures(stream_->counters()); }

 private:
  std::unique_ptr<FeedStream> stream_;
  ingest::ItchParser parser_;
  Pacer pacer_;
};

}  // namespace depthcast::run

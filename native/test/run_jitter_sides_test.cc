// Both halves of a measurement, driven by hand in place of a publisher's and a subscriber's thread.
#include <chrono>
#include <memory>
#include <thread>

#include "io/clock.h"
#include "run/jitter_receiver.h"
#include "run/jitter_sender.h"
#include "test/io_lines.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::JitterReceiver;
using run::JitterSender;

constexpr std::int64_t second = 1'000'000'000;

std::unique_ptr<run::ByteSource> small_source() {
  ingest::SimulatedExchangeOptions options;
  options.symbols = 5;
  options.live_orders = 100;
  return run::make_simulated_source(options);
}

// What a publisher's thread does: takes all that is in the ring as one batch, sends it as one packet.
std::uint64_t publish_slice(JitterSender& sender, std::uint64_t sequence) {
  SpscRing<ingest::InputCell> ring(16'384);
  while (sender.state() != JitterSender::State::idle) {
    sender.before_batch(ring);
    const std::size_t ready = ring.available_now();
    std::uint64_t position = 0;
    std::uint32_t events = 0;
    for (std::size_t cell = 0; cell < ready; ++events) {
      const ingest::InputEvent& event = ring.at_head(cell).event;
      CHECK(event.time_ns <= io::realtime_ns());  // nothing before it is due
      position = event.position;
      cell += ingest::cells_of(event.kind);
    }
    ring.release(ready);
    if (ready != 0) {
      sequence += events;
      sender.packet(200, events);
      sender.sequenced(position, sequence);
    }
    sender.before_send();
    sender.after_send();
  }
  return sequence;
}

TEST(jitterSenderPutsEveryMessageInOnceItIsDueAndTimesItsBatches) {
  JitterSender sender({}, small_source());
  run::LoadOptions load;
  load.rate = 100'000;
  REQUIRE_EQUAL(sender.prepare(2'000, 0, load), 2'000U);
  sender.started();
  const std::int64_t start_ns = io::realtime_ns() + second / 100;
  sender.start_feed(start_ns, start_ns + 60 * second);
  publish_slice(sender, 0);
  CHECK_EQUAL(sender.unsent(), 0U);
  CHECK_EQUAL(sender.unrecorded(), 0U);
  REQUIRE(sender.batch_count() != 0);
  CHECK_EQUAL(sender.batches()[sender.batch_count() - 1].last_position, 2'000U);
  for (std::size_t index = 0; index < sender.batch_count(); ++index) {
    const run::JitterBatch& batch = sender.batches()[index];
    CHECK(batch.ingest_ns >= start_ns && batch.ingest_ns <= batch.sequenced_ns);
    CHECK(batch.sequenced_ns <= batch.before_send_ns && batch.before_send_ns <= batch.after_send_ns);
  }
  run::LatencyHistogram stages[static_cast<std::size_t>(run::SenderStage::count_)];
  sender.add_stages(stages);
  std::uint64_t counted = 0;
  for (std::size_t bucket = 0; bucket < run::LatencyHistogram::buckets; ++bucket) counted += stages[0].count(bucket);
  CHECK_EQUAL(counted, 2'000U);
  // The next slice goes on where this one ended, by length instead of number.
  CHECK_EQUAL(sender.prepare(0, second / 10, load), 10'000U);
}

TEST(jitterSenderPausesInTheMiddleOfABatchWhereThatIsWantedAndLogsIt) {
  run::JitterSenderOptions options;
  options.injection = {run::Injection::What::pause, second / 100, second / 1'000, ""};
  JitterSender sender(options, small_source());
  run::LoadOptions load;
  load.rate = 20'000;
  for (const bool inject : {false, true}) {
    sender.prepare(2'000, 0, load);
    sender.started();
    const std::int64_t start_ns = io::realtime_ns() + second / 100;
    sender.start_feed(start_ns, start_ns + 60 * second, inject);
    publish_slice(sender, 0);
    const std::vector<run::ActivityTime> times = sender.activities().take();
    if (!inject) {
      CHECK(times.empty());
      continue;
    }
    REQUIRE(!times.empty());
    CHECK(times.size() <= 10);  // one each 10 ms of 100
    for (const run::ActivityTime& one : times) {
      CHECK(one.what == run::Activity::injected);
      CHECK(one.end_ns - one.begin_ns >= second / 1'000);
      // Between a batch's being taken and its being sequenced.
      bool within = false;
      for (std::size_t index = 0; index < sender.batch_count(); ++index) {
        const run::JitterBatch& batch = sender.batches()[index];
        within = within || (batch.ingest_ns <= one.begin_ns && one.end_ns <= batch.sequenced_ns);
      }
      CHECK(within);
    }
  }
  CHECK(sender.activities().take().empty());
}

TEST(jitterReceiverCountsAPacketAsDeliveredWithTheLastOfItsMessages) {
  run::JitterReceiverOptions options;
  options.packets_max = 64;
  options.messages_max = 1'024;
  JitterReceiver receiver(options);
  CHECK(!receiver.delivers());
  receiver.delivered(7);  // nothing is measured
  receiver.start(JitterReceiver::State::delivered, io::realtime_ns() + 60 * second);
  CHECK(receiver.delivers());
  receiver.delivered(8);
  receiver.delivered(11);
  receiver.stop();
  receiver.started();
  receiver.before_receive();
  CHECK(!receiver.delivers());
  REQUIRE_EQUAL(receiver.deliveries().size(), 2U);
  CHECK_EQUAL(receiver.deliveries()[1].last_sequence, 11U);
  CHECK(receiver.deliveries()[0].at_ns <= receiver.deliveries()[1].at_ns);
  CHECK_EQUAL(receiver.undelivered(), 0U);
  receiver.start(JitterReceiver::State::feed, io::realtime_ns() + 60 * second);
  CHECK(receiver.deliveries().empty());
  receiver.stop();
}

TEST(jitterSenderGivesUpWhatCannotBeSentInTime) {
  JitterSender sender({}, small_source());
  run::LoadOptions load;
  load.rate = 1'000;
  sender.prepare(1'000, 0, load);
  sender.started();
  const std::int64_t start_ns = io::realtime_ns();
  sender.start_feed(start_ns, start_ns + second / 50);
  publish_slice(sender, 0);
  CHECK(sender.unsent() > 0);
}

TEST(jitterFloorSendsTheDatagramsOfTheFeedAgainAndCountsTheFirstCopy) {
  const io::LineAddress lines[] = {fresh_line(), fresh_line()};
  run::JitterSenderOptions options;
  run::JitterReceiverOptions receiver_options;
  receiver_options.packets_max = 8'192;
  receiver_options.messages_max = 65'536;
  for (const io::LineAddress& line : lines) {
    io::SenderOptions sender_line;
    sender_line.address = line;
    options.floor_lines.push_back(sender_line);
    io::ReceiverOptions receiver_line;
    receiver_line.address = line;
    receiver_options.floor_lines.push_back(receiver_line);
  }
  JitterSender sender(options, small_source());
  JitterReceiver receiver(receiver_options);
  run::LoadOptions load;
  load.rate = 20'000;
  sender.prepare(1'000, 0, load);
  sender.started();
  std::int64_t start_ns = io::realtime_ns();
  sender.start_feed(start_ns, start_ns + 60 * second);
  const std::uint64_t messages = publish_slice(sender, 0);

  receiver.start(JitterReceiver::State::floor, io::realtime_ns() + 60 * second);
  std::thread receiving([&] {
    receiver.started();
    receiver.before_receive();
  });
  start_ns = io::realtime_ns() + second / 100;
  sender.start_floor(start_ns);
  publish_slice(sender, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  receiver.stop();
  receiving.join();
  CHECK_EQUAL(receiver.messages(), messages);
  CHECK_EQUAL(receiver.unrecorded(), 0U);
  CHECK_EQUAL(receiver.packet_count(), sender.batch_count());
  for (std::size_t index = 0; index < receiver.packet_count(); ++index) {
    const run::JitterPacket& packet = receiver.packets()[index];
    CHECK(packet.due_ns >= start_ns && packet.due_ns <= packet.received_ns && packet.received_ns <= packet.applied_ns);
  }
  // A stall that covers all leaves nothing; one that none met leaves all.
  run::LatencyHistogram stages[static_cast<std::size_t>(run::ReceiverStage::count_)];
  CHECK_EQUAL(receiver.add_stages(stages, {{start_ns - second, start_ns + 100 * second}}), messages);
  const std::uint64_t own = receiver.add_stages(stages, {});  // the machine may have stalled the receiver itself
  CHECK_EQUAL(receiver.add_stages(stages, {{start_ns - 2 * second, start_ns - second}}), own);
}

}  // namespace
}  // namespace depthcast::test

// Replays of an ITCH stream and of journals: the same updates whichever way, from the checkpoint before the range, and
// every number that is not there named.
#include "run/replayer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "encode/snapshot_writer.h"
#include "run/checkpoint_file.h"
#include "run/journal_writer.h"
#include "test/run_scratch.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::Replayer;
using run::ReplayOptions;

constexpr std::uint64_t session = 77;
constexpr std::int64_t slice_ns = 50'000'000;

book::BookLimits limits() {
  book::BookLimits limits;
  limits.orders_max = 16'384;
  limits.instruments_max = 64;
  return limits;
}

std::unique_ptr<run::ReplaySource> itch() {
  ingest::SimulatedExchangeOptions flow;
  flow.seed = 3;
  flow.symbols = 4;
  flow.messages = 3'000;
  flow.live_orders = 200;
  run::ItchReplayOptions options;
  options.session = session;
  options.limits = limits();
  return run::make_itch_replay(run::make_simulated_source(flow), options);
}

struct Played {
  std::vector<book::Update> updates;
  std::vector<run::ReplayMissing> missing;
  run::ReplayProgress progress;
};

Played play(std::unique_ptr<run::ReplaySource> source, ReplayOptions options = {}) {
  options.limits = limits();
  options.updates = true;
  Replayer replayer(std::move(source), options);
  Played played;
  while (!replayer.progress().ended) {
    replayer.step(slice_ns);
    auto& ring = replayer.updates();
    while (ring.available_now() > 0) {
      played.updates.push_back(ring.at_head(0));
      ring.release(1);
    }
  }
  played.missing = replayer.missing();
  played.progress = replayer.progress();
  return played;
}

bool same(const book::Update& left, const book::Update& right) {
  return left.sequence == right.sequence && left.position == right.position && left.time_ns == right.time_ns &&
         left.order_id == right.order_id && left.price == right.price && left.quantity == right.quantity &&
         left.bid_price == right.bid_price && left.bid_quantity == right.bid_quantity &&
         left.ask_price == right.ask_price && left.ask_quantity == right.ask_quantity && left.kind == right.kind &&
         left.instrument == right.instrument && left.instrument_sequence == right.instrument_sequence;
}

bool same_from(const Played& part, const Played& whole, std::size_t first) {
  for (std::size_t index = 0; index < part.updates.size(); ++index) {
    if (first + index >= whole.updates.size() || !same(part.updates[index], whole.updates[first + index])) return false;
  }
  return true;
}

run::JournalOptions journal_options(const ScratchFolder& folder) {
  run::JournalOptions options;
  options.folder = folder / "journal";
  options.session = session;
  options.fsync = run::FsyncPolicy::never;
  return options;
}

// The stream as a journal; datagrams for which `keep` says no are not written.
template <typename Keep>
void write_journal(const ScratchFolder& folder, Keep keep) {
  run::JournalWriter journal(journal_options(folder), nullptr, 0);
  ReplayOptions options;
  options.limits = limits();
  Replayer replayer(itch(), options, [&](std::span<const std::uint8_t> datagram) {
    encode::PacketView view;
    REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
    if (keep(view)) journal.append(datagram);
  });
  while (!replayer.progress().ended) replayer.step(slice_ns);
  journal.flush();
  journal.stop();
}

TEST(aJournalMadeOfAStreamGivesTheStreamsUpdates) {
  const ScratchFolder folder;
  write_journal(folder, [](const encode::PacketView&) { return true; });
  const Played stream = play(itch());
  const Played journal = play(run::make_journal_replay(folder / "journal", session, limits()));
  CHECK(stream.updates.size() > 3'000);
  CHECK_EQUAL(journal.updates.size(), stream.updates.size());
  CHECK(same_from(journal, stream, 0));
  CHECK(stream.missing.empty() && journal.missing.empty());
  CHECK(journal.progress.session_ended && journal.progress.books_right);
  CHECK_EQUAL(journal.progress.last, stream.updates.size());
}

TEST(aHoleOfTheJournalIsNamedAndTheRestComes) {
  const ScratchFolder folder;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  write_journal(folder, [&](const encode::PacketView& view) {
    if (view.count == 0 || view.first_sequence < 1'000 || view.first_sequence > 1'200) return true;
    if (first == 0) first = view.first_sequence;
    last = view.first_sequence + view.count - 1;
    return false;
  });
  REQUIRE(first != 0);
  const Played whole = play(itch());
  const Played journal = play(run::make_journal_replay(folder / "journal", session, limits()));
  REQUIRE(journal.missing.size() == 1);
  CHECK_EQUAL(journal.missing[0].first, first);
  CHECK_EQUAL(journal.missing[0].last, last);
  CHECK(journal.missing[0].segment == 1 && journal.missing[0].offset > 0);
  CHECK_EQUAL(journal.updates.size(), whole.updates.size() - (last - first + 1));
  CHECK(!journal.progress.books_right);
  // Only of what was asked for.
  ReplayOptions before;
  before.to_sequence = first - 1;
  CHECK(play(run::make_journal_replay(folder / "journal", session, limits()), before).missing.empty());
  ReplayOptions within;
  within.from_sequence = first + 1;
  within.to_sequence = last - 1;
  const Played nothing = play(run::make_journal_replay(folder / "journal", session, limits()), within);
  REQUIRE(nothing.missing.size() == 1);
  CHECK_EQUAL(nothing.missing[0].first, first + 1);
  CHECK_EQUAL(nothing.missing[0].last, last - 1);
  CHECK(nothing.updates.empty());
}

// A checkpoint after message `sequence` of the stream.
void write_state(const ScratchFolder& folder, std::uint64_t sequence) {
  ReplayOptions options;
  options.limits = limits();
  options.updates = true;
  options.to_sequence = sequence;
  book::Replica replica(limits(), nullptr);
  run::PacketApplier applier(replica);
  Replayer replayer(itch(), options, [&](std::span<const std::uint8_t> datagram) {
    encode::PacketView view;
    REQUIRE(encode::read_packet(datagram, view) == encode::PacketStatus::ok);
    if (view.count != 0) applier.apply(view);
  });
  while (!replayer.progress().ended) replayer.step(slice_ns);
  journal::CheckpointHeader header{};
  header.channel = 1;
  header.session = session;
  header.generation = 1;
  header.sequence = replica.sequence();
  header.position = replica.position();
  header.event_time_ns = replica.event_time_ns();
  header.digest = replica.book().digest();
  run::write_checkpoint(folder / "checkpoints", header, [&](const run::DatagramSink& sink) {
    encode::SnapshotWriter writer;
    writer.write(replica, {1, session, 1, replica.sequence(), replica.position(), replica.event_time_ns(), 0}, {},
                 sink);
  });
}

TEST(aRangeInTheMiddleBeginsWithTheCheckpointBeforeIt) {
  const ScratchFolder folder;
  write_journal(folder, [](const encode::PacketView&) { return true; });
  write_state(folder, 900);
  write_state(folder, 2'000);
  const Played whole = play(itch());
  ReplayOptions options;
  options.from_sequence = 2'500;
  options.to_sequence = 2'700;
  const Played part = play(run::make_journal_replay(folder / "", session, limits()), options);
  CHECK(part.progress.snapshot_sequence >= 2'000 && part.progress.snapshot_sequence < 2'500);
  CHECK_EQUAL(part.updates.size(), 201U);
  CHECK(same_from(part, whole, 2'499));
  CHECK(part.missing.empty() && part.progress.books_right);
  options.from_sequence = 500;
  const Played early = play(run::make_journal_replay(folder / "", session, limits()), options);
  CHECK_EQUAL(early.progress.snapshot_sequence, 0U);
  CHECK(same_from(early, whole, 499));
}

TEST(aReplayPacedByRateTakesItsTime) {
  ReplayOptions options;
  options.to_sequence = 200;
  options.pacing.rate = 1'000;
  const Played played = play(itch(), options);
  CHECK_EQUAL(played.updates.size(), 200U);
}

TEST(refusesAnEmptyRangeAndAnUnknownSession) {
  const ScratchFolder folder;
  write_journal(folder, [](const encode::PacketView&) { return true; });
  ReplayOptions options;
  options.from_sequence = 5;
  options.to_sequence = 4;
  CHECK_THROWS(Replayer(itch(), options), std::invalid_argument, "empty");
  CHECK_THROWS(run::make_journal_replay(folder / "journal", 78, limits()), std::invalid_argument, "session 78");
}

}  // namespace
}  // namespace depthcast::test

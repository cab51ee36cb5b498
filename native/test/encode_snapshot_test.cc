// Snapshot writer and assembler: what goes in comes out, whatever happens to the datagrams on the way.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "book/audit.h"
#include "test/packet_mutator.h"
#include "test/recording_sink.h"
#include "test/snapshots.h"

namespace depthcast::test {
namespace {

using encode::SnapshotAssembler;
using encode::SnapshotLimits;
using encode::SnapshotOffer;

SnapshotLimits limits_of() {
  SnapshotLimits limits;
  limits.channel = snapshot_channel;
  limits.instruments_max = 100;
  return limits;
}

struct Fixture {
  book::Replica replica{snapshot_limits(4'096, 40), nullptr};
  Fixture(std::uint32_t instruments, std::uint64_t orders) { fill_books(replica, instruments, orders, seed()); }
};

SnapshotOffer offer_all(SnapshotAssembler& assembler, const std::vector<Datagram>& datagrams) {
  SnapshotOffer last = SnapshotOffer::taken;
  for (const Datagram& datagram : datagrams) last = assembler.offer(view_of(datagram));
  return last;
}

void check_loads(const SnapshotAssembler& assembler, const std::vector<std::string>& expected) {
  REQUIRE(assembler.complete());
  REQUIRE(assembler.verify());
  SnapshotLines lines;
  assembler.load_into(lines);
  if (const std::string fault = difference(lines.lines, expected); !fault.empty()) fail(__FILE__, __LINE__, fault);
}

TEST(snapshotComesBackAsTheBooksStoodAtEveryDatagramSize) {
  const Fixture books(20, 2'000);
  for (const std::size_t bytes : {512U, 1'400U, 8'952U}) {
    const auto datagrams = datagrams_of(books.replica, stamp_of(books.replica, 9), bytes);
    std::size_t full = 0;
    for (const Datagram& datagram : datagrams) {
      CHECK(datagram.size() <= bytes && datagram.size() % 8 == 0);
      full += datagram.size() == bytes ? 1 : 0;
      const encode::PacketView view = view_of(datagram);
      CHECK_EQUAL(view.first_sequence, books.replica.sequence() + 1);
      CHECK_EQUAL(view.input_position, books.replica.position());
      CHECK_EQUAL(view.base_time_ns, books.replica.event_time_ns());
      CHECK_EQUAL(view.count, 0U);
    }
    CHECK(bytes > 4'000 || full > 0);
    SnapshotAssembler assembler(limits_of());
    CHECK(offer_all(assembler, datagrams) == SnapshotOffer::complete);
    CHECK_EQUAL(assembler.progress().sequence, books.replica.sequence());
    CHECK_EQUAL(assembler.progress().instruments, 21U);
    CHECK_EQUAL(assembler.progress().orders, 2'000U);
    CHECK_EQUAL(assembler.progress().channel_digest, books.replica.book().digest());
    check_loads(assembler, expected_snapshot(books.replica, {}));
  }
}

TEST(snapshotOfEmptyBooksIsCompleteToo) {
  const book::Replica replica(snapshot_limits(64, 4), nullptr);
  const auto datagrams = datagrams_of(replica, stamp_of(replica, 1));
  CHECK_EQUAL(datagrams.size(), 1U);  // instrument 0 alone
  SnapshotAssembler assembler(limits_of());
  CHECK(offer_all(assembler, datagrams) == SnapshotOffer::complete);
  check_loads(assembler, {"instrument 0 0 0"});
}

TEST(snapshotOfChosenInstrumentsHoldsThoseAndNoOthers) {
  const Fixture books(20, 2'000);
  const std::vector<std::uint32_t> chosen = {3, 7, 35};  // the last one nobody has heard of
  const auto datagrams = datagrams_of(books.replica, stamp_of(books.replica, 4), 1'400, chosen);
  SnapshotAssembler assembler(limits_of(), chosen);
  CHECK(offer_all(assembler, datagrams) == SnapshotOffer::complete);
  check_loads(assembler, expected_snapshot(books.replica, chosen));
  // A receiver of the whole channel does not take it for one, and one of other instruments does not mix them in.
  SnapshotAssembler whole(limits_of());
  CHECK(offer_all(whole, datagrams) == SnapshotOffer::inconsistent);
  SnapshotAssembler other(limits_of(), {3, 8});
  CHECK(offer_all(other, datagrams) == SnapshotOffer::not_chosen);
  CHECK(!other.complete());
  // But the chosen ones can be had from a snapshot of everything.
  SnapshotAssembler two(limits_of(), {3, 7});
  offer_all(two, datagrams_of(books.replica, stamp_of(books.replica, 5)));
  check_loads(two, expected_snapshot(books.replica, {3, 7}));
}

TEST(snapshotSurvivesLossReorderAndDuplicationOverTwoRounds) {
  const Fixture books(20, 2'000);
  const auto datagrams = datagrams_of(books.replica, stamp_of(books.replica, 9), 512);
  const auto expected = expected_snapshot(books.replica, {});
  Random random(seed());
  for (std::uint64_t round = 0; round < work(30); ++round) {
    SnapshotAssembler assembler(limits_of());
    std::size_t passes = 0;
    while (!assembler.complete()) {
      REQUIRE(++passes < 100);
      std::vector<Datagram> way = datagrams;
      for (std::size_t index = way.size(); index > 1; --index) {
        std::swap(way[index - 1], way[static_cast<std::size_t>(random.below(index))]);
      }
      for (const Datagram& datagram : way) {
        if (random.chance(1, 3)) continue;
        for (std::uint64_t copies = random.between(1, 2); copies > 0; --copies) assembler.offer(view_of(datagram));
      }
    }
    // Definitions repeat in every pass, so they are there as well, or are learnt from the live feed.
    REQUIRE(assembler.verify());
    offer_all(assembler, datagrams);
    SnapshotLines lines;
    assembler.load_into(lines);
    const auto first = std::find_if(lines.lines.begin(), lines.lines.end(),
                                    [](const std::string& line) { return line.starts_with("instrument"); });
    const auto from = std::find_if(expected.begin(), expected.end(),
                                   [](const std::string& line) { return line.starts_with("instrument"); });
    CHECK(std::equal(first, lines.lines.end(), from, expected.end()));
    CHECK(passes > 1);  // there was loss
  }
}

TEST(snapshotAssemblerTellsWhatItHasAndWhatIsMissing) {
  const Fixture books(3, 600);
  const auto datagrams = datagrams_of(books.replica, stamp_of(books.replica, 2), 512);
  SnapshotAssembler assembler(limits_of());
  std::vector<std::pair<std::uint32_t, std::uint32_t>> left_out;
  std::uint64_t chunks = 0;
  for (std::size_t index = 0; index < datagrams.size(); ++index) {
    const encode::PacketView view = view_of(datagrams[index]);
    if (view.snapshot != nullptr && view.snapshot->chunk() == 2) {
      left_out.emplace_back(view.snapshot->instrument(), 2);
      continue;
    }
    chunks += view.snapshot != nullptr ? 1 : 0;
    assembler.offer(view);
  }
  CHECK_EQUAL(left_out.size(), 3U);
  CHECK(assembler.missing(100) == left_out);
  CHECK_EQUAL(assembler.missing(2).size(), 2U);
  CHECK_EQUAL(assembler.progress().chunks, chunks);
  CHECK_EQUAL(assembler.progress().instruments, 4U);
  CHECK_EQUAL(assembler.progress().instruments_complete, 1U);  // the channel itself
  CHECK(!assembler.complete() && !assembler.verify());
  CHECK(offer_all(assembler, datagrams) == SnapshotOffer::complete ||
        assembler.complete());  // only what was missing was still taken
  CHECK_EQUAL(assembler.missing(100).size(), 0U);
  check_loads(assembler, expected_snapshot(books.replica, {}));
}

TEST(snapshotGenerationsAreNeverMixed) {
  book::Replica replica(snapshot_limits(4'096, 40), nullptr);
  fill_books(replica, 5, 300, seed());
  const auto early = datagrams_of(replica, stamp_of(replica, 10), 512);
  const auto early_expected = expected_snapshot(replica, {});
  BookMessage more = {1,         5,         5,
                      0,         2,         replica.book().instrument_sequence(2) + 1,
                      Kind::add, Side::bid, flags::book_affecting | flags::end_of_event};
  replica.on_book(more, {replica.sequence() + 1, replica.position() + 1, 5}, 0);
  const auto late = datagrams_of(replica, stamp_of(replica, 11), 512);

  SnapshotAssembler assembler(limits_of());
  std::size_t older = 0;
  for (std::size_t index = 0; index < std::max(early.size(), late.size()); ++index) {
    if (index < early.size()) {
      older += assembler.offer(view_of(early[index])) == SnapshotOffer::older ? 1 : 0;
    }
    if (index < late.size()) assembler.offer(view_of(late[index]));
  }
  CHECK(older > 0);
  CHECK_EQUAL(assembler.progress().generation, 11U);
  check_loads(assembler, expected_snapshot(replica, {}));
  // A complete one stays until it is taken away.
  CHECK(assembler.offer(view_of(datagrams_of(replica, stamp_of(replica, 12), 512)[0])) == SnapshotOffer::duplicate);

  // The same generation that speaks of another state is a fault of whoever sends it.
  SnapshotAssembler strict(limits_of());
  offer_all(strict, {early.begin(), early.end() - 1});
  auto stamp = stamp_of(replica, 10);
  CHECK(offer_all(strict, datagrams_of(replica, stamp, 512)) == SnapshotOffer::inconsistent);
  CHECK(strict.offer(view_of(early.back())) == SnapshotOffer::complete);
  check_loads(strict, early_expected);
}

TEST(snapshotAssemblerKeepsToItsChannelSessionAndGenerationFloor) {
  const Fixture books(5, 100);
  auto stamp = stamp_of(books.replica, 50);
  SnapshotAssembler assembler(limits_of());
  assembler.reset(snapshot_session, 50);
  stamp.channel = snapshot_channel + 1;
  CHECK(offer_all(assembler, datagrams_of(books.replica, stamp)) == SnapshotOffer::foreign);
  stamp = stamp_of(books.replica, 50);
  stamp.session = snapshot_session + 1;
  CHECK(offer_all(assembler, datagrams_of(books.replica, stamp)) == SnapshotOffer::foreign);
  CHECK(offer_all(assembler, datagrams_of(books.replica, stamp_of(books.replica, 49))) == SnapshotOffer::older);
  CHECK(offer_all(assembler, datagrams_of(books.replica, stamp_of(books.replica, 50))) == SnapshotOffer::complete);
  assembler.reset(snapshot_session + 1);
  CHECK(!assembler.complete());
  CHECK_EQUAL(assembler.progress().bytes, 0U);
  CHECK(offer_all(assembler, datagrams_of(books.replica, stamp)) == SnapshotOffer::complete);
}

TEST(snapshotBeyondTheBoundIsGivenUpAndTheNextOneHasItsChance) {
  const Fixture books(5, 1'000);
  SnapshotLimits limits = limits_of();
  limits.bytes_max = 20'000;
  SnapshotAssembler assembler(limits);
  std::size_t too_large = 0;
  for (const Datagram& datagram : datagrams_of(books.replica, stamp_of(books.replica, 7))) {
    too_large += assembler.offer(view_of(datagram)) == SnapshotOffer::too_large ? 1 : 0;
    CHECK(assembler.progress().bytes <= 20'000);
  }
  CHECK_EQUAL(too_large, 1U);
  const Fixture small(2, 20);
  CHECK(offer_all(assembler, datagrams_of(small.replica, stamp_of(small.replica, 8))) == SnapshotOffer::complete);
}

// One chunk by hand, honest unless it is changed.
struct ChunkDraft {
  std::uint64_t first_sequence = 10;
  std::uint64_t last_sequence = 9;
  std::uint64_t generation = 3;
  std::uint32_t instrument = 1;
  std::uint32_t chunk = 1;
  std::uint32_t chunks = 1;
  std::uint32_t instruments = 2;
  std::uint8_t status = 0;
  std::uint64_t digest = 0;
  std::vector<wire::SnapshotOrder> orders = {{1, 100, 5, 7, 1, 0, 0, 0}};

  Datagram seal() const {
    flatbuffers::FlatBufferBuilder builder;
    flatbuffers::Offset<flatbuffers::Vector<const wire::SnapshotOrder*>> vector = 0;
    if (!orders.empty()) vector = builder.CreateVectorOfStructs(orders);
    const auto payload = wire::CreateSnapshotOrders(builder, generation, instrument, 1, last_sequence, chunk, chunks,
                                                    digest, status, vector, instruments, 0);
    builder.Finish(wire::CreatePacket(builder, snapshot_channel, snapshot_session, first_sequence, 0, 1, 2, 3, 0,
                                      wire::Payload::SnapshotOrders, payload.Union()));
    return test::seal(builder);
  }
};

TEST(readerRefusesSnapshotsThatContradictThemselves) {
  const auto status = [](const std::function<void(ChunkDraft&)>& change) {
    ChunkDraft draft;
    change(draft);
    encode::PacketView view;
    return encode::read_packet(draft.seal(), view);
  };
  using encode::PacketStatus;
  CHECK(status([](ChunkDraft&) {}) == PacketStatus::ok);
  CHECK(status([](ChunkDraft& draft) { draft.last_sequence = 10; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.chunk = 2; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.status = 5; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.instruments = 1; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.instruments = 0; }) == PacketStatus::ok);
  CHECK(status([](ChunkDraft& draft) { draft.orders[0] = {1, 1, 1, 1, 0, 0, 0, 0}; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.orders[0] = {1, 1, 1, 1, 3, 0, 0, 0}; }) == PacketStatus::inconsistent);
  CHECK(status([](ChunkDraft& draft) { draft.orders[0] = {1, 1, 0, 1, 1, 0, 0, 0}; }) == PacketStatus::inconsistent);
}

TEST(assemblerRefusesSnapshotsThatLie) {
  const auto offered = [](const std::function<void(ChunkDraft&)>& change) {
    ChunkDraft draft;
    change(draft);
    SnapshotAssembler assembler(limits_of());
    const Datagram datagram = draft.seal();
    return assembler.offer(view_of(datagram));
  };
  CHECK(offered([](ChunkDraft&) {}) == SnapshotOffer::taken);
  CHECK(offered([](ChunkDraft& draft) { draft.chunk = 0; }) == SnapshotOffer::inconsistent);
  CHECK(offered([](ChunkDraft& draft) { draft.generation = 0; }) == SnapshotOffer::inconsistent);
  CHECK(offered([](ChunkDraft& draft) { draft.chunks = 0xffff'ffff; }) == SnapshotOffer::inconsistent);
  CHECK(offered([](ChunkDraft& draft) { draft.instruments = 0xffff'ffff; }) == SnapshotOffer::inconsistent);
  CHECK(offered([](ChunkDraft& draft) {
          draft.instruments = 0;
          draft.instrument = 0xffff'ffff;
        }) == SnapshotOffer::inconsistent);
  CHECK(offered([](ChunkDraft& draft) {
          draft.chunks = 2;
          draft.orders.clear();
        }) == SnapshotOffer::inconsistent);
}

TEST(snapshotWithAWrongDigestOrOrderOfOrdersIsNotVerified) {
  const auto verified = [](const std::function<void(ChunkDraft&)>& change) {
    ChunkDraft draft;
    draft.instruments = 0;
    draft.orders = {{1, 100, 5, 7, 1, 0, 0, 0}, {2, 100, 5, 8, 1, 0, 0, 0}, {3, 101, 5, 3, 2, 0, 0, 0}};
    change(draft);
    SnapshotAssembler assembler(limits_of(), {1});
    const Datagram datagram = draft.seal();
    REQUIRE(assembler.offer(view_of(datagram)) == SnapshotOffer::complete);
    return assembler.verify();
  };
  std::uint64_t right = 0;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const Side side = id == 3 ? Side::ask : Side::bid;
    const std::int64_t price = id == 3 ? 101 : 100;
    right += digest::order_term(digest::order_identity(1, side, price, id), 5, id == 3 ? 3 : 6 + id);
  }
  CHECK(verified([&](ChunkDraft& draft) { draft.digest = right; }));
  CHECK(!verified([&](ChunkDraft& draft) { draft.digest = right + 1; }));
  CHECK(!verified([&](ChunkDraft& draft) {
    draft.digest = right;
    std::swap(draft.orders[0], draft.orders[1]);  // queue order
  }));
  CHECK(!verified([&](ChunkDraft& draft) {
    draft.digest = right;
    std::swap(draft.orders[1], draft.orders[2]);  // sides
  }));
}

TEST(hostileSnapshotDatagramsNeverMakeAFalseBook) {
  const Fixture books(6, 300);
  const auto datagrams = datagrams_of(books.replica, stamp_of(books.replica, 1), 512);
  const auto expected = expected_snapshot(books.replica, {});
  PacketMutator mutator(datagrams, seed());
  Random random(seed());
  SnapshotLimits limits = limits_of();
  limits.bytes_max = 1 << 20;
  std::uint64_t completed = 0;
  std::uint64_t offers[encode::snapshot_offers] = {};
  SnapshotAssembler assembler(limits);
  for (std::uint64_t packet = 0; packet < work(300'000); ++packet) {
    // In turn, so that a round through them is complete unless a hostile one has spoilt it.
    const Datagram datagram = random.chance(1, 8) ? mutator.next() : datagrams[packet % datagrams.size()];
    encode::PacketView view;
    if (encode::read_packet(datagram, view) != encode::PacketStatus::ok) continue;
    ++offers[static_cast<std::size_t>(assembler.offer(view))];
    CHECK(assembler.progress().bytes <= limits.bytes_max);
    if (assembler.complete() && assembler.verify() && assembler.progress().sequence == books.replica.sequence() &&
        assembler.progress().channel_digest == books.replica.book().digest()) {
      SnapshotLines lines;
      assembler.load_into(lines);
      std::erase_if(lines.lines, [](const std::string& line) { return line.starts_with("definition"); });
      std::size_t at = 0;
      for (const std::string& line : expected) {
        if (line.starts_with("order")) {
          while (at < lines.lines.size() && !lines.lines[at].starts_with("order")) ++at;
          REQUIRE(at < lines.lines.size() && lines.lines[at] == line);
          ++at;
        }
      }
      ++completed;
    }
    if (assembler.complete() || packet % 256 == 0) assembler.reset(0);
  }
  std::string line;
  for (std::size_t index = 0; index < encode::snapshot_offers; ++index) {
    line += std::string(encode::name_of(static_cast<SnapshotOffer>(index))) + ' ' + std::to_string(offers[index]) + ' ';
  }
  note(line + "verified " + std::to_string(completed));
  CHECK(completed > 0);
}

TEST(replicaLoadedFromASnapshotHoldsTheSameBooksAndGoesOn) {
  Fixture books(20, 2'000);
  SnapshotAssembler assembler(limits_of());
  offer_all(assembler, datagrams_of(books.replica, stamp_of(books.replica, 9)));
  REQUIRE(assembler.verify());
  book::Replica other(snapshot_limits(4'096, 40), nullptr);
  fill_books(other, 3, 50, seed() + 1);  // what it had before
  CHECK(assembler.load_into(other) == book::SnapshotRefusal::none);
  CHECK_EQUAL(book::audit(other.book()).fault, "");
  CHECK_EQUAL(other.book().digest(), books.replica.book().digest());
  CHECK(other.whole() && other.sequence() == books.replica.sequence());
  const auto expected = expected_snapshot(books.replica, {});
  const auto from = std::find(expected.begin(), expected.end(), "instrument 0 0 0");
  const auto loaded = expected_snapshot(other, {});
  const auto first = std::find(loaded.begin(), loaded.end(), "instrument 0 0 0");
  CHECK(std::equal(first, loaded.end(), from, expected.end()));
  BookMessage more = {1,         5,         5,
                      0,         2,         books.replica.book().instrument_sequence(2) + 1,
                      Kind::add, Side::bid, flags::book_affecting | flags::end_of_event};
  for (book::Replica* one : {&other, &books.replica}) {
    one->on_book(more, {one->sequence() + 1, one->position() + 1, 5}, 0);
  }
  CHECK_EQUAL(other.book().digest(), books.replica.book().digest());
  CHECK(other.whole());
}

// A bound with room to spare: figures come from perf programs.
TEST(snapshotOfManyOrdersIsWrittenInOneGo) {
  const auto orders = static_cast<std::uint32_t>(work(200'000));
  book::Replica replica(snapshot_limits(orders + 1'000, 100), nullptr);
  fill_books(replica, 100, orders, seed());
  encode::SnapshotWriter writer;
  for (int round = 0; round < 2; ++round) {
    std::size_t bytes = 0;
    const auto before = std::chrono::steady_clock::now();
    writer.write(replica, stamp_of(replica, 1), {}, [&](std::span<const std::uint8_t> one) { bytes += one.size(); });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - before;
    CHECK(bytes > std::size_t{orders} * 40);
    note(std::to_string(orders) + " orders, " + std::to_string(bytes) + " bytes, " + std::to_string(took.count()) +
         " ms");
  }
}

}  // namespace
}  // namespace depthcast::test

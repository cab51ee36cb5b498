// Any bytes from an engine: the session, the events behind it and the books keep their promises.
#include <cstring>
#include <string>
#include <vector>

#include "book/audit.h"
#include "book/batch.h"
#include "ingest/engine_session.h"
#include "test/engine_frames.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::EngineSession;
using ingest::Refusal;
using State = ingest::EngineSession::State;
namespace frames = ingest::frames;

class NullMessages final : public book::MessageSink {
 public:
  void on_book(const BookMessage& /*message*/, const book::Stamp& /*stamp*/, std::uint64_t /*detail*/) override {}
  void on_trade(const TradeMessage& /*message*/, const book::Stamp& /*stamp*/) override {}
  void on_definition(std::uint32_t /*instrument*/, std::uint32_t /*instrument_sequence*/, std::uint32_t /*source_code*/,
                     const ingest::DefinitionData& /*definition*/, const book::Stamp& /*stamp*/) override {}
};

// Events go into books at once, and must have numbers without a gap.
class Books final : public ingest::EventSink {
 public:
  Books() : book(limits()), sequencer(book, messages) {}
  static book::BookLimits limits() {
    book::BookLimits limits;
    limits.orders_max = 300;
    limits.instruments_max = 4;
    limits.depth_levels = 4;
    return limits;
  }
  void take(ingest::EventBatch& batch) override {
    for (; !batch.done() && room != 0; --room) {
      ingest::InputCell cells[2];
      batch.take(cells[0], &cells[1]);
      REQUIRE_EQUAL(cells[0].event.position, ++last);
      sequencer.apply(cells[0].event, &cells[1]);
    }
  }
  NullMessages messages;
  book::Book book;
  book::Sequencer sequencer;
  std::uint64_t last = 0;
  std::size_t room = 0;
};

frames::Event random_event(Random& random) {
  const auto kind = static_cast<std::uint8_t>(random.between(1, random.chance(1, 200) ? 12 : 9));
  const bool is_trade = kind == static_cast<std::uint8_t>(ingest::InputKind::trade);
  const bool takes_any = random.chance(1, 300);
  const std::uint64_t id = random.between(1, 200);
  const std::uint64_t price = random.chance(1, 50) ? random.next() : random.between(90, 110);
  return {id,
          random.between(1, 200),
          static_cast<std::int64_t>(price),
          random.chance(1, 50) ? random.next() : random.between(0, 100),
          static_cast<std::int64_t>(random.chance(1, 500) ? random.next() : random.next() >> 2),
          static_cast<std::uint32_t>(random.chance(1, 50) ? random.next() : random.between(0, 5)),
          kind,
          static_cast<std::uint8_t>(takes_any ? random.next() : random.between(1, 2)),
          static_cast<std::uint8_t>(is_trade ? random.between(16, 21) : 0),
          static_cast<std::uint8_t>(takes_any ? random.next() : random.between(0, random.chance(1, 20) ? 15 : 7))};
}

Bytes random_batch(Random& random, std::uint64_t first) {
  BatchContent content{first, {}, {}, {}};
  for (std::uint64_t left = random.between(1, 30); left != 0; --left) content.events.push_back(random_event(random));
  for (const frames::Event& event : content.events) {
    if (event.kind() == static_cast<std::uint8_t>(ingest::InputKind::trade)) content.trades.emplace_back();
    if (event.kind() != static_cast<std::uint8_t>(ingest::InputKind::definition)) continue;
    content.definitions.push_back(
        definition_of(random.chance(1, 100) ? "\x01" : "S" + std::to_string(random.next() % 9)));
  }
  return batch_frame(content);
}

void damage(Random& random, Bytes& bytes) {
  for (std::uint64_t left = random.between(1, 4); left != 0; --left) {
    const std::size_t at = random.between(0, bytes.size() - 1);
    switch (random.between(0, 3)) {
      case 0: bytes[at] = static_cast<std::uint8_t>(random.next()); break;
      case 1: bytes[at] = static_cast<std::uint8_t>(1U << random.between(0, 7) ^ bytes[at]); break;
      case 2: bytes[random.between(0, std::min<std::size_t>(bytes.size() - 1, 80))] = 0xff; break;
      default: bytes.resize(at + 1);
    }
  }
}

TEST(engineSessionTakesAnyBytes) {
  Random random(seed());
  Books books;
  ingest::NumberedInput input(books, 1);
  std::uint64_t refused = 0;
  std::uint64_t frames_given = 0;
  for (std::uint64_t left = work(3'000); left != 0; --left) {
    ingest::EngineLimits limits;
    limits.batch_events_max = 25;
    limits.frame_bytes_max = 16'384;
    EngineSession session(limits, {}, input, 0);
    Bytes stream = login_frame();
    if (random.chance(1, 20)) damage(random, stream);
    for (std::uint64_t frame = random.between(1, 40); frame != 0; --frame) {
      const std::uint64_t first = random.chance(1, 10) ? input.next() + random.between(0, 60) - 30 : input.next();
      Bytes bytes = random_batch(random, first);
      if (random.chance(1, 8)) damage(random, bytes);
      stream.insert(stream.end(), bytes.begin(), bytes.end());
      ++frames_given;
    }
    for (std::size_t at = 0; at < stream.size() && session.state() != State::closed;) {
      const std::uint64_t before = input.next();
      const std::span<std::uint8_t> room = session.room();
      const std::size_t count = std::min({room.size(), stream.size() - at, std::size_t{random.between(1, 2'000)}});
      std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at), count, room.begin());
      session.received(count, 0);
      at += count;
      books.room = random.chance(1, 4) ? random.between(0, 20) : 1'000;
      if (session.step() == State::verify) session.accept(0, input.next());
      REQUIRE_EQUAL(input.next(), books.last + 1);
      REQUIRE(input.next() >= before);
      if (session.state() == State::ending) break;  // a damaged frame can say so, and nothing is read then
    }
    if (session.state() == State::closed) {
      ++refused;
      REQUIRE(session.refusal() != Refusal::none);
      REQUIRE(!session.output().empty());
    }
    if (left % 64 == 0) {
      REQUIRE_EQUAL(book::audit(books.book).fault, "");
    }
  }
  note(std::to_string(frames_given) + " frames, " + std::to_string(refused) + " connections refused, " +
       std::to_string(books.last) + " events taken");
  CHECK(refused > 0 && books.last > 0);
}

}  // namespace
}  // namespace depthcast::test

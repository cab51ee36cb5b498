#include "ingest/engine_session.h"

#include <cstring>
#include <string>
#include <vector>

#include "test/engine_frames.h"
#include "test/random.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::EngineSession;
using ingest::Refusal;
using State = ingest::EngineSession::State;
namespace frames = ingest::frames;

constexpr std::int64_t second = 1'000'000'000;

// An input of bounded room that remembers what it took.
class Sink final : public ingest::EventSink {
 public:
  void take(ingest::EventBatch& batch) override {
    for (; !batch.done() && batch.cells() <= room; ++taken) {
      ingest::InputCell event;
      ingest::InputCell extension;
      room -= batch.cells();
      batch.take(event, &extension);
      events.push_back(event.event);
      if (event.event.kind == ingest::InputKind::definition) definitions.push_back(extension.definition);
      if (event.event.kind == ingest::InputKind::trade) trades.push_back(extension.trade);
    }
  }
  std::size_t room = 1'000'000;
  std::size_t taken = 0;
  std::vector<ingest::InputEvent> events;
  std::vector<ingest::DefinitionData> definitions;
  std::vector<ingest::TradeData> trades;
};

// One connection, and what it was told.
struct Link {
  explicit Link(ingest::NumberedInput& input, const ingest::EngineLimits& limits = {})
      : session(limits, {7, 99, 2}, input, 0) {}

  State give(std::span<const std::uint8_t> bytes, std::int64_t now_ns = 0) {
    State state = session.state();
    while (!bytes.empty()) {
      const std::span<std::uint8_t> room = session.room();
      if (room.empty()) return state;
      const std::size_t count = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), count, room.begin());
      session.received(count, now_ns);
      state = session.step();
      bytes = bytes.subspan(count);
    }
    return state;
  }
  void login(std::uint64_t oldest = 0, std::uint64_t safe = 1'000'000) {
    REQUIRE_EQUAL(give(login_frame(oldest)), State::verify);
    session.accept(0, safe);
  }
  // Kinds of the frames in the output, which is emptied; the last one stays readable.
  std::vector<frames::FramePayload> told() {
    std::vector<frames::FramePayload> kinds;
    copy.assign(session.output().begin(), session.output().end());
    session.sent(copy.size());
    for (std::size_t at = 0; at < copy.size();) {
      std::size_t used = 0;
      const auto status = ingest::read_frame(std::span(copy).subspan(at), 1U << 16, last, used);
      REQUIRE_EQUAL(status, ingest::FrameStatus::whole);
      kinds.push_back(last->payload_type());
      if (kinds.back() == frames::FramePayload::Ack) acknowledged = last->payload_as_Ack()->event();
      at += used;
    }
    return kinds;
  }
  const frames::Refused& refused() {
    const auto kinds = told();
    REQUIRE(!kinds.empty());
    REQUIRE_EQUAL(kinds.back(), frames::FramePayload::Refused);
    return *last->payload_as_Refused();
  }

  EngineSession session;
  Bytes copy;
  const frames::Frame* last = nullptr;
  std::uint64_t acknowledged = 0;
};

struct Input {
  explicit Input(std::uint64_t next = 1) : numbered(sink, next) {}
  Sink sink;
  ingest::NumberedInput numbered;
};

TEST(engineLogsInAndIsToldWhereToGoOn) {
  Input input(41);
  Link link(input.numbered);
  CHECK_EQUAL(link.give(login_frame()), State::verify);
  CHECK_EQUAL(link.session.engine(), "matcher");
  CHECK_EQUAL(link.session.take_token(), "secret");
  CHECK_EQUAL(link.session.take_token(), "");
  link.session.accept(0, 1'000'000);
  REQUIRE(link.told() == std::vector{frames::FramePayload::LoginAccepted});
  const frames::LoginAccepted& accepted = *link.last->payload_as_LoginAccepted();
  CHECK_EQUAL(accepted.next(), 41U);
  CHECK_EQUAL(accepted.session(), 99U);
  CHECK_EQUAL(accepted.channel(), 7U);
  CHECK_EQUAL(accepted.acknowledge(), 2U);
  CHECK_EQUAL(accepted.heartbeat_ms(), 1'000U);
}

TEST(engineBytesMayComeInAnyPieces) {
  Input input;
  Link link(input.numbered);
  Bytes stream = login_frame();
  for (const std::uint8_t& byte : stream) link.give({&byte, 1});
  link.session.accept(0, 1'000'000);
  stream.clear();
  for (std::uint64_t first = 1; first < 400; first += 7) {
    const Bytes frame = adds_frame(first, 7);
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  Random random(seed());
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t count = std::min<std::size_t>(stream.size() - at, random.between(1, 700));
    REQUIRE_EQUAL(link.give(std::span(stream).subspan(at, count)), State::streaming);
    at += count;
  }
  REQUIRE_EQUAL(input.sink.events.size(), 399U);
  for (std::size_t index = 0; index < input.sink.events.size(); ++index) {
    CHECK_EQUAL(input.sink.events[index].position, index + 1);
    CHECK_EQUAL(input.sink.events[index].order_id, index + 1);
  }
}

TEST(engineRepeatsArePassedOverAndHolesRefusedWithTheNumberExpected) {
  Input input;
  {
    Link link(input.numbered);
    link.login();
    link.give(adds_frame(1, 10));
    link.give(adds_frame(4, 3));   // all of it again
    link.give(adds_frame(8, 10));  // 8 to 10 again
    CHECK_EQUAL(input.numbered.next(), 18U);
    CHECK_EQUAL(input.numbered.repeated(), 6U);
    CHECK_EQUAL(link.give(adds_frame(20, 1)), State::closed);
    CHECK_EQUAL(link.session.refusal(), Refusal::hole);
    CHECK_EQUAL(link.refused().expected(), 18U);
  }
  Link again(input.numbered);
  again.login(15);
  again.told();
  CHECK_EQUAL(again.last->payload_as_LoginAccepted()->next(), 18U);
  again.give(adds_frame(15, 10));
  CHECK_EQUAL(input.numbered.next(), 25U);
  REQUIRE_EQUAL(input.sink.events.size(), 24U);
  for (std::size_t index = 0; index < 24; ++index) CHECK_EQUAL(input.sink.events[index].order_id, index + 1);
}

TEST(engineThatCannotGiveWhatIsExpectedIsToldSo) {
  Input input(5);
  Link link(input.numbered);
  REQUIRE_EQUAL(link.give(login_frame(6)), State::verify);
  link.session.accept(0, 1'000'000);
  CHECK_EQUAL(link.session.refusal(), Refusal::events_unavailable);
  CHECK_EQUAL(link.refused().expected(), 5U);
}

TEST(engineGivesAgainWhatWasTakenAndIsNotSafe) {
  Input input;
  {
    Link link(input.numbered);
    link.login();
    link.give(adds_frame(1, 10));
  }
  Link again(input.numbered);
  again.login(0, 4);
  again.told();
  CHECK_EQUAL(again.last->payload_as_LoginAccepted()->next(), 5U);
  again.give(adds_frame(5, 10));
  CHECK_EQUAL(input.numbered.repeated(), 6U);
  CHECK_EQUAL(input.numbered.next(), 15U);
  CHECK_EQUAL(input.sink.events.size(), 14U);
  Link late(input.numbered);
  REQUIRE_EQUAL(late.give(login_frame(12)), State::verify);
  late.session.accept(0, 10);
  CHECK_EQUAL(late.session.refusal(), Refusal::events_unavailable);
  CHECK_EQUAL(late.refused().expected(), 11U);
}

TEST(engineWaitsWhileTheInputIsFullAndNothingIsRead) {
  Input input;
  input.sink.room = 5;
  Link link(input.numbered);
  link.login();
  CHECK_EQUAL(link.give(adds_frame(1, 8)), State::blocked);
  CHECK_EQUAL(link.session.room().size(), 0U);
  CHECK_EQUAL(input.numbered.next(), 6U);
  CHECK_EQUAL(link.session.step(), State::blocked);
  input.sink.room = 100;
  CHECK_EQUAL(link.session.step(), State::streaming);
  CHECK_EQUAL(input.numbered.next(), 9U);
  CHECK_EQUAL(link.give(adds_frame(9, 2)), State::streaming);
  CHECK_EQUAL(input.numbered.next(), 11U);
}

TEST(engineThatDiesInTheMiddleOfABatchGoesOnAtItsNextEvent) {
  Input input;
  input.sink.room = 3;
  {
    Link link(input.numbered);
    link.login();
    CHECK_EQUAL(link.give(adds_frame(1, 8)), State::blocked);
  }
  input.sink.room = 100;
  Link again(input.numbered);
  again.login();
  again.give(adds_frame(1, 8));
  CHECK_EQUAL(input.numbered.next(), 9U);
  CHECK_EQUAL(input.sink.events.size(), 8U);
}

TEST(engineAcknowledgementsNeverFallAndComeOnce) {
  Input input;
  Link link(input.numbered);
  link.login();
  link.give(adds_frame(1, 8));
  link.told();
  link.session.acknowledge(5);
  link.session.acknowledge(5);
  link.session.acknowledge(4);
  CHECK(link.told() == std::vector{frames::FramePayload::Ack});
  CHECK_EQUAL(link.last->payload_as_Ack()->event(), 5U);
  // Where the engine does not read, what waits is bounded.
  for (std::uint64_t event = 6; event < 100'000; ++event) link.session.acknowledge(event);
  CHECK(link.session.output().size() < 8'192);
}

TEST(engineDayEndsWhenAllIsSafe) {
  Input input;
  Link link(input.numbered);
  link.login();
  link.give(adds_frame(1, 3));
  const auto end = [](std::uint64_t next) {
    return engine_frame(frames::FramePayload::EndOfDay,
                        [&](auto& builder) { return frames::CreateEndOfDay(builder, next); });
  };
  CHECK_EQUAL(link.give(end(4)), State::ending);
  CHECK_EQUAL(link.session.room().size(), 0U);
  link.told();
  link.session.acknowledge(3);
  link.session.finish();
  CHECK(link.told() == (std::vector{frames::FramePayload::Ack, frames::FramePayload::EndOfDay}));
  CHECK_EQUAL(link.session.state(), State::closed);
  CHECK_EQUAL(link.session.refusal(), Refusal::none);
  for (const auto& [next, refusal] : {std::pair{6U, Refusal::hole}, std::pair{2U, Refusal::unexpected_frame}}) {
    Link other(input.numbered);
    other.login();
    CHECK_EQUAL(other.give(end(next)), State::closed);
    CHECK_EQUAL(other.session.refusal(), refusal);
  }
}

// Else it would take the end for one that came before its own events were safe.
TEST(engineThatReadsNothingIsToldAtTheEndThatAllIsSafe) {
  Input input;
  Link link(input.numbered);
  link.login();
  link.give(adds_frame(1, 1'000));
  link.give(engine_frame(frames::FramePayload::EndOfDay,
                         [&](auto& builder) { return frames::CreateEndOfDay(builder, 1'001); }));
  REQUIRE_EQUAL(link.session.state(), State::ending);
  for (std::uint64_t event = 1; event <= 1'000; ++event) link.session.acknowledge(event);
  link.session.finish();
  CHECK_EQUAL(link.told().back(), frames::FramePayload::EndOfDay);
  CHECK_EQUAL(link.acknowledged, 1'000U);
}

// A disk may take longer than an engine may be silent: who waits for it is not to look without a pause.
TEST(engineWhoseDayEndsHasNoSilenceThatIsDue) {
  Input input;
  Link link(input.numbered);
  link.login();
  link.session.end_day();
  link.session.tick(20 * second);
  CHECK_EQUAL(link.session.state(), State::ending);
  CHECK_EQUAL(link.session.tick_due_ns(), 21 * second);
}

// An engine's next life after its EndOfDay: it is told how far all is safe, and nothing more is taken.
TEST(engineThatComesAfterTheEndOfItsDayIsToldSo) {
  Input input;
  Link earlier(input.numbered);
  earlier.login();
  earlier.give(adds_frame(1, 3));
  Link later(input.numbered);
  later.login(0, 2);
  later.session.end_day();
  CHECK_EQUAL(later.session.state(), State::ending);
  CHECK_EQUAL(later.session.room().size(), 0U);
  later.session.acknowledge(3);
  later.session.finish();
  CHECK(later.told() ==
        (std::vector{frames::FramePayload::LoginAccepted, frames::FramePayload::Ack, frames::FramePayload::EndOfDay}));
  CHECK_EQUAL(later.last->payload_as_EndOfDay()->next(), 4U);
}

TEST(engineSilenceAndSlowLoginsEndTheConnection) {
  Input input;
  Link slow(input.numbered);
  const Bytes login = login_frame();
  for (std::size_t index = 0; index < 20; ++index) {
    slow.give({&login[index], 1}, static_cast<std::int64_t>(index) * second / 5);
    slow.session.tick(static_cast<std::int64_t>(index) * second / 5);
  }
  CHECK_EQUAL(slow.session.state(), State::login);
  slow.session.tick(5 * second);
  CHECK_EQUAL(slow.session.refusal(), Refusal::login_timeout);

  Link link(input.numbered);
  link.login();
  link.told();
  link.session.tick(second / 2);
  CHECK(link.told().empty());
  CHECK_EQUAL(link.session.tick_due_ns(), second);
  link.session.tick(second);
  CHECK(link.told() == std::vector{frames::FramePayload::Heartbeat});
  link.give(adds_frame(1, 1), 2 * second);
  link.session.tick(5 * second);
  CHECK_EQUAL(link.session.state(), State::streaming);
  link.session.tick(7 * second);
  CHECK_EQUAL(link.session.refusal(), Refusal::idle);
}

TEST(engineHeartbeatsShowWhatIsMissing) {
  Input input;
  Link link(input.numbered);
  link.login();
  const auto heartbeat = [](std::uint64_t next) {
    return engine_frame(frames::FramePayload::Heartbeat,
                        [&](auto& builder) { return frames::CreateHeartbeat(builder, next); });
  };
  CHECK_EQUAL(link.give(heartbeat(1)), State::streaming);
  CHECK_EQUAL(link.give(heartbeat(2)), State::closed);
  CHECK_EQUAL(link.session.refusal(), Refusal::hole);
}

TEST(engineFramesOutOfPlaceAreRefused) {
  Input input;
  Link early(input.numbered);
  CHECK_EQUAL(early.give(adds_frame(1, 1)), State::closed);
  CHECK_EQUAL(early.session.refusal(), Refusal::login_expected);
  CHECK_EQUAL(early.refused().expected(), 0U);  // strangers learn nothing
  CHECK_EQUAL(input.numbered.next(), 1U);

  Link twice(input.numbered);
  twice.login();
  twice.give(login_frame());
  CHECK_EQUAL(twice.session.refusal(), Refusal::unexpected_frame);

  for (const int step : {-1, 1}) {
    Link other(input.numbered);
    other.give(login_frame(0, "secret", static_cast<std::uint16_t>(ingest::frames_version + step)));
    CHECK_EQUAL(other.session.refusal(), Refusal::version);
  }

  Link nameless(input.numbered);
  nameless.give(login_frame(0, "secret", ingest::frames_version, "two words"));
  CHECK_EQUAL(nameless.session.refusal(), Refusal::bad_frame);

  Link wrong(input.numbered);
  REQUIRE_EQUAL(wrong.give(login_frame()), State::verify);
  wrong.session.refuse(Refusal::token, "the token is not known");
  CHECK_EQUAL(wrong.refused().code(), static_cast<std::uint16_t>(Refusal::token));
}

TEST(engineLengthsAreBounded) {
  Input input;
  for (const std::uint32_t length : {0U, 4U, 12U, 8'192U, 0xffff'fff8U, 0xffff'ffffU}) {
    Link link(input.numbered);
    const ingest::FramePrefix prefix{ingest::frame_magic, length};
    Bytes bytes(sizeof prefix);
    std::memcpy(bytes.data(), &prefix, sizeof prefix);
    CHECK_EQUAL(link.give(bytes), State::closed);
    CHECK_EQUAL(link.session.refusal(), Refusal::bad_frame);
  }
  ingest::EngineLimits limits;
  limits.batch_events_max = 10;
  Link link(input.numbered, limits);
  link.login();
  CHECK_EQUAL(link.give(adds_frame(1, 10)), State::streaming);
  CHECK_EQUAL(link.give(adds_frame(11, 11)), State::closed);
  CHECK_EQUAL(link.session.refusal(), Refusal::bad_event);
  CHECK_EQUAL(input.numbered.next(), 11U);
}

TEST(engineEventsThatCannotBeAreRefusedWithTheirNumber) {
  using ingest::InputKind;
  const auto refusal_of = [](BatchContent content) {
    Input input;
    Link link(input.numbered);
    link.login();
    content.events.insert(content.events.begin(), engine_event(1));
    CHECK_EQUAL(link.give(batch_frame(content)), State::closed);
    CHECK_EQUAL(link.session.refusal(), Refusal::bad_event);
    CHECK_EQUAL(input.sink.events.size(), 0U);  // nothing of the batch was taken
    return link.session.detail();
  };
  const auto with = [](auto change) {
    frames::Event event = engine_event(2);
    change(event);
    return BatchContent{1, {event}, {}, {}};
  };
  const auto raw = [](frames::Event& event) { return reinterpret_cast<std::uint8_t*>(&event); };
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[44] = 13; })).starts_with("event 2: its kind"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[45] = 0; })).starts_with("event 2: its side"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[46] = 16; })).starts_with("event 2: its trade kind"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[47] = 16; })).starts_with("event 2: it has bits"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[47] = 8; })).starts_with("event 2: it goes on"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[39] = 0x80; })).starts_with("event 2: its time"));
  CHECK(refusal_of(with([&](frames::Event& event) { raw(event)[39] = 0x40; })).starts_with("event 2: its time"));
  CHECK(refusal_of({0, {engine_event(2)}, {}, {}}).starts_with("events count from 1"));
  CHECK(refusal_of({UINT64_MAX, {engine_event(2)}, {}, {}}).starts_with("events count from 1"));
  CHECK(refusal_of({1, {engine_event(2, InputKind::trade, 0)}, {}, {}}).starts_with("the batch has not one entry"));
  CHECK(refusal_of({1, {}, {{}}, {}}).starts_with("the batch has not one entry"));
  // Kind, detail, price, quantity: limits the wrong way round, a status that there is not, one that goes on.
  const auto told = [&](InputKind kind, std::uint64_t detail, std::int64_t price, std::uint64_t quantity,
                        std::uint8_t bits) {
    const frames::Event event(0, detail, price, quantity, 0, 1, static_cast<std::uint8_t>(kind), 0, 0, bits);
    return refusal_of({1, {event, engine_event(9)}, {}, {}});
  };
  CHECK(told(InputKind::limits, static_cast<std::uint64_t>(-6), -5, 0, 0).starts_with("event 2: its lowest price"));
  CHECK(told(InputKind::limits, 6, 5, 0, 8).starts_with("event 2: it has bits"));
  CHECK(told(InputKind::status, 0, 0, 6, 0).starts_with("event 2: its trading status"));
  CHECK(refusal_of(
            {1, {engine_event(0, InputKind::definition, 0)}, {}, {frames::Definition(65, 0, 2, 1, 1, 0, 0, 0, 0, 0)}})
            .starts_with("event 2: its lowest price"));
  for (const std::string symbol : {"", "A B", "A\xff"}) {
    const BatchContent content{1, {engine_event(0, InputKind::definition, 0)}, {}, {definition_of(symbol)}};
    CHECK(refusal_of(content).starts_with("event 2: its symbol"));
  }
}

TEST(engineTradesAndDefinitionsComeWithTheirFields) {
  using ingest::InputKind;
  Input input;
  Link link(input.numbered);
  link.login();
  BatchContent content;
  content.events = {engine_event(0, InputKind::definition, 0), engine_event(1), engine_event(5, InputKind::trade, 0),
                    engine_event(0, InputKind::definition, 0), engine_event(6, InputKind::trade, 2)};
  content.definitions = {definition_of("ABC"), definition_of("SIXTEENLETTERS16")};
  content.trades = {{1, 2, 3, 4, 5, 6, 0}, {7, 0, 0, 0, 0, 8, 0}};
  link.give(batch_frame(content));
  // The first two again: fields are still those of their events.
  content.first = 1;
  link.give(batch_frame(content));
  CHECK_EQUAL(input.sink.events.size(), 5U);
  REQUIRE_EQUAL(input.sink.definitions.size(), 2U);
  CHECK_EQUAL(std::string(input.sink.definitions[0].symbol), "ABC");
  CHECK_EQUAL(std::string(input.sink.definitions[1].symbol, 16), "SIXTEENLETTERS16");
  CHECK_EQUAL(input.sink.definitions[0].price_exponent, -2);
  CHECK_EQUAL(input.sink.definitions[0].price_increment, 5U);
  CHECK_EQUAL(input.sink.definitions[0].price_low, -100);
  CHECK_EQUAL(input.sink.definitions[0].price_high, 2'000);
  REQUIRE_EQUAL(input.sink.trades.size(), 2U);
  CHECK_EQUAL(input.sink.trades[0].price_5, 5);
  CHECK_EQUAL(input.sink.trades[1].code, 8U);
  BatchContent more = content;
  more.first = 3;  // trade 5, definition, trade 6 again, then two more
  more.events = {engine_event(5, InputKind::trade, 0), engine_event(0, InputKind::definition, 0),
                 engine_event(6, InputKind::trade, 2), engine_event(9), engine_event(7, InputKind::trade, 1)};
  more.definitions = {definition_of("D")};
  more.trades.push_back({9, 0, 0, 0, 0, 10, 0});
  link.give(batch_frame(more));
  REQUIRE_EQUAL(input.sink.trades.size(), 3U);
  CHECK_EQUAL(input.sink.trades[2].code, 10U);
  CHECK_EQUAL(input.numbered.next(), 8U);
}

}  // namespace
}  // namespace depthcast::test

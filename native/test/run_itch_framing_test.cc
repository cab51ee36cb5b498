#include "run/itch_framing.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "test/run_itch_bytes.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using run::ItchFraming;

const std::atomic<bool> running{false};  // nobody asks to stop

Bytes message_of(std::size_t length, std::uint64_t number) {
  Bytes message(length);
  Random random(number + 1);
  for (std::uint8_t& byte : message) byte = static_cast<std::uint8_t>(random.next());
  return message;
}

// Three messages of 3, 1 and 5 bytes: 15 bytes.
Bytes small_stream() {
  Bytes stream;
  for (const std::size_t length : {3, 1, 5}) append_message(stream, message_of(length, length));
  return stream;
}

// All of a stream in one line: "0+3 5+1 8+5 end 15", or how it breaks.
std::string outline(run::ByteSource& source) {
  ItchFraming framing(source);
  std::string text;
  while (true) {
    std::span<const std::uint8_t> message;
    switch (framing.next(message, running)) {
      case ItchFraming::Next::message:
        text += std::to_string(framing.offset()) + '+' + std::to_string(message.size()) + ' ';
        break;
      case ItchFraming::Next::end: return text + "end " + std::to_string(framing.bytes_taken());
      default: return text + "fault at " + std::to_string(framing.fault().offset) + ": " + framing.fault().expected;
    }
  }
}

std::string outline(const Bytes& stream) {
  PieceSource source(stream);
  return outline(source);
}

TEST(framingFindsEachMessageAndItsOffset) {
  CHECK_EQUAL(outline(small_stream()), "0+3 5+1 8+5 end 15");
  CHECK_EQUAL(outline(Bytes{}), "end 0");
}

TEST(framingNamesWhatIsMissingWhereverTheFileIsCut) {
  const Bytes whole = small_stream();
  const char* before[] = {"", "0+3 ", "0+3 5+1 "};
  const std::size_t starts[] = {0, 5, 8, 15};
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::size_t message = 0;
    while (starts[message + 1] <= at) ++message;
    const std::size_t held = at - starts[message];
    std::string expected = before[message];
    if (held == 0) {
      expected += "end " + std::to_string(at);
    } else if (held == 1) {
      expected +=
          "fault at " + std::to_string(starts[message]) + ": a 2-byte length, but the file ends after 1 byte of it";
    } else {
      const std::size_t length = starts[message + 1] - starts[message] - 2;
      expected += "fault at " + std::to_string(starts[message]) + ": a message of " + std::to_string(length) +
                  " bytes, but the file ends after " + std::to_string(held - 2) + " of them";
    }
    CHECK_EQUAL(outline(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at))), expected);
  }
}

TEST(framingTakesALengthOfZeroForTheEndOfTheFileOnly) {
  Bytes stream = small_stream();
  append_message(stream, {});
  CHECK_EQUAL(outline(stream), "0+3 5+1 8+5 end 17");
  stream.push_back(0);
  CHECK_EQUAL(outline(stream),
              "0+3 5+1 8+5 fault at 15: the length of a "
              "message, but it is 0 and more bytes follow");
  CHECK_EQUAL(outline(Bytes{0, 0}), "end 2");
  CHECK_EQUAL(outline(Bytes{0, 0, 0, 0}), "fault at 0: the length of a message, but it is 0 and more bytes follow");
  CHECK_EQUAL(outline(Bytes{0}), "fault at 0: a 2-byte length, but the file ends after 1 byte of it");
}

TEST(framingSaysTheEndAgainWhenAskedAgain) {
  for (const bool closed : {false, true}) {
    Bytes stream = small_stream();
    if (closed) append_message(stream, {});
    PieceSource source(stream);
    ItchFraming framing(source);
    std::span<const std::uint8_t> message;
    for (int count = 0; count < 3; ++count) CHECK(framing.next(message, running) == ItchFraming::Next::message);
    for (int count = 0; count < 3; ++count) CHECK(framing.next(message, running) == ItchFraming::Next::end);
  }
}

TEST(framingGivesTheSameMessagesHoweverTheBytesCome) {
  std::vector<std::size_t> lengths = {1, 2, 3, 50, 255, 256, 257, 4'096, 65'535, 65'534};
  Random random(seed());
  for (int count = 0; count < 200; ++count) {
    lengths.push_back(static_cast<std::size_t>(random.between(1, random.chance(1, 20) ? 65'535 : 60)));
  }
  Bytes stream;
  for (std::size_t index = 0; index < lengths.size(); ++index)
    append_message(stream, message_of(lengths[index], index));
  CHECK(stream.size() > std::size_t{200'000});
  // 1 to 70 bytes at a time: every message and every length is cut at each of
  // its bytes in one of them.
  for (std::size_t piece = 1; piece <= 70; piece += sanitized ? 13 : 1) {
    PieceSource source(stream, piece);
    ItchFraming framing(source);
    std::span<const std::uint8_t> message;
    for (std::size_t index = 0; index < lengths.size(); ++index) {
      REQUIRE(framing.next(message, running) == ItchFraming::Next::message);
      const Bytes expected = message_of(lengths[index], index);
      REQUIRE(std::equal(message.begin(), message.end(), expected.begin(), expected.end()));
    }
    REQUIRE(framing.next(message, running) == ItchFraming::Next::end);
    REQUIRE_EQUAL(framing.bytes_taken(), stream.size());
  }
}

// More than its buffer holds, several times over, in pieces of every size.
TEST(framingGoesOnWhereItsBufferEnds) {
  Random random(seed());
  std::vector<std::size_t> lengths;
  Bytes stream;
  while (stream.size() < std::size_t{5} << 20) {
    lengths.push_back(static_cast<std::size_t>(random.between(1, random.chance(1, 3) ? 65'535 : 60)));
    append_message(stream, message_of(lengths.back(), lengths.size()));
  }
  for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{65'537}, std::size_t{4'001}}) {
    PieceSource source(stream, piece, random.next());
    ItchFraming framing(source);
    std::span<const std::uint8_t> message;
    std::uint64_t offset = 0;
    for (std::size_t index = 0; index < lengths.size(); ++index) {
      REQUIRE(framing.next(message, running) == ItchFraming::Next::message);
      REQUIRE_EQUAL(framing.offset(), offset);
      offset += 2 + lengths[index];
      const Bytes expected = message_of(lengths[index], index + 1);
      REQUIRE(std::equal(message.begin(), message.end(), expected.begin(), expected.end()));
    }
    REQUIRE(framing.next(message, running) == ItchFraming::Next::end);
  }
}

TEST(framingKnowsWhetherItCanGoOnWithoutReading) {
  PieceSource source(small_stream(), 7);
  ItchFraming framing(source);
  std::span<const std::uint8_t> message;
  CHECK(!framing.buffered());
  CHECK(framing.next(message, running) == ItchFraming::Next::message);  // holds 7 bytes: 5 taken, a length left
  CHECK(!framing.buffered());
  CHECK(framing.next(message, running) == ItchFraming::Next::message);  // holds 14: 8 taken, 6 of 7 left
  CHECK(!framing.buffered());
  CHECK_EQUAL(source.taken(), 14U);
  PieceSource all(small_stream());
  ItchFraming whole(all);
  CHECK(whole.next(message, running) == ItchFraming::Next::message);
  CHECK(whole.buffered());
  CHECK(whole.next(message, running) == ItchFraming::Next::message);
  CHECK(whole.buffered());
  CHECK(whole.next(message, running) == ItchFraming::Next::message);
  CHECK(!whole.buffered());
}

TEST(framingReportsAnErrorOfTheSourceNotATruncatedFile) {
  const Bytes whole = small_stream();
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(at);
    PieceSource source(Bytes(whole.begin(), end), 3, 0, "bytes that can be read, but: the disk is gone");
    const std::string text = outline(source);
    const std::string start = at < 5 ? "0" : at < 8 ? "5" : at < 15 ? "8" : "15";
    CHECK(text.ends_with("fault at " + start + ": bytes that can be read, but: the disk is gone"));
  }
  PieceSource closed(Bytes{0, 0}, 2, 0, "an error");
  CHECK_EQUAL(outline(closed), "fault at 0: an error");
}

// Gives out its bytes and is then stopped.
class StoppedSource final : public run::ByteSource {
 public:
  explicit StoppedSource(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::size_t read(std::span<std::uint8_t> out, const std::atomic<bool>& /*stop*/, std::string& /*error*/) override {
    std::copy(bytes_.begin(), bytes_.end(), out.begin());
    const std::size_t taken = bytes_.size();
    stopped.store(taken == 0, std::memory_order_release);
    bytes_.clear();
    return taken;
  }
  std::atomic<bool> stopped{false};

 private:
  Bytes bytes_;
};

// A stop is neither the end of the file nor a fault of it, wherever it comes.
TEST(framingEndsQuietlyWhenItIsStopped) {
  const Bytes whole = small_stream();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    StoppedSource source(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at)));
    ItchFraming framing(source);
    std::span<const std::uint8_t> message;
    ItchFraming::Next next = ItchFraming::Next::message;
    for (int count = 0; count < 4 && next == ItchFraming::Next::message; ++count) {
      next = framing.next(message, source.stopped);
    }
    CHECK(next == ItchFraming::Next::end);
    CHECK_EQUAL(framing.fault().expected, "");
  }
}

}  // namespace
}  // namespace depthcast::test

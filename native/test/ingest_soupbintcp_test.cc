#include "ingest/soupbintcp.h"

#include "test/feed_bytes.h"
#include "test/test_runner.h"

namespace depthcast::test {
namespace {

using ingest::SoupFault;
using ingest::SoupLogin;
using ingest::SoupNext;
using ingest::SoupSession;

constexpr std::int64_t second = 1'000'000'000;

struct Seen {
  SoupNext next;
  std::string message;
};

Seen give(SoupSession& session, const FeedBytes& bytes, std::int64_t now_ns = second) {
  std::size_t used = 0;
  std::span<const std::uint8_t> message;
  const SoupNext next = session.next(bytes, used, message, now_ns);
  if (next != SoupNext::more && next != SoupNext::fault) CHECK_EQUAL(used, bytes.size());
  return {next, std::string(message.begin(), message.end())};
}

SoupSession logged_in(std::uint64_t sequence = 1) {
  SoupSession session;
  session.login({"USER01", "secret", "", sequence, 0}, 0);
  CHECK(give(session, soup_accepted("DAY1", sequence)).next == SoupNext::accepted);
  return session;
}

std::string text_of(const FeedBytes& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(soupLoginHasTheFieldsOfTheSpecification) {
  SoupSession session;
  const std::string old = text_of(session.login({"USER", "secret", "DAY1", 42, 0}, 0));
  CHECK_EQUAL(old, std::string("\0/LUSER  secret          DAY1", 29) + std::string(18, ' ') + "42");
  const std::string newer = text_of(session.login({"USER", "secret", "", 1, 5'000}, 0));
  CHECK_EQUAL(newer, std::string("\0004LUSER  secret", 15) + std::string(33, ' ') + "1 5000");
}

TEST(soupMessagesAreNumberedFromTheAcceptedSequence) {
  SoupSession session = logged_in(7);
  CHECK_EQUAL(session.session(), "DAY1");
  CHECK_EQUAL(session.sequence(), 7);
  CHECK_EQUAL(give(session, soup('S', "hello")).message, "hello");
  CHECK_EQUAL(session.sequence(), 8);
  CHECK(give(session, soup('H')).next == SoupNext::other);
  CHECK(give(session, soup('U', "aside")).next == SoupNext::other);
  CHECK(give(session, soup('+', "a \x01word")).next == SoupNext::other);
  CHECK_EQUAL(session.debug(), "a word");
  CHECK_EQUAL(session.sequence(), 8);
  CHECK(give(session, soup('S')).next == SoupNext::message);
  CHECK_EQUAL(session.sequence(), 9);
  CHECK(give(session, soup('Z')).next == SoupNext::end_of_session);
  CHECK(give(session, soup('S', "late")).next == SoupNext::fault);
}

TEST(soupPacketsComeOutOfAnyPieces) {
  SoupSession session = logged_in();
  const FeedBytes whole = soup('S', "abc");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CHECK(give(session, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}).next == SoupNext::more);
  }
  CHECK_EQUAL(give(session, whole).message, "abc");
}

TEST(soupFaultsAreToldApart) {
  const auto fault_of = [](const FeedBytes& bytes, bool accepted, const SoupLogin& login = {"U", "P", "DAY1", 5, 0}) {
    SoupSession session;
    session.login(login, 0);
    if (accepted) give(session, soup_accepted("DAY1", 5));
    CHECK(give(session, bytes).next == SoupNext::fault);
    CHECK(std::string(describe(session.fault())) != "");
    return session.fault();
  };
  CHECK(fault_of({0, 0}, false) == SoupFault::empty_packet);
  CHECK(fault_of(soup('?'), true) == SoupFault::unknown_type);
  CHECK(fault_of(soup('H', "x"), true) == SoupFault::wrong_length);
  CHECK(fault_of(soup('Z', "x"), true) == SoupFault::wrong_length);
  CHECK(fault_of(soup('A', "short"), false) == SoupFault::wrong_length);
  CHECK(fault_of(soup('J', "AA"), false) == SoupFault::wrong_length);
  CHECK(fault_of(soup('S', "x"), false) == SoupFault::out_of_place);
  CHECK(fault_of(soup('L', "x"), true) == SoupFault::out_of_place);
  CHECK(fault_of(soup_accepted("DAY1", 5), true) == SoupFault::out_of_place);
  CHECK(fault_of(soup_accepted("DAY2", 5), false) == SoupFault::wrong_session);
  CHECK(fault_of(soup_accepted("DAY1", 6), false) == SoupFault::wrong_sequence);
  CHECK(fault_of(soup('A', "      DAY1                   x"), false) == SoupFault::malformed_number);
  CHECK(fault_of(soup('A', "      DAY199999999999999999999"), false) == SoupFault::malformed_number);
  CHECK(fault_of(soup('J', "A"), false) == SoupFault::rejected_login);
  CHECK(fault_of(soup('J', "S"), false) == SoupFault::rejected_session);
  CHECK(fault_of(soup('J', "x"), false) == SoupFault::rejected_otherwise);
  CHECK(!ingest::may_pass(SoupFault::rejected_login) && ingest::may_pass(SoupFault::empty_packet));
}

TEST(soupHeartbeatsAreDueEverySecondAndSilenceEndsAfterFifteen) {
  SoupSession session = logged_in();
  CHECK(!session.heartbeat_due(second - 1));
  CHECK(session.heartbeat_due(second));
  CHECK_EQUAL(text_of(session.heartbeat(second)), std::string("\0\1R", 3));
  CHECK(!session.heartbeat_due(2 * second - 1));
  CHECK(!session.silent(16 * second - 1));
  CHECK(session.silent(16 * second));
  give(session, soup('H'), 10 * second);
  CHECK(!session.silent(25 * second - 1));
  CHECK_EQUAL(text_of(session.logout(second)), std::string("\0\1O", 3));
}

}  // namespace
}  // namespace depthcast::test

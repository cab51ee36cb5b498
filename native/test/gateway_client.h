// A gateway's client for the tests, written from docs/gateway.md: keeps windows, checks hashes, counts.
#pragma once

#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "encode/packet_reader.h"
#include "gateway/frame_writer.h"
#include "test/test_runner.h"

namespace depthcast::test {

struct HeldWindow {
  // By side, then rank: best first.
  std::map<std::int64_t, std::pair<std::uint64_t, std::uint32_t>> sides[2];
  std::uint8_t status = 0;
  std::uint64_t last = 0;

  std::uint64_t hash() const {
    std::uint64_t h = 0x9e3779b97f4a7c15ULL;
    for (const std::uint64_t side : {1U, 2U}) {
      for (const auto& [rank, level] : sides[side - 1]) {
        const std::int64_t price = side == 1 ? -rank : rank;
        h = digest::mix64(h ^ static_cast<std::uint64_t>(price));
        h = digest::mix64(h ^ level.first);
        h = digest::mix64(h ^ (level.second + (side << 32)));
      }
    }
    return digest::mix64(h ^ status);
  }
};

// One subscription's side. Every frame handed to take() must be sound.
class GatewayClient {
 public:
  std::map<std::uint32_t, HeldWindow> windows;
  std::vector<std::vector<std::uint8_t>> packets;  // numbered datagrams but those of snapshots
  std::vector<std::pair<std::uint64_t, BookMessage>> filtered;
  std::vector<std::uint64_t> numbers;  // all of `filtered`, trades and definitions included
  std::vector<gateway::Print> prints;
  std::uint64_t sent = 0;
  std::uint64_t conflated = 0;
  std::uint64_t full = 0;
  std::uint64_t deltas = 0;
  std::uint64_t snapshot_datagrams = 0;
  std::uint64_t snapshot_sequence = 0;
  std::uint64_t heartbeats = 0;
  std::uint64_t previous = 0;
  std::uint64_t refused = 0;
  std::vector<gateway::SnapshotWhy> marks;                  // why the snapshots so far began
  bool snapshot_open = false;                               // its last mark has not come
  std::map<std::uint32_t, wire::InstrumentDigest> digests;  // the last of each instrument
  std::size_t digest_frames = 0;

  void take(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      REQUIRE(bytes.size() >= gateway::block_header_bytes);
      gateway::BlockHeader header{};
      std::memcpy(&header, bytes.data(), sizeof header);
      const std::size_t length = sizeof header + header.length;
      REQUIRE(length <= bytes.size() && length % 8 == 0);
      if (header.magic == gateway::block_magic) {
        take_frame(bytes.subspan(sizeof header, header.length));
      } else {
        take_packet(bytes.first(length));
      }
      bytes = bytes.subspan(length);
    }
    CHECK_EQUAL(marked_, 0U);
  }

 private:
  void take_packet(std::span<const std::uint8_t> datagram) {
    std::vector<std::uint64_t> aligned(datagram.size() / 8);
    std::memcpy(aligned.data(), datagram.data(), datagram.size());
    encode::PacketView view;
    const std::span<const std::uint8_t> copy(reinterpret_cast<const std::uint8_t*>(aligned.data()), datagram.size());
    REQUIRE(encode::read_packet(copy, view) == encode::PacketStatus::ok);
    if (marked_ != 0) {
      --marked_;
      ++snapshot_datagrams;
      CHECK_EQUAL(view.count, 0U);
      CHECK(view.snapshot != nullptr || view.definitions != nullptr);
      if (view.snapshot == nullptr) return;
      CHECK_EQUAL(view.snapshot->last_sequence(), snapshot_sequence);
      CHECK_EQUAL(view.snapshot->generation(), generation_);
    } else if (view.snapshot != nullptr) {
      CHECK(false);  // no snapshot without a mark
    } else if (view.heartbeat != nullptr) {
      ++heartbeats;
    } else if (view.count != 0) {
      packets.emplace_back(datagram.begin(), datagram.end());
      sent += view.count;
    }
  }

  void take_frame(std::span<const std::uint8_t> root) {
    std::vector<std::uint64_t> aligned(root.size() / 8);
    std::memcpy(aligned.data(), root.data(), root.size());
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(aligned.data()), root.size());
    REQUIRE(verifier.VerifyBuffer<gateway::Frame>());
    const auto* frame = flatbuffers::GetRoot<gateway::Frame>(aligned.data());
    if (const auto* depth = frame->payload_as_DepthFrame()) take_depth(*depth);
    if (const auto* list = frame->payload_as_PrintFrame()) {
      for (const gateway::Print* print : *list->prints()) prints.push_back(*print);
      sent += list->prints()->size();
      conflated += list->others();
      refused += list->refused();
    }
    if (const auto* chosen = frame->payload_as_FilteredFrame()) take_filtered(*chosen);
    if (const auto* mark = frame->payload_as_SnapshotFrame()) take_mark(*mark);
    if (const auto* told = frame->payload_as_DigestFrame()) {
      for (const wire::InstrumentDigest* digest : *told->digests()) digests[digest->instrument()] = *digest;
      ++digest_frames;
    }
  }

  void take_mark(const gateway::SnapshotFrame& mark) {
    CHECK_EQUAL(marked_, 0U);
    marked_ = mark.datagrams();
    if (mark.part() == 0) {
      marks.push_back(mark.why());
      conflated += mark.covered();
    } else {
      CHECK(snapshot_open);
      CHECK_EQUAL(mark.generation(), generation_);
      CHECK_EQUAL(mark.part(), part_ + 1);
    }
    part_ = mark.part();
    generation_ = mark.generation();
    snapshot_sequence = previous = mark.sequence();
    snapshot_open = !mark.last();
  }

  void take_depth(const gateway::DepthFrame& frame) {
    for (const gateway::DepthEntry* entry : *frame.entries()) {
      HeldWindow& window = windows[entry->instrument()];
      if (entry->full() != 0) {
        ++full;
        window = {};
      } else {
        ++deltas;
        CHECK_EQUAL(entry->base(), window.last);
      }
      if (entry->messages() != 0) {
        ++sent;
        conflated += entry->messages() - 1;
        CHECK(entry->first() <= entry->last() && entry->last() - entry->first() + 1 >= entry->messages());
      }
      for (std::uint32_t index = 0; index < entry->levels(); ++index) {
        const gateway::DepthLevel& level = *frame.levels()->Get(entry->levels_first() + index);
        const std::int64_t rank = level.side() == 1 ? -level.price() : level.price();
        auto& side = window.sides[level.side() - 1];
        if (level.quantity() == 0) {
          CHECK_EQUAL(side.erase(rank), 1U);
        } else {
          side[rank] = {level.quantity(), level.orders()};
        }
      }
      window.status = entry->status();
      window.last = entry->last();
      CHECK_EQUAL(window.hash(), entry->hash());
    }
  }

  void take_filtered(const gateway::FilteredFrame& frame) {
    if (frame.sequences()->size() == 0) return;
    CHECK_EQUAL(frame.previous(), previous);
    for (std::uint32_t index = 0; index < frame.sequences()->size(); ++index) {
      const std::uint64_t number = frame.sequences()->Get(index);
      CHECK(number > previous);
      previous = number;
      numbers.push_back(number);
      if (frame.book() == nullptr) continue;
      BookMessage message{};
      std::memcpy(&message, frame.book()->Get(index), sizeof message);
      filtered.emplace_back(number, message);
    }
    sent += frame.sequences()->size();
  }

  std::uint32_t marked_ = 0;  // datagrams of the snapshot that follow its mark
  std::uint32_t part_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace depthcast::test

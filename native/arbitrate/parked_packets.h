// Packets that wait for a hole before them to close: by first number, bounded in count and bytes. What is held in
// memory follows what waits: blocks that hold nothing any more go back to the system.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory_resource>
#include <span>
#include <vector>

#include "core/memory.h"

namespace depthcast::arbitrate {

// Threads: one. Adding and finding cost O(log packets).
class ParkedPackets {
 public:
  static constexpr std::size_t block_bytes = std::size_t{256} << 10;

  struct Packet {
    std::uint64_t end;
    std::uint8_t* data;
    std::uint32_t length;
    std::uint32_t block;
  };
  using Packets = std::pmr::map<std::uint64_t, Packet>;

  // At least one block can be had, whatever `bytes_max`.
  ParkedPackets(std::size_t count_max, std::size_t bytes_max)
      : count_max_(count_max), blocks_(std::max<std::size_t>(1, bytes_max / block_bytes)) {}

  bool empty() const { return packets_.empty(); }
  std::size_t size() const { return packets_.size(); }
  // Memory held, which is never more than bytes_max (or one block).
  std::size_t bytes() const { return mapped_ * block_bytes; }
  Packets::const_iterator begin() const { return packets_.begin(); }
  Packets::const_iterator end() const { return packets_.end(); }

  // Keeps a copy, aligned to 8. False: no room. A packet with the same first number is replaced.
  bool add(std::uint64_t first, std::uint64_t end, std::span<const std::uint8_t> datagram) {
    const auto found = packets_.find(first);
    if (found == packets_.end() && packets_.size() >= count_max_) return false;
    const std::size_t room = (datagram.size() + 7) / 8 * 8;
    if (room > block_bytes || !find_room(room)) return false;
    Block& block = blocks_[current_];
    const Packet packet{end, block.memory.data() + block.used, static_cast<std::uint32_t>(datagram.size()),
                        static_cast<std::uint32_t>(current_)};
    block.used += room;
    ++block.packets;
    std::memcpy(packet.data, datagram.data(), datagram.size());
    if (found != packets_.end()) {
      release(found->second.block);
      found->second = packet;
    } else {
      packets_.emplace(first, packet);
    }
    return true;
  }
  // Takes the first packet out; its bytes stay until the next call of anything that changes this.
  Packet take_first() {
    settle();
    const Packet packet = packets_.begin()->second;
    packets_.erase(packets_.begin());
    taken_ = packet.block;
    return packet;
  }
  void clear() {
    packets_.clear();
    taken_ = no_block;
    for (Block& block : blocks_) block = {};
    mapped_ = 0;
    current_ = no_block;
    spare_ = no_block;
    lowest_free_ = 0;
  }

 private:
  struct Block {
    FixedArray<std::uint8_t> memory;
    std::size_t used = 0;
    std::size_t packets = 0;
  };
  static constexpr std::size_t no_block = ~std::size_t{0};

  bool find_room(std::size_t room) {
    settle();
    if (current_ != no_block && blocks_[current_].used + room <= block_bytes) return true;
    if (spare_ != no_block) {
      current_ = spare_;
      spare_ = no_block;
      return true;
    }
    while (lowest_free_ < blocks_.size() && blocks_[lowest_free_].memory.size() != 0) ++lowest_free_;
    if (lowest_free_ == blocks_.size()) return false;
    blocks_[lowest_free_].memory = FixedArray<std::uint8_t>(block_bytes, false);
    ++mapped_;
    current_ = lowest_free_;
    return true;
  }
  void settle() {
    if (taken_ == no_block) return;
    release(taken_);
    taken_ = no_block;
  }
  void release(std::size_t index) {
    Block& block = blocks_[index];
    if (--block.packets != 0) return;
    block.used = 0;
    if (index == current_) return;
    // One empty block is kept, so that small holes cost no system call.
    if (spare_ == no_block) {
      spare_ = index;
      return;
    }
    block.memory = {};
    --mapped_;
    lowest_free_ = std::min(lowest_free_, index);
  }

  std::size_t count_max_;
  std::pmr::unsynchronized_pool_resource pool_;
  Packets packets_{&pool_};
  std::vector<Block> blocks_;
  std::size_t mapped_ = 0;
  std::size_t current_ = no_block;  // where the next packet goes
  std::size_t spare_ = no_block;    // an empty one besides
  std::size_t taken_ = no_block;    // of the packet that was taken last and may still be read
  std::size_t lowest_free_ = 0;     // no block below it is unmapped
};

}  // namespace depthcast::arbitrate

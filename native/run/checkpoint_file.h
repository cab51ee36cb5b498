// Checkpoints: one snapshot generation's datagrams in a file, written whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/storage.h"
#include "journal/checkpoint_format.h"
#include "run/journal_files.h"

namespace depthcast::run {

using DatagramSink = std::function<void(std::span<const std::uint8_t>)>;

// Writes a temporary file, syncs it, renames it, syncs the folder (made where it is not there). `produce` is called
// once and gives every datagram to the sink; what it throws passes through, and nothing is left behind. `header` needs
// no magic, version or CRC; created_ns 0: now. Returns the path. Throws std::system_error, and std::invalid_argument
// for a datagram that is no snapshot packet of that session and sequence. Any thread, one for each folder.
std::string write_checkpoint(const std::string& folder, journal::CheckpointHeader header,
                             const std::function<void(const DatagramSink&)>& produce,
                             io::Storage& storage = io::Storage::system());

// Removes all but the newest `kept` of this session and those before it, and temporary files that a crash has left.
// Returns how many went.
std::size_t prune_checkpoints(const std::string& folder, std::uint64_t session, std::size_t kept,
                              io::Storage& storage = io::Storage::system());

// A checkpoint, checked from the first byte to the last before it can be looked at.
// Moves, and does not copy: the datagrams point into it.
class CheckpointFile {
 public:
  // Throws std::system_error where it cannot be read, std::runtime_error naming file, byte and fault where it is
  // damaged.
  static CheckpointFile read(const std::string& folder, const CheckpointName& name);
  // The same without throwing for damage: fault and where it stands.
  static journal::Fault check(const std::string& folder, const CheckpointName& name, std::uint64_t& offset,
                              CheckpointFile& file);

  const journal::CheckpointHeader& header() const { return header_; }
  // Aligned to 8; valid as long as the object.
  const std::vector<std::span<const std::uint8_t>>& datagrams() const { return datagrams_; }

  CheckpointFile(CheckpointFile&&) noexcept = default;
  CheckpointFile& operator=(CheckpointFile&&) noexcept = default;
  CheckpointFile() = default;

 private:
  std::vector<std::uint8_t> bytes_;
  journal::CheckpointHeader header_{};
  std::vector<std::span<const std::uint8_t>> datagrams_;
};

}  // namespace depthcast::run

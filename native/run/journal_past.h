// The files of a state folder as archive and replica look at them.
#pragma once

#include <memory>
#include <string>

#include "run/archive.h"
#include "run/journal_reader.h"
#include "run/replica_follower.h"

namespace depthcast::run {

// Threads: one. What cannot be read is as if it were not there.
class JournalPast final : public PastDatagrams {
 public:
  explicit JournalPast(std::string folder) : reader_(std::move(folder)) {}
  bool seek(std::uint64_t session, std::uint64_t sequence) override;
  Step next(Found& found) override;
  std::uint64_t oldest(std::uint64_t session) override;

 private:
  JournalReader reader_;
};

// Threads: any; one writes at a time.
class CheckpointFiles final : public CheckpointStore {
 public:
  CheckpointFiles(std::string folder, std::size_t kept) : folder_(std::move(folder)), kept_(kept) {}
  std::vector<std::uint8_t> newest(std::uint64_t session, std::uint64_t sequence_max) override;
  void write(const Generation& generation) override;

 private:
  std::string folder_;
  std::size_t kept_;
};

// Null where `folder` is empty.
std::unique_ptr<PastDatagrams> journal_past(const std::string& folder);

}  // namespace depthcast::run

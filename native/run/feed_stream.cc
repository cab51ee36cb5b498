#include "run/feed_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "io/file_descriptor.h"

namespace depthcast::run {

std::vector<SourceFigure> feed_figures(const Counters<FeedCounter>& counters) {
  constexpr const char* names[] = {"feedMessages",    "feedPackets",   "feedHeartbeats",   "feedConnects",
                                   "feedDisconnects", "feedMalformed", "feedOtherSession", "feedDuplicates",
                                   "feedRequests",    "feedLost",      "feedSkipped"};
  static_assert(std::size(names) == Counters<FeedCounter>::size);
  std::vector<SourceFigure> figures;
  for (std::size_t index = 0; index < std::size(names); ++index) figures.push_back({names[index], counters.get(index)});
  return figures;
}

std::string FeedSessionFile::read() const {
  if (path_.empty()) return {};
  const io::FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::array<char, 64> text{};
  const ssize_t taken = file.open() ? ::read(file.get(), text.data(), text.size()) : -1;
  if (taken <= 0) return {};
  std::string session(text.data(), static_cast<std::size_t>(taken));
  return session.substr(0, session.find('\n'));
}

bool FeedSessionFile::write(const std::string& session) const {
  if (path_.empty()) return true;
  const std::string fresh = path_ + ".new";
  const std::string line = session + '\n';
  const io::FileDescriptor file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  return file.open() && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
         fsync(file.get()) == 0 && rename(fresh.c_str(), path_.c_str()) == 0;
}

}  // namespace depthcast::run

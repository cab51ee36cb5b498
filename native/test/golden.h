// Golden packets: written once for each wire version, decoded by every later version of the code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace depthcast::test {

struct GoldenPacket {
  std::string name;  // the file is native/test/golden/v1/<name>.bin
  std::vector<std::uint8_t> bytes;
};

// What this code writes now.
std::vector<GoldenPacket> make_golden();
// What stands on disk. Empty when the folder cannot be found.
std::vector<GoldenPacket> read_golden();

// Overrides the search for native/test/golden/v1.
void set_golden_folder(const std::string& folder);
// Returns an exit code.
int write_golden(const std::string& folder);

}  // namespace depthcast::test

#include "binding/source_makers.h"

#include <string>
#include <utility>

#include "binding/sources_options.h"
#include "run/itch_source.h"

namespace depthcast::binding {
namespace {

using Maker = std::unique_ptr<run::EventSource> (*)(const Fields& fields);

run::Pacing read_pacing(const Fields& fields) {
  return {fields.number<double>("speed"), fields.number<double>("rate")};
}

std::unique_ptr<run::EventSource> make_itch(const Fields& fields) {
  io::FileDescriptor descriptor(fields.number<int>("descriptor"));
  return std::make_unique<run::ItchSource>(run::make_descriptor_source(std::move(descriptor)), read_pacing(fields),
                                           fields.big<std::int64_t>("midnightNs"));
}

std::unique_ptr<run::EventSource> make_simulate(const Fields& fields) {
  return std::make_unique<run::ItchSource>(run::make_simulated_source(read_simulated(fields)), read_pacing(fields),
                                           fields.big<std::int64_t>("midnightNs"));
}

constexpr struct {
  const char* kind;
  Maker make;
} makers[] = {
    {"itch", make_itch},
    {"simulate", make_simulate},
};

}  // namespace

std::unique_ptr<run::EventSource> make_source(const Fields& fields) {
  const std::string kind = fields.text("kind");
  for (const auto& maker : makers) {
    if (kind == maker.kind) return maker.make(fields);
  }
  throw_type(fields.env(), "kind must be one of the sources', not " + kind);
}

}  // namespace depthcast::binding

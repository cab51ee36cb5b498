#include "run/subscriber_counters.h"

namespace depthcast::run {

std::vector<std::string> subscriber_counter_names() {
  std::vector<std::string> names;
  for (const char* line : {"A", "B"}) {
    for (const char* figure :
         {"datagrams", "bytes", "first", "duplicates", "kernelDrops", "foreignSources", "receiveBuffer"}) {
      names.push_back(std::string(figure) + line);
    }
  }
  for (const char* name : {"foreignChannel",
                           "foreignSession",
                           "implausible",
                           "sequence",
                           "position",
                           "messages",
                           "events",
                           "missingMessages",
                           "missingRanges",
                           "parked",
                           "parkedOverflows",
                           "instrumentGaps",
                           "instruments",
                           "liveOrders",
                           "digest",
                           "whole",
                           "digestsChecked",
                           "digestsMismatched",
                           "digestsUnchecked",
                           "unknownKinds",
                           "definitionsRefused",
                           "updatesDelivered",
                           "updatesLost",
                           "sessions",
                           "session",
                           "receiveErrors",
                           "loopNsMax",
                           "state",
                           "holes",
                           "holesMessages",
                           "parkedBytes",
                           "parkedDropped",
                           "givenUpRanges",
                           "givenUpMessages",
                           "recoveredByLine",
                           "recoveredByRetransmission",
                           "recoveredBySnapshot",
                           "repairsByLine",
                           "repairsByRetransmission",
                           "repairsBySnapshot",
                           "offeredDatagrams",
                           "offeredBytes",
                           "offeredRefused",
                           "offeredDuplicates",
                           "snapshotLineDatagrams",
                           "snapshotChunks",
                           "snapshots",
                           "snapshotsRefused",
                           "threadId",
                           "coreRefused",
                           "busyPollRefused",
                           "lockedBytes",
                           "lockError"}) {
    names.emplace_back(name);
  }
  for (std::size_t status = 0; status < encode::packet_statuses; ++status) {
    names.push_back(std::string("packet.") + encode::name_of(static_cast<encode::PacketStatus>(status)));
  }
  for (std::size_t result = book::refusals_from; result < book::apply_results; ++result) {
    names.push_back(std::string("refused.") + book::name_of(static_cast<book::ApplyResult>(result)));
  }
  return names;
}

}  // namespace depthcast::run

/** depthcast as a library. */
export { BookExport, type ExportedInstrument } from './book_export.js';
export type {
  Bbo,
  Depth,
  InstrumentInfo,
  InstrumentStateName,
  Level,
  PlacedOrder,
  QueuedOrder,
  SequenceRange,
  SideName,
  StatusName,
} from './book_types.js';
export type { FeedChange } from './browser/changes.js';
export { GatewayError } from './browser/gateway_error.js';
export type { Print } from './browser/prints.js';
export type { ChangeOptions } from './browser/protocol.js';
export { DirectoryError } from './client/directory.js';
export {
  ConfigError,
  type LimitsOptions,
  type LimitsOptionsInput,
  type ResumeToken,
  type ServeOptions,
  type ServeOptionsInput,
  type SubscribeOptions,
  type SubscribeOptionsInput,
} from './config.js';
export { formatDecimal, parseDecimal } from './decimal.js';
export { DepthColumns } from './depth_columns.js';
export { DepthBusyError } from './depth_reader.js';
export {
  Distributor,
  type DistributorBegin,
  type DistributorEvents,
  type DistributorStats,
  type SourceEnd,
} from './distributor.js';
export { type Dump, type DumpInstrument, type DumpLevel, type DumpOrder, makeDump, writeDump } from './dump.js';
export { FeedBook } from './feed_book.js';
export {
  FeedClient,
  type FeedClientEvents,
  type FeedCounts,
  type FeedState,
  type FeedStats,
  type GatewayFigures,
  type SessionEnd,
  type SnapshotInfo,
} from './feed_client.js';
export type { GatewaySessionInfo, GatewayStats } from './gateway/figures.js';
export type { ThreadUse } from './host.js';
export {
  type JournalRepairOptions,
  listJournal,
  NotInJournalError,
  pruneJournal,
  readJournal,
  repairJournal,
  verifyJournal,
} from './journal/journal.js';
export type {
  JournalCheckpoint,
  JournalFault,
  JournalHole,
  JournalListing,
  JournalRecord,
  JournalRepair,
  JournalSegment,
  JournalSession,
  JournalVerification,
} from './journal/native_tools.js';
export type { Histogram } from './latency.js';
export { type ApplyResult, OrderBooks, type OrderInput, type OrderKey } from './order_book.js';
export { PublisherError, type PublisherErrorCode } from './publisher/errors.js';
export {
  type EngineAuction,
  type EngineDefinition,
  type EngineTradeFields,
  EventBatch,
  engineReference,
  engineSide,
  engineStatus,
  engineTradeKind,
} from './publisher/event_batch.js';
export {
  connectPublisher,
  type EventPublisher,
  type EventPublisherEvents,
  publisherInto,
} from './publisher/event_publisher.js';
export type { ConnectOptions } from './publisher/socket_publisher.js';
export type { ReplayOptionsInput } from './replay/options.js';
export { Replay, type ReplayEnd, type ReplayMissing, type ReplayProgress, type ReplayRun } from './replay/replay.js';
export { Kind, message_flags, NumberColumn, Side, type UpdateBatch } from './updates.js';

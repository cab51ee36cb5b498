/** depthcast in a browser: a client of the WebSocket gateway, with the books of the native one. docs/browser.md. */
export type {
  Bbo,
  Depth,
  InstrumentStateName,
  Level,
  QueuedOrder,
  SequenceRange,
  SideName,
  StatusName,
} from '../book_types.js';
export { formatDecimal, parseDecimal } from '../decimal.js';
export type { FeedChange } from './changes.js';
export {
  GatewayClient,
  type GatewayClientEvents,
  type GatewayClientOptions,
  type GatewayState,
  type SocketLike,
} from './gateway_client.js';
export { GatewayError } from './gateway_error.js';
export type { LatencyFigures } from './latency.js';
export type { Print } from './prints.js';
export type {
  ChangeOptions,
  GatewayChannel,
  GatewayCounts,
  GatewayInstrument,
  GatewayMode,
  GatewayWelcome,
  OnSlow,
  SubscribeOptions,
} from './protocol.js';
export type { SessionFigures } from './session_state.js';
export type { StreamLimits, StreamState } from './stream.js';
export { type ReceivedCounts, Subscription } from './subscription.js';

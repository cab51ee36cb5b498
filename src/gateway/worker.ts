/** One thread of the gateway: its own view of the channels, its own server on the shared port. Started by Gateway. */
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { DirectoryChannel } from '../control/protocol.js';
import { addon } from '../native.js';
import type { GatewayFigures } from './figures.js';
import type { RouteContext } from './http/context.js';
import { addRoutes } from './http/routes.js';
import { MainLink } from './main_link.js';
import { GatewayServer } from './server.js';
import type { GatewayState } from './session_state.js';
import { WorkerAccess } from './worker_access.js';
import { exit_asked, exit_done, type ToWorker, type WorkerPlan } from './worker_messages.js';

/** What was published before the end still goes out, if it is soon. */
const last_turns_ms_max = 200;

if (parentPort === null) throw new Error('the gateway starts this file in a thread');
const port = parentPort;
const plan = workerData as WorkerPlan;
// On Linux a nice value belongs to a thread, and 0 is the one that asks: sources and publisher keep theirs.
if (plan.nice > 0 && process.platform === 'linux') setPriority(Math.min(19, getPriority() + plan.nice));
const main = new MainLink(port);
const exit = new Int32Array(plan.exit);
let directory: readonly DirectoryChannel[] = plan.directory;
let closing = false;

const natives = new Map(plan.channels.map((options) => [options.channel, new addon.Gateway(options)]));
const context: RouteContext = {
  pageFolder: plan.pageFolder,
  metrics: () => main.ask('metrics', undefined),
  channels: () => directory,
  instruments: (channel) => server.state.instruments(channel),
  health: () => ({ status: closing ? 'ending' : 'ok', channels: server.state.health() }),
  admit: (ask) => main.ask('admit', ask),
};
const access: WorkerAccess = new WorkerAccess(main, (): GatewayState => server.state, plan.origin);
const server: GatewayServer = new GatewayServer(plan.server, access, natives, access, (app) => addRoutes(app, context));

/** The server first: it uses the channels. What is left of the event loop then ends by itself. */
function close(reconnectMs: number, url: string | undefined): GatewayFigures {
  closing = true;
  server.close(reconnectMs, url);
  const figures = server.figures;
  for (const native of natives.values()) native.close();
  main.close();
  return figures;
}

function onMessage(message: ToWorker): void {
  switch (message.type) {
    case 'directory':
      directory = message.channels;
      break;
    case 'answer':
      main.answered(message.number, message.answer);
      break;
    case 'orders':
      access.obey(message.orders);
      break;
    case 'figures':
      main.tell({ type: 'figures', number: message.number, figures: server.figures });
      break;
    case 'sessions':
      main.tell({ type: 'sessions', number: message.number, sessions: server.state.sessions() });
      break;
    case 'close': {
      server.finish(last_turns_ms_max);
      const figures = close(message.reconnectMs, message.url);
      main.tell({ type: 'closed', figures });
      port.close();
      break;
    }
    default:
      throw new Error(`a message of an unknown type: ${JSON.stringify(message)}`);
  }
}

/** The main thread is in its "exit" handler, waits for us, and then the process ends, with or without us. */
server.onTurn = () => {
  if (Atomics.load(exit, 0) !== exit_asked) return;
  close(plan.exitReconnectMs, undefined);
  Atomics.store(exit, 0, exit_done);
  Atomics.notify(exit, 0);
  port.close();
};

port.on('message', onMessage);
try {
  await server.start();
  main.tell({ type: 'listening', port: server.port });
} catch (error) {
  close(0, undefined);
  main.tell({ type: 'failed', message: (error as Error).message });
  port.close();
}

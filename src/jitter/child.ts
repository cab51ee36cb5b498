/** One process of a measurement; made by processes.ts, and gone with it. */
import { type Disturbance, InjectorSide } from './injector_side.js';
import type { JitterPlan } from './plan.js';
import type { Answer, Call } from './processes.js';
import { ReceiverSide } from './receiver_side.js';
import { SenderSide } from './sender_side.js';

let side: SenderSide | ReceiverSide | InjectorSide | undefined;

const calls: Record<string, (...parameters: never[]) => unknown> = {
  openSender: (plan: JitterPlan) => {
    side = new SenderSide(plan);
  },
  openReceiver: async (plan: JitterPlan, messages_max: number) => {
    side = new ReceiverSide(plan, messages_max);
    await side.start();
  },
  openInjector: (disturbance: Disturbance) => {
    side = new InjectorSide(disturbance);
  },
};

async function answer({ id, name, parameters }: Call): Promise<Answer> {
  try {
    const own = calls[name] as ((...given: unknown[]) => unknown) | undefined;
    if (own !== undefined) return { id, value: await own(...parameters) };
    const methods = side as unknown as Record<string, (...given: unknown[]) => unknown>;
    return { id, value: await methods[name]?.call(side, ...parameters) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (call: Call) => {
  void answer(call).then((reply) => {
    if (process.connected) process.send?.(reply);
  });
});
process.on('disconnect', () => {
  void Promise.resolve(side?.close()).finally(() => process.exit(0));
});
// The parent decides: a Ctrl-C reaches all of them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

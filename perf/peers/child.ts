/** One process of a measurement: opens one side, and does what the parent calls; made by session.ts, gone with it. */
import { readFileSync } from 'node:fs';
import { BookSubscriber, DeliveredSubscriber, FeedPublisher, type FeedSettings } from './depthcast_sides.js';
import { bookMessages } from './messages.js';
import { OpenLoopPublisher } from './peer_publisher.js';
import { CountingSubscriber } from './peer_subscriber.js';
import type { PublisherSide, SubscriberSide } from './side.js';
import { isPeer, systemOf } from './systems.js';

export interface ChildTask {
  role: 'publisher' | 'subscriber';
  system: string;
  /** Of the broker, or of the publisher. */
  address: string;
  /** ITCH file that peers take their messages from. */
  file: string;
  sleeps: boolean | undefined;
  feed: FeedSettings;
}

export interface ChildCall {
  id: number;
  name: string;
  parameters: unknown[];
}

const messages_distinct = 65_536;

function openPublisher({ system: name, address, file, sleeps, feed }: ChildTask): Promise<PublisherSide> {
  const system = systemOf(name);
  if (!isPeer(system)) return FeedPublisher.open(feed);
  return system.transport
    .openPublisher(address)
    .then(
      (peer) =>
        new OpenLoopPublisher(
          peer,
          system.encoding,
          sleeps ?? system.sleeps,
          bookMessages(readFileSync(file), messages_distinct),
        ),
    );
}

async function openSubscriber({ system: name, address, feed }: ChildTask): Promise<SubscriberSide> {
  const system = systemOf(name);
  if (isPeer(system)) return CountingSubscriber.open(system.transport, address, system.encoding);
  const subscriber = system.delivers ? new DeliveredSubscriber(feed) : new BookSubscriber(feed);
  await subscriber.client.start();
  return subscriber;
}

let side: PublisherSide | SubscriberSide | undefined;

async function act({ name, parameters }: ChildCall): Promise<unknown> {
  if (name === 'open') {
    const task = parameters[0] as ChildTask;
    side = await (task.role === 'publisher' ? openPublisher(task) : openSubscriber(task));
    return 'address' in side ? side.address : '';
  }
  const methods = side as unknown as Record<string, (...given: unknown[]) => unknown>;
  return methods[name]?.call(side, ...parameters);
}

process.on('message', async (call: ChildCall) => {
  try {
    process.send?.({ id: call.id, value: await act(call) });
  } catch (error) {
    process.send?.({ id: call.id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => {
  void Promise.resolve(side?.close()).finally(() => process.exit(0));
});

/** A process with a running feed that ends in the way its first parameter says; the second is the path of its ring. */
import { applied, openFeed, simulateEndlessly, until } from './native_feed.js';

const [how, ringPath = ''] = process.argv.slice(2);
const { publisher, subscriber, updates } = openFeed(120, { publisherMore: { ringPath } });
simulateEndlessly(publisher);
subscriber.start();
publisher.start();
publisher.release();
await until('a feed at full speed', () => updates() > 10_000 && applied(subscriber) > 50_000n);
process.stdout.write('running\n');

function end(): void {
  if (how === 'exit') process.exit(0);
  if (how === 'throw') throw new Error('on purpose');
  if (how === 'close') {
    publisher.close();
    subscriber.close();
  }
  // Nothing may be collected that still runs, whoever holds it.
  if (how === 'forget') {
    const collect = globalThis.gc;
    if (collect === undefined) throw new Error('started without --expose-gc');
    setTimeout(() => {
      for (let round = 0; round < 5; round++) collect();
      process.exit(0);
    }, 500);
  }
}
if (how === 'exitInCallback') setImmediate(() => process.exit(0));
else end();

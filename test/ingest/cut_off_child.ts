/** Tells its parent how far the source has come, until it is killed. */
import type { ServeOptionsInput } from '../../src/config.js';
import { Distributor } from '../../src/distributor.js';
import { feedOptions } from './feeds.js';

process.once('message', (told) => {
  const { options, position } = told as { options: ServeOptionsInput; position: bigint };
  const made = new Distributor({ ...feedOptions, ...options });
  void made.start().then(() => {
    setInterval(() => {
      const { position: seen, counters } = made.stats();
      // All of it stands in the ring when the events were sent.
      if (seen >= position && counters.inputWaiting === 0n) process.send?.(String(seen));
    }, 5);
  });
});

/** What the examples of the README import as 'depthcast': the library, on lines and a port that no other test uses. */
import type { ServeOptionsInput, SubscribeOptionsInput } from '../src/config.js';
import * as library from '../src/index.js';
import { serveOn, subscribeOn } from './channel.js';

const channel_number = 90;
const control = 'http://127.0.0.1:27990';

export * from '../src/index.js';

export class Distributor extends library.Distributor {
  constructor(options: ServeOptionsInput = {}) {
    super({ ...serveOn(channel_number), control, ...options });
  }
}

export class FeedClient extends library.FeedClient {
  constructor(options: SubscribeOptionsInput = {}) {
    super({ ...subscribeOn(channel_number, control), ...options });
  }
}

/** Clients that are gone without a word, or read nothing while TCP stays open: pings find them out. */
import t from 'tap';
import { until } from '../channel.js';
import { gatewayOn } from './gateway_on.js';
import { RawGatewayClient } from './raw_client.js';
import { frame, RawSocket } from './raw_socket.js';

t.test('whoAnswersNoPingIsGoneAfterTheIdleTime', { timeout: 90_000 }, async (t) => {
  const { server } = await gatewayOn(t, 195, { rate: 500 }, { idleSeconds: 8 });
  const begun = Date.now();
  const welcomed = async () => {
    const raw = await RawSocket.welcomed(server.port);
    t.teardown(() => raw.socket.destroy());
    return raw;
  };
  // RawSocket answers no ping. One asked for nothing, one reads what it asked for, and one reads nothing at all.
  const silent = await welcomed();
  const reading = await welcomed();
  reading.send(frame('{"type":"subscribe","id":1,"channel":1,"mode":"bbo"}'));
  const deaf = await welcomed();
  deaf.send(frame('{"type":"subscribe","id":1,"channel":1,"mode":"exact","onSlow":"snapshot"}'));
  await until('its subscription', () => server.figures.subscriptions === 2);
  deaf.socket.pause();
  // This one answers pings and says nothing else.
  const quiet = await RawGatewayClient.open(server.port);
  t.teardown(() => quiet.close());
  await until('the three to be gone', () => server.figures.sessions === 1, 60_000);
  t.ok(Date.now() - begun >= 4_000, 'they had their time');
  await until('their ends', () => silent.gone && reading.gone);
  t.ok(reading.binaries > 0, 'what is sent to a client does not count as its word');
  t.equal(server.figures.subscriptions, 0);
  t.equal(quiet.closed, undefined);
  t.match(await quiet.ask({ type: 'ping', time: 1 }, 'pong'), { time: 1 });
});

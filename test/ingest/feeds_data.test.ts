/** A real day through every feed: the same books, numbers and digests as from the file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testWithData } from '../data.js';
import { classicCapture, udpFrame } from './capture.js';
import { runSource } from './feeds.js';
import { messagesOf } from './itch_day.js';
import { mold_end_of_session, moldPacket, moldPackets } from './mold_server.js';
import { SoupServer } from './soup_server.js';

const line = 248;

testWithData('aRealDayIsTheSameThroughEveryFeed', async (t, data) => {
  const file = join(data, 'itch-bx-2019-12-30', 'bx.itch50');
  const messages = messagesOf(file);
  const expected = await runSource(t, line, { source: `itch:${file}` });
  t.match(expected.end, { reason: 'end', position: 12_012n });
  const server = await SoupServer.listen();
  t.teardown(() => server.close());
  server.password = '';
  server.messages.push(...messages);
  server.complete = true;
  t.same(await runSource(t, line, { source: `soupbintcp:127.0.0.1:${server.port}` }), expected);
  const packets = moldPackets('BX', messages, 12);
  packets.push(moldPacket('BX', messages.length + 1, [], mold_end_of_session));
  const capture = join(t.testdir({}), 'bx.pcap');
  const frame = { group: '233.54.12.40', port: 26_477, link: 1 };
  writeFileSync(
    capture,
    classicCapture(
      packets.map((packet) => udpFrame(packet, frame)),
      { link: 1 },
    ),
  );
  t.same(await runSource(t, line, { source: `pcap:${capture}` }), expected);
});

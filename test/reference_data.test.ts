/** How tests find the market data, and what they do without it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataFolder, no_data_reason, testWithData } from './data.js';

t.test('dataFolderIsTheVariableElseBesideTheRepository', async (t) => {
  const top = t.testdir({
    named: {},
    work: {
      shared: { data: {} },
      main: { 'package.json': '{ "name": "depthcast" }', build: { deep: { 'package.json': '{}' } } },
    },
    alone: { main: { 'package.json': '{ "name": "depthcast" }' } },
    other: { shared: { data: {} }, main: { 'package.json': '{ "name": "another" }' } },
  });
  const beside = join(top, 'work/shared/data');
  const starts = [join(top, 'work/main/build/deep')];
  t.equal(dataFolder({ DEPTHCAST_DATA: join(top, 'named') }, starts), join(top, 'named'));
  t.equal(dataFolder({}, starts), beside, 'from compiled code below the root');
  t.equal(dataFolder({ DEPTHCAST_DATA: '' }, starts), beside);
  t.equal(dataFolder({ DEPTHCAST_DATA: join(top, 'missing') }, starts), beside);
  t.equal(dataFolder({}, [join(top, 'alone/main'), join(top, 'work/main')]), beside, 'the second start');
  t.equal(dataFolder({ DEPTHCAST_DATA: join(top, 'missing') }, [join(top, 'alone/main')]), undefined);
  mkdirSync(join(top, 'alone/shared/data'), { recursive: true });
  t.equal(dataFolder({}, [join(top, 'alone/main')]), join(top, 'alone/shared/data'));
});

t.test('testWithoutDataIsReportedAsSkippedByName', async (t) => {
  const calls: [name: string, options: unknown, body?: unknown][] = [];
  const parent = {
    test: (name: string, options: unknown, body?: unknown) => void calls.push([name, options, body]),
  } as unknown as Pick<typeof t, 'test'>;
  const folders: string[] = [];
  const body = (_test: unknown, folder: string) => void folders.push(folder);
  testWithData('needsData', body, { parent, folder: null });
  testWithData('hasData', body, { parent, folder: '/data' });
  t.strictSame(calls[0]?.slice(0, 2), ['needsData', { skip: no_data_reason }]);
  t.equal(calls[1]?.[0], 'hasData');
  const run = calls[1]?.[1] as (test: typeof t) => Promise<void>;
  await run(t);
  t.strictSame(folders, ['/data']);
});

/** Options of `depthcast chaos`. Loads no addon. */
import { z } from 'zod';
import { theme_names } from '../chaos/plan.js';
import { anyNumber, interfaceAddress, ipv4Address, text, wholeNumber } from '../config_values.js';
import type { FlagRules } from './options.js';

const group = (what: string, fallback: string) => ipv4Address('an IPv4 address').default(fallback).describe(what);
const port = (fallback: number) => wholeNumber(1, 65_535).default(fallback).describe('its UDP port');

function line(letter: 'A' | 'B', number: number) {
  return z
    .strictObject({
      group: group(`line ${letter}, as the publisher sends it`, `239.192.26.${number}`),
      port: port(26_400 + number),
    })
    .prefault({});
}

function toLine(letter: 'A' | 'B', number: number) {
  return z
    .strictObject({
      group: group(`line ${letter}, as the client is to get it`, `239.192.26.${number}`),
      port: port(26_400 + number),
    })
    .prefault({});
}

export const chaosCommandOptions = z.strictObject({
  seed: wholeNumber(0, 0x7fff_ffff).optional().describe('decides every fault; the same seed, the same faults'),
  profile: text('the name of a file', (given) => given !== '')
    .optional()
    .describe('faults from this JSON file (docs/faults.md) instead of faults drawn from the seed'),
  themes: z
    .array(z.enum(theme_names))
    .default([])
    .describe(`what is sure to happen, with commas between: ${theme_names.join(', ')}`),
  seconds: anyNumber(1, 86_400).default(5).describe('how long the source runs; with --between: how long to relay'),
  rate: wholeNumber(100, 1_000_000).default(20_000).describe('messages a second'),
  runs: wholeNumber(1, 100_000).default(1).describe('so many runs, with the seeds that follow'),
  json: z.boolean().default(false).describe('print the report as one line of JSON'),
  between: z
    .boolean()
    .default(false)
    .describe('only relay, with faults, from a publisher of your own to a client of your own'),
  lineA: line('A', 1),
  lineB: line('B', 2),
  toA: toLine('A', 11),
  toB: toLine('B', 12),
  interface: interfaceAddress().default('127.0.0.1').describe('local interface of both: IPv4 address or name'),
  ttl: wholeNumber(0, 255).default(0).describe('hops of what is sent on; 0: it stays on this machine'),
});

export type ChaosCommandOptions = z.output<typeof chaosCommandOptions>;

export const chaos_rules: FlagRules = {
  own: { title: 'Run:', keys: ['seed', 'profile', 'themes', 'seconds', 'rate', 'runs', 'json', 'between'] },
  defaults: { seed: 'from the clock', themes: 'drawn from the seed', seconds: '5; with --between until stopped' },
};

export const chaos_examples = `
Examples:
  depthcast chaos --seed 7
      a publisher, a recovery service, a client and a line between them that loses, doubles, reorders and breaks; a few
      seconds; then the question whether the client has exactly what was published
  depthcast chaos --seed 7 --themes bothDead,publisherKilled --seconds 8
      both lines dead for two seconds, and a publisher that is killed and started again
  depthcast chaos --between --seed 7 --profile faults.json --to-a-port 30001 --to-b-port 30002
      a faulty line before a client of your own: it listens to 239.192.26.11:30001 and 239.192.26.12:30002

Exit code: 0 only if the client ends with the publisher's digest, and every message was delivered once, in order, as it was
published, save where the client said that a snapshot stands for it; 1 where not, with the command that repeats the run; 2
for wrong options.`;

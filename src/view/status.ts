/** What a feed and a distributor say about themselves, as one line or as a panel. Pure. */
import { duration, fit, grouped } from './format.js';
import { type Look, type Style, styled } from './terminal.js';

/** Latency from a packet's send time to its messages being applied, ns. */
export interface LatencyFigures {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

export interface FeedStatus {
  channel: number;
  /** 0: none yet. */
  session: bigint;
  state: string;
  /** Of the last message applied, and the source's position. */
  sequence: bigint;
  position: bigint;
  /** Messages applied in a second, of late. */
  rate: number;
  /** Messages that no line brought, and that have not been got back. */
  missing: bigint;
  /** Messages that were got back by retransmission; and snapshots that were taken. */
  recovered: bigint;
  snapshots: bigint;
  /** Digests compared, and those that differed. */
  digests: bigint;
  digestsMismatched: bigint;
  /** Datagrams that the kernel dropped because the receive buffer was full. */
  kernelDrops: bigint;
  /** Datagrams that were refused: damaged, or of another channel or session. */
  refused: bigint;
  /** Updates that JavaScript was too slow to take. */
  lost: bigint;
  /** Undefined before the first message. */
  latency: LatencyFigures | undefined;
}

export interface ServeStatus {
  sequence: bigint;
  position: bigint;
  rate: number;
  /** Datagrams sent on all lines, and those that the kernel refused. */
  datagrams: bigint;
  sendErrors: bigint;
  /** Name of the last send error; empty where there was none. */
  sendErrorLast: string;
  subscribers: number;
  /** Subscribers that the source still waits for; 0: it runs, or has ended. */
  waitingFor: number;
  liveOrders: bigint;
  /** Messages of the source that were skipped: unknown references and the like. */
  skipped: bigint;
  /** Messages that the journal does not have, and errors of writing it. */
  journalMissing?: bigint;
  journalErrors?: bigint;
  /** Name of the last such error; empty where there was none. */
  journalErrorLast?: string;
  /** The replica has missed messages that nothing gives back: there are no snapshots. */
  replicaLost?: boolean;
}

interface Cell {
  text: string;
  styles: Style[];
}

function digestText({ digests, digestsMismatched }: FeedStatus): Cell {
  if (digestsMismatched > 0n) return { text: `digests ${grouped(digestsMismatched)} differ`, styles: ['bold', 'red'] };
  if (digests === 0n) return { text: 'digests none yet', styles: ['dim'] };
  return { text: `digests ${grouped(digests)} equal`, styles: ['green'] };
}

/** A count that should be zero. */
function trouble(name: string, count: bigint): Cell {
  return { text: `${name} ${grouped(count)}`, styles: count > 0n ? ['bold', 'yellow'] : [] };
}

function latencyText(latency: LatencyFigures | undefined, unicode: boolean): string {
  if (latency === undefined) return 'latency none yet';
  const { p50, p99, p999, max } = latency;
  const figure = (name: string, ns: number) => `${name} ${duration(ns, unicode)}`;
  return `latency ${[figure('p50', p50), figure('p99', p99), figure('p99.9', p999), figure('max', max)].join('  ')}`;
}

function feedCells(status: FeedStatus, look: Look): Cell[] {
  const cells: Cell[] = [
    { text: `sequence ${grouped(status.sequence)}`, styles: ['bold'] },
    { text: `${grouped(Math.round(status.rate))} messages/s`, styles: ['bold'] },
    trouble('missing', status.missing),
    digestText(status),
    { text: latencyText(status.latency, look.unicode), styles: ['cyan'] },
  ];
  if (status.recovered > 0n) cells.push({ text: `recovered ${grouped(status.recovered)}`, styles: [] });
  if (status.snapshots > 0n) cells.push({ text: `snapshots ${grouped(status.snapshots)}`, styles: [] });
  if (status.kernelDrops > 0n) cells.push(trouble('kernel drops', status.kernelDrops));
  if (status.refused > 0n) cells.push(trouble('refused datagrams', status.refused));
  if (status.lost > 0n) cells.push(trouble('updates lost', status.lost));
  return cells;
}

/** Cells one after the other, in as many lines as their widths need. */
function flow(cells: readonly Cell[], columns: number, look: Look): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const cell of cells) {
    // What is wider than a line breaks between its figures.
    for (const text of cell.text.length <= columns ? [cell.text] : breakText(cell.text, columns)) {
      const gap = used === 0 ? 0 : 3;
      if (used + gap + text.length > columns && used > 0) {
        lines.push(line);
        line = '';
        used = 0;
      }
      line += (used === 0 ? '' : '   ') + styled(text, look, ...cell.styles);
      used += (used === 0 ? 0 : 3) + text.length;
    }
  }
  if (used > 0) lines.push(line);
  return lines;
}

/** Breaks at double spaces, which separate figures. */
function breakText(text: string, columns: number): string[] {
  const parts: string[] = [];
  for (const figure of text.split('  ')) {
    const last = parts[parts.length - 1];
    if (last !== undefined && last.length + 2 + figure.length <= columns)
      parts[parts.length - 1] = `${last}  ${figure}`;
    else parts.push(fit(figure, columns));
  }
  return parts;
}

/** The panel below a ladder: as many lines as the width needs, at least 2. */
export function statusPanel(status: FeedStatus, look: Look, columns: number): string[] {
  const session = status.session === 0n ? 'no session yet' : `session ${status.session}`;
  const head: Cell = { text: `channel ${status.channel}  ${session}  ${status.state}`, styles: ['dim'] };
  return [...flow([head], columns, look), ...flow(feedCells(status, look), columns, look)];
}

/** One line without escape sequences, for logs. */
export function feedLine(status: FeedStatus): string {
  const plain: Look = { colour: false, unicode: false };
  const cells = feedCells(status, plain).map((cell) => cell.text);
  return [status.state, ...cells].join(', ').replaceAll('  ', ' ');
}

function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line without escape sequences, for logs. */
export function serveLine(status: ServeStatus): string {
  const parts = [
    `sequence ${grouped(status.sequence)}`,
    `source message ${grouped(status.position)}`,
    `${grouped(Math.round(status.rate))} messages/s`,
    `${grouped(status.datagrams)} datagrams sent`,
    `${grouped(status.sendErrors)} send errors${status.sendErrorLast === '' ? '' : ` (${status.sendErrorLast})`}`,
    `${grouped(status.liveOrders)} live orders`,
    counted(status.subscribers, 'subscriber'),
  ];
  if (status.skipped > 0n) parts.push(`${grouped(status.skipped)} source messages skipped`);
  const { journalMissing = 0n, journalErrors = 0n, journalErrorLast = '' } = status;
  if (journalMissing > 0n) parts.push(`${grouped(journalMissing)} messages not in the journal`);
  if (journalErrors > 0n) parts.push(`${grouped(journalErrors)} journal errors (${journalErrorLast})`);
  if (status.replicaLost) parts.push('no snapshots: the replica was too slow (a state folder would let it catch up)');
  if (status.waitingFor > 0) parts.unshift(`waiting for ${counted(status.waitingFor, 'more subscriber')}`);
  return parts.join(', ');
}

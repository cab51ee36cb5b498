/** What the addon offers for journals: each call works on a thread of the pool. Files, 64-bit numbers as bigint. */

/** Why numbers are not in the journal: the ring had gone on; the disk took nothing; a repair found nothing. */
export type HoleReason = 'lapped' | 'write_error' | 'damage' | 'unknown';

export interface JournalHole {
  session: bigint;
  /** Both included. */
  first: bigint;
  last: bigint;
  reason: HoleReason;
}

export interface JournalFault {
  /** Name without folders. */
  file: string;
  /** Of the header, record or entry that is wrong. */
  offset: bigint;
  /** Such as "wrong_crc", "incomplete", "index_wrong_crc", "missing_numbers"; docs/recovery.md lists them. */
  fault: string;
  session: bigint;
  /** Numbers that are missing because of it, where that is known. */
  first?: bigint;
  last?: bigint;
}

export interface JournalVerification {
  sessions: bigint;
  segments: bigint;
  checkpoints: bigint;
  packets: bigint;
  /** Numbered messages in them. */
  messages: bigint;
  bytes: bigint;
  /** A distributor is at work on the folder. Looked at only where it matters. */
  inUse: boolean;
  /** Recorded as missing: no fault of the files. At most 100,000. */
  holes: JournalHole[];
  /** At most 10,000; `faultsTotal` counts all. */
  faults: JournalFault[];
  faultsTotal: bigint;
}

export interface JournalRepair {
  file: string;
  action: 'rewritten' | 'removed' | 'index made anew';
  /** Packets that are in it now. */
  packets: bigint;
  /** Numbers that are a hole now and were not before. */
  missing: bigint;
}

export interface JournalSession {
  session: bigint;
  channel: number;
  identity: bigint;
  /** Oldest number that is kept, or named as missing. */
  first: bigint;
  /** The number after the newest. */
  next: bigint;
  /** Event times of the first and the last message, CLOCK_REALTIME ns; 0: no message. */
  firstTimeNs: bigint;
  lastTimeNs: bigint;
  createdNs: bigint;
  segments: bigint;
  bytes: bigint;
  /** Its last segment was closed. */
  closed: boolean;
}

export interface JournalSegment {
  file: string;
  session: bigint;
  number: bigint;
  bytes: bigint;
  changedNs: bigint;
  /** Its header is; the rest only `verify` looks at. */
  sound: boolean;
  first: bigint;
  createdNs: bigint;
  closed: boolean;
  /** The number after its last one, where it is closed. */
  next: bigint;
}

export interface JournalCheckpoint {
  file: string;
  session: bigint;
  sequence: bigint;
  bytes: bigint;
}

export interface JournalListing {
  sessions: JournalSession[];
  segments: JournalSegment[];
  checkpoints: JournalCheckpoint[];
}

export type JournalPayload = 'book' | 'trades' | 'definitions' | 'heartbeat' | 'snapshot' | 'unknown';

interface PlacedRecord {
  /** Of a packet without numbers: `first` is the next message's, `last` the one before it. */
  first: bigint;
  last: bigint;
  segment: bigint;
  offset: bigint;
}

export type JournalRecord =
  | (PlacedRecord & {
      type: 'packet';
      payload: JournalPayload;
      messages: number;
      /** Of the datagram. */
      bytes: number;
      /** Event time of the first message, CLOCK_REALTIME ns. */
      timeNs: bigint;
      position: bigint;
    })
  | (PlacedRecord & { type: 'hole' | 'damaged'; why: string });

/** Where a page goes on. */
export interface JournalPlace {
  segment: bigint;
  offset: bigint;
  expected: bigint;
}

export interface JournalPage {
  /** 0: there is none. */
  session: bigint;
  /** False: the number is older or younger than anything there. */
  found: boolean;
  /** Undefined: nothing more now. */
  next: JournalPlace | undefined;
  records: JournalRecord[];
}

export interface NativeRetention {
  /** 0: no bound, as below. */
  retainBytes: bigint;
  retainNs: bigint;
  before: bigint;
  dryRun: boolean;
}

export interface NativePageRequest {
  /** 0: the newest. */
  session: bigint;
  /** 0: the oldest. */
  from: bigint;
  place: JournalPlace | undefined;
  limit: number;
}

/** `folder`: a state folder, or a folder of segments. All reject where it cannot be read. */
export interface NativeJournalTools {
  verifyJournal(folder: string): Promise<JournalVerification>;
  repairJournal(folder: string, keepDamaged: boolean): Promise<JournalRepair[]>;
  listJournal(folder: string): Promise<JournalListing>;
  pruneJournal(folder: string, retention: NativeRetention): Promise<{ file: string; bytes: bigint }[]>;
  readJournal(folder: string, request: NativePageRequest): Promise<JournalPage>;
}

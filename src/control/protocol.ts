/** What travels between the control service and its clients, as JSON over HTTP. 64-bit numbers are decimal text. */
import { z } from 'zod';

/** A subscriber that does not renew within so many ms is forgotten. */
export const lease_ms = 5_000;

/** Body of POST /subscribers/:id. */
export const joinRequest = z.strictObject({
  lines: z
    .array(z.enum(['A', 'B']))
    .min(1)
    .max(2),
});

/** Its answer. */
export const joinAnswer = z.object({
  channel: z.number(),
  session: z.string(),
  leaseMs: z.number().positive(),
});

/** Ids that subscribers choose for themselves. */
export const subscriber_id_pattern = /^[A-Za-z0-9_-]{1,64}$/;

export interface DirectoryLine {
  group: string;
  port: number;
}

/** One entry of GET /channels. */
export interface DirectoryChannel {
  channel: number;
  session: string;
  lineA: DirectoryLine | null;
  lineB: DirectoryLine | null;
  instruments: number;
  /** Path of the recovery service on this server; null, or not told: none. So with what follows. */
  recovery?: string | null;
  /** The same for who asks another server: ws://HOST:PORT/PATH. */
  recoveryUrl?: string | null;
  /** UDP port of re-requests; null: none. */
  recoveryUdpPort?: number | null;
  /** Multicast group of the snapshot loop; null: none. */
  snapshotLine?: DirectoryLine | null;
}

/** Windows against a model that keeps whole sides; frames under mutation. */
import t from 'tap';
import { DepthWindow } from '../../src/browser/depth_window.js';
import { FrameReader } from '../../src/browser/frame_reader.js';
import { Random, seedsOf } from '../faults/random.js';
import {
  depthBlock,
  digestBlock,
  type EntryFields,
  filteredBlock,
  type LevelFields,
  markBlock,
  printBlock,
  windowHash,
} from './frames.js';

const levels_held = 5;

/** All levels of one instrument, and the window of them. */
class Model {
  readonly #all = new Map<string, LevelFields>();
  status = 1;

  change(random: Random): void {
    for (let left = random.below(6); left > 0; left--) {
      const side = random.between(1, 2);
      const price = BigInt(random.between(-12, 12)) * (random.below(2) === 0 ? 1n : 2n ** 58n);
      const key = `${side} ${price}`;
      if (random.below(3) === 0) this.#all.delete(key);
      else
        this.#all.set(key, {
          price,
          quantity: BigInt(random.between(1, 9)) << 40n,
          orders: random.between(1, 4),
          side,
        });
    }
    if (random.below(20) === 0) this.status = random.below(5);
  }

  window(): LevelFields[] {
    const side = (number: number) => {
      const sign = number === 1 ? -1 : 1;
      const levels = [...this.#all.values()].filter((level) => level.side === number);
      return levels.sort((a, b) => (a.price < b.price ? -sign : sign)).slice(0, levels_held);
    };
    return [...side(1), ...side(2)];
  }
}

function delta(before: readonly LevelFields[], after: readonly LevelFields[]): LevelFields[] {
  const same = (a: LevelFields, b: LevelFields) => a.price === b.price && a.side === b.side;
  const gone = before.filter((level) => !after.some((one) => same(one, level)));
  const changed = after.filter(
    (level) =>
      !before.some((one) => same(one, level) && one.quantity === level.quantity && one.orders === level.orders),
  );
  return [...gone.map((level) => ({ ...level, quantity: 0n, orders: 0 })), ...changed];
}

t.test('windowsFollowTheModel', async (t) => {
  for (const seed of seedsOf(1, 2, 3)) {
    const random = new Random(seed);
    const model = new Model();
    const window = new DepthWindow();
    const reader = new FrameReader();
    let before: LevelFields[] = [];
    let base = 0n;
    let deltas = 0;
    for (let step = 1; step <= 3_000; step++) {
      model.change(random);
      const after = model.window();
      const full = step === 1 || random.below(30) === 0;
      if (!full) deltas++;
      const last = BigInt(10 * step);
      const bytes = depthBlock({ subscription: 3, sequence: last }, [
        {
          first: base + 1n,
          last,
          base,
          hash: windowHash(after, model.status),
          instrument: 1,
          instrumentSequence: step,
          messages: 2,
          full,
          status: model.status,
          levels: full ? after : delta(before, after),
        },
      ]);
      const status = reader.read(bytes);
      const result = status === 'ok' ? window.apply(reader, reader.entries, levels_held) : status;
      if (result !== 'applied') t.fail(`DEPTHCAST_SEED=${seed}: step ${step} is ${result}`);
      before = after;
      base = last;
    }
    const held = [...window.levels('bid'), ...window.levels('ask')];
    t.same(
      held,
      before.map(({ price, quantity, orders }) => ({ price, quantity, orders })),
    );
    t.ok(deltas > 2_000);
  }
});

const entry: EntryFields = {
  first: 1n,
  last: 10n,
  base: 0n,
  hash: windowHash([{ price: 5n, quantity: 1n, orders: 1, side: 1 }], 1),
  instrument: 1,
  instrumentSequence: 4,
  messages: 4,
  full: true,
  status: 1,
  levels: [{ price: 5n, quantity: 1n, orders: 1, side: 1 }],
};

t.test('refusesWhatDoesNotFitUntilAFullOneComes', async (t) => {
  const window = new DepthWindow();
  const apply = (fields: Partial<EntryFields>) => {
    const reader = new FrameReader();
    t.equal(reader.read(depthBlock({ subscription: 1, sequence: 20n }, [{ ...entry, ...fields }])), 'ok');
    return window.apply(reader, reader.entries, 10);
  };
  t.equal(apply({ full: false }), 'wrong_base', 'nothing is held yet');
  t.equal(apply({}), 'applied');
  const next = { first: 11n, last: 12n, base: 10n, messages: 1, full: false, levels: [] };
  t.equal(apply({ ...next, base: 9n }), 'wrong_base');
  t.equal(apply(next), 'wrong_base', 'even what would fit');
  t.equal(apply({}), 'applied');
  t.equal(apply({ ...next, hash: 1n }), 'wrong_hash');
  t.equal(window.proved, false);
  t.equal(apply({}), 'applied');
  t.equal(apply(next), 'applied');
});

t.test('refusesNeverThrows', async (t) => {
  const book = {
    orderId: 1n,
    price: 1n,
    quantity: 1n,
    instrument: 1,
    instrumentSequence: 1,
    kind: 1,
    side: 1,
    flags: 1,
  };
  const sound = [
    depthBlock({ subscription: 1, sequence: 20n }, [entry, { ...entry, instrument: 2 }]),
    printBlock({ subscription: 1, sequence: 20n }, [3n, 4n, 9n], 7),
    filteredBlock({ subscription: 1, sequence: 20n }, 2n, [
      { ...book, sequence: 3n },
      { ...book, sequence: 9n },
    ]),
    markBlock({ subscription: 1, sequence: 20n }, { covered: 4n, instruments: 3 }),
    digestBlock({ subscription: 1, sequence: 20n }, [{ instrument: 1, instrumentSequence: 5, digest: 7n }]),
  ];
  for (const seed of seedsOf(1, 2)) {
    const random = new Random(seed);
    const reader = new FrameReader();
    const window = new DepthWindow();
    const seen = new Map<string, number>();
    for (let left = 40_000; left > 0; left--) {
      const bytes = Buffer.from(random.pick(sound));
      for (let changes = random.below(4); changes > 0; changes--) {
        const at = random.below(bytes.length - 4);
        if (random.below(2) === 0) bytes.writeUInt8(random.below(256), at);
        else bytes.writeInt32LE(random.between(-200, 600), at - (at % 4));
      }
      const end = random.below(20) === 0 ? random.below(bytes.length) : bytes.length;
      const status = reader.read(bytes.subarray(0, end));
      seen.set(status, (seen.get(status) ?? 0) + 1);
      if (status === 'ok' && reader.payload === 1)
        for (let index = 0; index < reader.entryCount; index++) window.apply(reader, reader.entries + 64 * index, 10);
    }
    t.comment(`seed ${seed}: ${JSON.stringify([...seen])}`);
    t.ok(seen.size >= 6 && (seen.get('ok') ?? 0) > 1_000, 'many verdicts occur');
  }
});

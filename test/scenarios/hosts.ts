/** Hosts of their own on one bridge: network namespaces, made by name and removed by name. Needs root, ip and nft. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { main } from '../cli_process.js';

/** Why there can be no hosts here; undefined where there can. */
export function whyNoHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  for (const [tool, flag] of [
    ['ip', '-V'],
    ['nft', '-v'],
  ] as const)
    if (spawnSync(tool, [flag]).status !== 0) return `needs ${tool}`;
  const name = `dcprobe${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return 'network namespaces are not allowed here';
  const allowed =
    spawnSync('ip', ['link', 'add', `${name}b`.slice(0, 15), 'type', 'bridge']).status === 0 &&
    spawnSync('ip', ['netns', 'exec', name, 'nft', 'add', 'table', 'inet', 'probe']).status === 0;
  spawnSync('ip', ['link', 'del', `${name}b`.slice(0, 15)]);
  spawnSync('ip', ['netns', 'del', name]);
  return allowed ? undefined : 'bridges or nft are not allowed here';
}

function command(program: string, ...parameters: string[]): void {
  const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${stderr}`);
}

export interface HostEnd {
  end: number | string;
  stdout: string;
  stderr: string;
}

/** Threads: one. `number` chooses the network 10.91.`number`.0/24. */
export class Hosts {
  readonly #tag: string;
  readonly #made: string[] = [];
  readonly #processes: ChildProcess[] = [];
  #bridge = false;

  constructor(private readonly number: number) {
    // Interface names hold 15 characters.
    this.#tag = `dc${process.pid % 100_000}`;
  }

  /** Makes hosts with addresses 10.91.N.1, 2, … */
  make(count: number): void {
    const bridge = `${this.#tag}br`;
    command('ip', 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0');
    this.#bridge = true;
    command('ip', 'link', 'set', bridge, 'up');
    for (let host = 1; host <= count; host++) {
      const name = this.#name(host);
      command('ip', 'netns', 'add', name);
      this.#made.push(name);
      const [inside, outside] = [`${this.#tag}i${host}`, `${this.#tag}o${host}`];
      command('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
      command('ip', 'link', 'set', outside, 'master', bridge);
      command('ip', 'link', 'set', outside, 'up');
      command('ip', 'link', 'set', inside, 'netns', name);
      this.#inside(host, 'ip', 'link', 'set', 'lo', 'up');
      this.#inside(host, 'ip', 'address', 'add', `${this.address(host)}/24`, 'dev', inside);
      this.#inside(host, 'ip', 'link', 'set', inside, 'up');
      this.#inside(host, 'ip', 'route', 'add', '224.0.0.0/4', 'dev', inside);
    }
  }

  address(host: number): string {
    return `10.91.${this.number}.${host}`;
  }

  /** Of datagrams to these UDP ports, so many percent are lost on their way in. */
  lose(host: number, percent: number, ports: readonly number[]): void {
    this.#inside(host, 'nft', 'add', 'table', 'inet', 'faults');
    this.#inside(host, 'nft', 'add', 'chain', 'inet', 'faults', 'input', '{ type filter hook input priority 0; }');
    const rule = `udp dport { ${ports.join(', ')} } numgen random mod 1000 < ${10 * percent} counter drop`;
    this.#inside(host, 'nft', 'add', 'rule', 'inet', 'faults', 'input', ...rule.split(' '));
  }

  /** Datagrams that the rules of a host have dropped. */
  dropped(host: number): number {
    const parameters = ['netns', 'exec', this.#name(host), 'nft', 'list', 'table', 'inet', 'faults'];
    const { stdout } = spawnSync('ip', parameters, { encoding: 'utf8' });
    return Number(/counter packets (\d+)/.exec(stdout)?.[1] ?? 0);
  }

  /** The command line on a host; killed when it takes longer than `ms_max`, and with the hosts. */
  start(
    host: number,
    parameters: readonly string[],
    ms_max: number,
  ): { process: ChildProcess; ended: Promise<HostEnd> } {
    const child = spawn('ip', ['netns', 'exec', this.#name(host), process.execPath, main, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#processes.push(child);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    const timer = setTimeout(() => child.kill('SIGKILL'), ms_max);
    const ended = new Promise<HostEnd>((resolve) => {
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ end: signal ?? code ?? 'unknown', ...output });
      });
    });
    return { process: child, ended };
  }

  /** Ends what runs there, and removes what was made. Any number of times. */
  remove(): void {
    for (const child of this.#processes.splice(0)) child.kill('SIGKILL');
    for (const name of this.#made.splice(0)) spawnSync('ip', ['netns', 'del', name]);
    if (this.#bridge) spawnSync('ip', ['link', 'del', `${this.#tag}br`]);
    this.#bridge = false;
  }

  #name(host: number): string {
    return `${this.#tag}h${host}`;
  }

  #inside(host: number, ...words: string[]): void {
    command('ip', 'netns', 'exec', this.#name(host), ...words);
  }
}

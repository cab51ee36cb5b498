/**
 * Installs the peers into build/peers, outside of the tree's dependencies: npm packages by npm, servers from Debian's
 * packages, unpacked and not installed. Nothing of the system changes. `npm run perf -- peers --install`, or by itself
 * where one is missing.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = join(process.cwd(), 'build', 'peers');

export const peer_packages = {
  zeromq: { npm: ['zeromq@6.8.0'], debian: [] },
  nats: { npm: ['@nats-io/transport-node@3.4.0'], debian: ['nats-server'] },
  redis: { npm: ['ioredis@6.0.0'], debian: ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1'] },
} as const;
export type InstalledPeer = keyof typeof peer_packages;

/** Throws with the installer's own words. */
export function installPeer(peer: InstalledPeer): void {
  const folder = join(root, peer);
  const done = join(folder, 'installed');
  const wanted = JSON.stringify(peer_packages[peer]);
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return;
  mkdirSync(folder, { recursive: true });
  const run = (command: string, parameters: readonly string[]) =>
    execFileSync(command, parameters, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const { npm, debian } = peer_packages[peer];
  // Without a package.json of its own npm would install into the tree's.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', ...npm]);
  if (debian.length > 0) {
    run('apt-get', ['download', '--quiet=2', '-o', 'APT::Sandbox::User=root', ...debian]);
    const archives = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    for (const archive of archives) run('dpkg', ['-x', archive, 'debian']);
  }
  writeFileSync(done, wanted);
}

/** A package of a peer that was installed. */
export function loadPeer<Module>(peer: InstalledPeer, name: string): Module {
  return createRequire(join(root, peer, 'package.json'))(name) as Module;
}

/** A program of the unpacked Debian packages, and the environment in which it finds their libraries. */
export function peerProgram(peer: InstalledPeer, path: string): { file: string; env: NodeJS.ProcessEnv } {
  const folder = join(root, peer, 'debian');
  const libraries = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu'].map((part) => join(folder, part));
  return { file: join(folder, path), env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') } };
}

export function packageVersion(peer: InstalledPeer, name: string): string {
  const file = join(root, peer, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/**
 * Two hosts on this machine: network namespaces with a cable between them that carries so much each way and no more. What
 * runs in one reaches the other by that cable only. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

let made = 0;

/** What is missing for such hosts; undefined when nothing is. */
export function whyNoHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'root, for network namespaces';
  const absent = ['ip', 'tc'].filter(
    (tool) => !['/sbin', '/usr/sbin', '/bin', '/usr/bin'].some((at) => existsSync(`${at}/${tool}`)),
  );
  return absent.length === 0 ? undefined : `${absent.join(' and ')} (Debian package iproute2)`;
}

/** Two hosts with a cable between them. */
export class TwoHosts implements Disposable {
  /** The names of their network namespaces. */
  readonly names: readonly [string, string];
  readonly addresses = ['10.213.7.1', '10.213.7.2'] as const;
  /** The name of the cable's port on each. */
  readonly port = 'cable0';

  /** `rate` is what the cable carries each way, as tc takes it: 200mbit. */
  constructor(rate: string) {
    made += 1;
    const prefix = `seedstorm-${process.pid}-${made}`;
    this.names = [`${prefix}-a`, `${prefix}-b`];
    try {
      for (const name of this.names) run('ip', 'netns', 'add', name);
      const [a, b] = this.names;
      run('ip', '-n', a, 'link', 'add', this.port, 'type', 'veth', 'peer', 'name', this.port, 'netns', b);
      for (const [i, name] of this.names.entries()) {
        run('ip', '-n', name, 'addr', 'add', `${this.addresses[i]}/24`, 'dev', this.port);
        for (const port of [this.port, 'lo']) run('ip', '-n', name, 'link', 'set', port, 'up');
        const shape = ['root', 'tbf', 'rate', rate, 'burst', '256kb', 'latency', '50ms'];
        run('tc', '-n', name, 'qdisc', 'add', 'dev', this.port, ...shape);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Cuts the cable: from then on nothing comes through, and nobody is told. */
  cut(): void {
    run('ip', '-n', this.names[0], 'link', 'set', this.port, 'down');
  }

  /** Takes hosts and cable away again. */
  [Symbol.dispose](): void {
    for (const name of this.names) {
      if (existsSync(`/run/netns/${name}`)) run('ip', 'netns', 'del', name);
    }
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

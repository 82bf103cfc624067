import { describe, expect, test } from 'vitest';
import { ClockOffset } from './clock-offset.js';

describe('the offset of an agent’s clock', () => {
  test('a slow round trip does not spoil the start: the fastest one counts', () => {
    const clock = new ClockOffset();
    const slow = clock.probe(1_000n);
    clock.echo(slow, 1_000_000n, 901_000n);
    const fast = clock.probe(2_000_000n);
    clock.echo(fast, 7_000_050n, 2_000_100n);
    expect(clock.toAgent(3_000_000n)).toBe(8_000_000n);
    expect(clock.toCoordinator(8_000_000n)).toBe(3_000_000n);
    expect(clock.errorNs).toBe(50n);
  });

  test('an echo that nobody asked for moves nothing', () => {
    const clock = new ClockOffset();
    clock.echo(99n, 5n, 6n);
    expect(clock.known).toBe(false);
  });

  test('drift is followed: old round trips are forgotten', () => {
    const clock = new ClockOffset();
    clock.echo(clock.probe(0n), 100n, 0n);
    for (let i = 1n; i <= 64n; i++) clock.echo(clock.probe(i * 1000n), i * 1000n + 205n, i * 1000n + 10n);
    expect(clock.toAgent(0n)).toBe(200n);
  });
});

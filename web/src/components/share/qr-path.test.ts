import { encode } from 'uqr';
import { describe, expect, it } from 'vitest';
import { quietEdge, writeQrPath } from './qr-path.ts';

const link = 'https://data.example/s/abcdefghijklmnop';

function darkOf(path: string): ReadonlySet<string> {
  return new Set([...path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => `${x} ${y}`));
}

describe('a QR code', () => {
  it('has the modules that were computed, each once', () => {
    const { path, size } = writeQrPath(link);
    const { data } = encode(link, { ecc: 'M', border: quietEdge });
    const modules = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`${x} ${y}`] : [])));
    expect([[...darkOf(path)], data.length, path.split('M').length - 1]).toEqual([modules, size, modules.length]);
  });

  it('has its three corners, and light around it', () => {
    const { path, size } = writeQrPath(link);
    const dark = darkOf(path);
    const corner = (x: number, y: number): boolean =>
      Array.from({ length: 49 }, (_, at) => [at % 7, Math.floor(at / 7)] as const).every(([dx, dy]) => {
        const ring = Math.max(Math.abs(dx - 3), Math.abs(dy - 3));
        return dark.has(`${x + dx} ${y + dy}`) === (ring !== 2);
      });
    expect([corner(4, 4), corner(size - 11, 4), corner(4, size - 11), corner(size - 11, size - 11)]).toEqual([true, true, true, false]);
    const inside = (at: number): boolean => at >= quietEdge && at < size - quietEdge;
    expect([...dark].every((module) => module.split(' ').map(Number).every(inside))).toBe(true);
  });
});

import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrayItem } from './tray-items.ts';

const { kept, listeners } = vi.hoisted(() => {
  const kept = new Map<string, string>();
  const listeners: ((event: { key: string | null; newValue: string | null }) => void)[] = [];
  Object.assign(globalThis, {
    localStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    },
    addEventListener: (_: string, listener: (typeof listeners)[number]) => void listeners.push(listener),
  });
  return { kept, listeners };
});
vi.mock('./client.ts', () => ({ client: {}, codeOf: () => undefined }));

const { me } = await import('./session.ts');
const { add, clear, items, remove } = await import('./tray.ts');

const file = (path: string): TrayItem => ({ source: 'a', path, kind: 'pointer', size: 1 });
const folder = (path: string): TrayItem => ({ source: 'a', path, kind: 'folder' });
const paths = (): string[] => items.value.map(({ path }) => path).sort();
const be = (id: string): void => {
  me.value = { kind: 'user', id, name: id, admin: false };
};

describe('the tray', () => {
  beforeEach(() => {
    me.value = undefined;
    kept.clear();
    be('ada');
  });

  it('takes back what was added, and nothing that came later', () => {
    add([file('x/1'), file('y')]);
    const { added, undo } = add([folder('x')]);
    expect([added, paths()]).toEqual([1, ['x', 'y']]);
    add([file('z')]);
    undo();
    expect(paths()).toEqual(['x/1', 'y', 'z']);
    expect(add([file('z')]).added).toBe(0);
  });

  it('gives back what was removed', () => {
    add([file('1'), file('2')]);
    const { undo } = remove([file('1')]);
    expect(paths()).toEqual(['2']);
    const all = clear();
    expect([paths(), kept.size]).toEqual([[], 0]);
    undo();
    all.undo();
    expect(paths()).toEqual(['1', '2']);
  });

  it('is each person’s own, and outlives the page', () => {
    add([file('secret')]);
    be('bob');
    expect(paths()).toEqual([]);
    add([file('other')]);
    be('ada');
    expect(paths()).toEqual(['secret']);
    me.value = undefined;
    expect(paths()).toEqual([]);
    add([file('nobody’s')]);
    expect(JSON.stringify([...kept])).not.toContain('nobody');
  });

  it('follows another window of the same person, and of no other', () => {
    for (const listener of listeners) listener({ key: 'package-r.of.ada.tray', newValue: JSON.stringify([file('there'), { bad: 1 }]) });
    expect(paths()).toEqual(['there']);
    for (const listener of listeners) listener({ key: 'package-r.of.bob.tray', newValue: JSON.stringify([file('bob')]) });
    expect(paths()).toEqual(['there']);
    for (const listener of listeners) listener({ key: 'package-r.of.ada.tray', newValue: '{' });
    expect(paths()).toEqual([]);
  });
});

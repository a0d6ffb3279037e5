import { describe, expect, test } from '@jest/globals';
import { fold, type Edge } from '../../../src/checks/network/fold.ts';

/** `a>b what`, folded to `a,c>b what` (`<>` for both ways). */
function folded(...edges: string[]): string[] {
  return fold(
    edges.map((text): Edge => {
      const [, from, to, what] = /^(\S+)>(\S+) (.*)$/.exec(text) as unknown as [string, string, string, string];
      return { from, to, what };
    }),
  ).map(({ from, to, what, both }) => `${from.join()}${both ? '<>' : '>'}${to.join()} ${what.join('+')}`);
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `h${i}`);

describe('ways with the same trouble', () => {
  test('to one host are told together, whatever their number', () => {
    expect(folded(...names(50).map((name) => `${name}>w udp`))).toEqual([`${names(50).join()}>w udp`]);
  });

  test('from one host are told together', () => {
    expect(folded('w>a udp', 'w>b udp', 'w>c udp')).toEqual(['w>a,b,c udp']);
  });

  test('in both directions are told once', () => {
    expect(folded('a>w udp', 'w>a udp', 'w>b udp', 'b>w udp')).toEqual(['w<>a,b udp']);
  });

  test('among all hosts are one', () => {
    expect(folded(...names(4).flatMap((from) => names(4).flatMap((to) => (from === to ? [] : [`${from}>${to} udp`]))))).toEqual([
      'h0,h1,h2,h3>h0,h1,h2,h3 udp',
    ]);
  });

  test('between two groups of hosts are one', () => {
    expect(folded('a>x udp', 'a>y udp', 'b>x udp', 'b>y udp')).toEqual(['a,b>x,y udp']);
  });

  test('on several ports of the same hosts are one', () => {
    expect(folded('a>w udp', 'b>w udp', 'a>w tcp', 'b>w tcp')).toEqual(['a,b>w udp+tcp']);
  });
});

test('what has nothing in common stays apart', () => {
  expect(folded('a>b udp', 'c>d udp', 'a>b tcp')).toEqual(['a>b udp+tcp', 'c>d udp']);
  expect(folded()).toEqual([]);
});

test('no way is lost and none is invented', () => {
  const all = names(5).flatMap((from) => names(5).flatMap((to) => (from === to ? [] : [{ from, to }])));
  for (let mask = 1; mask < 2 ** 20; mask = mask * 3 + 7) {
    const edges = all.filter((_, i) => (mask >> i) & 1).map((edge) => ({ ...edge, what: 'udp' }));
    const unfolded = fold(edges).flatMap(({ from, to, both }) =>
      from.flatMap((a) => to.flatMap((b) => (a === b ? [] : both ? [`${a}>${b}`, `${b}>${a}`] : [`${a}>${b}`]))),
    );
    expect(unfolded.sort()).toEqual(edges.map(({ from, to }) => `${from}>${to}`).sort());
  }
});

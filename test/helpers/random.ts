/** A reproducible source of randomness for property tests (mulberry32). */
export interface Random {
  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  /** So many different items, in their order. */
  some<T>(items: readonly T[], count: number): T[];
  /** Text of the given alphabet, of a random length from `min` to `max`. */
  text(alphabet: string, min: number, max: number): string;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (items) => items[below(items.length)]!,
    some: (items, count) => {
      const left = items.map((_, i) => i);
      const chosen = Array.from({ length: Math.min(count, items.length) }, () => left.splice(below(left.length), 1)[0]!);
      return chosen.sort((a, b) => a - b).map((i) => items[i]!);
    },
    text: (alphabet, min, max) => {
      const characters = [...alphabet];
      return Array.from({ length: min + below(max - min + 1) }, () => characters[below(characters.length)]!).join('');
    },
  };
}

/** The text cut at random places into at least one piece. */
export function cutUp(random: Random, text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length || pieces.length === 0;) {
    const length = 1 + random.below(random.pick([2, 10, 200]));
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

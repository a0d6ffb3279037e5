/** Hands out a limited number of places, first come, first served. */
export interface Slots {
  /** Resolves with the function that gives the place back. */
  take(): Promise<() => void>;
  inUse(): number;
  /** Lowers the limit when the other side turns out to allow less. At least one place remains. */
  limitTo(count: number): void;
}

export function createSlots(count: number): Slots {
  let limit = count;
  let used = 0;
  const waiting: (() => void)[] = [];
  const next = (): void => {
    while (used < limit && waiting.length > 0) {
      used++;
      waiting.shift()!();
    }
  };
  return {
    take: () =>
      new Promise((resolve) => {
        let given = false;
        const release = (): void => {
          if (given) return;
          given = true;
          used--;
          next();
        };
        waiting.push(() => resolve(release));
        next();
      }),
    inUse: () => used,
    limitTo(value) {
      limit = Math.max(1, Math.min(limit, value));
    },
  };
}

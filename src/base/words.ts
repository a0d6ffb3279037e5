/** `a`, `a and b`, `a, b and c`. */
export function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}

/** As `list`, of hosts; of many of them only how many. */
export function several(hosts: readonly string[]): string {
  return hosts.length <= 6 ? list(hosts) : `${hosts.length} hosts (${hosts.slice(0, 5).join(', ')}, ...)`;
}

/** Bytes as a reader's MiB or GiB. */
export function size(bytes: number): string {
  const gib = bytes / 2 ** 30;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** Milliseconds in the one unit that says enough: `40 s`, `7 min`, `5 h`, `12 days`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

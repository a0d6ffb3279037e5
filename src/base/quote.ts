/** Quotes one word for a POSIX shell (XCU 2.2.2): everything but a plain word goes in single quotes. Throws on NUL, which no argument can carry. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new RangeError('a shell word cannot contain a NUL byte');
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Tagged template for shell text: interpolated strings and numbers are quoted, arrays become several words. */
export function sh(strings: TemplateStringsArray, ...values: readonly (string | number | readonly (string | number)[])[]): string {
  return strings.reduce((text, part, i) => {
    const value = values[i - 1]!;
    const words =
      typeof value === 'string' || typeof value === 'number' ? quote(String(value)) : value.map((v) => quote(String(v))).join(' ');
    return text + words + part;
  });
}

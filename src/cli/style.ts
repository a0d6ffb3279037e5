import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Paints text, or leaves it alone: whether colours are wanted was decided once, for each stream. */
export type Paint = (format: Format, text: string) => string;

export function painter(color: boolean): Paint {
  return (format, text) => (color ? styleText(format, text, { validateStream: false }) : text);
}

/** What stands before the title of a check, of equal width. */
export const checkMarks = { pass: 'ok  ', warn: 'warn', fail: 'FAIL', untried: '-   ' } as const;

/** Columns of equal width; the last is not padded. */
export function table(rows: readonly (readonly string[])[], gap = 2): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]! + gap)))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

export function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

import { stringify } from 'yaml';

/** The result of a reading command, in the form that was asked for. */
export function formatted(output: 'text' | 'json' | 'yaml', result: { text: () => string; data: unknown }): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(result.data, null, 2)}\n`;
    case 'yaml':
      return stringify(result.data);
    default:
      return `${result.text()}\n`;
  }
}

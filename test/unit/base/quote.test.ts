import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { quote, sh } from '../../../src/base/quote.ts';
import { createRandom } from '../../helpers/random.ts';

const nasty = [
  '',
  ' ',
  '  ',
  "'",
  "''",
  '"',
  '\\',
  '\n',
  '\n\n',
  '$HOME',
  '$(id)',
  '`id`',
  '!',
  '!!',
  '~',
  '*',
  '?',
  '[a]',
  '{a,b}',
  ';',
  '&',
  '|',
  '<',
  '>',
  '#',
  '-n',
  '-e',
  '--',
  '=',
  'a=b',
  '\t',
  '\r',
  '\u00e4\u{1f600}',
  "it's",
  "a'b'c",
  '%s',
  '\\n',
  '\x01',
  '\x7f',
];

/** What a real shell makes of the words, one after the other. */
function wordsOf(shell: readonly string[], line: string): string[] {
  const [command, ...args] = shell;
  const output = execFileSync(command!, [...args, '-c', `for word in ${line}; do printf '%s\\0' "$word"; done`]);
  return output.toString().split('\0').slice(0, -1);
}

describe.each([[['dash']], [['bash']], [['bash', '--posix']], [['busybox', 'sh']]])('in %p', (shell) => {
  test('every word comes back unchanged', () => {
    const random = createRandom(7);
    const characters = ' \'"\\\n\t$`!~*?[]{}();&|<>#-=%@+,./:azAZ09_ä€😀\x01\x7f^';
    const words = [...nasty, ...Array.from({ length: 500 }, () => random.text(characters, 0, 12))];
    expect(wordsOf(shell, sh`${words}`)).toEqual(words);
  });

  test('plain text of a template is left to the shell, values are not', () => {
    const value = '$(echo no)';
    expect(wordsOf(shell, sh`$(echo yes) ${value} ${3}`)).toEqual(['yes', '$(echo no)', '3']);
  });
});

test('a word that needs no quotes has none', () => {
  expect(quote('/etc/kubernetes/admin.conf')).toBe('/etc/kubernetes/admin.conf');
});

test('a NUL byte is refused', () => {
  expect(() => quote('a\0b')).toThrow(RangeError);
});

import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { commandLine, markedOutput, newMarker, NOT_RUN, outputEnd, scriptInput, type Become } from '../../../src/remote/script.ts';
import { createRandom, cutUp } from '../../helpers/random.ts';

const becomes: Become[] = ['login-user', 'root', 'sudo', 'sudo-password'];
const marker = newMarker();

/** What a login shell is given, with the remote shell replaced. */
function run(shell: string, input: Buffer, login: readonly string[] = ['/bin/sh', '-c']): { code: number | null; stdout: string } {
  const command = commandLine('root', marker).replace('/bin/sh', shell);
  const result = spawnSync(login[0]!, [...login.slice(1), command], { input });
  return { code: result.status, stdout: result.stdout.toString() };
}

describe('a command line', () => {
  test.each(becomes)(
    '(%s) holds nothing that shells read differently: one quoted word without quotes, backslashes, ! or line ends',
    (become) => {
      const line = commandLine(become, marker);
      const quoted = line.split("'");
      expect(quoted).toHaveLength(3);
      expect(quoted[1]).not.toMatch(/[\\!\n]/);
      expect(line).toMatch(/^exec env -i PATH=/);
    },
  );

  test.each(becomes)('(%s) is the same for every script but for the marker', (become) => {
    expect(commandLine(become, marker).replaceAll(marker, 'M')).toBe(
      commandLine(become, newMarker()).replaceAll(/slipway-[0-9a-f]{24}/g, 'M'),
    );
  });

  test('calls sudo for sudo alone, and never with a password in it', () => {
    expect(becomes.map((become) => /sudo[^/]*/.exec(commandLine(become, marker))?.[0].trim())).toEqual([
      undefined,
      undefined,
      expect.stringMatching(/^sudo -n env -i/),
      expect.stringMatching(/^sudo -k -S env -i/),
    ]);
  });
});

describe.each(['/bin/dash', '/bin/bash', '/bin/busybox sh'])('in %s', (shell) => {
  test('a script runs when it arrived whole, with what follows as its input', () => {
    const input = Buffer.concat([scriptInput('echo "[$(cat)]"; exit 3', marker), Buffer.from('payload')]);
    // busybox reads ahead, which is why payloads are sent only after the script has begun.
    const expected = shell.includes('busybox') ? /\[.*\]/ : /\[payload\]/;
    const { code, stdout } = run(shell, input);
    expect(code).toBe(3);
    expect(stdout).toMatch(expected);
  });

  test('no part of a truncated script runs, wherever it is cut', () => {
    const whole = scriptInput('echo MUST-NOT-RUN\necho MUST-NOT-RUN\n', marker);
    for (const length of Array.from(whole.keys()).filter((at) => at % 5 === 0 || at > whole.length - 4)) {
      const { code, stdout } = run(shell, whole.subarray(0, length));
      expect([length, code]).toEqual([length, NOT_RUN]);
      expect(stdout).not.toContain('MUST-NOT-RUN');
    }
  });

  test('lines before the marker are thrown away, as a password is that nobody asked for', () => {
    const input = Buffer.concat([Buffer.from('echo MUST-NOT-RUN\n'), scriptInput('echo ran', marker)]);
    const { stdout } = run(shell, input);
    expect(stdout).toContain('ran');
    expect(stdout).not.toContain('MUST-NOT-RUN');
  });

  test('bytes, not characters, are counted, and line ends at the end are kept', () => {
    const { code, stdout } = run(shell, scriptInput(`v='äöü€😀\n\n'; printf '%s' "$v" | od -An -tx1 | tr -d ' \\n'; echo .\n\n\n`, marker));
    expect(code).toBe(0);
    expect(stdout).toContain(`${Buffer.from('äöü€😀\n\n').toString('hex')}.`);
  });
});

test.each([[['bash', '-c']], [['dash', '-c']], [['busybox', 'sh', '-c']], [['bash', '-l', '-c']]])(
  'the login shell %p passes it on unchanged',
  (login) => {
    expect(run('/bin/sh', scriptInput(`printf '%s' 'it'"'"'s $HOME \\n !'; exit 4`, marker), login)).toMatchObject({
      code: 4,
      stdout: expect.stringContaining("it's $HOME \\n !"),
    });
  },
);

test('a script with a NUL byte is refused, since no shell could hold it', () => {
  expect(() => scriptInput('echo \0', marker)).toThrow(RangeError);
});

describe('output', () => {
  test('is split at its markers however it arrives, and what came before is kept apart', () => {
    const random = createRandom(11);
    const text = `noise\nwelcome${marker} 12 34\n${marker}\nline 1\n${marker} is no marker any more\nend`;
    for (let round = 0; round < 100; round++) {
      const markers: string[] = [];
      const data: Buffer[] = [];
      const output = markedOutput(marker, 2, { onMarker: (rest) => markers.push(rest), onData: (chunk) => data.push(chunk) });
      for (const piece of cutUp(random, text)) output.push(Buffer.from(piece));
      expect(markers).toEqual(['12 34', '']);
      expect(Buffer.concat(data).toString()).toBe(`line 1\n${marker} is no marker any more\nend`);
      expect(output.noise()).toBe('noise\nwelcome');
    }
  });

  test('ends at the mark, wherever the pieces are cut, and not at the bare marker', () => {
    const random = createRandom(12);
    const body = `one\n${marker}\nslip slipway-${marker}`;
    for (let round = 0; round < 200; round++) {
      const end = outputEnd(marker, 4711);
      const shown = cutUp(random, `${body}${marker}.4711late output`).map((piece) => end.push(Buffer.from(piece)).toString());
      expect(shown.join('')).toBe(body);
      expect(end.seen()).toBe(true);
    }
  });

  test('of whole lines is never held back', () => {
    const end = outputEnd(marker, 4711);
    expect(end.push(Buffer.from('locks\n')).toString()).toBe('locks\n');
    expect(end.seen()).toBe(false);
  });
});

test('markers are never the same twice', () => {
  expect(new Set(Array.from({ length: 1000 }, newMarker)).size).toBe(1000);
});

test('the preamble passes the syntax check of each shell', () => {
  const program = commandLine('root', marker).split("'")[1]!;
  for (const shell of ['dash', 'bash']) execFileSync(shell, ['-n', '-c', program]);
});

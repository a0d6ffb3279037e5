import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { scriptedHost } from '../../helpers/scripted-host.ts';

test('answers by the first rule that matches, and keeps what was run', async () => {
  const host = scriptedHost('cp-1')
    .on('uname', 'Linux\n')
    .on(/^exit (\d)/, (script) => ({ code: Number(script.slice(5)) }));
  const lines: string[] = [];
  expect(await host.run('uname -s', { onLine: (line) => lines.push(line), stdin: Readable.from(['a', 'b']) })).toEqual({
    code: 0,
    stdout: 'Linux\n',
    stderr: '',
  });
  expect((await host.run('exit 7', { asLoginUser: true })).code).toBe(7);
  expect(lines).toEqual(['Linux']);
  expect(host.calls).toEqual([
    { script: 'uname -s', stdin: Buffer.from('ab'), asLoginUser: false },
    { script: 'exit 7', stdin: Buffer.alloc(0), asLoginUser: true },
  ]);
});

test('fails on a script that no rule knows', async () => {
  await expect(scriptedHost().run('rm -rf /')).rejects.toThrow('rm -rf /');
});

test('loses its connection on demand', async () => {
  const host = scriptedHost().on('', '');
  host.loseConnection();
  await expect(host.run('true')).rejects.toMatchObject({ code: 'REMOTE_CONNECTION_LOST' });
});

test('a session speaks at once and ends with its input', async () => {
  const host = scriptedHost().on('lock', 'locked\n');
  let locked!: () => void;
  const gotIt = new Promise<void>((resolve) => (locked = resolve));
  const session = host.open('lock', { onLine: locked });
  await gotIt;
  session.writeLine('heartbeat');
  session.end();
  expect(await session.done).toMatchObject({ code: 0 });
  expect(host.calls[0]!.stdin.toString()).toBe('heartbeat\n');
});

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { parseCluster } from '../../../src/config/parse.ts';
import { startSshd, type Sshd } from '../../helpers/sshd.ts';
import { compileRooms } from '../pki/compile.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const ROOMS = ['base', 'config', 'remote', 'engine', 'facts', 'pki', 'artifacts', 'components', 'phases', 'checks', 'cli'];
const PROGRAM = `
import { runInit } from './cli/init/init.js';
import { processIo } from './cli/io.js';
import { errorText, exitCodeFor } from './cli/report-error.js';
const [file, knownHosts, ...host] = process.argv.slice(2);
try {
  process.exitCode = await runInit({ file, knownHosts, host, yes: false, input: true }, processIo());
} catch (error) {
  console.error(errorText(error, (_, text) => text));
  process.exitCode = exitCodeFor(error);
}
`;

let sshd: Sshd;
let program: string;
beforeAll(async () => {
  sshd = await startSshd([], ['ed25519']);
  program = await mkdtemp(join(tmpdir(), 'slipway-terminal-'));
  await compileRooms(ROOMS, program);
  await writeFile(join(program, 'init.mjs'), PROGRAM);
});
afterAll(async () => {
  await sshd.stop();
  await rm(program, { recursive: true, force: true });
});

let home: string;
let terminal: Terminal;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-home-'));
  await mkdir(join(home, '.ssh'));
});
afterEach(async () => {
  await terminal.close();
  await rm(home, { recursive: true });
});

const file = () => join(home, 'cluster.yaml');
const open = async (...host: string[]) => {
  terminal = await openTerminal([process.execPath, join(program, 'init.mjs'), file(), join(home, 'known_hosts'), ...host], {
    HOME: home,
    TERM: 'screen',
  });
};

test('a person types hosts, compares a key, and gets a file', async () => {
  await open();
  await terminal.until(/Hosts:/);
  await terminal.type('10.0.0.300');
  await terminal.press('Enter');
  await terminal.until(/10\.0\.0\.300 is not an IPv4 address/);
  await terminal.press('C-u');
  await terminal.type(`127.0.0.1:${sshd.port}`);
  await terminal.press('Enter');
  await terminal.until(/Log in as .*\(?/);
  await terminal.type(userInfo().username);
  await terminal.press('Enter');
  await terminal.until(/With which key\?/);
  await terminal.press('Down', 'Enter');
  await terminal.until(/Path of the private key:/);
  await terminal.type(sshd.identityFile);
  await terminal.press('Enter');
  await terminal.until(/Name of the cluster:/);
  await terminal.type('demo');
  await terminal.press('Enter');
  await terminal.until(/How shall pods reach each other\?/);
  await terminal.press('Enter');
  await terminal.until(/Install metrics-server/);
  await terminal.press('Enter');
  const question = await terminal.until(/Is that its key\?/);
  expect(question).toMatch(new RegExp(`127\.0\.0\.1:${sshd.port} +ssh-ed25519 +SHA256:`));
  await terminal.type('y');
  await terminal.press('Enter');
  const shown = await terminal.until(/Write this to/);
  expect(shown).toMatch(/HOST +NAME +SYSTEM +CPUS +MEMORY +DISK FREE +ADDRESSES/);
  await terminal.press('Enter');
  await terminal.until(/exit code 0/);
  const { cluster } = parseCluster(await readFile(file(), 'utf8'), file());
  expect(cluster).toMatchObject({
    name: 'demo',
    hosts: [
      { address: '127.0.0.1', roles: ['control-plane', 'etcd', 'worker'], ssh: { port: sshd.port, identityFile: sshd.identityFile } },
    ],
  });
  expect(await readFile(join(home, 'known_hosts'), 'utf8')).toContain(`[127.0.0.1]:${sshd.port} ssh-ed25519 `);
}, 120_000);

test('Ctrl-C at a question ends it with 130, no stack, and no file', async () => {
  await open(`127.0.0.1:${sshd.port}`);
  await terminal.until(/Log in as/);
  await terminal.press('C-c');
  const screen = await terminal.until(/exit code 130/);
  expect(screen).toContain('nothing was written [ABORTED]');
  expect(screen).not.toMatch(/ {4}at |ExitPromptError/);
  expect(existsSync(file())).toBe(false);
}, 120_000);

import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { testLab, type Finished, type TestLab } from '../helpers/lab.ts';
import { sampleProcesses } from '../helpers/samples.ts';
import { secret, secretsBelow, secretsIn, type Secret } from '../helpers/secrets.ts';

const marker = (): string => `Marker-${randomBytes(12).toString('hex')}`;

/**
 * A control plane on Debian 11, workers on 12 and 13; a fourth host is the jump host, which wants a password. The key has a passphrase, and sudo
 * asks for a password.
 */
describe('hosts of three Debian releases, behind a jump host, for a user who is not root', () => {
  let lab: TestLab;
  const env = {
    SLIPWAY_SSH_PASSWORD: marker(),
    SLIPWAY_KEY_PASSPHRASE: marker(),
    SLIPWAY_SUDO_PASSWORD: marker(),
  };
  const releases = ['bullseye', 'bookworm', 'trixie', 'bookworm'];
  /** Everything that a run has said anywhere, and what was seen of it meanwhile. */
  const traces: Record<string, string> = {};
  const said = (what: string, { stdout, stderr }: Finished): void => void (traces[what] = stdout + stderr);

  beforeAll(async () => {
    lab = await testLab('mixed', {
      hosts: 4,
      flags: ['--user', 'admin', '--sudo-password', ...releases.flatMap((release) => ['--release', release])],
      env,
    });
    lab.env['XDG_STATE_HOME'] = join(lab.directory, 'xdg-state');
    const file = join(lab.directory, 'cluster.yaml');
    const text = await readFile(file, 'utf8');
    const jump = /name: w-3, +address: ([\d.]+)/.exec(text)![1]!;
    await writeFile(file, text.replace(/^ +- \{ name: w-3.*\n/m, '').replace('ssh: {', `ssh: { jump: admin@${jump},`));
    await execa('ssh-keygen', ['-q', '-p', '-P', '', '-N', env.SLIPWAY_KEY_PASSPHRASE, '-f', join(lab.directory, 'id_ed25519')]);
    await lab.on('w-3', `rm /home/admin/.ssh/authorized_keys; echo admin:${env.SLIPWAY_SSH_PASSWORD} | chpasswd`);
    // No other way leads to the hosts for the user.
    const bridge = text.match(/address: ([\d.]+)\.\d+/)![1]!;
    await lab.everywhere(
      `[ "$(hostname)" = w-3 ] || { printf 'Match User admin Address ${bridge}.1\\n  DenyUsers admin\\n' >>/etc/ssh/sshd_config; systemctl reload ssh; }`,
    );
  });
  afterAll(() => lab.down());

  test('become a verified cluster with one command, and stay as they are with the next', async () => {
    const samples = await sampleProcesses(lab);
    said('plan', await lab.ok('plan', '-o', 'json', '--out', 'plan.json'));
    said('apply', await lab.ok('apply', '--yes', '-v', '--events', 'events.ndjson'));
    Object.assign(traces, await samples.stop());
    const again = await lab.ok('apply', '--yes');
    said('apply again', again);
    expect(again.stderr).toContain('Nothing to change');
    said('verify', await lab.ok('verify', '--report', 'verify.json'));
    const nodes = await lab.kubectl(
      'get nodes -o jsonpath=\'{range .items[*]}{.metadata.name} {.status.nodeInfo.osImage} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}\'',
    );
    expect(nodes.split('\n')).toEqual([
      'cp-1 Debian GNU/Linux 11 (bullseye) True',
      'w-1 Debian GNU/Linux 12 (bookworm) True',
      'w-2 Debian GNU/Linux 13 (trixie) True',
    ]);
    expect(traces['apply']).not.toContain('not part of the tests on real hosts');
  });

  test('and no password, passphrase or key was to be seen anywhere', async () => {
    const state = (await readdir(lab.directory)).find((name) => name.endsWith('.state'))!;
    const kubeconfig = (await lab.ok('kubeconfig')).stdout;
    const clientKey = Buffer.from(/client-key-data: (\S+)/.exec(kubeconfig)![1]!, 'base64').toString();
    await writeFile(join(lab.directory, 'kubeconfig.key'), clientKey, { mode: 0o600 });
    const secrets: Secret[] = [
      ...Object.entries(env).flatMap(([name, value]) => (name.startsWith('SLIPWAY') ? [secret(name, value)] : [])),
      ...(await secretsBelow(join(lab.directory, state))),
      ...(await secretsBelow(lab.directory)).filter(({ name }) => name === 'kubeconfig.key'),
    ];
    await rm(join(lab.directory, 'kubeconfig.key'));
    // Four authorities, the key of the service accounts, the encryption key twice, a kubeconfig, three markers.
    expect(secrets.length).toBeGreaterThanOrEqual(10);

    const journals = await lab.everywhere('journalctl --no-pager -a -o cat; cat /var/lib/slipway/journal.ndjson 2>/dev/null || :');
    for (const [host, text] of Object.entries(journals)) traces[`journal of ${host}`] = text;
    for (const name of ['events.ndjson', 'plan.json', 'verify.json', 'cluster.lock', 'cluster.yaml'])
      traces[name] = await readFile(join(lab.directory, name), 'utf8');
    const logs = join(lab.env['XDG_STATE_HOME']!, 'slipway/logs');
    for (const name of await readdir(logs)) traces[`log ${name}`] = await readFile(join(logs, name), 'utf8');

    const found = Object.entries(traces).flatMap(([where, text]) => secretsIn(text, secrets).map((name) => `${name} in ${where}`));
    expect(found).toEqual([]);

    // What was searched holds what it should, and the search finds what is there.
    expect(Object.keys(traces).filter((name) => name.startsWith('log '))).toHaveLength(5);
    for (const host of ['cp-1', 'w-1', 'w-2']) {
      expect(traces[host]).toMatch(/sudo -k -S .*\/bin\/sh -c/);
      expect(traces[`journal of ${host}`]).toMatch(/COMMAND=/);
      expect(traces[`journal of ${host}`]).toContain('"result":"done"');
    }
    expect(traces['operator']).toContain('bin/slipway.js apply --yes -v');
    for (const { name, forms } of secrets) expect(secretsIn(`x${forms.at(-1)}y`, secrets)).toContain(name);
  });
});

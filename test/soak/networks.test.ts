import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

let lab: TestLab;
let clusterFile: string;
let written: string;
beforeAll(async () => {
  lab = await testLab('soak-networks', { hosts: 2 });
  clusterFile = join(lab.directory, 'cluster.yaml');
  written = await readFile(clusterFile, 'utf8');
});
afterAll(() => lab.down());

/** A kernel without it is told so before anything is changed; nothing else may keep it from working. */
const lacking = /PREFLIGHT_KERNEL|is missing \(network/;

test.each([
  ['flannel: { backend: host-gw }'],
  ['flannel: { backend: wireguard }'],
  ['flannel: { backend: udp }'],
  ['proxy: { mode: nftables }'],
  ['proxy: { mode: ipvs }'],
  ['forwarding: accept'],
])('network: { %s } makes a verified cluster that survives a loss of power, and is given back', async (network) => {
  await writeFile(clusterFile, `${written.trimEnd()}\n  network: { ${network} }\n`);
  const { exitCode, stderr } = await lab.slipway('apply', '--yes');
  if (exitCode === 5) {
    expect(stderr).toMatch(lacking);
    process.stderr.write(`network: { ${network} }: this kernel lacks it\n`);
    return;
  }
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('slipway kubeconfig')]);
  for (const host of ['cp-1', 'w-1']) await powerOff({ name: lab.name, host });
  for (const host of ['cp-1', 'w-1']) await powerOn({ name: lab.name, host });
  await lab.ok('apply', '--yes');
  await lab.ok('verify');
  await lab.ok('reset', '--confirm', lab.name);
});

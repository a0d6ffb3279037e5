import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

/** Containers have this machine's kernel, whatever that lacks; virtual machines have Debian's, which has all of it. */
describe.each([
  { kind: 'containers', flags: [], networks: ['flannel: { backend: host-gw }', 'proxy: { mode: nftables }', 'forwarding: accept'] },
  {
    kind: 'virtual machines',
    flags: ['--vm'],
    networks: ['flannel: { backend: wireguard }', 'flannel: { backend: udp }', 'proxy: { mode: ipvs }', 'proxy: { mode: nftables }'],
  },
])('on $kind', ({ kind, flags, networks }) => {
  let lab: TestLab;
  let clusterFile: string;
  let written: string;
  beforeAll(async () => {
    lab = await testLab(`soak-networks-${kind.replace(/.* /, '')}`, { hosts: 2, flags });
    clusterFile = join(lab.directory, 'cluster.yaml');
    written = await readFile(clusterFile, 'utf8');
  });
  afterAll(() => lab.down());

  test.each(networks)('network: { %s } makes a verified cluster that survives a loss of power, and is given back', async (network) => {
    await writeFile(clusterFile, `${written.trimEnd()}\n  network: { ${network} }\n`);
    await lab.ok('apply', '--yes');
    for (const host of ['cp-1', 'w-1']) await powerOff({ name: lab.name, host });
    for (const host of ['cp-1', 'w-1']) await powerOn({ name: lab.name, host });
    await lab.ok('apply', '--yes');
    await lab.ok('verify');
    await lab.ok('reset', '--confirm', lab.name);
  });
});

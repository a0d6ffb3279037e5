import { expect, test } from '@jest/globals';
import { recordFrom } from '../../../src/lab/from-snapshot.ts';
import type { SnapshotRecord } from '../../../src/lab/snapshot-record.ts';

test('a container stands on its snapshot, and on what the snapshot stands on; a virtual machine on nothing', () => {
  const hosts = [{ name: 'cp-1', layers: ['/first'] }, { name: 'w-1' }, { name: 'w-2', vm: true }];
  const snapshot = { label: 'kept', lab: { name: 'old', state: 'up', hosts } } as unknown as SnapshotRecord;
  const lab = recordFrom(snapshot, { name: 'new', directory: '/there', directoryMade: false, createdAt: '2026-11-30T12:00:00Z' });
  expect(lab).toMatchObject({ name: 'new', state: 'making', from: 'kept', files: {} });
  expect(lab.hosts.map(({ layers }) => layers)).toEqual([
    ['/var/lib/slipway-lab/.snapshots/kept/hosts/cp-1/upper', '/first'],
    ['/var/lib/slipway-lab/.snapshots/kept/hosts/w-1/upper'],
    undefined,
  ]);
});

import { expect, test } from '@jest/globals';
import { requireHost } from '../../../src/lab/record.ts';
import type { LabRecord } from '../../../src/lab/record.ts';

test('a host that a lab has not is an error that names those it has', () => {
  const lab = { name: 'demo', hosts: [{ name: 'cp-1' }, { name: 'w-1' }] } as unknown as LabRecord;
  expect(() => requireHost(lab, 'w-9')).toThrow(expect.objectContaining({ code: 'LAB_HOST_UNKNOWN', hint: 'Its hosts: cp-1, w-1.' }));
});

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { execaSync } from 'execa';
import type { WaitAction } from '../../../src/engine/step.ts';
import { ready } from '../../../src/phases/ready.ts';
import { contextOf } from './context.ts';

/** What a host of this name waits for, where `systemctl` answers like the real one: a line for each unit, and 0 when any one is active. */
function look(units: string): { exitCode?: number | undefined; stdout: string } {
  writeFileSync(
    join(bin, 'systemctl'),
    `#!/bin/sh\nfor unit; do case $unit in ${units}) echo failed ;; is-active) ;; *) echo active ;; esac; done\n`,
  );
  chmodSync(join(bin, 'systemctl'), 0o755);
  const { condition } = ready.plan(contextOf()).find(({ host }) => host === 'w-1')!.action as WaitAction;
  return execaSync('dash', ['-c', condition], { env: { PATH: `${bin}:/usr/bin:/bin` }, reject: false });
}

const bin = mkdtempSync(join(tmpdir(), 'slipway-ready-'));
afterAll(() => rmSync(bin, { recursive: true }));

describe('the wait for the units of a host', () => {
  test('ends when all of them are active', () => {
    expect(look('none')).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('goes on while some are not, and says which', () => {
    expect(look('kubelet.service | kube-proxy.service')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^(kubelet|kube-proxy)\.service is failed\n(kubelet|kube-proxy)\.service is failed$/),
    });
    expect(look('*.service').exitCode).toBe(1);
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as lab from '../../../src/lab/index.ts';

const { geteuid, platform } = process;

function pretend(machine: { platform: string; user: number }): void {
  Object.defineProperty(process, 'platform', { value: machine.platform });
  Object.defineProperty(process, 'geteuid', { value: () => machine.user });
}

const verbs: Record<string, () => Promise<unknown>> = {
  up: () => lab.labUp({ name: 'never-made' }),
  down: () => lab.labDown({ name: 'never-made' }),
  exec: () => lab.labExec({ name: 'never-made', command: 'true' }),
  ssh: () => lab.labSsh({ name: 'never-made' }),
  powerOff: () => lab.powerOff({ name: 'never-made', host: 'cp-1' }),
  installPrerequisites: () => lab.installPrerequisites(),
};

beforeEach(() => {
  pretend({ platform: 'linux', user: 0 });
});

afterEach(() => {
  Object.defineProperty(process, 'platform', { value: platform });
  Object.defineProperty(process, 'geteuid', { value: geteuid });
});

describe.each(Object.entries(verbs))('%s', (_, verb) => {
  test('says that it needs root', async () => {
    pretend({ platform: 'linux', user: 1000 });
    await expect(verb()).rejects.toMatchObject({ code: 'LAB_NOT_ROOT', category: 'usage', hint: 'Run it with sudo.' });
  });

  test('says that it needs Linux', async () => {
    pretend({ platform: 'darwin', user: 501 });
    await expect(verb()).rejects.toMatchObject({ code: 'LAB_NOT_LINUX', category: 'usage' });
  });
});

test('a lab that does not exist cannot be used', async () => {
  await expect(lab.labExec({ name: 'never-made', command: 'true' })).rejects.toMatchObject({ code: 'LAB_UNKNOWN' });
});

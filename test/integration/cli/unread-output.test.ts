import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '../../../src/base/package-root.ts';

test.each(['stdout', 'stderr'] as const)('a reader of %s that goes away ends no command', async (stream) => {
  const shown = stream === 'stdout' ? ['help'] : ['plan', '-f', '/nowhere/cluster.yaml'];
  const child = spawn(process.execPath, [join(packageRoot(), 'bin/slipway.js'), ...shown], { stdio: ['ignore', 'pipe', 'pipe'] });
  child[stream].destroy();
  let rest = '';
  const other = stream === 'stdout' ? child.stderr : child.stdout;
  other.on('data', (text: Buffer) => (rest += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, rest }).toEqual({ code: stream === 'stdout' ? 0 : 3, rest: '' });
});

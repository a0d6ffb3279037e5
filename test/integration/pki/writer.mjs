// Usage: writer.mjs ROOMS DIRECTORY fill KILL-AT | count FILE | hold
// fill: fills the state directory and dies by SIGKILL before its KILL-AT-th operation on a file, a write being cut in half; prints how many it needed.
// count: adds one to the number in FILE under the lock. hold: takes the lock, says so, and never lets go.
import { open as openFile } from 'node:fs/promises';
import files from 'node:fs/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const [rooms, directory, mode, argument] = process.argv.slice(2);
const killAt = mode === 'fill' ? Number(argument) : Infinity;
let operations = 0;

const handle = await openFile('/dev/null');
for (const [target, names] of [
  [files, ['mkdir', 'open', 'rename', 'rm', 'chmod']],
  [Object.getPrototypeOf(handle), ['chmod', 'writeFile', 'sync', 'close']],
]) {
  for (const name of names) {
    const original = target[name];
    target[name] = async function (...parameters) {
      if (++operations === killAt) {
        if (name === 'writeFile') await original.call(this, parameters[0].slice(0, parameters[0].length / 2));
        process.kill(process.pid, 'SIGKILL');
        await new Promise(() => setInterval(() => undefined, 1000));
      }
      return original.apply(this, parameters);
    };
  }
}
await handle.close();
operations = 0;
syncBuiltinESMExports();
const { openState } = await import(join(rooms, 'pki/state.js'));

const modes = {
  async fill() {
    const state = await openState(directory, { cluster: 'prod' });
    await state.createAuthority('etcd');
    await state.createSecret('encryption-key');
    await state.issue('cp-1', {
      name: 'etcd-peer',
      authority: 'etcd',
      commonName: 'etcd',
      organizations: [],
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
      certificatePath: '/c',
      keyPath: '/k',
      owner: 'etcd',
    });
    await state.close();
    console.log(operations);
  },
  async count() {
    const state = await openState(directory, { cluster: 'prod' });
    for (;;) {
      try {
        await state.lock();
        break;
      } catch (error) {
        if (error.code !== 'STATE_LOCKED') throw error;
      }
    }
    const before = Number(readFileSync(argument, 'utf8'));
    await delay(5);
    writeFileSync(argument, String(before + 1));
    await state.close();
  },
  async hold() {
    await (await openState(directory, { cluster: 'prod' })).lock();
    console.log('held');
    setInterval(() => undefined, 1000);
  },
};
await modes[mode]();

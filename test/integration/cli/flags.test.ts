import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { artefactsFor } from '../../../src/artifacts/catalogue.ts';
import { ownArchitecture } from '../../../src/artifacts/help.ts';
import { createStore, type Store } from '../../../src/artifacts/store.ts';
import type { Artefact } from '../../../src/artifacts/types.ts';
import { errorText } from '../../../src/cli/report-error.ts';
import { checkFlags, fetchAndCheckFlags, type FlagsQuestion } from '../../../src/cli/check-flags.ts';
import { main } from '../../../src/cli/main.ts';
import { painter } from '../../../src/cli/style.ts';
import { parseCluster } from '../../../src/config/parse.ts';
import { fakeIo } from '../../unit/init/io.ts';
import { scratch, textSource, type TextSource } from '../artifacts/fixture.ts';

/** Programs that print a help and would do harm if they were started in any other way. */
const program = (help: string): string => `#!/bin/sh
[ "$*" = --help ] || exit 99
[ -z "$SECRET" ] || exit 98
cat <<'END'
${help}
END
`;

const arch = ownArchitecture()!;
const artefact = (name: string): Artefact => artefactsFor({ kubernetesVersion: '1.36.3', arch }).find((one) => one.name === name)!;

let directory: string;
let remove: () => Promise<void>;
let source: TextSource;
let store: Store;

beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  source = textSource({
    kubelet: program('Flags:\n      --max-pods int32   Number of Pods\n  -v, --v Level          verbosity'),
    flanneld: program('  -iface value\n    \tinterface to use'),
    etcd: '#!/bin/sh\nexit 1\n',
  });
  store = createStore({ cacheDirectory: join(directory, 'slipway'), source });
  process.env['SECRET'] = 'of the operator';
});
afterEach(async () => {
  delete process.env['SECRET'];
  await remove();
});

const fileWith = (components: string): string => `spec:
  hosts:
    - { address: 10.0.0.11, roles: [control-plane, worker] }
  components:
    ${components}
`;

const question = (components: string): FlagsQuestion => ({
  ...parseCluster(fileWith(components), 'cluster.yaml'),
  file: 'cluster.yaml',
  store,
});

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return errorText(error, painter(false));
  }
  throw new Error('nothing was refused');
}

const KUBELET = 'kubelet: { args: { max-pod: 200, v: 2 } }';
const REFUSED = `error cluster.yaml:5:24: spec.components.kubelet.args.max-pod: kubelet 1.36.3 has no flag --max-pod [CLUSTER_FILE_INVALID]
  next: Did you mean max-pods?
error cluster.yaml has one problem`;

describe('flags of the cluster file', () => {
  test('are checked against what the binary in the cache prints', async () => {
    await store.resolve([artefact('kubelet'), artefact('flanneld')]);
    expect(await checkFlags(question('kubelet: { args: { max-pods: 200, v: 2 } }'))).toEqual([]);
    expect(await refusal(checkFlags(question(KUBELET)))).toBe(REFUSED);
    expect(await refusal(checkFlags(question('{ kubelet: { args: { v: 2 } }, flanneld: { args: { ifac: eth1 } } }')))).toContain(
      'error cluster.yaml:5:56: spec.components.flanneld.args.ifac: flanneld 0.28.4 has no flag --ifac',
    );
  });

  test('wait for a binary that is not here, and are checked when it was fetched', async () => {
    const asked = question(KUBELET);
    const unchecked = await checkFlags(asked);
    expect(unchecked).toEqual([
      { component: 'kubelet', flags: ['max-pod', 'v'], where: { file: 'cluster.yaml', line: 5, column: 16 }, missing: artefact('kubelet') },
    ]);
    expect(source.fetches).toBe(0);
    const fetched: string[] = [];
    const onFetch = (names: readonly string[]): void => void fetched.push(...names);
    expect(await refusal(fetchAndCheckFlags({ ...asked, store, unchecked, onFetch }))).toBe(REFUSED);
    expect([source.fetches, fetched]).toEqual([1, ['kubelet 1.36.3']]);
  });

  test('of a binary that says nothing are not refused', async () => {
    await store.resolve([artefact('etcd')]);
    expect(await checkFlags(question('etcd: { args: { heartbeat-interval: 200 } }'))).toEqual([
      { component: 'etcd', flags: ['heartbeat-interval'], where: { file: 'cluster.yaml', line: 5, column: 13 } },
    ]);
  });

  test('cost nothing where there are none', async () => {
    expect(await checkFlags(question('kubelet: { args: {} }'))).toEqual([]);
    expect(await fetchAndCheckFlags({ ...question('{}'), store, unchecked: [], onFetch: () => {} })).toBeUndefined();
  });
});

describe('slipway validate', () => {
  const validate = async (components: string): Promise<{ code: number; out: string; err: string }> => {
    const file = join(directory, 'cluster.yaml');
    await writeFile(file, fileWith(components));
    const io = fakeIo({ interactive: false, env: { XDG_CACHE_HOME: directory } });
    const code = await main(['validate', '-f', file], io);
    return { code, out: io.out().replaceAll(directory, ''), err: io.err().replaceAll(directory, '') };
  };

  test('refuses a flag that does not exist', async () => {
    await store.resolve([artefact('kubelet')]);
    expect(await validate(KUBELET)).toEqual({ code: 3, out: '', err: `${REFUSED.replaceAll('cluster.yaml', '/cluster.yaml')}\n` });
  });

  test('says which flags it could not check, and when they will be', async () => {
    const { code, out } = await validate(KUBELET);
    expect([code, out.split('\n')[0]]).toEqual([
      0,
      'warning: /cluster.yaml:5:16: spec.components.kubelet.args: --max-pod, --v: not checked, because kubelet 1.36.3 is not in the cache (slipway apply fetches it and checks them before it changes a host)',
    ]);
  });
});

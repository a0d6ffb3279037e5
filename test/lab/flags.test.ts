import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { artefactsFor, kubernetesVersions } from '../../src/artifacts/catalogue.ts';
import { defaultCacheDirectory } from '../../src/artifacts/directories.ts';
import { goSource } from '../../src/artifacts/go/source.ts';
import { ownArchitecture, printedFlags } from '../../src/artifacts/help.ts';
import { createStore } from '../../src/artifacts/store.ts';
import { main } from '../../src/cli/main.ts';
import { COMPONENT_NAMES } from '../../src/config/component-names.ts';
import { declarations } from '../../src/components/declare.ts';
import { flagsFor } from '../../src/phases/install.ts';
import { fakeIo } from '../unit/init/io.ts';
import { contextOf } from '../unit/phases/context.ts';

/** The newest version, whose binaries the set-up of this level has built. */
const version = kubernetesVersions.at(-1)!;
const store = createStore({ cacheDirectory: defaultCacheDirectory(), source: goSource() });

async function flagsOf(component: string): Promise<string[]> {
  const artefact = artefactsFor({ kubernetesVersion: version, arch: ownArchitecture()! }).find(({ name }) => name === component)!;
  const here = await store.here(artefact);
  return (await printedFlags(await store.path(here!, component)))!;
}

test.each(COMPONENT_NAMES)('%s prints every flag that we give it', async (component) => {
  const context = contextOf();
  const ours = context.cluster.hosts
    .flatMap((host) => declarations(context, host))
    .filter((declared) => declared.component.name === component)
    .flatMap(({ declaration }) => flagsFor(declaration.unit!.flags ?? [], version).map(({ name }) => name));
  const printed = await flagsOf(component);
  expect(printed.length).toBeGreaterThan(4);
  expect(ours.filter((name) => !printed.includes(name))).toEqual([]);
});

describe('slipway validate', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-flags-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function validate(components: string): Promise<{ code: number; err: string }> {
    const file = join(directory, 'cluster.yaml');
    await writeFile(
      file,
      `spec:
  kubernetes: { version: ${version} }
  hosts:
    - { address: 10.0.0.11, roles: [control-plane, worker] }
  components:
${components}`,
    );
    const io = fakeIo({ interactive: false });
    const code = await main(['validate', '-f', file], io);
    return { code, err: io.err().replaceAll(directory, '') };
  }

  test('knows the flags of every component, and what was probably meant', async () => {
    const { code, err } = await validate(`    etcd: { args: { heartbeat-intervall: 200 } }
    kube-apiserver: { args: { v: 2, audit-log-max-age: 7 } }
    kube-controller-manager: { args: { node-monitor-graceperiod: 20s } }
    kube-scheduler: { args: { kube_api_qps: 100 } }
    containerd: { args: { loglevel: debug } }
    kubelet: { args: { maxpods: 200 } }
    kube-proxy: { args: { proxy-modes: ipvs } }
    flanneld: { args: { iface-regexp: eth } }
`);
    expect(code).toBe(3);
    expect(err).toMatchInlineSnapshot(`
     "error /cluster.yaml:6:21: spec.components.etcd.args.heartbeat-intervall: etcd 3.6.8 has no flag --heartbeat-intervall [CLUSTER_FILE_INVALID]
       next: Did you mean heartbeat-interval?
     error /cluster.yaml:7:37: spec.components.kube-apiserver.args.audit-log-max-age: kube-apiserver 1.36.3 has no flag --audit-log-max-age [CLUSTER_FILE_INVALID]
       next: Did you mean audit-log-maxage?
     error /cluster.yaml:8:40: spec.components.kube-controller-manager.args.node-monitor-graceperiod: kube-controller-manager 1.36.3 has no flag --node-monitor-graceperiod [CLUSTER_FILE_INVALID]
       next: Did you mean node-monitor-grace-period?
     error /cluster.yaml:9:31: spec.components.kube-scheduler.args.kube_api_qps: kube-scheduler 1.36.3 has no flag --kube_api_qps [CLUSTER_FILE_INVALID]
       next: Did you mean kube-api-qps?
     error /cluster.yaml:10:27: spec.components.containerd.args.loglevel: containerd 2.4.2 has no flag --loglevel [CLUSTER_FILE_INVALID]
       next: Did you mean log-level?
     error /cluster.yaml:11:24: spec.components.kubelet.args.maxpods: kubelet 1.36.3 has no flag --maxpods [CLUSTER_FILE_INVALID]
       next: Did you mean max-pods?
     error /cluster.yaml:12:27: spec.components.kube-proxy.args.proxy-modes: kube-proxy 1.36.3 has no flag --proxy-modes [CLUSTER_FILE_INVALID]
       next: Did you mean proxy-mode?
     error /cluster.yaml:13:25: spec.components.flanneld.args.iface-regexp: flanneld 0.28.4 has no flag --iface-regexp [CLUSTER_FILE_INVALID]
       next: Did you mean iface-regex?
     error /cluster.yaml has 8 problems
     "
    `);
  });

  test('accepts flags that exist', async () => {
    expect(
      await validate(`    kube-apiserver: { args: { v: 2, audit-log-maxage: 7 } }
    kubelet: { args: { max-pods: 200, feature-gates: "A=true" } }
    flanneld: { args: { v: 2 } }
`),
    ).toEqual({ code: 0, err: '' });
  });
});

import { describe, expect, test } from '@jest/globals';
import { isSlipwayError, type SlipwayErrors } from '../../../src/base/errors.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { Context } from '../../../src/phases/context.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { RUNNING_PROBE } from '../../../src/phases/running.ts';
import { refuseChanges } from '../../../src/verbs/guards/changes.ts';
import { strayWarnings } from '../../../src/verbs/guards/strays.ts';
import { contextOf } from '../phases/context.ts';

const VERSION = contextOf().versions.kubernetes;

/** What the probe prints on a control plane and on a worker of a cluster as the default file makes it. */
const printed: Record<string, string> = {
  'cp-1': `runs kube-apiserver ${VERSION}
flag kube-apiserver service-cluster-ip-range=10.96.0.0/16
flag kube-apiserver service-account-issuer=https://kubernetes.default.svc.cluster.local
runs kube-controller-manager ${VERSION}
flag kube-controller-manager cluster-cidr=10.244.0.0/16
flag kube-controller-manager node-cidr-mask-size=24
flag kube-controller-manager service-cluster-ip-range=10.96.0.0/16
runs kubelet ${VERSION}
flag etcd data-dir=/var/lib/etcd
flag flanneld kube-subnet-mgr=true`,
  'w-1': `runs kubelet ${VERSION}
flag flanneld kube-subnet-mgr=true`,
};

function running(of: Context, change: (text: string, host: string) => string = (text) => text): Context {
  const states = Object.fromEntries(
    Object.entries(printed).map(([host, text]): [string, HostState] => [
      host,
      { ...emptyState, ...of.states[host], probes: { ...of.states[host]?.probes, [RUNNING_PROBE.name]: change(text, host) } },
    ]),
  );
  return { ...of, states };
}

function refusals(context: Context): string[] {
  try {
    refuseChanges(context);
    return [];
  } catch (error) {
    if (!isSlipwayError(error)) throw error;
    expect(error.category).toBe('refused');
    return ('errors' in error ? (error as SlipwayErrors).errors : [error]).map(
      ({ code, message, hint }) => `${code} ${message} -> ${hint}`,
    );
  }
}

describe('what a running cluster cannot change', () => {
  test('hosts without a cluster, and the cluster as it is, are fine', () => {
    expect(refusals(contextOf())).toEqual([]);
    expect(refusals(running(contextOf()))).toEqual([]);
  });

  test.each(['1.34.4', '1.37.2'])('another version than %s, which runs', (version) => {
    expect(refusals(running(contextOf(), (text) => text.replaceAll(VERSION, version)))).toEqual([
      `VERSION_FIXED kubernetes.version is ${VERSION}, and the cluster runs ${version} (cp-1) -> write version: ${version} to the cluster file; a running cluster cannot be taken to another version yet`,
    ]);
  });

  test('a node that lags behind the API servers may catch up; without them the nodes are the cluster', () => {
    const lagging = (text: string, host: string): string => (host === 'w-1' ? text.replace(VERSION, '1.35.4') : text);
    expect(refusals(running(contextOf(), lagging))).toEqual([]);
    const alone = (text: string, host: string): string => (host === 'w-1' ? text.replace(VERSION, '1.35.4') : '');
    expect(refusals(running(contextOf(), alone))).toEqual([expect.stringContaining('and the cluster runs 1.35.4 (w-1)')]);
  });

  test.each([
    ['podCidr: 10.200.0.0/16', 'network.podCidr is 10.200.0.0/16, and the cluster was made with 10.244.0.0/16 (--cluster-cidr on cp-1)'],
    ['nodeCidrMaskSize: 25', 'network.nodeCidrMaskSize is 25, and the cluster was made with 24 (--node-cidr-mask-size on cp-1)'],
    [
      'serviceCidr: 10.97.0.0/16',
      'network.serviceCidr is 10.97.0.0/16, and the cluster was made with 10.96.0.0/16 (--service-cluster-ip-range on cp-1)',
    ],
    [
      'clusterDomain: k8s.internal',
      'network.clusterDomain is k8s.internal, and the cluster was made with cluster.local (--service-account-issuer on cp-1)',
    ],
  ])('%s', (field, message) => {
    expect(refusals(running(contextOf(`  network: { ${field} }`)))).toEqual([expect.stringContaining(`FIELD_FIXED ${message} -> write `)]);
  });

  test('where etcd and flannel have what they keep', () => {
    const moved = running(contextOf('  components: { etcd: { args: { data-dir: /srv/etcd } } }'));
    expect(refusals(moved)).toEqual([
      expect.stringContaining(
        'FIELD_FIXED components.etcd.args.data-dir is /srv/etcd, and the cluster was made with /var/lib/etcd (--data-dir on cp-1)',
      ),
    ]);
    const store = '  network: { flannel: { store: etcd } }';
    expect(refusals(running(contextOf(store)))).toEqual([
      expect.stringContaining(
        'FIELD_FIXED network.flannel.store is etcd, and the cluster was made with kubernetes (--kube-subnet-mgr on cp-1)',
      ),
    ]);
    const inEtcd = (text: string): string => text.replaceAll('kube-subnet-mgr=true', 'etcd-prefix=/coreos.com/network');
    expect(refusals(running(contextOf(store), inEtcd))).toEqual([]);
    expect(refusals(running(contextOf(), inEtcd))).toEqual([
      expect.stringContaining(
        'FIELD_FIXED network.flannel.store is kubernetes, and the cluster was made with etcd (--etcd-prefix on cp-1)',
      ),
    ]);
  });

  describe('who its hosts are', () => {
    const installedAs = (host: string, was: string): Context => {
      const of = contextOf();
      return { ...of, facts: { ...of.facts, [host]: { ...of.facts[host]!, cluster: { name: 'kubernetes', host: was } } } };
    };

    test('another name', () => {
      expect(refusals(installedAs('w-1', 'w-1'))).toEqual([]);
      expect(refusals(installedAs('w-1', 'db-1'))).toEqual([
        'NODE_RENAMED w-1 was installed as db-1, and a node keeps its name -> write name: db-1 again; for another name take it out first (slipway remove db-1), then slipway join w-1',
      ]);
    });

    test('a copy of another host', () => {
      expect(refusals(installedAs('w-1', 'w-2'))).toEqual([
        expect.stringContaining(
          'HOST_CLONED w-1 was installed as w-2, which is another host of the cluster file: its disk is a copy -> install its system anew',
        ),
      ]);
    });

    test('another address of a member of etcd', () => {
      const of = contextOf();
      const list = (address: string): Context => {
        const members = `data\nmember, 1abc, started, cp-1, https://${address}:2380, https://${address}:2379, false`;
        return { ...of, states: { 'cp-1': { ...emptyState, probes: { [MEMBERS_PROBE.name]: members } } } };
      };
      const own = of.cluster.hosts[0]!.privateAddress!;
      expect(refusals(list(own))).toEqual([]);
      expect(refusals(list('10.9.9.9'))).toEqual([
        `MEMBER_MOVED cp-1 has the address ${own}, and is a member of etcd at 10.9.9.9 -> a member keeps its address: write 10.9.9.9 again, or take it out (slipway remove cp-1, with --dead where 10.9.9.9 is gone) and join it with its new one`,
      ]);
    });
  });

  describe('another backend of flannel', () => {
    const changed = (backend: string): Context => {
      const of = running(contextOf(`  network: { flannel: { backend: ${backend} } }`));
      const nodes = ['cp-1', 'w-1', 'w-2'].map((name) => `backend ${name} vxlan\nversion ${name} v${VERSION}`).join('\n');
      return {
        ...of,
        states: { ...of.states, 'cp-1': { ...of.states['cp-1']!, probes: { ...of.states['cp-1']!.probes, [NODES_PROBE.name]: nodes } } },
      };
    };

    test('cuts pods off from each other, which somebody must accept', () => {
      expect(refusals(changed('vxlan'))).toEqual([]);
      expect(refusals(changed('host-gw'))).toEqual([
        'OUTAGE_NOT_ACCEPTED network.flannel.backend is host-gw, and cp-1, w-1 and w-2 have another one: while they change, pods on different nodes do not reach each other -> all nodes change at once, in some seconds; if that may be, add --accept-outage',
      ]);
      expect(refusals({ ...changed('host-gw'), outageAccepted: true })).toEqual([]);
    });

    test('is for all nodes or none, whoever accepts what', () => {
      expect(refusals({ ...changed('host-gw'), outageAccepted: true, limit: ['cp-1', 'w-1'] })).toEqual([
        expect.stringContaining(
          'BACKEND_SPLIT network.flannel.backend is host-gw, and cp-1, w-1 and w-2 have another one; without w-2 the pod network',
        ),
      ]);
    });
  });

  test('all at once', () => {
    expect(refusals(running(contextOf('  network: { podCidr: 10.200.0.0/16, serviceCidr: 10.97.0.0/16 }')))).toHaveLength(2);
  });

  test('a control plane that would only become a worker', () => {
    const of = contextOf('', (cluster) => ({
      ...cluster,
      hosts: cluster.hosts.map((host) => (host.name === 'w-1' ? { ...host, roles: ['worker'] } : host)),
    }));
    const unit = { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: 'a' };
    const facts = { ...of.facts, 'w-1': { ...of.facts['w-1']!, cluster: { name: 'kubernetes' } } };
    const states = {
      'w-1': { ...emptyState, units: { 'kube-apiserver.service': unit, 'etcd.service': unit }, probes: { members: 'data' } },
    };
    expect(refusals({ ...of, facts, states })).toEqual([
      'ROLE_CHANGED w-1 is worker in the cluster file, and still has the role control-plane and etcd in the cluster -> write its roles as they were, take it out with slipway remove w-1, then add it with its new roles: slipway join',
    ]);
  });

  test('a line that the host makes up is not believed', () => {
    expect(refusals(running(contextOf(), () => 'runs kube-apiserver 1.2.3;id\nflag kube-apiserver cluster-cidr=$(id)'))).toEqual([]);
  });
});

describe('what left the file', () => {
  const nodes = ['cp-1', 'w-1', 'w-2', 'w-9'].map((name) => `version ${name} v${VERSION}`).join('\n');
  const told = (more: Partial<Context> = {}): Context => ({
    ...contextOf(),
    states: {
      'cp-1': {
        ...emptyState,
        probes: { nodes, members: 'data\nmember, 1a, started, cp-9, https://10.0.0.99:2380, https://10.0.0.99:2379, false' },
      },
    },
    ...more,
  });

  test('is named', () => {
    expect(strayWarnings(told())).toEqual([
      {
        message: 'cp-9 and w-9 are nodes or members of etcd of the cluster, and not in the cluster file: nothing is done to them',
        hint: 'write them to the file again; to take one out of the cluster, slipway remove cp-9 after that',
      },
    ]);
    expect(strayWarnings(contextOf())).toEqual([]);
  });

  test('is not guessed while a host has no known name', () => {
    const of = told();
    const hosts = of.cluster.hosts.map((host) => (host.name === 'w-2' ? { ...host, name: '10.0.0.22', named: false } : host));
    const { 'w-2': _, ...facts } = of.facts;
    expect(strayWarnings({ ...of, cluster: { ...of.cluster, hosts }, facts })).toEqual([]);
  });
});

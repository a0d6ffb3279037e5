import type { Component } from './component.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import { BIN, etcdClientUrl, etcdMembers, isEtcdMember, leasesInEtcd, nodeAddress, PKI, UNITS } from './topology.ts';

const CONFIG = '/etc/etcd/pki';
export const DATA = '/var/lib/etcd';
const OWNER = 'etcd:etcd';
const DEFRAG_SCRIPT = '/etc/etcd/defrag';
/** Started with etcd, which wants the timer. */
const DEFRAG = { service: `${UNITS}/etcd-defrag.service`, timer: `${UNITS}/etcd-defrag.timer` };

/** The unit lies where kube-bench looks for it, and the keys outside of /etc/kubernetes/pki, because etcd runs as its own user (HARDENING 1). */
export const etcd: Component = {
  name: 'etcd',
  summary: 'The key-value store that holds all of the cluster’s state.',
  runsOn: isEtcdMember,
  rollout: 'one-by-one',
  ownedPaths: ['/etc/etcd', '/usr/lib/systemd/system/etcd.service', ...Object.values(DEFRAG)],
  sharedPaths: [DATA],
  declare({ cluster, host }) {
    const address = nodeAddress(host);
    const members = etcdMembers(cluster);
    return {
      artefacts: ['etcd'],
      user: { name: 'etcd', home: DATA },
      directories: [
        { path: '/etc/etcd', mode: '0755' },
        { path: CONFIG, mode: '0700', owner: OWNER },
        { path: DATA, mode: '0700', owner: OWNER },
      ],
      files: [
        { path: `${CONFIG}/ca.crt`, from: { ref: 'authority:etcd' }, mode: '0600', owner: OWNER },
        // Read at the first start only: a member that has data takes its members from there, so later members never change this file.
        {
          path: '/etc/etcd/bootstrap.env',
          from: {
            template: 'etcd/bootstrap.env.hbs',
            data: bootstrapEnvironment(cluster, {
              state: 'new',
              members: members.map((member) => ({ name: member.name, url: `https://${nodeAddress(member)}:2380` })),
            }),
          },
          once: true,
          reloaded: true,
        },
        {
          path: DEFRAG_SCRIPT,
          from: {
            template: 'etcd/defrag.sh.hbs',
            data: {
              etcdctl: LOCAL_ETCDCTL,
            },
          },
          mode: '0755',
          reloaded: true,
        },
        {
          path: DEFRAG.service,
          from: { template: 'etcd/etcd-defrag.service.hbs', data: { script: DEFRAG_SCRIPT } },
          mode: '0644',
          reloaded: true,
        },
        {
          path: DEFRAG.timer,
          from: { template: 'etcd/etcd-defrag.timer.hbs', data: { minute: String(minuteOf(address)).padStart(2, '0') } },
          mode: '0644',
          reloaded: true,
        },
      ],
      certificates: [
        {
          name: 'etcd-server',
          authority: 'etcd',
          commonName: host.name,
          organizations: [],
          usages: ['server', 'client'],
          dnsNames: [host.name, 'localhost'],
          ipAddresses: [address, '127.0.0.1'],
          certificatePath: `${CONFIG}/server.crt`,
          keyPath: `${CONFIG}/server.key`,
          owner: OWNER,
        },
        {
          name: 'etcd-peer',
          authority: 'etcd',
          commonName: host.name,
          organizations: [],
          usages: ['server', 'client'],
          dnsNames: [host.name],
          ipAddresses: [address],
          certificatePath: `${CONFIG}/peer.crt`,
          keyPath: `${CONFIG}/peer.key`,
          owner: OWNER,
        },
      ],
      unit: {
        name: 'etcd.service',
        path: '/usr/lib/systemd/system/etcd.service',
        template: 'etcd/etcd.service.hbs',
        data: { binary: `${BIN}/etcd` },
        flags: [
          { name: 'name', value: host.name },
          { name: 'data-dir', value: DATA },
          { name: 'listen-client-urls', value: `https://127.0.0.1:2379,${etcdClientUrl(host)}` },
          { name: 'advertise-client-urls', value: etcdClientUrl(host) },
          { name: 'listen-peer-urls', value: `https://${address}:2380` },
          { name: 'initial-advertise-peer-urls', value: `https://${address}:2380` },
          { name: 'cert-file', value: `${CONFIG}/server.crt` },
          { name: 'key-file', value: `${CONFIG}/server.key` },
          { name: 'trusted-ca-file', value: `${CONFIG}/ca.crt` },
          { name: 'client-cert-auth', value: 'true' },
          { name: 'peer-cert-file', value: `${CONFIG}/peer.crt` },
          { name: 'peer-key-file', value: `${CONFIG}/peer.key` },
          { name: 'peer-trusted-ca-file', value: `${CONFIG}/ca.crt` },
          { name: 'peer-client-cert-auth', value: 'true' },
          { name: 'tls-min-version', value: 'TLS1.2' },
          { name: 'auto-compaction-mode', value: 'periodic' },
          { name: 'auto-compaction-retention', value: '8h' },
          { name: 'quota-backend-bytes', value: String(8 * 1024 ** 3) },
          { name: 'snapshot-count', value: '10000' },
          { name: 'listen-metrics-urls', value: 'http://127.0.0.1:2381' },
        ],
      },
      ports: [
        {
          port: 2379,
          protocol: 'tcp',
          from: leasesInEtcd(cluster) ? 'nodes' : 'control-plane',
          purpose: 'etcd clients',
        },
        { port: 2380, protocol: 'tcp', from: 'etcd', purpose: 'etcd peers' },
        { port: 2381, protocol: 'tcp', from: 'local', purpose: 'etcd metrics' },
      ],
      health: { scheme: 'http', port: 2381, path: '/health' },
    };
  },
};

/** Neighbours among addresses are minutes apart, and nobody's minute depends on who else is there. */
function minuteOf(address: string): number {
  return (Number(address.split('.').at(-1)) * 7) % 60;
}

/** What a member is told when it starts for the first time. */
export function bootstrapEnvironment(
  cluster: Cluster,
  { members, state }: { members: readonly { name: string; url: string }[]; state: 'new' | 'existing' },
): Record<string, unknown> {
  return { token: cluster.name, members, state };
}

/** The members that an API server talks to: its own, or all when it has none. */
export function etcdServers(cluster: Cluster, host: Host): string {
  return isEtcdMember(host) ? 'https://127.0.0.1:2379' : etcdMembers(cluster).map(etcdClientUrl).join(',');
}

/** etcdctl on a member's host, with its own certificate, which is a client's too. */
export const etcdctlOfMember = (endpoints: string): string =>
  `${BIN}/etcdctl --endpoints=${endpoints} --cacert=${CONFIG}/ca.crt --cert=${CONFIG}/server.crt --key=${CONFIG}/server.key`;

/** The same, talking to nobody else. */
export const LOCAL_ETCDCTL = etcdctlOfMember('https://127.0.0.1:2379');

/** etcdctl on a control-plane host, with the client certificate of its API server and these endpoints. */
export const etcdctlAt = (endpoints: string): string =>
  `${BIN}/etcdctl --endpoints=${endpoints} --cacert=${PKI}/etcd-ca.crt --cert=${PKI}/apiserver-etcd-client.crt --key=${PKI}/apiserver-etcd-client.key`;

/** The same with the members of its API server. */
export const ETCDCTL = etcdctlAt(`$(sed -n 's/.*--etcd-servers=\\([^ "]*\\).*/\\1/p' ${UNITS}/kube-apiserver.service)`);

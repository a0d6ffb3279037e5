import { expect } from '@jest/globals';
import { LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import { KUBECTL, UNITS } from '../../src/components/topology.ts';
import type { Answer } from '../../src/checks/verify/index.ts';
import type { VerifyReport } from '../../src/cli/verify-report.ts';
import type { TestLab } from './lab.ts';

export async function verify(
  lab: TestLab,
  ...options: string[]
): Promise<{ exitCode: number; report: VerifyReport; failed: Record<string, Answer> }> {
  const { exitCode, stdout, stderr } = await lab.slipway('verify', '-o', 'json', ...options);
  if (!stdout.startsWith('{')) throw new Error(`verify printed no report: ${stderr}`);
  const report = JSON.parse(stdout) as VerifyReport;
  return {
    exitCode,
    report,
    failed: Object.fromEntries(report.checks.filter(({ ok }) => ok === 'fail').map((check) => [check.id, check])),
  };
}

export interface Breakage {
  name: string;
  host: string;
  /** Only `verify --deep` looks. */
  deep?: boolean;
  breaks: string;
  mends: string;
  /** The checks that fail, each with what its message must say. */
  named: Readonly<Record<string, RegExp>>;
  evidence?: RegExp;
}

const quota = (bytes: string): string =>
  `sed -i "s/--quota-backend-bytes=[0-9]*/--quota-backend-bytes=${bytes}/" /usr/lib/systemd/system/etcd.service; systemctl daemon-reload; systemctl restart etcd`;

const apiServer = (change: string, file: string): string =>
  `sed -i '${change}' ${file}; systemctl daemon-reload; systemctl restart kube-apiserver; until ${KUBECTL} get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done`;

/** What verify must notice, on a lab of one control plane and two workers. */
export const breakages: readonly Breakage[] = [
  {
    name: 'a kubelet that was stopped',
    host: 'w-1',
    breaks: 'systemctl stop kubelet',
    mends: 'systemctl start kubelet',
    named: { units: /^w-1: kubelet\.service is inactive$/, kubelet: /^w-1: /, pods: /^w-1: / },
    evidence: /Stopped kubelet\.service/,
  },
  {
    name: 'a flanneld that was stopped',
    host: 'w-1',
    breaks: 'systemctl stop flanneld',
    mends: 'systemctl start flanneld',
    named: { units: /^w-1: flanneld\.service is inactive$/ },
  },
  {
    name: 'a forwarding chain that was flushed on a host that drops',
    host: 'w-1',
    // Held still: it would put the chain in place again before the pods are tried.
    breaks: 'systemctl kill -s STOP slipway-forwarding; iptables -w -F SLIPWAY-FORWARD; iptables -w -P FORWARD DROP',
    mends: 'systemctl restart slipway-forwarding; iptables -w -P FORWARD ACCEPT',
    named: {
      forwarding: /^w-1: the chain SLIPWAY-FORWARD does not accept traffic from pods and to pods, and the policy of FORWARD is DROP/,
      'pod-network': /^w-1: pods here and pods on other nodes do not reach each other$/,
    },
  },
  {
    name: 'a network that loses large packets',
    host: 'w-1',
    breaks: 'iptables -w -I INPUT -p udp --dport 8472 -m length --length 1300:65535 -j DROP',
    mends: 'iptables -w -D INPUT -p udp --dport 8472 -m length --length 1300:65535 -j DROP',
    named: { 'packet-size': /small packets reach the pod on w-1, large ones do not/ },
  },
  {
    name: 'a scheduler that was stopped',
    host: 'cp-1',
    breaks: 'systemctl stop kube-scheduler',
    mends: 'systemctl start kube-scheduler',
    named: {
      units: /^cp-1: kube-scheduler\.service is inactive$/,
      scheduler: /cp-1: .*no kube-scheduler leads/,
      scheduling: /nobody chooses a node/,
    },
  },
  {
    name: 'a daemon that ends again and again, with its own words',
    host: 'w-2',
    breaks: 'sed -i "s/^mode:.*/mode: nonsense/" /etc/kubernetes/kube-proxy/config.yaml; systemctl restart kube-proxy',
    mends: 'sed -i "s/^mode:.*/mode: iptables/" /etc/kubernetes/kube-proxy/config.yaml; systemctl restart kube-proxy',
    named: { units: /^w-2: kube-proxy\.service (?:ends again and again|does not get ready)/, 'kube-proxy': /^w-2: /, services: /^w-2: / },
    evidence: /command failed.*nonsense/,
  },
  {
    name: 'pods whose packets leave with addresses that nobody outside knows',
    host: 'w-1',
    deep: true,
    breaks: 'iptables -w -t nat -I POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j ACCEPT',
    mends: 'iptables -w -t nat -D POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j ACCEPT',
    named: { outside: /^w-1: a pod here does not reach [\d.]+, the name server of its node$/ },
  },
  {
    name: 'ports of a node that lead to no pod',
    host: 'w-2',
    deep: true,
    breaks: 'iptables -w -t nat -I PREROUTING -p tcp --dport 20000:20100 -j ACCEPT',
    mends: 'iptables -w -t nat -D PREROUTING -p tcp --dport 20000:20100 -j ACCEPT',
    named: { 'host-port': /^w-2: a pod's hostPort is not reached from another host$/ },
  },
  {
    name: 'an etcd that has used up its quota',
    host: 'cp-1',
    breaks: `${quota('65536')}; ${LOCAL_ETCDCTL} put /full yes 2>&1 | grep 'space exceeded'`,
    mends: `${quota('8589934592')}; ${LOCAL_ETCDCTL} alarm disarm; until ${KUBECTL} get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done`,
    named: { etcd: /etcd at https:\/\/[\d.]+:2379 says: .*NOSPACE/ },
  },
  {
    name: 'an API server that lets nothing privileged run',
    host: 'cp-1',
    breaks: apiServer('s/--allow-privileged=true/--allow-privileged=false/', `${UNITS}/kube-apiserver.service`),
    mends: apiServer('s/--allow-privileged=false/--allow-privileged=true/', `${UNITS}/kube-apiserver.service`),
    named: { privileged: /^the API server takes no privileged pod, in no namespace$/ },
  },
  {
    name: 'an API server that lets everything privileged run',
    host: 'cp-1',
    breaks: apiServer('s/enforce: baseline/enforce: privileged/', '/etc/kubernetes/apiserver/admission.yaml'),
    mends: apiServer('s/enforce: privileged/enforce: baseline/', '/etc/kubernetes/apiserver/admission.yaml'),
    named: { privileged: /^a namespace without labels takes a privileged pod: Pod Security is not enforced$/ },
  },
  {
    name: 'a CoreDNS that was deleted',
    host: 'cp-1',
    breaks: `${KUBECTL} -n kube-system delete deployment coredns`,
    mends: 'true',
    named: { coredns: /^the Deployment coredns is missing in kube-system$/, dns: /^cp-1, w-1 and w-2: / },
  },
];

/** Breaks it, lets verify look, mends it: the checks that must notice have failed, in the words that they must find. */
export async function named(lab: TestLab, { host, deep = false, breaks, mends, named: wanted, evidence }: Breakage): Promise<void> {
  await lab.on(host, breaks);
  const { exitCode, failed } = await verify(lab, ...(deep ? ['--deep'] : [])).finally(() => lab.on(host, mends));
  expect(exitCode).toBe(1);
  for (const [id, message] of Object.entries(wanted)) expect(failed[id]?.message ?? `${id} does not fail`).toMatch(message);
  if (evidence) expect(failed['units']?.evidence).toMatch(evidence);
}

import { apiEndpoint } from './api-endpoint.ts';
import { apiServer } from './api-server.ts';
import { auditLog } from './audit-log.ts';
import { certificates } from './certificates.ts';
import { controllerManager } from './controller-manager.ts';
import { coredns } from './coredns.ts';
import { dns } from './dns.ts';
import { encryption } from './encryption.ts';
import { etcd } from './etcd.ts';
import { execLogs } from './exec-logs.ts';
import { flannel } from './flannel.ts';
import { forwarding } from './forwarding.ts';
import { hairpin } from './hairpin.ts';
import { hostPort } from './host-port.ts';
import { hosts } from './hosts.ts';
import { identity } from './identity.ts';
import { kubeProxy } from './kube-proxy.ts';
import { kubelet } from './kubelet.ts';
import { metrics } from './metrics.ts';
import { nodes } from './nodes.ts';
import { outside } from './outside.ts';
import { packetSize } from './packet-size.ts';
import { podNetwork } from './pod-network.ts';
import { pods } from './pods.ts';
import { privileged } from './privileged.ts';
import { scheduler } from './scheduler.ts';
import { scheduling } from './scheduling.ts';
import { services } from './services.ts';
import { units } from './units.ts';
import { probeHosts, type Seen } from './probe.ts';
import { tryOut, type Trial } from './trial.ts';
import { list, notTried, type CheckResult, type VerifyCheck, type VerifyContext } from './verify.ts';
import type { Host } from '../../config/cluster.ts';

/** In the order of the report: what lies below comes first. */
export const verifyChecks: readonly VerifyCheck[] = [
  identity,
  hosts,
  units,
  etcd,
  apiServer,
  controllerManager,
  scheduler,
  apiEndpoint,
  kubelet,
  nodes,
  flannel,
  kubeProxy,
  forwarding,
  coredns,
  metrics,
  auditLog,
  certificates,
  pods,
  podNetwork,
  packetSize,
  services,
  hairpin,
  hostPort,
  outside,
  dns,
  scheduling,
  execLogs,
  encryption,
  privileged,
];

export interface Answer extends CheckResult {
  id: string;
  title: string;
}

export interface VerifyOptions {
  /** With the checks that cost seconds. */
  deep: boolean;
  /** Makes the names of this verification's objects unique: letters and digits. */
  suffix: string;
}

/** Looks at hosts and cluster at the same time, and answers in the order of the checks. Nothing of it stays in the cluster. */
export async function verify(context: VerifyContext, { deep, suffix }: VerifyOptions, checks = verifyChecks): Promise<Answer[]> {
  const due = checks.filter((check) => (deep || !check.deep) && (check.applies?.(context) ?? true));
  for (const { id, title } of due) context.emit({ code: 'check.started', id, title });
  const looking = probeHosts(context, due);
  const trying = tryOut(context, { checks: due, suffix });
  const answers = new Map<string, Answer>();
  const answerAll = (some: readonly VerifyCheck[], seen: Seen, trial: Trial | undefined): void => {
    for (const check of some) answers.set(check.id, answer(check, { context, seen, trial }));
  };
  const seen = looking.then((all) => {
    answerAll(
      due.filter((check) => !check.trial),
      all,
      undefined,
    );
    return all;
  });
  const [all, trial] = await Promise.all([seen, trying]);
  answerAll(
    due.filter((check) => check.trial),
    all,
    trial,
  );
  return due.map(({ id }) => answers.get(id)!);
}

/** What the last gathering says, without asking anybody. */
export function quickVerify(context: VerifyContext, checks = verifyChecks): Answer[] {
  return checks.flatMap((check) => {
    if (!check.quick) return [];
    const { id, title } = check;
    context.emit({ code: 'check.started', id, title });
    return [say(check, check.quick(context), context)];
  });
}

interface Looked {
  context: VerifyContext;
  seen: Seen;
  trial: Trial | undefined;
}

function answer(check: VerifyCheck, looked: Looked): Answer {
  const { context, seen, trial } = looked;
  const blind = check.probe !== undefined && !context.cluster.hosts.some((host) => seen.output[host.name]?.[check.id] !== undefined);
  if (blind) return say(check, notTried('no host that could tell was reached'), context);
  const result = check.run({
    ...context,
    seen: (host) => seen.output[host.name]?.[check.id],
    unreachable: seen.unreachable,
    get trial() {
      if (!trial) throw new Error(`${check.id} does not declare that it needs the trial`);
      return trial;
    },
  });
  return say(check, withUnseen(result, unseenBy(check, looked)), context);
}

/** The hosts that the check covers, and of which nothing was seen. */
function unseenBy({ covers, probe, trial: tries, id }: VerifyCheck, { context, seen, trial }: Looked): string[] {
  if (covers === undefined || (tries && trial?.observer === undefined)) return [];
  const saw = (host: Host): boolean =>
    tries
      ? trial?.pods[host.name]?.address !== undefined
      : seen.output[host.name]?.[id] !== undefined || probe?.(host, context) === undefined;
  return [...context.cluster.hosts.filter((host) => !saw(host)), ...context.unread.map(({ host }) => host)]
    .filter(covers)
    .map(({ name }) => name);
}

/** No answer claims more than was seen. What was found of a host is said already. */
function withUnseen(result: CheckResult, hosts: readonly string[]): CheckResult {
  const found = new Set(result.findings?.flatMap((finding) => finding.hosts));
  const unseen = hosts.filter((host) => !found.has(host));
  return unseen.length === 0 || result.ok === 'untried'
    ? result
    : { ...result, message: `${result.message}; not looked at: ${list(unseen)}`, unseen };
}

function say({ id, title }: VerifyCheck, result: CheckResult, { emit }: VerifyContext): Answer {
  emit({
    code: 'check.done',
    id,
    title,
    ok: result.ok !== 'fail',
    result: result.ok,
    message: result.message,
  });
  return { id, title, ...result };
}

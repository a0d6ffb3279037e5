import { list as listOf } from '../../base/words.ts';
import type { ComponentVersions } from '../../artifacts/catalogue.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import type { Emit } from '../../engine/events.ts';
import type { HostState } from '../../engine/state.ts';
import type { Facts } from '../../facts/facts.ts';
import { declarations, type Declared } from '../../components/declare.ts';
import type { Inventory } from '../../pki/types.ts';
import type { Runner } from '../../remote/runner.ts';
import type { Trial } from './trial.ts';

/** What a verification starts from. */
export interface VerifyContext {
  /** Normalised: every host has its final name and private address. */
  cluster: Cluster;
  /** Names of hosts of the cluster file that were not to be looked at, and so are not in `cluster`. */
  leftOut: readonly string[];
  /** Why these hosts are not the cluster of the state directory; undefined: they are. */
  identityProblem?: { message: string; hint?: string | undefined } | undefined;
  /** Hosts that are not in `cluster` because they could not be read. */
  unread: readonly Unread[];
  /** By host name, as `states`. */
  facts: Readonly<Record<string, Facts>>;
  /** As the last gathering found the hosts. */
  states: Readonly<Record<string, HostState>>;
  /** They were gathered a moment ago, and nothing was changed since. */
  statesAreCurrent: boolean;
  versions: ComponentVersions;
  inventory: Inventory;
  /** Milliseconds since 1970. */
  now: number;
  /** Name of the probe in `states` that lists the nodes (phases/nodes.ts). */
  nodesProbe: string;
  render(template: string, data: Readonly<Record<string, unknown>>): string;
  runner(host: string): Promise<Runner>;
  emit: Emit;
  /** Aborted: what was made in the cluster is removed, and the verification ends. */
  stop: AbortSignal;
  /** Seconds that something may still need to come up: long after an installation, short when the cluster is said to run. */
  patience: number;
}

export interface Unread {
  host: Host;
  why: string;
  hint?: string | undefined;
}

/** What a check answers from: the context, and what was seen on the hosts and in the cluster. */
export interface CheckContext extends VerifyContext {
  /** What the check's own probe printed on the host; undefined: the host has no such probe, or did not answer. */
  seen(host: Host): string | undefined;
  /** Why a host could not be looked at, by its name. */
  unreachable: Readonly<Record<string, string>>;
  /** What pods of our own found out; only for checks that declare `trial`. */
  trial: Trial;
}

/** One thing that must be true of a working cluster. */
export interface VerifyCheck {
  /** Kebab-case; the name of its file. */
  id: string;
  /** What is true when it passes. */
  title: string;
  /** Only with --deep: it costs seconds or much traffic. */
  deep?: boolean;
  /**
   * The hosts that it says something of, each by what was seen there itself: by its own probe, or with `trial` by a pod that runs there. Those where
   * nothing was seen are named in its answer. Default: none, because one host can answer for all.
   */
  covers?(host: Host): boolean;
  /** Default: always. */
  applies?(context: VerifyContext): boolean;
  /** Shell text whose output on the host `run` gets to see; all probes of a host go there in one script, and run side by side. */
  probe?(host: Host, context: VerifyContext): string | undefined;
  /** Answers from the trial: not before it has ended. */
  trial?: boolean;
  /** Shell text that is run on a control plane while the trial's pods are there; `context.trial.work` has what it prints. */
  work?(
    trial: { namespace: string; observer: Host; pods: readonly string[]; podOf(node: string): string | undefined },
    context: VerifyContext,
  ): string;
  run(context: CheckContext): CheckResult;
  /** The answer that the last gathering already holds, without asking any host. */
  quick?(context: VerifyContext): CheckResult;
}

export interface CheckResult {
  /** `untried`: it could not be looked at, because something else is broken. */
  ok: 'pass' | 'warn' | 'fail' | 'untried';
  /** One sentence: what was found, and of what. */
  message: string;
  /** Hosts that the answer says nothing of, though it should. */
  unseen?: readonly string[];
  /** What to do next. */
  hint?: string;
  /** Lines that show it. */
  evidence?: string;
  /** Numbers and names for machines. */
  data?: unknown;
  /** What the message is made of, when it is not a pass. */
  findings?: readonly Finding[];
}

export interface Finding {
  ok: 'warn' | 'fail';
  /** The hosts it is true of; empty: the cluster as a whole. */
  hosts: readonly string[];
  /** What was found, without the hosts' names. */
  what: string;
  hint?: string | undefined;
  evidence?: string | undefined;
}

export function failing(
  hosts: string | readonly string[],
  what: string,
  more: { hint?: string | undefined; evidence?: string | undefined } = {},
): Finding {
  return { ok: 'fail', hosts: typeof hosts === 'string' ? [hosts] : hosts, what, ...more };
}

export function warning(
  hosts: string | readonly string[],
  what: string,
  more: { hint?: string | undefined; evidence?: string | undefined } = {},
): Finding {
  return { ...failing(hosts, what, more), ok: 'warn' };
}

/** One answer out of many findings; the same finding on several hosts is said once. Without findings: the words of the pass. */
export function verdict(findings: readonly Finding[], pass: { message: string; data?: unknown }): CheckResult {
  const data = pass.data === undefined ? {} : { data: pass.data };
  if (findings.length === 0) return { ok: 'pass', message: pass.message, ...data };
  const grouped = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.ok, finding.what]);
    const same = grouped.get(key);
    grouped.set(
      key,
      same ? { ...same, hosts: [...same.hosts, ...finding.hosts], evidence: joined([same.evidence, finding.evidence], '\n') } : finding,
    );
  }
  const all = [...grouped.values()];
  const sorted = [...all.filter(({ ok }) => ok === 'fail'), ...all.filter(({ ok }) => ok === 'warn')];
  const hint = joined(
    sorted.map((finding) => finding.hint),
    '; ',
  );
  const evidence = joined(
    sorted.map((finding) => finding.evidence),
    '\n',
  );
  return {
    ok: sorted[0]!.ok,
    message: sorted.map(({ hosts, what }) => (hosts.length === 0 ? what : `${list(hosts)}: ${what}`)).join('; '),
    ...(hint === undefined ? {} : { hint }),
    ...(evidence === undefined ? {} : { evidence }),
    ...data,
    findings: sorted,
  };
}

/** For what cannot be looked at because something else is broken, which has its own check. */
export function notTried(why: string): CheckResult {
  return { ok: 'untried', message: `not tried: ${why}` };
}

function joined(texts: readonly (string | undefined)[], separator: string): string | undefined {
  const some = [...new Set(texts.filter((text) => text !== undefined && text !== ''))];
  return some.length === 0 ? undefined : some.join(separator);
}

/** `a`, `a and b`, `a, b and c`; many are cut. */
export function list(words: readonly string[], most = 8): string {
  const unique = [...new Set(words)];
  if (unique.length > most) return `${unique.slice(0, most - 1).join(', ')} and ${unique.length - most + 1} more`;
  return listOf(unique);
}

/** `1 host`, `2 hosts`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** What the components declare for a host. */
export function declared(context: VerifyContext, host: Host): Declared[] {
  return declarations(context, host);
}

/** The value of a flag of a component's unit, with what the cluster file sets instead. */
export function flagOf(context: VerifyContext, host: Host, { component, flag }: { component: string; flag: string }): string | undefined {
  const own = context.cluster.components[component]?.args[flag];
  if (own !== undefined) return own;
  return declared(context, host)
    .find((entry) => entry.component.name === component)
    ?.declaration.unit?.flags?.find(({ name }) => name === flag)?.value;
}

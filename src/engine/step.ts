/** The pseudo-host of work that is done on the operator's own machine. */
export const OPERATOR = 'operator';

declare const brand: unique symbol;
/** What a step is called in a plan. Only `stepId` makes one: whoever needs a step asks the code that knows it, and spells nothing. */
export type StepId = string & { readonly [brand]: 'step' };

/** `HOST/PHASE-OR-COMPONENT/SLUG`: unique in a plan, stable between runs. */
export const stepId = (host: string, phase: string, slug: string): StepId => `${host}/${phase}/${slug}` as StepId;

/**
 * Bytes of a file: in the plan itself, or a reference that is resolved when the step runs (a key, a certificate, a secret document), so
 * that a plan never holds a secret. `sha256` is missing while the bytes do not exist yet ("known after issue").
 */
export type Content = { text: string } | { ref: string; sha256?: string | undefined };

export interface DirectoryAction {
  kind: 'directory';
  path: string;
  /** Octal digits, e.g. `0755`. */
  mode: string;
  /** `user:group`. */
  owner: string;
  /** Others fill it, with what is not ours to move: a link to a directory will do. */
  shared?: boolean;
}

export interface FileAction {
  kind: 'file';
  path: string;
  mode: string;
  owner: string;
  content: Content;
  /** Never shown or read back for a diff. */
  secret?: boolean;
  /** Written only when missing: afterwards the file belongs to a daemon (the kubelet's own client certificate). */
  once?: boolean;
}

export interface LinkAction {
  kind: 'link';
  path: string;
  target: string;
}

export interface UserAction {
  kind: 'user';
  name: string;
  home: string;
}

export interface SysctlAction {
  kind: 'sysctl';
  /** Dotted keys; values as the kernel prints them. */
  settings: Readonly<Record<string, string>>;
}

export interface PackageAction {
  kind: 'package';
  names: readonly string[];
  /** Present when all of these commands exist. */
  provides: readonly string[];
  /** Shell text of the distribution's package manager. */
  install: string;
}

export interface ArtefactAction {
  kind: 'artefact';
  name: string;
  version: string;
  /** Content digest by the lock; missing before the first fetch. */
  digest?: string | undefined;
}

export interface UnitAction {
  kind: 'unit';
  /** Full name, e.g. `etcd.service`. */
  name: string;
  /** Its unit file; systemd may still have another one of this name loaded, a package's. */
  path: string;
  /** Of everything the process was started from; the unit file carries it as SLIPWAY_INPUTS. */
  digest: string;
  /** `false`: enabled at boot, but started by something else (a timer's service). Default true. */
  running?: boolean;
  /** Paths that its process makes by itself: recorded like those that we write, so that reset removes them. */
  makes?: readonly string[];
  /** Units on the same host that cannot end well without it: where it is restarted, they are stopped before and started after. */
  clients?: readonly string[];
}

export interface ScriptAction {
  kind: 'script';
  script: string;
  /** The probe that tells whether it is done, and the lines that it prints then. Without it the step runs whenever it is planned. */
  done?: { probe: string; lines: readonly string[] };
  /** References whose bytes the script reads on its standard input, one after the other. */
  stdin?: readonly string[];
  /** The hosts that it is done for together, its arguments ("$@"). It goes on without those on which something failed that it needs. */
  each?: readonly string[];
  /** What it prints is worth reading while it runs: each line is shown once. */
  progress?: boolean;
  /** How long it may wait on purpose, beside what every script may take. */
  timeoutSeconds?: number;
}

export interface WaitAction {
  kind: 'wait';
  /** Shell text that succeeds when the condition holds; polled on the host every 100 ms. */
  condition: string;
  timeoutSeconds: number;
  /** The units whose logs explain a failure. */
  units?: readonly string[];
  /** A unit that ended so often meanwhile will not come up: the wait is over. Default: never. */
  restarts?: number;
}

/** Work on the operator's machine, carried out by the handler of that name. */
export interface LocalAction {
  kind: 'local';
  task: string;
  parameters: unknown;
}

export type Action =
  | DirectoryAction
  | FileAction
  | LinkAction
  | UserAction
  | SysctlAction
  | PackageAction
  | ArtefactAction
  | UnitAction
  | ScriptAction
  | WaitAction
  | LocalAction;

/**
 * What a phase wants to be true. Order in the column holds within a host and lane; `needs` and `after` order everything else.
 * A lane of its own lets bytes and packages arrive while configuration is written.
 */
export interface Desired {
  id: StepId;
  host: string;
  /** What it does, in words that follow "will": `write /etc/etcd/etcd.env`. */
  summary: string;
  action: Action;
  /** What must be done before. Some phase of the playbook wants each of these; whether they are due does not matter. */
  needs?: readonly StepId[];
  /** The same of steps that not every playbook, limit or cluster has: where nobody wants them, nothing is waited for. */
  after?: readonly StepId[];
  lane?: Lane;
  /**
   * The host that it is done for, when it runs on another one: its failure ends the work for that host, and the one that it runs on goes on.
   * Such steps are in order among themselves only.
   */
  concerns?: string;
  /** Planned only together with at least one of these steps, e.g. a wait after a restart. */
  onlyIfAny?: readonly StepId[];
  /** Planned only because something that was so is not any more: never a wish of the cluster file. */
  drift?: boolean;
  /** Digest of what the cluster file wants of it, where the action has more in it, e.g. how often a certificate was issued. Default: of the action. */
  wanted?: string;
  /** Planned too when one of these steps is, though all seems well: what a process runs from was replaced. */
  triggeredBy?: readonly StepId[];
  /**
   * Names a change of something that serves. Its steps are one script on their host, which begins when everything is done that any of them needs; when
   * one of them fails, the last one's look at whether it serves included, the host puts back what they replaced, whether or not anybody is connected.
   */
  change?: string;
  /** What those who use the cluster notice of a change. */
  effect?: string;
}

export type Lane = 'main' | 'delivery' | 'packages' | 'images' | 'api' | 'reloads' | 'rollout' | 'gates';

/** A desired thing that is not so yet. */
export interface Step extends Omit<Desired, 'after'> {
  phase: string;
  lane: Lane;
  /** Steps of the same plan. */
  needs: readonly StepId[];
  /** It is planned because of others, as a wait after a restart is: nothing differs for which it would be planned alone. */
  accompanies?: true;
  /** Why it is planned: `missing`, `mode 0644, should be 0600`, ... */
  reason: string;
}

/** The same step, with more to wait for. */
export function waiting<D extends Desired>(step: D, { needs = [], after = [] }: Pick<Desired, 'needs' | 'after'>): D {
  return {
    ...step,
    ...(needs.length > 0 ? { needs: [...(step.needs ?? []), ...needs] } : {}),
    ...(after.length > 0 ? { after: [...(step.after ?? []), ...after] } : {}),
  };
}

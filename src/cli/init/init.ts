import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { prompts } from '../prompts.ts';
import { painter } from '../style.ts';
import { askCluster, askHosts, askSsh } from './ask.ts';
import { decideNetworks, decidePrivate, decideRoles } from './decide.ts';
import { connectable, type Draft, draftCluster, draftText, keyOf } from './draft.ts';
import { findingsText } from './found.ts';
import { type Judge, judgeByPreflight } from './judge.ts';
import { lookAtHosts } from './look.ts';
import { checkFlags, type InitOptions, unanswerable } from './options.ts';
import { type Probe, type ProbeResult, sshProbe } from './probe.ts';
import { aborted, type Questions, terminalQuestions } from './questions.ts';
import { startSurvey, type Survey } from './survey.ts';
import { mayWrite, writeClusterFile } from './write.ts';
import type { Wizard } from './wizard.ts';

export type { InitOptions } from './options.ts';

/** What tests, and commands that go on after the wizard, put in. */
export interface InitParts {
  questions?: Questions | undefined;
  probe?: Probe | undefined;
  judge?: Judge | undefined;
  /** Runs the command that the person chose to go on with; its exit code is ours. Without it the commands are only named. */
  next?: ((verb: 'plan' | 'apply', file: string) => Promise<number>) | undefined;
}

/**
 * The wizard: asks for hosts, looks at them while it goes on asking, proposes roles and networks, and writes a cluster file. With `yes` it asks
 * nothing. Resolves with the exit code. Throws SlipwayError: ABORTED on Ctrl-C or "no", QUESTION_UNANSWERABLE and other usage errors, and what
 * hosts failed with when nobody can decide about them.
 */
export async function runInit(options: InitOptions, io: Io, parts: InitParts = {}): Promise<number> {
  checkFlags(options);
  const asks = io.interactive && options.input && !options.yes;
  const wizard: Wizard = {
    options,
    io,
    paint: painter(io.color.stderr),
    questions: asks ? (parts.questions ?? terminalQuestions(io)) : undefined,
    say: (text) => void io.stderr.write(`${text}\n`),
    home: io.env['HOME'] ?? homedir(),
    file: options.file === '-' ? resolve('cluster.yaml') : resolve(options.file),
  };
  if (!asks && !options.yes) throw unanswerable('whether this is what you want', '--yes');
  await mayWrite(wizard);

  const stop = new AbortController();
  const forget = io.onInterrupt(() => stop.abort());
  let survey: Survey | undefined;
  try {
    const hosts = await askHosts(wizard);
    const ssh = await askSsh(wizard, hosts);
    const empty: Draft = {
      name: options.name ?? 'kubernetes',
      kubernetesVersion: options.kubernetesVersion,
      ssh,
      hosts,
      flannel: 'vxlan',
      metricsServer: false,
      facts: new Map(),
      roles: new Map(),
      private: new Map(),
      networks: undefined,
      remarks: [],
    };
    if (options.connect !== false) {
      survey = startSurvey({
        cluster: connectable(empty, wizard.file),
        probe: parts.probe ?? sshProbe,
        signal: stop.signal,
        secret: asks ? prompts(io, { options, onSecret: () => {} }).secret : undefined,
      });
    }
    const asked = { ...empty, ...(await askCluster(wizard)) };
    const looked = survey === undefined ? asked : withResults(asked, await lookAtHosts(wizard, survey));
    const draft = await decide(wizard, looked);
    return await conclude(wizard, { draft, judge: parts.judge ?? judgeByPreflight, next: parts.next });
  } finally {
    stop.abort();
    forget();
    // Connections that are still open end by the signal; their failure is no news any more.
    await survey?.finished().catch(() => {});
  }
}

function withResults(draft: Draft, results: ReadonlyMap<string, ProbeResult>): Draft {
  const facts = new Map([...results].flatMap(([key, result]) => (result.kind === 'facts' ? [[key, result.facts] as const] : [])));
  return { ...draft, facts, hosts: draft.hosts.filter((host) => results.has(keyOf(host))) };
}

async function decide(wizard: Wizard, draft: Draft): Promise<Draft> {
  const placed = { ...draft, private: await decidePrivate(wizard, draft) };
  const roled = { ...placed, ...(await decideRoles(wizard, placed)) };
  return { ...roled, networks: decideNetworks(wizard, roled) };
}

async function conclude(wizard: Wizard, { draft, judge, next }: { draft: Draft; judge: Judge; next: InitParts['next'] }): Promise<number> {
  const { options, questions, say, paint, file } = wizard;
  const text = draftText(draft);
  const { cluster, warnings } = draftCluster(draft, file);
  for (const warning of warnings)
    say(
      `${paint('yellow', 'warning')} ${warning.message}${warning.hint === undefined ? '' : `\n    ${paint('cyan', 'next:')} ${warning.hint}`}`,
    );
  const facts = Object.fromEntries(
    cluster.hosts.flatMap(({ name }, i) =>
      draft.facts.has(keyOf(draft.hosts[i]!)) ? [[name, draft.facts.get(keyOf(draft.hosts[i]!))!]] : [],
    ),
  );
  const findings = judge(cluster, facts);
  if (findings.length > 0) say(`${findingsText(findings, paint)}\n`);
  if (questions !== undefined) {
    say(`\n${text}`);
    if (!(await questions.confirm({ message: `Write this to ${options.file}?`, default: true }))) throw aborted();
  }
  await writeClusterFile(wizard, text);
  if (options.file === '-') return exitCodes.ok;
  say(`Wrote ${options.file}.`);
  return goOn(wizard, { blocked: findings.some(({ severity }) => severity === 'error'), next });
}

/** What comes next: said, or done when the person wants it. */
async function goOn(
  { options, questions, say }: Wizard,
  { blocked, next }: { blocked: boolean; next: InitParts['next'] },
): Promise<number> {
  const named = options.file === 'cluster.yaml' ? '' : ` -f ${options.file}`;
  if (blocked) say('What is named above as an error must be mended on the hosts before the installation can begin.');
  if (questions !== undefined && next !== undefined) {
    const verb = await questions.choose({
      message: 'What now?',
      choices: [
        { value: 'plan', name: `slipway plan${named}`, description: 'Shows what would be done to the hosts, and changes nothing.' },
        { value: 'apply', name: `slipway apply${named}`, description: 'Shows the plan, asks, and installs the cluster.' },
        { value: 'nothing', name: 'Nothing now' },
      ],
      default: 'plan',
    });
    if (verb === 'plan' || verb === 'apply') return next(verb, options.file);
  }
  say(`Next: slipway plan${named} shows what would be done; slipway apply${named} does it.`);
  return exitCodes.ok;
}

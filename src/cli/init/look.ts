import { SlipwayError, SlipwayErrors } from '../../base/errors.ts';
import { failuresText, hostsTable, keysText, some } from './found.ts';
import { keyId, type ProbeResult } from './probe.ts';
import { aborted, type Questions } from './questions.ts';
import type { Survey } from './survey.ts';
import { leaveTakenOut } from './taken.ts';
import type { Wizard } from './wizard.ts';

/** Waits for the survey, settles keys, secrets and failures with the person, and shows what was found. Resolves with what is known of each host. */
export async function lookAtHosts(wizard: Wizard, survey: Survey): Promise<ReadonlyMap<string, ProbeResult>> {
  const { questions, say, paint } = wizard;
  await survey.finished(progressLine(wizard));
  if (questions === undefined) refuseFailures(survey.results());
  else {
    await confirmKeys(survey, wizard, questions);
    await askSecrets(survey);
    while (failed(survey.results()).length > 0) {
      if (!(await settleFailures(survey, wizard, questions))) break;
    }
  }
  await leaveTakenOut(survey, wizard, questions);
  const found = hostsTable(survey.results(), paint);
  if (found !== '') say(`\n${found}\n`);
  return survey.results();
}

function progressLine({ io }: Wizard): (known: number, all: number) => void {
  if (!io.animated) return () => {};
  return (known, all) => io.stderr.write(known < all ? `\r${known} of ${all} hosts have answered ` : '\r\x1b[K');
}

function failed(results: ReadonlyMap<string, ProbeResult>): string[] {
  return [...results].flatMap(([host, { kind }]) => (kind === 'facts' ? [] : [host]));
}

/** All unknown keys in one question: nobody compares the fifth of twenty. Again for hosts that are behind a jump host. */
async function confirmKeys(survey: Survey, wizard: Pick<Wizard, 'say'>, questions: Questions): Promise<void> {
  const { say } = wizard;
  const unknown = [...survey.results()].flatMap(([host, result]) =>
    result.kind === 'unknown-key' ? [{ host, question: result.question }] : [],
  );
  const keys = [...new Map(unknown.map(({ question }) => [keyId(question), question])).values()];
  if (keys.length === 0) return;
  say(`${keys.length === 1 ? 'One host is' : `${keys.length} hosts are`} not in known_hosts yet. This is what they present as their keys:`);
  say(keysText(keys));
  const prints = keys.map(({ fingerprint }) => fingerprint);
  if (new Set(prints).size < prints.length)
    say('Some hosts have the same key: they were probably copied from one image. Give them keys of their own some time.');
  say("Compare with what the hosts' consoles say: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  const message = keys.length === 1 ? 'Is that its key?' : 'Are these their keys, all of them?';
  if (!(await questions.confirm({ message, default: false }))) return;
  await survey.again(
    unknown.map(({ host }) => host),
    keys.map(keyId),
  );
  await confirmKeys(survey, wizard, questions);
}

/** While other questions were on the screen, nobody could be asked for passwords. */
async function askSecrets(survey: Survey): Promise<void> {
  const hosts = [...survey.results()].flatMap(([host, result]) => (result.kind === 'error' && result.secretWanted ? [host] : []));
  if (hosts.length > 0) await survey.again(hosts);
}

/** Whether to look for failures again. */
async function settleFailures(survey: Survey, { say, paint }: Wizard, questions: Questions): Promise<boolean> {
  const results = survey.results();
  const hosts = failed(results);
  const text = failuresText(asErrors(results), paint);
  say(text);
  const answer = await questions.choose({
    message: `${some(hosts)} cannot be looked at. What now?`,
    choices: [
      { value: 'again', name: 'Try again' },
      { value: 'keep', name: 'Keep them in the file as they are' },
      ...(hosts.length < results.size ? [{ value: 'drop', name: 'Leave them out' }] : []),
      { value: 'stop', name: 'Stop here' },
    ],
    default: 'again',
  });
  switch (answer) {
    case 'again':
      await survey.again(hosts);
      await confirmKeys(survey, { say }, questions);
      return true;
    case 'drop':
      survey.drop(hosts);
      return false;
    case 'keep':
      return false;
    default:
      throw aborted();
  }
}

/** Unknown keys as the errors that they are for who does not accept them. */
function asErrors(results: ReadonlyMap<string, ProbeResult>): ReadonlyMap<string, ProbeResult> {
  return new Map(
    [...results].map(([host, result]) =>
      result.kind === 'unknown-key'
        ? [host, { kind: 'error', error: unknownKey(host, result), secretWanted: false } as const]
        : [host, result],
    ),
  );
}

function unknownKey(host: string, { question }: Extract<ProbeResult, { kind: 'unknown-key' }>): SlipwayError {
  return new SlipwayError(`the host key of ${host} is not known: ${question.type} ${question.fingerprint}`, {
    code: 'HOST_KEY_UNKNOWN',
    category: 'unreachable',
    where: { host },
    hint: 'Compare it with the host, then record it in known_hosts (ssh-keyscan), or run slipway init at a terminal.',
  });
}

function refuseFailures(results: ReadonlyMap<string, ProbeResult>): void {
  const errors = [...asErrors(results).values()].flatMap((result) => (result.kind === 'error' ? [result.error] : []));
  const [first] = errors;
  if (first === undefined) return;
  throw new SlipwayErrors(
    `${errors.length} of ${results.size} hosts cannot be looked at; nothing was written`,
    { code: 'INIT_HOSTS_FAILED', category: first.category, hint: 'With --no-connect the file is written without looking at the hosts.' },
    errors,
  );
}

import { gatherErrors, SlipwayError } from '../../base/errors.ts';
import type { ClusterTraces } from '../../facts/facts.ts';
import { clusterWords } from '../../phases/identity.ts';
import { errorText } from '../report-error.ts';
import { some } from './found.ts';
import { aborted, type Questions } from './questions.ts';
import type { Survey } from './survey.ts';
import type { Wizard } from './wizard.ts';

/**
 * Hosts that are part of a cluster are not proposed for a new one: they are left out, or nothing is written. Throws INIT_HOST_TAKEN (refused) where
 * nobody can be asked.
 */
export async function leaveTakenOut(survey: Survey, { say, paint }: Wizard, questions: Questions | undefined): Promise<void> {
  const taken = [...survey.results()].flatMap(([host, result]) =>
    result.kind === 'facts' && result.facts.cluster !== undefined ? [{ host, error: takenError(host, result.facts.cluster) }] : [],
  );
  if (taken.length === 0) return;
  const errors = taken.map(({ error }) => error);
  const all = gatherErrors(errors, `${taken.length} hosts are part of a cluster already; nothing was written`);
  if (questions === undefined) throw all;
  say(errorText(all, paint));
  const hosts = taken.map(({ host }) => host);
  const answer = await questions.choose({
    message: `${some(hosts)} cannot be part of a new cluster. What now?`,
    choices: [
      ...(hosts.length < survey.results().size ? [{ value: 'drop', name: 'Leave them out' }] : []),
      { value: 'stop', name: 'Stop here' },
    ],
    default: 'stop',
  });
  if (answer !== 'drop') throw aborted();
  survey.drop(hosts);
}

function takenError(host: string, traces: ClusterTraces): SlipwayError {
  return new SlipwayError(`${host} is part of a running cluster already: ${clusterWords(traces)}`, {
    code: 'INIT_HOST_TAKEN',
    category: 'refused',
    where: { host },
    hint: `use the cluster file of ${traces.name ?? 'that cluster'}: slipway status shows it, slipway join adds hosts to it, slipway remove takes this one out of it`,
  });
}

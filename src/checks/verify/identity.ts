import { count, failing, verdict, type VerifyCheck } from './verify.ts';

export const identity: VerifyCheck = {
  id: 'identity',
  title: 'The hosts are the cluster whose keys are here',
  run({ cluster, identityProblem }) {
    const findings = identityProblem ? [failing([], identityProblem.message, { hint: identityProblem.hint })] : [];
    return verdict(findings, { message: count(cluster.hosts.length, 'host') });
  },
};

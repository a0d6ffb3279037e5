import { quote } from '../../base/quote.ts';
import { ETCDCTL } from '../../components/etcd.ts';
import { failing, notTried, verdict, type VerifyCheck } from './verify.ts';

/** How a value begins that the API server encrypted: provider, version, key (k8s.io/apiserver, storage/value/encrypt). */
const ENCRYPTED = /^k8s:enc:(\w+):v\d+:/;

export const encryption: VerifyCheck = {
  id: 'encryption',
  title: 'Secrets are encrypted in etcd',
  trial: true,
  // Only the beginning leaves the host.
  work: ({ namespace }) =>
    `${ETCDCTL} --command-timeout=10s get ${quote(`/registry/secrets/${namespace}/verify`)} --print-value-only | head -c 40 | tr -cd '[:print:]'`,
  run({ trial }) {
    if (trial.observer === undefined) return notTried(trial.problem ?? 'there is no trial');
    const said = (trial.work['encryption'] ?? '').trim();
    const provider = ENCRYPTED.exec(said)?.[1];
    if (provider !== undefined) return verdict([], { message: provider, data: { provider } });
    const hint = 'kube-apiserver needs --encryption-provider-config: slipway apply puts it back; then rewrite all Secrets';
    if (/^k8s/.test(said))
      return verdict([failing([], 'a new Secret is stored in etcd as it is, not encrypted', { hint })], { message: '' });
    return verdict(
      [
        failing(trial.observer, 'the test Secret cannot be read from etcd', {
          evidence: said || 'no value',
          hint: 'look at the check of etcd',
        }),
      ],
      { message: '' },
    );
  },
};

import { finding, type PreflightCheck } from './preflight.ts';

/** Milliseconds. Certificates are dated by the operator's clock; etcd's leases and the kubelets' heartbeats compare hosts with each other. */
const tolerated = { warning: 2_000, error: 30_000 };

const hint =
  'Run a time service there: timedatectl set-ntp true (systemd-timesyncd or chrony), then timedatectl to see whether it is synchronised.';

export const clock: PreflightCheck = {
  id: 'clock',
  title: 'The clocks agree',
  run({ cluster, hosts }) {
    const skews = cluster.hosts.flatMap(({ name }) => {
      const facts = hosts[name];
      return facts === undefined ? [] : [{ name, skew: facts.clock.host - facts.clock.operator }];
    });
    const off = skews.filter(({ skew }) => Math.abs(skew) > tolerated.warning);
    const spread = Math.max(...skews.map(({ skew }) => skew)) - Math.min(...skews.map(({ skew }) => skew));
    // Several hosts that agree with each other are right, and the machine that asks is wrong.
    if (off.length === skews.length && skews.length > 1 && spread <= tolerated.warning) {
      const skew = skews[0]!.skew;
      return [
        finding(severityOf(skew), [], {
          what: `the clock of this machine is ${seconds(skew)} ${skew > 0 ? 'behind' : 'ahead of'} all hosts`,
          hint: 'Set the clock of the machine that you run this on: certificates are dated by it.',
        }),
      ];
    }
    return off.map(({ name, skew }) =>
      finding(severityOf(skew), name, { what: `its clock is ${seconds(skew)} ${skew > 0 ? 'ahead of' : 'behind'} this machine's`, hint }),
    );
  },
};

function severityOf(skew: number): 'error' | 'warning' {
  return Math.abs(skew) > tolerated.error ? 'error' : 'warning';
}

function seconds(skew: number): string {
  const s = Math.abs(skew) / 1000;
  return s < 120 ? `${s.toFixed(s < 10 ? 1 : 0)} s` : s < 7200 ? `${Math.round(s / 60)} minutes` : `${Math.round(s / 3600)} hours`;
}

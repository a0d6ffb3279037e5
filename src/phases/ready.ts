import { declarations } from '../components/declare.ts';
import { kubeApiserver } from '../components/kube-apiserver.ts';
import { controlPlanes } from '../components/topology.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { looksAtBatches, nodeGate } from './rollout/batches.ts';
import { readyStep, unitStep } from './step-ids.ts';

/** Seconds; a kubelet waits for its API server, flanneld for its node: the slowest host decides. */
const TIMEOUT = 180;
/** Of all units together; what waits for something else does so without ending, or ends every few seconds. */
const RESTARTS = 100;

export const ready: Phase<Context> = {
  id: 'ready',
  title: 'Wait until all units are up',
  summary: 'Waits on every host until what was started there says that it is ready; shows the unit’s own words when it does not.',
  plan: (context) => [
    ...plannedHosts(context).map((host): Desired => {
      const started = declarations(context, host).filter(({ declaration }) => declaration.unit);
      const units = started.map(({ declaration }) => declaration.unit!.name);
      return {
        id: readyStep(host),
        host: host.name,
        summary: 'wait until its units are up',
        action: {
          kind: 'wait',
          condition: allActive(units),
          timeoutSeconds: TIMEOUT,
          units,
          restarts: RESTARTS,
        },
        needs: started.map(({ component }) => unitStep(host, component)),
        // Without an API server nothing here gets ready; when it cannot be started any more, nobody waits for it.
        after: controlPlanes(context.cluster).map((server) => unitStep(server, kubeApiserver)),
        onlyIfAny: started.map(({ component }) => unitStep(host, component)),
        ...nodeGate(context, host),
      };
    }),
    ...looksAtBatches(context),
  ],
};

/** Says which are not. The exit status of `systemctl is-active` is 0 when any one of its units is active (systemctl(1)). */
const allActive = (units: readonly string[]): string => `set -- ${units.join(' ')}
s_code=0
for s_a in $(systemctl is-active "$@"); do [ "$s_a" = active ] || { echo "$1 is $s_a"; s_code=1; }; shift; done
[ $# = 0 ] && exit $s_code`;

import { imageReference } from '../artifacts/catalogue.ts';
import { containerd, containerdPlace, CTR } from '../components/containerd.ts';
import { isNode } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { OPT } from '../engine/state.ts';
import { stepId, type Desired } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { artefactVersion, nodeImages } from './deliver-artifacts.ts';
import { install } from './install.ts';
import { rolledOut } from './rollout/index.ts';
import { deliveryStep, unitStep } from './step-ids.ts';

export const runtime: Phase<Context> = {
  id: 'runtime',
  title: 'Container runtime',
  summary: 'Starts containerd, batch by batch where it serves already, and imports the images that every node keeps.',
  plan: (context) => [
    ...install(context, containerd).flatMap(rolledOut(context)),
    ...plannedHosts(context)
      .filter(isNode)
      .flatMap((host) => nodeImages(context.cluster).map((name) => importImage(context, host, name))),
  ],
};

export const IMAGES_PROBE = { name: 'images', script: `${CTR} images ls -q` };

function importImage(context: Context, host: Host, name: string): Desired {
  const version = artefactVersion(context, name);
  const reference = imageReference(name, version);
  const { socket, unit } = containerdPlace(context.facts[host.name]!);
  return {
    id: stepId(host.name, 'runtime', name),
    host: host.name,
    summary: `import the image ${reference}`,
    action: {
      kind: 'script',
      // The socket appears a moment after the unit is started.
      script: `n=0; until [ -S ${socket} ]; do n=$((n + 1)); [ $n -lt 600 ] || { systemctl --no-pager status ${unit}; exit 1; }; sleep 0.1; done
${CTR} images import --local --digests=false ${OPT}/${name}/${version}/${name}.tar`,
      done: { probe: IMAGES_PROBE.name, lines: [reference] },
    },
    needs: [deliveryStep(host, name), unitStep(host, containerd)],
    lane: 'images',
  };
}

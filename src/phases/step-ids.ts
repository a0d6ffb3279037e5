import { OPERATOR, stepId, type StepId } from '../engine/step.ts';

type Named = Readonly<{ name: string }>;

// The steps that others wait for, each spelt here and nowhere else.

/** The cluster's authorities and keys are made. */
export const sharedStep = stepId(OPERATOR, 'issue-certificates', 'cluster');
/** The host's certificates are issued. */
export const issueStep = (host: Named): StepId => stepId(OPERATOR, 'issue-certificates', host.name);
/** What hosts lack is in the operator's cache. */
export const fetchStep = stepId(OPERATOR, 'fetch-artifacts', 'fetch');

/** What ran with the authorities of another state directory is stopped. */
export const stopForeignStep = (host: Named): StepId => stepId(host.name, 'prepare-host', 'stop-foreign');
/** The host carries the cluster's id. */
export const identityStep = (host: Named): StepId => stepId(host.name, 'prepare-host', 'cluster-id');
export const deliveryStep = (host: Named, artefact: string): StepId => stepId(host.name, 'deliver-artifacts', artefact);
export const packageStep = (host: Named, name: string): StepId => stepId(host.name, 'deliver-artifacts', `package-${name}`);

/** The component's unit is started, with what it runs from. */
export const unitStep = (host: Named, component: Named): StepId => stepId(host.name, component.name, 'unit');
/** The component serves again after its turn. */
export const servesStep = (host: Named, component: Named): StepId => stepId(host.name, component.name, 'serves');
/** The load balancer of the host has read its list again. */
export const reloadStep = (host: Named): StepId => stepId(host.name, 'api-endpoint', 'reload');
/** All units of the host are up. */
export const readyStep = (host: Named): StepId => stepId(host.name, 'ready', 'units');
/** A batch of nodes may change: what was changed before is well, as the API sees it. */
export const batchStep = (observer: Named, batch: number): StepId => stepId(observer.name, 'ready', `batch-${batch}`);

/** The API server of the observer is ready. */
export const apiStep = (observer: Named): StepId => stepId(observer.name, 'addons', 'api');
/** A service of the cluster's own is applied. */
export const addonStep = (observer: Named, slug: string): StepId => stepId(observer.name, 'addons', slug);
/** flannel has its user in etcd. */
export const flannelStoreStep = (observer: Named): StepId => stepId(observer.name, 'flannel-store', 'users');
/** The node, which the API had lost, is registered again. */
export const registerStep = (host: Named): StepId => stepId(host.name, 'nodes', 'register');

/** What the observer does for a host that leaves. */
export const removalStep = (observer: Named, what: 'drain' | 'leave-etcd' | 'node', host: Named): StepId =>
  stepId(observer.name, 'remove', `${what}-${host.name}`);
/** A part of giving a host back. */
export const resetStep = (host: Named, slug: string): StepId => stepId(host.name, 'reset', slug);

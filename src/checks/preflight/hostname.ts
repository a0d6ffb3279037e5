import { sh } from '../../base/quote.ts';
import { finding, perHost, type PreflightCheck } from './preflight.ts';

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Whoever reads a node's name finds the host by it, so name and hostname must agree; of a host that was installed already only a warning, as it keeps its name. */
export const hostname: PreflightCheck = {
  id: 'hostname',
  title: 'The hostname is the name in the cluster file, and valid',
  run: (context) =>
    perHost(context, ({ name, named }, facts) => {
      const actual = facts.hostname.toLowerCase();
      if (facts.cluster?.host === name && actual !== name)
        return [
          finding('warning', name, {
            what: `its hostname is ${facts.hostname || 'empty'} now, and it stays the node ${name}`,
            hint: `Give it back its name with ${sh`hostnamectl set-hostname ${name}`}; to make it another node, remove it and join it again.`,
          }),
        ];
      if (named && actual !== name)
        return [
          finding('error', name, {
            what: `its hostname is ${facts.hostname || 'empty'}, but the cluster file says ${name}`,
            hint: `Run ${sh`hostnamectl set-hostname ${name}`} there${facts.hostname === '' ? '' : `, or write name: ${facts.hostname} in the cluster file`}.`,
          }),
        ];
      if (/^localhost(\.|$)/.test(actual))
        return [
          finding('error', name, {
            what: `its hostname is ${facts.hostname}`,
            hint: 'Give it a name of its own: hostnamectl set-hostname NAME.',
          }),
        ];
      if (!actual.split('.').every((part) => label.test(part)))
        return [
          finding('error', name, {
            what: `its hostname ${facts.hostname === '' ? 'is empty' : `${facts.hostname} cannot be a node name`}`,
            hint: 'A node name has lower case letters, digits, dots and dashes, and starts and ends with a letter or digit: hostnamectl set-hostname NAME.',
          }),
        ];
      return [];
    }),
};

import { sh } from '../../base/quote.ts';
import { finding, perHost, type PreflightCheck } from './preflight.ts';

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The kubelet registers under the hostname in lower case, and its certificate is issued to that name: so name and hostname must agree. */
export const hostname: PreflightCheck = {
  id: 'hostname',
  title: 'The hostname is the name in the cluster file, and valid',
  run: (context) =>
    perHost(context, ({ name, named }, facts) => {
      const actual = facts.hostname.toLowerCase();
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

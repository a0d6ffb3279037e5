import { isIP } from 'node:net';
import { SlipwayError } from '../base/errors.ts';

/** What a host says is data, and some of it is written to other hosts and to terminals: these are the forms that such values may have. */

const LONGEST = 60;

/** Without control characters, with which text could pose as other text at a terminal; line ends and tabs stay. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** A whole number from 0 upwards; what is none counts as 0. */
export function wholeNumber(text: string | undefined): number {
  return /^\d{1,20}$/.test(text ?? '') ? Number(text) : 0;
}

/** An IPv4 or IPv6 address, the latter with a zone perhaps; undefined: it is none. */
export function address(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [, plain] = /^([\da-fA-F:.]+)(?:%[\w.-]{1,15})?$/.exec(text) ?? [];
  return plain !== undefined && isIP(plain) !== 0 ? text : undefined;
}

/** `default`, or an IPv4 network with its prefix. */
export function isDestination(text: string): boolean {
  const [, network, prefix] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  return text === 'default' || (network !== undefined && isIP(network) === 4 && Number(prefix) <= 32);
}

/** Of what the kernel allows (dev_valid_name) the names that systems and people give. */
export function isInterfaceName(text: string | undefined): text is string {
  return text !== undefined && /^\w[\w.-]{0,14}$/.test(text);
}

/** One word without anything that a shell or a path would take for more: a version, an id, a processor. Anything else is told as empty. */
export function word(text: string | undefined): string {
  return /^[\w.+~:-]{1,128}$/.test(text ?? '') ? text! : '';
}

/**
 * A hostname, which may become a node's name. Ordinary mistakes (capital letters, underscores) are left to the preflight checks. Throws
 * HOST_NAME_INVALID (refused) for what no host that means well is called.
 */
export function hostnameOf(text: string, host: string | undefined): string {
  if (/^[\w.-]*$/.test(text)) return text;
  const shown = JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
  throw new SlipwayError(`${host === undefined ? 'its' : `${host}: its`} hostname ${shown} cannot be a node name`, {
    code: 'HOST_NAME_INVALID',
    category: 'refused',
    where: host === undefined ? {} : { host },
    hint: 'Nothing was done with it. See who gave the host that name, then: hostnamectl set-hostname NAME.',
  });
}

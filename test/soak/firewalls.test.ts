import { describe } from '@jest/globals';
import { firewallTests } from '../helpers/firewalls.ts';

describe.each(['bullseye', 'trixie'])('firewalls of Debian %s', (release) => firewallTests(`soak-firewalls-${release}`, release));

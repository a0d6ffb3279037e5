import { describe } from '@jest/globals';
import { firewallTests } from '../helpers/firewalls.ts';

describe('firewalls', () => firewallTests('firewalls', 'bookworm'));

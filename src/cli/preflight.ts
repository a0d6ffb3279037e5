import type { Emit } from '../engine/events.ts';
import type { Context } from '../phases/context.ts';

export function preflight(_context: Context, _emit: Emit): void {}

import type { Context } from '../phases/context.ts';
import type { Session } from './session.ts';

export async function verifyCluster(_session: Session, _options: { context: Context; quick: boolean }): Promise<void> {}

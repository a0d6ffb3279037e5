import type { Renderer } from './renderer.ts';

/**
 * A display that is given up when it fails, never the run: work on hosts goes on, and its own errors are the ones that a person must see.
 * What comes from then on is shown by `otherwise`.
 */
export function steadyRenderer(
  display: Renderer,
  { otherwise, onFault }: { otherwise: Renderer; onFault: (error: unknown) => void },
): Renderer {
  let current = display;
  const giveUp = (error: unknown): void => {
    if (current === otherwise) throw error;
    current = otherwise;
    onFault(error);
    display.stop().catch(onFault);
  };
  const ending = async (end: () => Promise<void>): Promise<void> => {
    try {
      await end();
    } catch (error) {
      giveUp(error);
    }
  };
  return {
    handle(event) {
      try {
        current.handle(event);
      } catch (error) {
        giveUp(error);
        current.handle(event);
      }
    },
    settle: () => ending(() => current.settle()),
    stop: () => ending(() => current.stop()),
  };
}

import type { PumpHost } from "./pump";

const setImmediateOfNode = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate;

/** Yields through setImmediate in Node, through a message channel elsewhere (timers are clamped to 4 ms there). */
function chooseSoon(): (callback: () => void) => void {
  if (setImmediateOfNode) return (callback) => void setImmediateOfNode(callback);
  const queue: (() => void)[] = [];
  const channel = new MessageChannel();
  channel.port1.onmessage = () => queue.shift()?.();
  return (callback) => {
    queue.push(callback);
    channel.port2.postMessage(0);
  };
}

export function hostLoop(): PumpHost {
  return {
    nowNs: () => performance.now() * 1e6,
    soon: chooseSoon(),
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  };
}

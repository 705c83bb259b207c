// The engine's Worker: a session behind messages. Built as one self-contained script, so that it also runs as a Blob.
import { toPlain } from "../errors";
import type { FromWorker, RequestName, SessionEvent, ToWorker } from "./protocol";
import { Session } from "./session";

const post = (message: FromWorker, transfer: Transferable[] = []): void =>
  (self as unknown as { postMessage(message: FromWorker, transfer: Transferable[]): void }).postMessage(
    message,
    transfer,
  );

const session = new Session((event: SessionEvent) => post(event, buffersOf(event)));

/** What a message gives away instead of copying it. */
function buffersOf(event: SessionEvent): ArrayBuffer[] {
  if (event.event === "screen") return event.frame.bands.map(({ pixels }) => pixels.buffer as ArrayBuffer);
  return event.event === "serial" || event.event === "trace" ? [event.bytes.buffer as ArrayBuffer] : [];
}

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  try {
    post({ id: data.id, result: await session.handle(data.name as RequestName, data.argument as never) });
  } catch (error) {
    post({ id: data.id, error: toPlain(error) });
  }
};

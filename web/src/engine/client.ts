import { fromPlain, LapwingError, messageOf } from "../errors";
import { fetchFile } from "./files";
import type { FromWorker, ReplyOf, RequestName, RequestOf, SessionEvent, ToWorker } from "./protocol";

/** A session, wherever it lives. */
export interface Client {
  request<N extends RequestName>(name: N, argument: RequestOf<N>): Promise<ReplyOf<N>>;
  dispose(): void;
}

export type OnEvent = (event: SessionEvent) => void;

/** The session in a Worker, so that a busy guest never holds up the page. */
export async function workerClient(workerUrl: string, onEvent: OnEvent): Promise<Client> {
  const worker = await startWorker(workerUrl);
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let death: LapwingError | undefined;
  const failAll = (error: LapwingError) => {
    death = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    failAll(workersDenied(event.message));
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if ("event" in data) {
      onEvent(data);
      return;
    }
    const entry = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) entry?.reject(fromPlain(data.error));
    else entry?.resolve(data.result as never);
  };
  return {
    request: (name, argument) =>
      new Promise((resolve, reject) => {
        if (death) {
          reject(death);
          return;
        }
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, name, argument } satisfies ToWorker);
      }),
    dispose: () => {
      worker.terminate();
      failAll(new LapwingError("stopped", "The machine was disposed of."));
    },
  };
}

function workersDenied(reason: string): LapwingError {
  const cause = reason ? ` (${reason})` : "";
  return new LapwingError(
    "host",
    `This page may not start a Worker, which Lapwing needs${cause}; its security policy must allow worker-src 'self' blob:.`,
  );
}

/** A Worker from this origin directly; from another origin, or in a sandboxed frame, from a Blob with the same text. */
async function startWorker(url: string): Promise<Worker> {
  if (typeof Worker !== "function") throw workersDenied("");
  if (new URL(url).origin === location.origin && self.origin !== "null") {
    try {
      return new Worker(url);
    } catch (error) {
      throw workersDenied(messageOf(error));
    }
  }
  const text = await (await fetchFile("the engine's worker", url)).text();
  const blobUrl = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return new Worker(blobUrl);
  } catch (error) {
    throw workersDenied(messageOf(error));
  } finally {
    // The Worker has taken its script by the time the event loop comes round.
    setTimeout(() => URL.revokeObjectURL(blobUrl), 10_000);
  }
}

import type { Client, OnEvent } from "./client";
import { Session } from "./session";

/** The session in this thread: Node, where the program itself is the host. */
export function directClient(onEvent: OnEvent): Client {
  const session = new Session(onEvent);
  return {
    request: async (name, argument) => session.handle(name, argument),
    dispose: () => session.dispose(),
  };
}

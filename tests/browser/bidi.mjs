// Firefox through WebDriver BiDi: a WebSocket client (RFC 6455, text frames, as much as BiDi needs) and commands.
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

const textFrame = 1;
const closeFrame = 8;
const pingFrame = 9;
const pongFrame = 10;

class Socket {
  #stream;
  #buffer = Buffer.alloc(0);
  #parts = [];
  onMessage = () => {};

  static connect(url) {
    const { hostname, port, pathname } = new URL(url);
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": crypto.randomBytes(16).toString("base64"),
    };
    return new Promise((resolve, reject) => {
      const request = http.get({ hostname, port, path: pathname, headers });
      request.on("error", reject);
      request.on("response", ({ statusCode }) => reject(new Error(`no WebSocket: HTTP ${statusCode}`)));
      request.on("upgrade", (_response, stream, head) => resolve(new Socket(stream, head)));
    });
  }

  constructor(stream, head) {
    this.#stream = stream;
    stream.on("data", (data) => this.#take(data));
    stream.on("error", () => {});
    this.#take(head);
  }

  send(text, kind = textFrame) {
    const payload = Buffer.from(text);
    const mask = crypto.randomBytes(4);
    const size = payload.length;
    const length = size < 126 ? [0x80 | size] : size < 65536 ? [0xfe, size >> 8, size & 255] : null;
    if (!length) throw new Error("message too long");
    payload.forEach((byte, i) => (payload[i] = byte ^ mask[i % 4]));
    this.#stream.write(Buffer.concat([Buffer.from([0x80 | kind, ...length]), mask, payload]));
  }
  close() {
    this.#stream.destroy();
  }

  #take(data) {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    for (;;) {
      const bytes = this.#buffer;
      if (bytes.length < 2) return;
      const short = bytes[1] & 127;
      const at = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (bytes.length < at) return;
      const size =
        short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
      if (bytes.length < at + size) return;
      this.#buffer = bytes.subarray(at + size);
      this.#frame(bytes[0] & 15, (bytes[0] & 128) !== 0, bytes.subarray(at, at + size));
    }
  }
  #frame(kind, isLast, payload) {
    if (kind === pingFrame) this.send(payload, pongFrame);
    if (kind >= closeFrame) return;
    this.#parts.push(payload);
    if (isLast) this.onMessage(Buffer.concat(this.#parts.splice(0)).toString("utf8"));
  }
}

export class Firefox {
  #child;
  #socket;
  #profile;
  #waiting = new Map();
  #lastId = 0;
  #context;

  static async launch(executable) {
    const firefox = new Firefox();
    await firefox.#start(executable);
    return firefox;
  }

  async #start(executable) {
    this.#profile = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-firefox-"));
    const args = ["--headless", "--no-remote", "--profile", this.#profile, "--remote-debugging-port", "0"];
    this.#child = spawn(executable, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, HOME: this.#profile },
    });
    this.#socket = await Socket.connect(`${await this.#address()}/session`);
    this.#socket.onMessage = (text) => this.#answer(JSON.parse(text));
    await this.command("session.new", { capabilities: {} });
    const { contexts } = await this.command("browsingContext.getTree", {});
    this.#context = contexts[0].context;
  }

  #address() {
    return new Promise((resolve, reject) => {
      let log = "";
      const timer = setTimeout(
        () => reject(new Error(`Firefox did not offer WebDriver BiDi:\n${log}`)),
        60_000,
      );
      this.#child.stderr.setEncoding("utf8").on("data", (text) => {
        log += text;
        const address = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(log)?.[1];
        if (!address) return;
        clearTimeout(timer);
        resolve(address);
      });
    });
  }

  #answer(message) {
    const entry = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === "error") entry?.reject(new Error(`${message.error}: ${message.message}`));
    else entry?.resolve(message.result);
  }

  command(method, params) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  open(url) {
    return this.command("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }
  /** The value of an expression in the page (JSON types only). */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.command("script.evaluate", {
      expression: `(async () => JSON.stringify(await (${expression})))()`,
      target: { context: this.#context },
      awaitPromise: true,
      userActivation: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value === undefined ? undefined : JSON.parse(result.value);
  }
  /** Real key presses. */
  type(text) {
    const enter = "\uE007";
    const actions = [...text.replaceAll("\n", enter)].flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]);
    return this.command("input.performActions", {
      context: this.#context,
      actions: [{ type: "key", id: "keys", actions }],
    });
  }

  async close() {
    this.#socket?.close();
    const gone = new Promise((resolve) => this.#child.on("close", resolve));
    this.#child.kill("SIGKILL");
    await gone;
    fs.rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

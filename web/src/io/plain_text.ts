const sequences = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[78=>cDEHM])/g;
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*|[()])?$/;

/** Terminal output as a person reads it: UTF-8 decoded, control sequences (colours, cursor moves) left out. */
export class PlainText {
  readonly #decoder = new TextDecoder();
  #rest = "";

  take(bytes: Uint8Array): string {
    const text = (this.#rest + this.#decoder.decode(bytes, { stream: true })).replace(sequences, "");
    this.#rest = unfinished.exec(text)?.[0] ?? "";
    return text.slice(0, text.length - this.#rest.length);
  }
}

/** A host whose clock moves only when told: an event loop to test the pump with. */
export class FakeHost {
  now = 0;
  turns = 0;
  #queue = [];
  #timers = [];

  nowNs() {
    return this.now;
  }
  soon(callback) {
    this.#queue.push(callback);
  }
  after(ms, callback) {
    const timer = { at: this.now + ms * 1e6, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  get timers() {
    return this.#timers.length;
  }
  get isIdle() {
    return this.#queue.length === 0;
  }

  /** Runs callbacks and timers until the clock shows `ns` or nothing is left to do. */
  runUntil(ns) {
    while (this.now < ns) {
      const callback = this.#queue.shift();
      if (callback) {
        this.turns++;
        callback();
        continue;
      }
      const next = this.#timers.reduce((a, b) => (a && a.at <= b.at ? a : b), undefined);
      if (!next || next.at > ns) {
        this.now = ns;
        return;
      }
      this.now = Math.max(this.now, next.at);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.turns++;
      next.callback();
    }
  }
}

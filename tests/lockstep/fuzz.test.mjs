// Random programs as generated code in V8 and on the interpreter: a fixed run, and one that is different each day.
// Every module that the translator made is checked by binaryen as well.
import assert from "node:assert/strict";
import test from "node:test";
import binaryen from "binaryen";
import { addCorpora } from "./corpus.mjs";
import { Probe } from "./host.mjs";

const day = Math.floor(Date.now() / 86_400_000);

function fuzz(t, probe, firstSeed, batches, rounds) {
  addCorpora(probe);
  for (let seed = firstSeed; seed < firstSeed + batches; seed++) {
    const isEqual = probe.exports.ls_batch(seed, rounds);
    assert.ok(isEqual, `node tests/lockstep/run.mjs --batch ${seed} --rounds ${rounds}\n${probe.text()}`);
  }
  const counts = probe.counts();
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.generated > 5 * counts.executions, "hardly anything ran as generated code");
}

test("random programs run alike, interpreted and generated", (t) => fuzz(t, new Probe(), 1, 40, 30));

test("random programs run alike (today's)", (t) => fuzz(t, new Probe(), day * 1000, 40, 30));

test("binaryen accepts every module that random programs give", (t) => {
  let modules = 0;
  const probe = new Probe((bytes) => {
    const module = binaryen.readBinary(bytes);
    module.setFeatures(binaryen.Features.All);
    assert.ok(module.validate(), `module ${modules}: ${module.emitText()}`);
    module.dispose();
    modules++;
  });
  fuzz(t, probe, 5000, 10, 10);
  assert.ok(modules > 10);
});

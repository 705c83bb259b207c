// Preloaded: every module that the engine makes is read and validated by binaryen; the count goes to stderr.
import binaryen from "binaryen";

const Module = WebAssembly.Module;
let count = 0;
WebAssembly.Module = class extends Module {
  constructor(bytes) {
    const module = binaryen.readBinary(new Uint8Array(bytes));
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) {
      process.stderr.write(`invalid module ${count}:\n${module.emitText()}\n`);
      process.exit(99);
    }
    module.dispose();
    count++;
    super(bytes);
  }
};
process.on("exit", () => process.stderr.write(`${count} modules are valid\n`));

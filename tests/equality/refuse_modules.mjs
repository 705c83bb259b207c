// Preloaded: a host that compiles the engine but none of the modules that it makes, as when memory has run out.
WebAssembly.Module = class extends WebAssembly.Module {
  constructor() {
    throw new WebAssembly.CompileError("this host refuses");
  }
};

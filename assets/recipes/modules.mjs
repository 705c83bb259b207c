// Kernel modules out of an unpacked linux-image package, in load order (dependencies first).
import fs from "node:fs";
import path from "node:path";

function moduleFiles(root) {
  const files = new Map();
  for (const name of fs.readdirSync(root, { recursive: true })) {
    if (name.endsWith(".ko"))
      files.set(path.basename(name, ".ko").replaceAll("-", "_"), path.join(root, name));
  }
  return files;
}

/** The names in a module's .modinfo entry "depends=a,b". */
function dependencies(data) {
  const at = data.indexOf("\0depends=");
  if (at < 0) return [];
  const start = at + "\0depends=".length;
  const text = data.toString("latin1", start, data.indexOf(0, start));
  return text ? text.split(",").map((name) => name.replaceAll("-", "_")) : [];
}

/** wanted: module names; one that is built into the kernel (no file) is left out. */
export function collectModules(root, wanted) {
  const files = moduleFiles(root);
  const ordered = new Map();
  const visit = (name) => {
    if (ordered.has(name) || !files.has(name)) return;
    const data = fs.readFileSync(files.get(name));
    dependencies(data).forEach(visit);
    ordered.set(name, data);
  };
  wanted.forEach(visit);
  return [...ordered].map(([name, data]) => ({ name, data }));
}

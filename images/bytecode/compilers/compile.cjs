// Compiles modules with one Pyodide release. On stdin, as JSON: the release's folder, the name of a file that all byte code
// has, and per module the source file and the file to write. On stdout, as JSON: per source that does not compile, the reason.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// The order of a frozenset's constants follows the hash seed up to Python 3.10; later marshal sorts them.
// Columns of expressions, which tracebacks underline, are a fifth of the byte code: not for modules that are not the app's.
const env = { PYTHONHASHSEED: "0", PYTHONNODEBUGRANGES: "1" };

// Pyodide 0.21 has no setting for the environment: reach for it before the interpreter starts.
function presetEnvironment() {
  let create;
  Object.defineProperty(globalThis, "_createPyodideModule", {
    get: () => create && ((module) => {
      module.preRun.push(() => Object.assign(module.ENV, env));
      return create(module);
    }),
    set: (value) => { create = value; },
  });
}

async function main() {
  process.exitCode = 1; // also where Pyodide waits for ever for a part that it cannot load: Node then just ends
  const { compiler, filename, modules } = JSON.parse(fs.readFileSync(0, "utf8"));
  const write = process.stdout.write.bind(process.stdout);
  console.log = () => {};
  if (path.basename(compiler) === "pyodide-3.10") presetEnvironment();
  const pyodide = await require(compiler).loadPyodide({ indexURL: compiler + path.sep, env });
  pyodide.runPython(fs.readFileSync(path.join(__dirname, "to_pyc.py"), "utf8"));
  const toPyc = pyodide.globals.get("to_pyc");
  const refused = {};
  for (const { source, target } of modules) {
    const content = pyodide.toPy(new Uint8Array(fs.readFileSync(source)));
    const pyc = toPyc(content, filename);
    content.destroy();
    if (typeof pyc === "string") {
      refused[source] = pyc;
    } else {
      fs.writeFileSync(target, pyc.toJs());
      pyc.destroy();
    }
  }
  write(JSON.stringify(refused));
  process.exitCode = 0;
}

main().catch((error) => process.stderr.write(`${error.stack ?? error}\n`));

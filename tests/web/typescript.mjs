/** The loader hook that register.mjs installs. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const options = { format: "esm", target: "node20", jsx: "automatic", jsxImportSource: "preact", sourcemap: "inline" };

export async function load(url, context, next) {
  if (url.endsWith(".css")) return { format: "module", source: 'export default "";', shortCircuit: true };
  if (!/\.tsx?$/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  const { code } = transformSync(readFileSync(path, "utf8"), { ...options, loader: url.endsWith("x") ? "tsx" : "ts", sourcefile: path });
  return { format: "module", source: code, shortCircuit: true };
}

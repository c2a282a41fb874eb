/** `npm test`: node's own test runner over the TypeScript tests, or over those named on the command line. */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const all = readdirSync(here, { recursive: true }).filter((name) => name.endsWith(".test.ts"));
const named = process.argv.slice(2);
const files = named.length > 0 ? named : all.map((name) => join(here, name));
const { status } = spawnSync(process.execPath, ["--import", join(here, "register.mjs"), "--test", ...files], { stdio: "inherit" });
process.exit(status ?? 1);

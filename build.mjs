/**
 * `npm run build`: the two browser programs and their pages into gateway/static/, which the gateway serves.
 *
 * Built files carry a hash of their content in the name and may be cached for ever; only widget.js keeps its name, since
 * storefronts link to it. In the pages {{name.js}}, .css and .svg become addresses; other {{words}} are the gateway's.
 */

import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const OUT = "gateway/static";
const KIB = 1024;
const BUDGETS = [
  { what: "loader", files: ["widget.js"], limit: 4 * KIB }, // every page of the storefront pays for it
  { what: "widget app", files: ["widget-app.js", "widget-app.css"], limit: 40 * KIB }, // on intent only
  { what: "console", files: ["console.js"], limit: 60 * KIB },
];
const shared = {
  bundle: true,
  minify: true,
  write: false,
  outdir: OUT,
  target: ["es2020", "chrome90", "firefox90", "safari15"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  loader: { ".svg": "copy" },
  logLevel: "warning",
};

/** The loader carries its style inside: a link element could be held up by the host page's policy. */
const styleAsText = {
  name: "style-as-text",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target: shared.target });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const apps = [
  { in: "widget/src/app.tsx", out: "widget-app" },
  { in: "widget/storefront/storefront.ts", out: "storefront" },
  { in: "widget/storefront/home.css", out: "home" },
  { in: "console/src/main.tsx", out: "console" },
  { in: "console/bell.svg", out: "bell" },
  { in: "widget/storefront/leaf.svg", out: "leaf" },
].filter((entry) => existsSync(entry.in));
const pages = [
  "widget/frame.html",
  "widget/storefront/demo.html",
  "widget/storefront/home.html",
  "console/console.html",
].filter(existsSync);

const [loader, hashed] = await Promise.all([
  build({ ...shared, entryPoints: [{ in: "widget/src/loader.ts", out: "widget" }], format: "iife", plugins: [styleAsText] }),
  build({ ...shared, entryPoints: apps, entryNames: "[name].[hash]", format: "esm" }),
]);
const files = new Map([...loader.outputFiles, ...hashed.outputFiles].map((file) => [basename(file.path), file.contents]));
const manifest = Object.fromEntries([...files.keys()].map((name) => [name.replace(/\.[A-Z0-9]{8}\./, "."), name]).sort());
const sizeOf = (name) => gzipSync(files.get(manifest[name]) ?? "", { level: 9 }).length;

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
for (const [name, contents] of files) await writeFile(join(OUT, name), contents);
for (const page of pages) await writeFile(join(OUT, basename(page)), linked(page, await readFile(page, "utf8")));
await writeFile(join(OUT, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`); // last: a running server looks at it
report();

function linked(page, html) {
  const own = page.startsWith("console") ? "console" : "";
  return html
    .replaceAll("{{script}}", `{{${own}.js}}`)
    .replaceAll("{{style}}", `{{${own}.css}}`)
    .replaceAll(/\{\{([\w-]+\.(?:js|css|svg))\}\}/g, (_, name) => {
      if (!manifest[name]) throw new Error(`${page} names ${name}, which was not built`);
      return `/static/${manifest[name]}`;
    });
}

function report() {
  for (const [name, built] of Object.entries(manifest)) console.log(`${built}: ${(sizeOf(name) / KIB).toFixed(1)} KiB gzipped`);
  for (const { what, files: names, limit } of BUDGETS) {
    const size = names.reduce((sum, name) => sum + sizeOf(name), 0);
    console.log(`${what}: ${(size / KIB).toFixed(2)} of ${limit / KIB} KiB`);
    if (size > limit) {
      console.error(`The ${what} is over its budget.`);
      process.exitCode = 1;
    }
  }
}
